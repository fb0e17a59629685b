"""The MODEL argument of the tools: what it may be, and how it becomes a module of the samba dialect.

model.mlir                 samba-level IR
model.pt2                  a saved ExportedProgram, read as data; --trust model.pt2 lets PyTorch run what it holds
file.py:function           runs the file; the function returns (module, args) or (module, args, kwargs)
--hf FOLDER                what transformers' save_pretrained wrote, or a config.json alone; --phase
                           prefill|decode|forward (several, separated by commas, become graphs of one PEF that share
                           weights and state), --batch, --length, --prompt
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sambaflow.errors import InputError, Location, SambaError
from sambaflow.files import read_input

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp

    from sambaflow.frontends.imported import Imported

DTYPES = ("float32", "bfloat16")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """MODEL and the options of `--hf`."""
    add = parser.add_argument
    add("model", metavar="MODEL", nargs="?", help="a .mlir or .pt2 file, or file.py:function")
    add("--hf", metavar="PATH", help="a transformers folder with weights, or config.json alone, instead of MODEL")
    add(
        "--trust",
        metavar="FILE",
        help="the MODEL, a .pt2 file, may run code: torch.export.load reads it, pickles and all",
    )
    add("--phase", default="prefill", help="of --hf: prefill, decode, forward, or several: prefill,decode")
    add("--batch", type=int, default=1, help="of --hf: sequences (default 1)")
    add(
        "--length",
        type=int,
        help="of --hf: positions of the cache, or tokens of a forward (default: 1024, or all that the model has)",
    )
    add("--prompt", type=int, help="of --hf: tokens of a prefill (default: --length)")
    add("--dtype", choices=DTYPES, help="of --hf: instead of the configuration's own")


def check_model_arguments(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Ends with a usage error unless there is exactly one model, and trust is in it if in any file."""
    if (args.model is None) == (args.hf is None):
        parser.error("give one model: MODEL or --hf PATH")
    if args.trust is not None and (args.trust != args.model or not args.trust.endswith(".pt2")):
        parser.error(f"--trust {args.trust}: name the MODEL, a .pt2 file")


def model_file(args: argparse.Namespace) -> str | None:
    """The file of MODEL, if there is one."""
    path, colon, _ = str(args.model or "").rpartition(":")
    return path if colon and path.endswith(".py") else args.model


def import_from(args: argparse.Namespace) -> Imported:
    """The module that the arguments name, its weights, and the graphs' calling conventions (none for .mlir)."""
    if args.hf is not None:
        return _from_hf(args)
    path, colon, function = str(args.model).rpartition(":")
    if colon and path.endswith(".py"):
        from sambaflow.frontends.torch_export import import_model

        module, inputs, keywords = call_function(path, function)
        return import_model(module, inputs, keywords)
    if str(args.model).endswith(".mlir"):
        from sambaflow.frontends.imported import Imported

        return Imported(read_module(str(args.model)))
    if str(args.model).endswith(".pt2"):
        from sambaflow.frontends.torch_export import import_model

        return import_model(args.model, trust=args.trust is not None)
    raise InputError(
        f"'{args.model}' is no model", levers=["a .mlir or .pt2 file", "file.py:function", "--hf FOLDER or config.json"]
    )


def call_function(path: str, name: str) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Runs `file.py` and calls the function in it: (module, args, kwargs).

    Raises InputError, at the line that raised, when the file cannot be run, the function is not there or raises, or
    returns something else.
    """
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise InputError("no such file", location=Location(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)
    try:
        spec.loader.exec_module(module)
        function = getattr(module, name, None)
        if not callable(function):
            raise InputError(f"{path} has no function '{name}'", location=Location(path))
        result = function()
    except SambaError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(
            f"{path}:{name} raised {type(error).__name__}: {error}", location=_line(error, path)
        ) from error
    if not isinstance(result, tuple) or len(result) not in (2, 3) or not isinstance(result[1], tuple):
        raise InputError(
            f"{path}:{name} returned {type(result).__name__}, not (module, inputs)",
            location=Location(path),
            levers=["return (module, (input, ...)) or (module, (input, ...), {name: input})"],
        )
    return result[0], result[1], dict(result[2]) if len(result) == 3 else {}


def _line(error: BaseException, path: str) -> Location:
    """The last line of the user's file in the traceback."""
    if isinstance(error, SyntaxError):
        return Location(error.filename or path, error.lineno or 0, error.offset or 0)
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).resolve() == Path(path).resolve()
    ]
    return Location(path, frames[-1].lineno or 0) if frames else Location(path)


def read_module(path: str) -> ModuleOp:
    """The verified module of a file of IR, or of standard input for `-`."""
    from sambaflow.dialects.text.parsing import decode, parse_module
    from sambaflow.passes.framework.context import SambaContext
    from sambaflow.passes.framework.verification import verify_module

    module = parse_module(decode(read_input(path), path), path, SambaContext())
    verify_module(module)
    return module


def _from_hf(args: argparse.Namespace) -> Imported:
    from sambaflow.samba.compiler import import_transformers

    phases = [phase for phase in args.phase.split(",") if phase]
    return import_transformers(args.hf, phases, args.batch, args.length, args.prompt, args.dtype)

"""samba-run: run a PEF in the simulator, for the numbers, the time, or both.

    samba-run m.pef --inputs in.safetensors --outputs out.safetensors
    samba-run m.pef --graph decode --inputs in.safetensors --state-in kv.safetensors --state-out kv.safetensors
    samba-run m.pef --timing --json

Tensors are named as in the model. Weights are read from --weights: a safetensors file, the index of several, or a
folder that transformers' save_pretrained wrote; else from the safetensors file beside the PEF.
`seconds` is the device time of one call; host transfers stand beside it. Exit codes: 0 done; 1 the input is refused, a
diagnostic on standard error says why; 2 wrong command-line usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sambaflow.files import STANDARD, Content, read_input, write_files, write_output
from sambaflow.reporting import Reporter, printable
from sambaflow.tools.paths import Use, check_paths, files_in, with_suffix
from sambaflow.tools.report_arguments import add_diagnostics_arguments, parse_command_line, reporter_of, run

if TYPE_CHECKING:
    import torch

    from sambaflow.backends.rdu.image import Image
    from sambaflow.machine import Machine
    from sambaflow.sim.timing.program import ProgramTime


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command_line = argparse.ArgumentParser(prog="samba-run", description="Run a PEF in the simulator.")
    add = command_line.add_argument
    add("pef", metavar="PEF")
    add("--graph", help="which graph, when the PEF holds several")
    add(
        "--inputs",
        metavar="FILE",
        help="input tensors (safetensors); without it and --outputs only the time is simulated",
    )
    add(
        "--weights",
        metavar="PATH",
        help="weights: .safetensors, an index .json, or a transformers folder (default: the file beside the PEF)",
    )
    add("--outputs", metavar="FILE", help="write the output tensors")
    add("--state-in", metavar="FILE", help="read state before the call")
    add("--state-out", metavar="FILE", help="write state after the call; may be the file of --state-in")
    add("--tiled", action="store_true", help="walk the tile grids one tile at a time (the same bits, slower)")
    add("--timing", action="store_true", help="print the time of one call, per section and per memory tier")
    add("--machine", metavar="FILE", help="other rates for the timing; the structure must be the PEF's")
    add("--trace", metavar="FILE", help="write a trace of the timing simulation (Perfetto JSON)")
    add("--report", metavar="FILE", help="write the timing report as JSON")
    add("--json", action="store_true", help="print one JSON object on standard output instead of text")
    add_diagnostics_arguments(command_line)
    return command_line


def main(arguments: Sequence[str] | None = None) -> int:
    """The command-line entry point; returns the exit code."""
    args = parse_command_line(parser(), arguments)
    reporter = reporter_of(args)
    return run(reporter, lambda: _run(args, reporter), args.pef)


def _check_paths(args: argparse.Namespace) -> None:
    check_paths(
        [
            Use("--outputs", args.outputs),
            Use("--state-out", args.state_out),
            Use("--report", args.report),
            Use("--trace", args.trace),
        ],
        [
            Use("the PEF", args.pef),
            Use("the weights beside the PEF", with_suffix(args.pef, ".safetensors")),
            *files_in("--weights", args.weights),
            Use("--inputs", args.inputs),
            Use("--state-in", args.state_in),
            Use("--machine", args.machine),
        ],
        in_place=[("--state-out", "--state-in")],
    )


def _run(args: argparse.Namespace, reporter: Reporter) -> None:
    _check_paths(args)
    image = _read_image(args.pef)
    numbers = any(path is not None for path in (args.inputs, args.outputs, args.state_in, args.state_out))
    report: dict[str, Any] = {}
    files: list[tuple[str | Path, Content]] = []
    if numbers:
        report |= _numbers(args, image, files, reporter)
    timed = args.timing or args.json or args.trace is not None or args.report is not None
    if timed or not numbers:
        from sambaflow.sim.report import render

        time = _time(args, image)
        report = time.to_dict() | report
        if args.report is not None:
            files.append((args.report, json.dumps(time.to_dict(), indent=1) + "\n"))
        if args.trace is not None:
            from sambaflow.sim.timing.trace import trace_json

            files.append((args.trace, trace_json(image, args.graph, _machine(args))))
        if not args.json and (args.timing or not numbers):
            write_output(STANDARD, printable(render(time)))
    write_files(files)
    if args.json:
        write_output(STANDARD, json.dumps(report) + "\n")


def _read_image(path: str) -> Image:
    from sambaflow.backends.rdu.decode import decode

    return decode(read_input(path), path)


def _machine(args: argparse.Namespace) -> Machine | None:
    if args.machine is None:
        return None
    from sambaflow import machine

    return machine.load(args.machine)


def _time(args: argparse.Namespace, image: Image) -> ProgramTime:
    from sambaflow.sim.timing.program import time_graph

    return time_graph(image, args.graph, _machine(args))


def _numbers(
    args: argparse.Namespace, image: Image, files: list[tuple[str | Path, Content]], reporter: Reporter
) -> dict[str, Any]:
    """One call in the functional engine; what is to be written goes to `files`."""
    from safetensors.torch import save

    from sambaflow.frontends.weights import load_weights
    from sambaflow.samba.executable import Executable
    from sambaflow.samba.weight_files import weights_of

    exe = Executable(image, weights_of(image, args.pef, args.weights), tiled=args.tiled)
    if args.state_in is not None:
        for name, tensor in load_weights(args.state_in, "state").items():
            exe.state[name] = tensor
    outputs = exe.run(args.graph, {} if args.inputs is None else load_weights(args.inputs, "inputs"))
    _finite(outputs, reporter)
    if args.outputs is not None:
        files.append((args.outputs, save({name: value.contiguous() for name, value in outputs.items()})))
    if args.state_out is not None:
        files.append((args.state_out, save({name: value.contiguous() for name, value in exe.state.items()})))
    described = {
        name: {"shape": list(v.shape), "dtype": str(v.dtype).removeprefix("torch.")} for name, v in outputs.items()
    }
    if not args.json:
        for name, fact in described.items():
            write_output(STANDARD, printable(f"{name}: {fact['dtype']}{fact['shape']}\n"))
    return {"outputs": described}


def _finite(outputs: Mapping[str, torch.Tensor], reporter: Reporter) -> None:
    """Warns when a result is not a number: an input or the model makes it so."""
    for name, value in outputs.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            reporter.warning(f"output '{name}' has values that are not finite")


if __name__ == "__main__":
    sys.exit(main())

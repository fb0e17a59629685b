"""A file that shows a failure again: the IR in front of the pass that failed, and how to run that pass on it.

// configuration: --pass-pipeline='builtin.module(kernel-tile)' --verify-each
// failed with: 'kernel.map' op ...
// replay with: samba-opt --run-reproducer crash.mlir
"builtin.module"() ({
...

A reproducer is data: it says which passes run and how they are checked. What runs code or writes files (plug-ins, paths
of outputs) stands on the command line of whoever replays it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xdsl.ir import Operation
from xdsl.passes import ModulePass

from sambaflow.errors import InputError, Location, Note, SambaError
from sambaflow.passes.framework.manager import Instrumentation, Pipeline
from sambaflow.passes.framework.pipeline_text import Nest, PipelineReader, Step

_CONFIGURATION = "// configuration: "
_PIPELINE = "--pass-pipeline="
_TAKEN = re.compile(rf"{_PIPELINE}.*|--verify-each|--check-semantics(=\d+)?", re.DOTALL)
"""The flags that may stand in a file."""
_PROGRAMS = ("mlir-opt",)
"""Passes, xDSL's, that run the program that an option names."""


@dataclass
class CrashReproducer(Instrumentation):
    """Keeps the text of the module in front of each pass, and writes it when that pass fails.

    `text_of` gives the whole module so that it parses back, whatever is wrong with it: generic, with locations.
    `write` takes the path and the text. `flags` are further flags of the run, `plugins` the files of passes that it
    loads.
    """

    path: str
    text_of: Callable[[Operation], str]
    write: Callable[[str, str], None]
    flags: Sequence[str] = ()
    plugins: Sequence[str] = ()
    _text: str = ""
    _nests: list[str] = field(default_factory=list[str])

    def before_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        self._nests.append(pipeline.anchor)

    def after_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        self._nests.pop()

    def before_pass(self, pass_: ModulePass, op: Operation) -> None:
        module = op
        while (parent := module.parent_op()) is not None:
            module = parent
        self._text = self.text_of(module)

    def after_failure(self, pass_: ModulePass, op: Operation, error: SambaError) -> None:
        pipeline = Pipeline(self._nests[-1], (pass_,))
        for anchor in reversed(self._nests[:-1]):
            pipeline = Pipeline(anchor, (pipeline,))
        flags = [f"{_PIPELINE}{pipeline}", *self.flags]
        replay = ["samba-opt", "--run-reproducer", self.path]
        replay += [f"--load-pass-plugin={path}" for path in self.plugins]
        head = [
            _CONFIGURATION + " ".join(map(shlex.quote, flags)),
            f"// failed with: {' '.join(error.headline.split())}",
            f"// replay with: {' '.join(map(shlex.quote, replay))}",
        ]
        self.write(self.path, "\n".join([*head, self._text, ""]))
        self._nests.clear()


def read_configuration(text: str, name: str) -> list[str]:
    """The flags that a reproducer asks for.

    Raises InputError when `text` is no reproducer, and when it asks for more than passes and their checks.
    """
    first = text.split("\n", 1)[0]
    if not first.startswith(_CONFIGURATION):
        raise InputError(
            f"not a reproducer: the first line is no '{_CONFIGURATION.strip()}'",
            location=Location(name, 1, 1),
            levers=["give the file that --crash-reproducer wrote", "or name the passes with --pass-pipeline"],
        )
    place = Location(name, 1, 1)
    try:
        flags = shlex.split(first.removeprefix(_CONFIGURATION))
    except ValueError as error:
        raise InputError(f"the configuration cannot be read: {error}", location=place) from None
    for flag in flags:
        _check(flag, place)
    return flags


def _check(flag: str, place: Location) -> None:
    """InputError for what a file may not ask for."""
    if _TAKEN.fullmatch(flag) is None:
        shown = flag.partition("=")[0]
        raise InputError(
            f"a reproducer may not set '{shown}', which belongs on the command line",
            location=place,
            notes=[Note("a file may set --pass-pipeline=..., --verify-each and --check-semantics=N")],
            levers=[f"if you trust the file: delete {shown} in its first line and give it to samba-opt"],
        )
    steps = PipelineReader(flag.removeprefix(_PIPELINE)).pipeline() if flag.startswith(_PIPELINE) else []
    for name in _names(steps):
        if name in _PROGRAMS:
            raise InputError(
                f"a reproducer may not run the pass '{name}', which starts a program: it belongs on the command line",
                location=place,
                levers=["if you trust the file: samba-opt --pass-pipeline=... with the file as the input"],
            )


def _names(steps: Sequence[Step | Nest]) -> list[str]:
    """The passes of a pipeline, those of nests too."""
    return [name for step in steps for name in (_names(step.items) if isinstance(step, Nest) else [step.name])]

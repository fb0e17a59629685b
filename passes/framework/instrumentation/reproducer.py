"""A file that shows a failure again: the IR in front of the pass that failed, and how to run that pass on it.

// configuration: --pass-pipeline='builtin.module(kernel-tile)' --verify-each
// failed with: 'kernel.map' op ...
// replay with: samba-opt --run-reproducer crash.mlir
"builtin.module"() ({
...
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xdsl.ir import Operation
from xdsl.passes import ModulePass

from sambaflow.errors import InputError, Location, SambaError
from sambaflow.passes.framework.manager import Instrumentation, Pipeline

_CONFIGURATION = "// configuration: "


@dataclass
class CrashReproducer(Instrumentation):
    """Keeps the text of the module in front of each pass, and writes it when that pass fails.

    `text_of` gives the whole module so that it parses back, whatever is wrong with it: generic, with locations.
    `write` takes the path and the text. `flags` are further flags of the run.
    """

    path: str
    text_of: Callable[[Operation], str]
    write: Callable[[str, str], None]
    flags: Sequence[str] = ()
    _text: str = ""
    _nests: list[str] = field(default_factory=list[str])

    def before_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        self._nests.append(pipeline.anchor)

    def after_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        self._nests.pop()

    def before_pass(self, one: ModulePass, op: Operation) -> None:
        module = op
        while (parent := module.parent_op()) is not None:
            module = parent
        self._text = self.text_of(module)

    def after_failure(self, one: ModulePass, op: Operation, error: SambaError) -> None:
        pipeline = Pipeline(self._nests[-1], (one,))
        for anchor in reversed(self._nests[:-1]):
            pipeline = Pipeline(anchor, (pipeline,))
        flags = [f"--pass-pipeline={pipeline}", *self.flags]
        head = [
            _CONFIGURATION + " ".join(map(shlex.quote, flags)),
            f"// failed with: {' '.join(error.headline.split())}",
            f"// replay with: samba-opt --run-reproducer {shlex.quote(self.path)}",
        ]
        self.write(self.path, "\n".join([*head, self._text, ""]))
        self._nests.clear()


def read_configuration(text: str, name: str) -> list[str]:
    """The flags that a reproducer asks for.

    Raises InputError when `text` is no reproducer.
    """
    first = text.split("\n", 1)[0]
    if not first.startswith(_CONFIGURATION):
        raise InputError(
            f"not a reproducer: the first line is no '{_CONFIGURATION.strip()}'",
            location=Location(name, 1, 1),
            levers=["give the file that --crash-reproducer wrote", "or name the passes with --pass-pipeline"],
        )
    try:
        return shlex.split(first.removeprefix(_CONFIGURATION))
    except ValueError as error:
        raise InputError(f"the configuration cannot be read: {error}", location=Location(name, 1, 1)) from None

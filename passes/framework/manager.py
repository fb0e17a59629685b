"""The pass manager: runs a pipeline, a tree of passes nested by op, and tells its instrumentations what happens.

    Pipeline("builtin.module", (SambaShardPass(), Pipeline("func.func", (SambaCsePass(), SambaFusePass()))))

runs samba-shard on the module, then on each function samba-cse and samba-fuse. What stands around a pass (printing the
IR, timing, verifying, reproducers, comparing numbers) is an `Instrumentation`; the manager itself only checks what a
pass needs, forgets the analyses that it does not preserve, and makes every failure one error.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import DiagnosticException, ShrinkException

from sambaflow import plugins
from sambaflow.diagnostics import location_of
from sambaflow.errors import InputError, InternalError, Location, Note, SambaError
from sambaflow.passes.framework.analyses import analyses_of
from sambaflow.passes.framework.base import OperationPass, SambaPass, anchored
from sambaflow.passes.framework.context import journal_of
from sambaflow.passes.framework.decision_kinds import DECIDING
from sambaflow.passes.framework.decisions import decisions_of
from sambaflow.passes.framework.options import quoted
from sambaflow.passes.framework.properties import require

MODULE = "builtin.module"


@dataclass(frozen=True)
class Pipeline:
    """Passes in order, on every op named `anchor`; one that is itself a pipeline runs on the ops directly inside."""

    anchor: str = MODULE
    items: tuple[ModulePass | Pipeline, ...] = ()

    @property
    def passes(self) -> tuple[ModulePass, ...]:
        """All passes, those of nested pipelines in their place."""
        return tuple(pass_ for item in self.items for pass_ in (item.passes if isinstance(item, Pipeline) else (item,)))

    def __iter__(self) -> Iterator[ModulePass]:
        return iter(self.passes)

    def __str__(self) -> str:
        """The text form, all options spelled out; `parse_pipeline` reads it back."""
        items = [str(item) if isinstance(item, Pipeline) else pass_text(item) for item in self.items]
        return f"{self.anchor}({','.join(items)})"


def pass_text(pass_: ModulePass) -> str:
    """A pass with its options as a pipeline writes it: `set-target{chips=8}`; those at None are left out."""
    options = [
        f"{option.name.replace('_', '-')}={_value_text(value)}"
        for option in dataclasses.fields(pass_)
        if option.init and option.name != "name" and (value := getattr(pass_, option.name)) not in (None, ())
    ]
    return f"{pass_.name}{{{' '.join(options)}}}" if options else pass_.name


def _value_text(value: object) -> str:
    if isinstance(value, tuple):
        parts: tuple[object, ...] = value
        return f"[{','.join(map(_value_text, parts))}]"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    is_word = _WORD.fullmatch(text) and not (isinstance(value, str) and text == "none")
    return text if is_word else quoted(text)


_WORD = re.compile(r"""[^\s{}(),=\[\]"\\]+""")


class Instrumentation:
    """What wants to know when passes run. Every method may be left out; `op` is the op that the pass runs on."""

    def before_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        """A pipeline, or a nest of one, starts on `op`."""

    def after_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        """It is done."""

    def before_pass(self, pass_: ModulePass, op: Operation) -> None:
        """A pass starts. A SambaError raised here counts as its failure."""

    def after_pass(self, pass_: ModulePass, op: Operation) -> None:
        """A pass is done. A SambaError raised here counts as its failure."""

    def after_failure(self, pass_: ModulePass, op: Operation, error: SambaError) -> None:
        """A pass failed, and what comes after it does not run."""


@dataclass
class PassManager:
    """Runs a pipeline on modules.

    Raises whatever SambaError a pass refuses a module with. When a pass fails in any other way: PluginError, if it came
    out of a plug-in's code, else InternalError, with the exception as the cause.
    """

    pipeline: Pipeline
    ctx: Context
    instrumentations: Sequence[Instrumentation] = field(default_factory=tuple[Instrumentation, ...])

    def run(self, module: ModuleOp) -> None:
        """Run the pipeline on `module` in place."""
        with analyses_of(self.ctx).shared():
            self._run_pipeline(self.pipeline, module)

    def _run_pipeline(self, pipeline: Pipeline, op: Operation) -> None:
        for watcher in self.instrumentations:
            watcher.before_pipeline(pipeline, op)
        for item in pipeline.items:
            if isinstance(item, Pipeline):
                for inner in anchored(op, item.anchor):
                    self._run_pipeline(item, inner)
            else:
                self._run_pass(item, op)
        for watcher in reversed(self.instrumentations):
            watcher.after_pipeline(pipeline, op)

    def _run_pass(self, pass_: ModulePass, op: Operation) -> None:
        try:
            for watcher in self.instrumentations:
                watcher.before_pass(pass_, op)
            self._apply(pass_, op)
            for watcher in reversed(self.instrumentations):
                watcher.after_pass(pass_, op)
        except ShrinkException:
            raise
        except SambaError as error:
            error.location = error.location or location_of(op)
            self._failed(pass_, op, error)
            raise
        except (Exception, SystemExit) as exception:
            error = _as_error(pass_, op, exception)
            self._failed(pass_, op, error)
            raise error from exception

    def _failed(self, pass_: ModulePass, op: Operation, error: SambaError) -> None:
        for watcher in reversed(self.instrumentations):
            watcher.after_failure(pass_, op, error)

    def _apply(self, pass_: ModulePass, op: Operation) -> None:
        if isinstance(pass_, SambaPass):
            require(op, pass_.needs, pass_.name)
        if isinstance(op, ModuleOp):
            pass_.apply(self.ctx, op)
        else:
            assert isinstance(pass_, OperationPass) and pass_.anchor == op.name
            pass_.apply_to(self.ctx, op)
        analyses_of(self.ctx).invalidate(pass_.preserves if isinstance(pass_, SambaPass) else ())
        if (decisions := journal_of(self.ctx).decisions) is not None and pass_.name in DECIDING:
            decisions.extend(decisions_of(op, pass_.name))


def _as_error(pass_: ModulePass, op: Operation, exception: BaseException) -> SambaError:
    place = location_of(op)
    if isinstance(exception, DiagnosticException):
        return InputError(f"{pass_.name}: {exception}", location=place)
    failure = plugins.failure_of(exception, Note(f"in pass '{pass_.name}' on this '{op.name}'", place), type(pass_))
    if type(pass_).__module__.startswith("xdsl."):
        return failure or _failure_of_xdsl(pass_, exception, place)
    return failure or InternalError(
        f"internal error in pass '{pass_.name}': {type(exception).__name__}: {exception}",
        location=place,
        levers=["run again with --traceback, and report it"],
    )


def _failure_of_xdsl(pass_: ModulePass, exception: BaseException, place: Location | None) -> SambaError:
    """The diagnostic of a pass that comes with xDSL: what it lacks, or that the failure is its own."""
    values = {option.name.replace("_", "-"): getattr(pass_, option.name) for option in dataclasses.fields(pass_)}
    for name, value in values.items():
        if name.endswith("file") and isinstance(value, str) and not os.path.isfile(value):
            return InputError(
                f"pass '{pass_.name}' needs a file, and '{value}' is none",
                location=place,
                levers=[f"name a file with its option '{name}'"],
            )
    program = values.get("executable")
    if isinstance(program, str) and not shutil.which(program):
        return InputError(
            f"pass '{pass_.name}' runs the program '{program}', which is not installed",
            location=place,
            levers=["install it", "name another with its option 'executable'"],
        )
    return InternalError(
        f"pass '{pass_.name}', which is xDSL's, failed: {type(exception).__name__}: {exception}",
        location=place,
        levers=["run again with --traceback, and report it to xDSL if the input is right"],
    )

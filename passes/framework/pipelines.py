"""Pass pipelines: the o0, o1 and o3 lists, and from text and options to the passes that run.

The name of a mode stands for its list; its options go to the passes of the list that take them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from sambaflow import plugins
from sambaflow.errors import InputError, Location, did_you_mean
from sambaflow.passes.framework.base import OperationPass
from sambaflow.passes.framework.context import Journal, SambaContext, journal_of
from sambaflow.passes.framework.manager import MODULE, Instrumentation, PassManager, Pipeline
from sambaflow.passes.framework.options import REQUIRED, Quoted, options_of, typed
from sambaflow.passes.framework.pipeline_text import PIPELINE_SOURCE, Nest, PipelineReader, Step
from sambaflow.passes.framework.registry import load_pass


@dataclass(frozen=True)
class Mode:
    """A named pipeline: its passes, and which of them takes each of its options.

    Mode.of("quick", "o0 without cleaning", "set-target,convert-samba-to-kernel", {"chips": "set-target"})
    """

    name: str
    summary: str
    steps: tuple[Step, ...]
    options: Mapping[str, str] = field(default_factory=dict[str, str])

    @staticmethod
    def of(name: str, summary: str, text: str, options: Mapping[str, str] | None = None) -> Mode:
        """A mode from the text of its pipeline; the names of other modes in it stand for their lists.

        Raises InputError when the text does not parse or nests.
        """
        steps: list[Step] = []
        for item in PipelineReader(text).pipeline():
            if isinstance(item, Nest):
                raise InputError(f"the list of mode '{name}' has a nest; its passes find their ops themselves")
            steps.extend(_expand(item))
        return Mode(name, summary, tuple(steps), options or {})


def _steps(*names: str) -> tuple[Step, ...]:
    return tuple(Step(name) for name in names)


def _kernel_to_rdu(mode: str) -> tuple[Step, ...]:
    """What every mode does after the samba level; only the cut differs."""
    return (
        *_steps("samba-shard", "samba-partition", "convert-samba-to-kernel", "kernel-fuse-stages"),
        Step("kernel-cut-sections", {"mode": (mode,)}),
        *_steps(
            "kernel-tile", "kernel-balance", "kernel-insert-transfers", "kernel-insert-buffers", "kernel-size-fifos"
        ),
        *_steps("convert-kernel-to-rdu", "rdu-plan-memory", "rdu-place", "rdu-route", "rdu-schedule", "rdu-finalize"),
    )


_CLEAN = _steps("set-target", "samba-canonicalize", "samba-cse", "samba-outline-layers")
_GROUP = _steps("samba-fuse", "samba-heuristics")
_TARGET = {"machine": "set-target", "tiles": "set-target", "chips": "set-target"}

MODES: Mapping[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode(
            "o0",
            "every operator its own section",
            (*_CLEAN, *(step for step in _kernel_to_rdu("o0") if step.name != "kernel-fuse-stages")),
            _TARGET,
        ),
        Mode(
            "o1",
            "modules from fusion rules, each compiled once and reused",
            (*_CLEAN, *_GROUP, *_kernel_to_rdu("o1")),
            {**_TARGET, "rules": "samba-fuse"},
        ),
        Mode(
            "o3",
            "the whole graph: the cut starts from the modules and joins them where that is faster",
            (*_CLEAN, *_GROUP, *_kernel_to_rdu("o3")),
            {**_TARGET, "rules": "samba-fuse"},
        ),
    )
}


def mode_of(name: str) -> Mode | None:
    """The mode of that name: one of ours, else one that a package adds."""
    return MODES.get(name) or plugins.load("pipelines", name, Mode)


def mode_names() -> tuple[str, ...]:
    """The names of all modes: ours, then those that packages add."""
    return (*MODES, *plugins.plugins("pipelines"))


def parse_pipeline(text: str) -> Pipeline:
    """The passes that `text` names, with their options, nested as they run.

    Raises InputError when the text does not parse (with the column), names an unknown pass or option, a value has the
    wrong type, or a pass stands in the nest of an op that it does not run on.
    """
    items = PipelineReader(text).pipeline()
    if len(items) == 1 and isinstance(items[0], Nest) and items[0].anchor == MODULE:
        return _make_nest(items[0])
    return _make_nest(Nest(MODULE, tuple(items)))


def mode_pipeline(mode: str, options: Mapping[str, object]) -> Pipeline:
    """The passes of a mode with options as values, not as text: a path may hold any character; None is not given.

    Raises InputError for an unknown mode, an option that it does not have, a value of the wrong type.
    """
    if mode_of(mode) is None:
        raise InputError(f"unknown mode '{mode}'", limit=f"modes: {', '.join(mode_names())}")
    words = {name: (Quoted(value),) for name, value in options.items() if value is not None}
    return _make_nest(Nest(MODULE, (Step(mode, words),)))


def run_pipeline(
    module: ModuleOp,
    pipeline: str | Pipeline | Sequence[ModulePass],
    ctx: Context | None = None,
    after_pass: Callable[[ModulePass, ModuleOp], None] | None = None,
    instrumentations: Sequence[Instrumentation] = (),
) -> Journal:
    """Run `pipeline` on `module` in place; `after_pass` sees the module after each pass. Returns the journal."""
    ctx = ctx or SambaContext()
    if isinstance(pipeline, str):
        pipeline = parse_pipeline(pipeline)
    elif not isinstance(pipeline, Pipeline):
        pipeline = Pipeline(MODULE, tuple(pipeline))
    if after_pass is not None:
        instrumentations = (*instrumentations, _Callback(module, after_pass))
    PassManager(pipeline, ctx, instrumentations).run(module)
    return journal_of(ctx)


@dataclass
class _Callback(Instrumentation):
    module: ModuleOp
    call: Callable[[ModulePass, ModuleOp], None]

    def after_pass(self, pass_: ModulePass, op: Operation) -> None:
        self.call(pass_, self.module)


def make_pass(step: Step) -> ModulePass:
    """The pass that `step` names, its options typed as the fields of its class say."""
    pass_class = load_pass(step.name, mode_names)
    options = {option.name: option for option in options_of(pass_class)}
    values: dict[str, Any] = {}
    for name, words in step.options.items():
        option = options.get(name.replace("_", "-"))
        if option is None:
            raise InputError(
                f"pass '{step.name}' has no option '{name}'{did_you_mean(name, list(options))}",
                levers=[f"samba-opt --help-pass {step.name} lists its options"],
            )
        try:
            values[option.field] = typed(words, option.type)
        except ValueError as error:
            raise InputError(f"option '{name}' of pass '{step.name}': {error}") from error
    for option in options.values():
        if option.default is REQUIRED and option.field not in values:
            raise InputError(f"pass '{step.name}' needs the option '{option.name}'")
    with plugins.named_failures(pass_class):
        return pass_class(**values)


def _make_nest(nest: Nest) -> Pipeline:
    items: list[ModulePass | Pipeline] = []
    for item in nest.items:
        if isinstance(item, Nest):
            items.append(_make_nest(item))
            continue
        for step in _expand(item):
            items.append(pass_ := make_pass(step))
            if nest.anchor != MODULE and not (isinstance(pass_, OperationPass) and pass_.anchor == nest.anchor):
                runs_on = pass_.anchor if isinstance(pass_, OperationPass) else MODULE
                raise InputError(
                    f"pass '{pass_.name}' runs on {runs_on}, not on {nest.anchor}",
                    location=Location(PIPELINE_SOURCE, 1, nest.column),
                    levers=[f"put it into {runs_on}(...)"],
                )
    return Pipeline(nest.anchor, tuple(items))


def _expand(step: Step) -> tuple[Step, ...]:
    """The list of a mode, its options given to the passes that take them; any other step stays itself."""
    mode = mode_of(step.name)
    if mode is None:
        return (step,)
    steps = mode.steps
    for option, words in step.options.items():
        taker = mode.options.get(option)
        if taker is None:
            raise InputError(
                f"pipeline '{step.name}' has no option '{option}'{did_you_mean(option, list(mode.options))}"
            )
        steps = tuple(Step(s.name, {**s.options, option: words}) if s.name == taker else s for s in steps)
    return steps

"""Pass pipelines: the o0, o1 and o3 lists, and the text form that `--pass-pipeline` takes.

    pipeline ::= step (`,` step)*                       o1{rules=my.yaml chips=8}
    step     ::= name [`{` option (space option)* `}`]  samba-fuse,kernel-tile
    option   ::= name [`=` value (`,` value)*]          builtin.module(samba-canonicalize, samba-cse)

Whitespace may stand between any two tokens; a value may be quoted, or a list in brackets. The name of a mode stands for
its list; its options go to the passes of the list that take them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from sambaflow.errors import InputError, Location
from sambaflow.passes.base import Journal, SambaContext, journal_of
from sambaflow.passes.registry import did_you_mean, load_pass


@dataclass(frozen=True)
class Step:
    """One pass of a pipeline with its options as written, before they are typed."""

    name: str
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


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


MODE_OPTIONS: Mapping[str, str] = {
    "machine": "set-target",
    "tiles": "set-target",
    "chips": "set-target",
    "rules": "samba-fuse",
}
"""The options of a mode, and the pass of its list that takes each."""

PIPELINE_SOURCE = "<pass-pipeline>"
"""The file name of locations inside the text of a pipeline."""

_CLEAN = _steps("set-target", "samba-canonicalize", "samba-cse", "samba-outline-layers")
_GROUP = _steps("samba-fuse", "samba-heuristics")

MODES: Mapping[str, tuple[Step, ...]] = {
    # every operator its own section
    "o0": (*_CLEAN, *(step for step in _kernel_to_rdu("o0") if step.name != "kernel-fuse-stages")),
    # modules from fusion rules, each compiled once and reused
    "o1": (*_CLEAN, *_GROUP, *_kernel_to_rdu("o1")),
    # the whole graph: the cut starts from the modules and joins them where that is faster
    "o3": (*_CLEAN, *_GROUP, *_kernel_to_rdu("o3")),
}


def parse_pipeline(text: str) -> tuple[ModulePass, ...]:
    """The passes that `text` names, with their options.

    Raises InputError when the text does not parse (with the column), names an unknown pass or option, or a value has
    the wrong type.
    """
    passes: list[ModulePass] = []
    for step in _Reader(text).pipeline():
        for part in _expand(step):
            passes.append(make_pass(part))
    return tuple(passes)


def run_pipeline(
    module: ModuleOp,
    pipeline: str | Sequence[ModulePass],
    ctx: Context | None = None,
    after_pass: Callable[[ModulePass, ModuleOp], None] | None = None,
) -> Journal:
    """Run `pipeline` on `module` in place; `after_pass` sees the module after each pass. Returns the journal."""
    ctx = ctx or SambaContext()
    passes = parse_pipeline(pipeline) if isinstance(pipeline, str) else pipeline
    for one in passes:
        one.apply(ctx, module)
        if after_pass is not None:
            after_pass(one, module)
    return journal_of(ctx)


def make_pass(step: Step) -> ModulePass:
    """The pass that `step` names, its options typed as the fields of its class say."""
    pass_class = load_pass(step.name, tuple(MODES))
    hints = get_type_hints(pass_class)
    fields = {f.name: f for f in dataclasses.fields(pass_class) if f.init and f.name != "name"}
    values: dict[str, Any] = {}
    for option, words in step.options.items():
        name = option.replace("-", "_")
        if name not in fields:
            raise InputError(f"pass '{step.name}' has no option '{option}'{did_you_mean(name, list(fields))}")
        try:
            values[name] = _typed(words, hints[name])
        except ValueError as error:
            raise InputError(f"option '{option}' of pass '{step.name}': {error}") from error
    for name, one in fields.items():
        if name not in values and one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
            raise InputError(f"pass '{step.name}' needs the option '{name}'")
    return pass_class(**values)


def _expand(step: Step) -> tuple[Step, ...]:
    """The list of a mode, its options given to the passes that take them; any other step stays itself."""
    if step.name not in MODES:
        return (step,)
    steps = MODES[step.name]
    for option, words in step.options.items():
        taker = MODE_OPTIONS.get(option)
        if taker is None or all(s.name != taker for s in steps):
            known = [o for o, name in MODE_OPTIONS.items() if any(s.name == name for s in steps)]
            raise InputError(f"pipeline '{step.name}' has no option '{option}'{did_you_mean(option, known)}")
        steps = tuple(Step(s.name, {**s.options, option: words}) if s.name == taker else s for s in steps)
    return steps


def _typed(words: tuple[str, ...], hint: Any) -> Any:
    """The words of an option as a value of the type `hint`; ValueError says what was expected."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        kinds = [kind for kind in arguments if kind is not NoneType]
        if NoneType in arguments and words in ((), ("none",)):
            return None
        return _first_that_fits(words, kinds)
    if origin is tuple:
        return tuple(_typed((word,), arguments[0]) for word in words)
    if hint is bool and not words:
        return True
    if len(words) != 1:
        raise ValueError(f"expected one value, got {len(words)}")
    return _scalar(words[0], hint)


def _first_that_fits(words: tuple[str, ...], kinds: Sequence[Any]) -> Any:
    problems: list[str] = []
    for kind in kinds:
        try:
            return _typed(words, kind)
        except ValueError as error:
            problems.append(str(error))
    raise ValueError(" or ".join(problems))


def _scalar(word: str, hint: Any) -> Any:
    if hint is bool:
        if word not in ("true", "false"):
            raise ValueError(f"expected true or false, got '{word}'")
        return word == "true"
    if hint in (int, float):
        try:
            return hint(word)
        except ValueError:
            raise ValueError(f"expected {'an integer' if hint is int else 'a number'}, got '{word}'") from None
    if get_origin(hint) is Literal:
        if word not in get_args(hint):
            raise ValueError(f"expected one of {', '.join(get_args(hint))}, got '{word}'")
        return word
    return word


_TOKEN = re.compile(r"""\s*(?:(?P<mark>[{}(),=\[\]])|"(?P<string>[^"]*)"|(?P<word>[^\s{}(),=\[\]"]+))""")


class _Reader:
    """A recursive descent reader of the grammar above."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []  # kind, text, column
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self.error("unterminated string", position)
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
            position = match.end()
        self.at = 0

    def pipeline(self) -> list[Step]:
        steps = self.steps()
        if self.at < len(self.tokens):
            raise self.error(f"unexpected '{self.tokens[self.at][1]}'")
        return steps

    def steps(self) -> list[Step]:
        steps: list[Step] = []
        while self.at < len(self.tokens):
            steps.extend(self.step())
            if not self.accept(","):
                break
            if self.at == len(self.tokens):
                raise self.error("expected a pass after ','")
        return steps

    def step(self) -> list[Step]:
        name = self.word("a pass")
        if self.accept("("):
            if name != "builtin.module":
                raise self.error(f"passes run on builtin.module, not on '{name}'")
            inner = self.steps()
            self.expect(")")
            return inner
        return [Step(name, self.options() if self.accept("{") else {})]

    def options(self) -> dict[str, tuple[str, ...]]:
        options: dict[str, tuple[str, ...]] = {}
        while not self.accept("}"):
            name = self.word("an option or '}'")
            if name in options:
                raise self.error(f"option '{name}' is given twice")
            options[name] = self.values() if self.accept("=") else ()
        return options

    def values(self) -> tuple[str, ...]:
        bracketed = self.accept("[")
        values = [self.word("a value")]
        while self.accept(","):
            values.append(self.word("a value"))
        if bracketed:
            self.expect("]")
        return tuple(values)

    def accept(self, mark: str) -> bool:
        found = self.at < len(self.tokens) and self.tokens[self.at][:2] == ("mark", mark)
        self.at += found
        return found

    def expect(self, mark: str) -> None:
        if not self.accept(mark):
            raise self.error(f"expected '{mark}'")

    def word(self, what: str) -> str:
        if self.at == len(self.tokens) or self.tokens[self.at][0] == "mark":
            raise self.error(f"expected {what}")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def error(self, message: str, position: int | None = None) -> InputError:
        if position is None:
            position = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        return InputError(f"{message} in the pass pipeline", location=Location(PIPELINE_SOURCE, 1, position + 1))

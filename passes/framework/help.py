"""What `--list-passes` and `--help-pass` say: read from the classes of the passes."""

from __future__ import annotations

import inspect
from textwrap import indent

from xdsl.passes import ModulePass

from sambaflow.passes.framework.base import OperationPass, SambaPass
from sambaflow.passes.framework.options import REQUIRED, Option, options_of
from sambaflow.passes.framework.pipelines import mode_names, mode_of
from sambaflow.passes.framework.properties import PROPERTIES
from sambaflow.passes.framework.registry import foreign_passes, load_pass, pass_names


def list_of_passes() -> str:
    """The modes, then the passes in the order of the levels, with a line on each; then the names of xDSL's passes."""
    modes = {name: mode.summary for name in mode_names() if (mode := mode_of(name)) is not None}
    own = {name: summary_of(load_pass(name)) for name in pass_names()}
    width = max(map(len, (*modes, *own))) + 2
    return "\n".join(
        [
            "Pipelines:",
            *(f"  {name:<{width}}{summary}" for name, summary in modes.items()),
            "Passes:",
            *(f"  {name:<{width}}{summary}" for name, summary in own.items()),
            "Passes of xDSL:",
            *(f"  {name}" for name in foreign_passes()),
        ]
    )


def summary_of(pass_class: type[ModulePass]) -> str:
    """The first sentence of the pass's docstring."""
    paragraph = " ".join((inspect.getdoc(pass_class) or "").split("\n\n")[0].split())
    head, dot, _ = paragraph.partition(". ")
    return (head + dot).rstrip(" .:") + "."


def help_of_pass(name: str) -> str:
    """Everything that the class of the pass, or a mode, says of itself.

    Raises InputError for an unknown name.
    """
    mode = mode_of(name)
    if mode is not None:
        steps = ",".join(step.name for step in mode.steps)
        options = [f"  {option}: goes to {taker}" for option, taker in mode.options.items()]
        return "\n".join([f"{name}: {mode.summary}", "", "Passes:", f"  {steps}", "Options:", *options])
    pass_class = load_pass(name, mode_names)
    parts = [f"{name}: {summary_of(pass_class)}", "", inspect.getdoc(pass_class) or ""]
    options = [_option_text(option) for option in options_of(pass_class)]
    parts += ["", "Options:", *(options or ["  none"])]
    if issubclass(pass_class, SambaPass):
        if issubclass(pass_class, OperationPass):
            parts.append(f"Runs on: {pass_class.anchor}")
        for title, names in (("Needs", pass_class.needs), ("Leaves", pass_class.leaves)):
            if names:
                parts += [
                    f"{title}:",
                    *(f"  {key}: {PROPERTIES[key].summary}" for key in names),
                ]
        if pass_class.counters:
            parts += ["Statistics:", *(f"  {counter}: {text}" for counter, text in pass_class.counters.items())]
        parts.append(f"Numbers: {pass_class.semantics}")
    return "\n".join(parts)


def _option_text(option: Option) -> str:
    default = "required" if option.default is REQUIRED else f"default {default_text(option)}"
    head = f"  {option.name}: {option.type_text}, {default}"
    return f"{head}\n{indent(option.summary, '      ')}" if option.summary else head


def default_text(option: Option) -> str:
    """The default as a pipeline would write it."""
    if option.default is None or option.default == ():
        return "none"
    return str(option.default).lower() if isinstance(option.default, bool) else str(option.default)

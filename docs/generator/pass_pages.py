"""The reference pages of passes and pipelines, from the classes of the passes."""

from __future__ import annotations

from pathlib import Path

from markup import ROOT, anchor, docstring, file_of, heading, literal, page, source, table
from sambaflow.passes.framework import pipeline_text, pipelines
from sambaflow.passes.framework.base import SambaPass
from sambaflow.passes.framework.help import default_text, summary_of
from sambaflow.passes.framework.options import REQUIRED, options_of
from sambaflow.passes.framework.pipelines import MODES, Mode
from sambaflow.passes.framework.properties import PROPERTIES
from sambaflow.passes.framework.registry import PASSES, load_own_pass


def passes_page() -> str:
    """`reference/passes.md`."""
    introduction = (
        "In the order of the levels. `samba-opt --pass-pipeline='NAME{option=value}'` runs one, "
        "`samba-opt --help-pass=NAME` prints what stands here. What a pass needs is checked before it runs, what it "
        "leaves after it with `--verify-each`."
    )
    index = table(("pass", "what it does"), ((_link(name), summary_of(load_own_pass(name))) for name in PASSES))
    properties = table(
        ("property", "holds when", "made by"),
        (
            (
                literal(module_property.name),
                module_property.summary,
                _link(module_property.made_by) if module_property.made_by else "",
            )
            for module_property in PROPERTIES.values()
        ),
    )
    parts = [section for name in PASSES for section in (heading(2, name), _pass(load_own_pass(name)))]
    return page("Passes", introduction, index, *parts, heading(2, "Properties"), properties)


def pipelines_page() -> str:
    """`reference/pipelines.md`."""
    parts = [section for mode in MODES.values() for section in (heading(2, mode.name), _mode(mode))]
    introduction = (docstring(module.__doc__ or "", "text") for module in (pipelines, pipeline_text))
    return page("Pipelines", *introduction, *parts)


def _pass(pass_class: type[SambaPass]) -> str:
    facts = [
        ("Runs on", literal(pass_class.anchor)),
        ("Needs", _properties(pass_class.needs)),
        ("Leaves", _properties(pass_class.leaves)),
        ("Numbers", str(pass_class.semantics)),
        ("Source", source(file_of(pass_class))),
        ("Tests", ", ".join(map(source, _tests(pass_class.name)))),
    ]
    options = table(
        ("option", "type", "default", "meaning"),
        (
            (
                literal(option.name),
                option.type_text,
                "required" if option.default is REQUIRED else literal(default_text(option)),
                option.summary,
            )
            for option in options_of(pass_class)
        ),
    )
    counters = table(("counter", "counts"), ((literal(name), text) for name, text in pass_class.counters.items()))
    listed = "\n".join(f"* {name}: {text}" for name, text in facts if text)
    return "\n\n".join(part for part in (docstring(pass_class.__doc__ or ""), options, counters, listed) if part)


def _properties(names: tuple[str, ...]) -> str:
    return ", ".join(_link("Properties", name) for name in names)


def _tests(name: str) -> list[Path]:
    """The lit tests of a pass, its refusals too: `rdu-place.mlir`, `rdu-place-refused.mlir`."""
    folder = ROOT / "test" / "passes"
    longer = [other for other in PASSES if other.startswith(f"{name}-")]
    files = [folder / f"{name}.mlir", *sorted(folder.glob(f"{name}-*.mlir"))]
    return [path.relative_to(ROOT) for path in files if not path.name.startswith(tuple(longer))]


def _mode(mode: Mode) -> str:
    steps = ",".join(_step(step) for step in mode.steps)
    options = table(("option", "goes to"), ((literal(name), _pass_link(taker)) for name, taker in mode.options.items()))
    text = mode.summary[0].upper() + mode.summary[1:]
    listed = "\n".join(f"1. {_pass_link(step.name)}{_options(step)}" for step in mode.steps)
    return "\n\n".join((f"{text}.", listed, options, f"```text\n{steps}\n```"))


def _step(step: pipeline_text.Step) -> str:
    return step.name + _plain_options(step)


def _options(step: pipeline_text.Step) -> str:
    text = _plain_options(step)
    return f" {literal(text)}" if text else ""


def _plain_options(step: pipeline_text.Step) -> str:
    options = " ".join(f"{name}={','.join(values)}" for name, values in step.options.items())
    return f"{{{options}}}" if options else ""


def _link(text: str, shown: str | None = None) -> str:
    return f"[{shown or text}](#{anchor(text)})"


def _pass_link(name: str) -> str:
    return f"[{name}](passes.md#{anchor(name)})"

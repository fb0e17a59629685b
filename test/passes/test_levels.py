"""Every pass on modules of every level: it runs at its own, and refuses what is before or past it.

What a pass does not understand it must not leave alone and call done: a module that ran through `o1` twice came out
without its program.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from xdsl.dialects.builtin import ModuleOp

from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import InputError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.passes.framework.pipeline_text import Step
from sambaflow.passes.framework.pipelines import MODES, make_pass, run_pipeline
from sambaflow.passes.framework.registry import PASSES

T = "tensor<16x16xf32>"
GRAPH = f"""func.func @f(%x: {T} {{samba.name = "x"}}, %w: {T} {{samba.name = "w", samba.role = "param"}})
    -> ({T} {{samba.name = "y"}}) {{
  %0 = samba.linear %x, %w : ({T}, {T}) -> {T}
  %1 = samba.relu %0 : {T}
  func.return %1 : {T}
}}
"""
LEVELS = ("samba", "kernel", "rdu")


def module_of(text: str) -> ModuleOp:
    return parse_module(text, "m.mlir", SambaContext(True))


def run(module: ModuleOp, name: str) -> None:
    run_pipeline(module, (make_pass(Step(name)),), SambaContext(True))


def level_of(pass_name: str) -> str:
    """What a pass takes: `convert-kernel-to-rdu` kernel, `rdu-place` rdu."""
    return next(level for level in LEVELS if level in pass_name)


@pytest.fixture(scope="module")
def states() -> Mapping[str, tuple[str, ModuleOp]]:
    """The level and the module after each pass of o1."""
    module, level = module_of(GRAPH), "samba"
    snapshots: dict[str, tuple[str, ModuleOp]] = {}
    for step in MODES["o1"].steps:
        run_pipeline(module, (make_pass(step),), SambaContext())
        level = step.name.rpartition("-to-")[2] if step.name.startswith("convert-") else level
        snapshots[step.name] = level, module.clone()
    return snapshots


@pytest.mark.parametrize("name", [name for name in PASSES if name != "set-target"])
def test_a_pass_runs_at_its_level_only(name: str, states: Mapping[str, tuple[str, ModuleOp]]):
    for before, (level, module) in states.items():
        text = str(module)
        if level != level_of(name):
            with pytest.raises(InputError, match=name):
                run(module, name)
            assert str(module) == text, f"{name} changed what it refused"
        elif before == name:
            run(module, name)
            assert str(module) == text, f"{name} does not leave alone what it made"


@pytest.mark.parametrize("mode", list(MODES))
def test_a_mode_takes_modules_of_the_samba_level_only(mode: str, states: Mapping[str, tuple[str, ModuleOp]]):
    for before in ("convert-samba-to-kernel", "kernel-size-fifos", "convert-kernel-to-rdu", "rdu-finalize"):
        level, module = states[before]
        with pytest.raises(InputError) as refused:
            run_pipeline(module.clone(), mode)
        assert ("is past the samba level" if level == "kernel" else "is lowered already") in str(refused.value)
        assert refused.value.levers
    with pytest.raises(InputError, match="is lowered already"):
        run_pipeline(module_of(GRAPH), f"{mode},{mode}")


def test_the_target_of_a_program_stays(states: Mapping[str, tuple[str, ModuleOp]]):
    with pytest.raises(InputError, match="is lowered already"):
        run_pipeline(states["rdu-finalize"][1], "set-target{machine=sn30}")


def test_a_module_of_two_levels_is_refused(states: Mapping[str, tuple[str, ModuleOp]]):
    for before in ("kernel-cut-sections", "rdu-finalize"):
        mixed = states[before][1].clone()
        function = next(iter(module_of(GRAPH.replace("@f", "@g")).ops))
        function.detach()
        mixed.body.block.add_op(function)
        with pytest.raises(InputError):
            run_pipeline(mixed, "o1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("builtin.module {}", "'builtin.module' op holds no public function"),
        (GRAPH.replace("@f", "private @f"), "'builtin.module' op holds no public function"),
        (GRAPH + '"other.op"() : () -> ()', "'builtin.unregistered' op is no function"),
        (GRAPH + "%0 = arith.constant 1 : i32", "'arith.constant' op is no function"),
        (GRAPH + f"builtin.module {{ {GRAPH} }}", "'builtin.module' op is no function"),
    ],
)
def test_what_would_vanish_in_lowering_is_refused(text: str, message: str):
    """A program is made of a module's public functions: what it would be made without is no part of the answer."""
    with pytest.raises(InputError, match=message):
        run_pipeline(module_of(text), "o1", SambaContext(True))

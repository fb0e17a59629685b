"""The conversion to rdu translates what stands in the kernel IR: the machine has no say in it any more."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import HealthCheck
from hypothesis import strategies as st
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64

from sambaflow.dialects import kernel, rdu
from sambaflow.machine import load, to_dict
from sambaflow.passes.framework.pipelines import run_pipeline
from sambaflow.passes.lowering.section import LOWERING
from sambaflow.testing import pass_inputs

SETTINGS: dict[str, Any] = {"derandomize": True, "deadline": None, "suppress_health_check": list(HealthCheck)}

CAPACITIES = ("pcu.count", "pmu.count", "pmu.bytes", "pmu.banks", "pmu.port_bytes", "agcu.count", "pcu.lanes", "tiles")


@pytest.fixture(scope="module")
def other_machines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Machine files, each with one capacity of sn40l four times as large, or a quarter."""
    folder, files = tmp_path_factory.mktemp("machines"), dict[str, Path]()
    for name in CAPACITIES:
        for way, change in (("more", lambda n: n * 4), ("less", lambda n: max(1, n // 4))):
            fields = to_dict(load("sn40l"))
            *path, key = name.split(".")
            owner = fields
            for part in path:
                owner = owner[part]
            owner[key] = change(owner[key])
            files[f"{way} {name}"] = folder / f"{way}-{name}.yaml"
            files[f"{way} {name}"].write_text(yaml.safe_dump(fields))
    return files


def lowered_text(module: ModuleOp) -> str:
    """The program that the conversion makes, without the name of its machine."""
    module = module.clone()
    run_pipeline(module, "convert-kernel-to-rdu")
    return re.sub(r"#rdu\.target<[^>]*>", "#rdu.target<>", str(module))


# Once the decisions stand in the text, other capacities change nothing in what it is lowered to.


def test_capacities_change_nothing_in_the_lowered_text(other_machines: dict[str, Path]):
    seen: set[str] = set()

    @hypothesis.settings(max_examples=60, **SETTINGS)
    @hypothesis.given(pass_inputs("convert-kernel-to-rdu"), st.sampled_from(list(other_machines)))
    def check(module: ModuleOp, name: str) -> None:
        expected = lowered_text(module)
        target = module.attributes["rdu.target"]
        assert isinstance(target, rdu.TargetAttr)
        module.attributes["rdu.target"] = rdu.TargetAttr(
            str(other_machines[name]), target.tiles.data, target.chips.data
        )
        assert lowered_text(module) == expected
        seen.add(name)

    check()
    assert len(seen) > len(other_machines) // 2


# The test can fail: what the text says is what comes out.


def test_the_text_decides():
    changed = 0

    @hypothesis.settings(max_examples=10, **SETTINGS)
    @hypothesis.given(pass_inputs("convert-kernel-to-rdu"))
    def check(module: ModuleOp) -> None:
        nonlocal changed
        before = lowered_text(module)
        for op in module.walk():
            if op.name in ("kernel.load", "kernel.store"):
                op.properties["agcus"] = IntegerAttr(31, i64)
        after = lowered_text(module)
        changed += before != after
        assert "count = 31 : i64" in after

    check()
    assert changed


# A new kind of stage is not passed over in silence: what may stand in a section has a function, but its terminator.


def test_every_kind_of_op_has_a_function():
    assert set(LOWERING.rules) == {
        op for op in kernel.Kernel.operations if issubclass(op, kernel.Stage | kernel.Transfer | kernel.BufferOp)
    }

"""The Python entry points: what they take, what they return, and how they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import sambaflow
from sambaflow.errors import CapacityError, InputError, SambaError, UnsupportedOperators


class Pair(torch.nn.Module):
    """Takes a dict and a keyword, returns a structure with a number in it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(6, 4)

    def forward(self, x: dict[str, torch.Tensor], *, scale: torch.Tensor) -> dict[str, Any]:
        y = self.linear(x["a"]) + x["b"]
        return {"y": y, "pair": (y * scale, 3)}


class Counter(torch.nn.Module):
    """A buffer that every call updates."""

    total: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.ones(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 2


def pair_inputs() -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    return {"a": torch.randn(3, 6), "b": torch.randn(3, 4)}, torch.tensor([2.0])


def test_structures_come_back_as_the_module_returns_them():
    module, (x, scale) = Pair().eval(), pair_inputs()
    exe = sambaflow.compile(module, (x,), {"scale": scale}, mode="o1")
    got, want = exe(x, scale=scale), module(x, scale=scale)
    assert torch.allclose(got["y"], want["y"], atol=1e-6)
    assert torch.allclose(got["pair"][0], want["pair"][0], atol=1e-6)
    assert got["pair"][1] == 3
    with pytest.raises(InputError, match="missing argument 'scale'"):
        exe(x)


def test_exported_programs_and_their_files(tmp_path: Path):
    module, x = torch.nn.Linear(6, 4).eval(), torch.randn(3, 6)
    program = torch.export.export(module, (x,))
    torch.export.save(program, tmp_path / "m.pt2")
    for model in (program, tmp_path / "m.pt2"):
        assert torch.allclose(sambaflow.compile(model)(x), module(x), atol=1e-6)


def test_state_is_carried_read_and_assigned():
    exe = sambaflow.compile(Counter(), (torch.zeros(4),))
    x = torch.arange(4.0)
    assert torch.equal(exe(x), 2 * (1 + x))
    assert torch.equal(exe(x), 2 * (1 + 2 * x))
    (name,) = exe.state
    assert torch.equal(exe.state[name], 1 + 2 * x)
    exe.state[name] = torch.zeros(4)
    assert torch.equal(exe(x), 2 * x)
    with pytest.raises(sambaflow.WeightError, match="no state named 'other'"):
        exe.state["other"] = x
    with pytest.raises(sambaflow.WeightError, match=r"float32\[5\], the PEF has float32\[4\]"):
        exe.state[name] = torch.zeros(5)


def test_weights_on_meta_are_timed_but_not_run():
    with torch.device("meta"):
        module, x = torch.nn.Linear(6, 4), torch.zeros(3, 6)
    exe = sambaflow.compile(module, (x,))
    assert exe.timing().seconds > 0
    with pytest.raises(sambaflow.WeightError, match="no data"):
        exe(torch.zeros(3, 6))


def test_all_unsupported_operators_are_listed_with_counts():
    class Rare(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.det(x) + torch.linalg.det(x + 1) + torch.fft.fft(x).real.sum()

    with pytest.raises(UnsupportedOperators) as caught:
        sambaflow.compile(Rare(), (torch.eye(3),))
    names = {operator.name: operator.count for operator in caught.value.operators}
    assert any("det" in name and count == 2 for name, count in names.items()), names
    assert any("fft" in name for name in names), names


def test_a_machine_too_small_for_one_operator(tmp_path: Path):
    """The error says demand, limit and shortfall."""
    text = (Path(sambaflow.machine.__file__).parent / "sn40l.yaml").read_text()
    description: dict[str, Any] = yaml.safe_load(text)
    description["pmu"]["bytes"]["value"] = 2
    small = tmp_path / "small.yaml"
    small.write_text(yaml.safe_dump(description))
    with pytest.raises(CapacityError) as caught:
        sambaflow.compile(torch.nn.Linear(64, 64), (torch.zeros(8, 64),), machine=str(small))
    assert caught.value.demand and caught.value.limit and caught.value.shortfall


def test_modes_and_chips_that_do_not_exist():
    model = (torch.nn.Linear(4, 4), (torch.zeros(2, 4),))
    for options in (
        {"mode": "o7"},
        {"chips": 0},
        {"tiles": 99},
        {"machine": "sn99"},
        {"rules": "no.yaml", "mode": "o1"},
    ):
        with pytest.raises(SambaError):
            sambaflow.compile(*model, **options)  # pyright: ignore[reportArgumentType]

"""Threads share executables and compile: every one of them gets the right numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import sambaflow


class Counter(nn.Module):
    total: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 2


def in_threads(*works: Callable[[], Any]) -> list[Any]:
    """What each work returns, all begun at once; what one raises is raised here."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = works[number]()
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*[nn.Sequential(nn.Linear(16, 16), nn.Tanh()) for _ in range(4)]).eval()


def calls(exe: Any, module: nn.Module, seed: int, count: int = 40) -> Callable[[], int]:
    def work() -> int:
        generator = torch.Generator().manual_seed(seed)
        inputs = [torch.randn(4, 16, generator=generator) for _ in range(count)]
        with torch.no_grad():
            return sum(not torch.allclose(exe(x), module(x), atol=1e-5) for x in inputs)

    return work


def test_two_threads_call_one_executable_and_one_a_second_of_the_same_weights():
    module = model()
    shared, other = (sambaflow.compile(module, (torch.zeros(4, 16),), mode="o0") for _ in range(2))
    works = [calls(shared, module, 1), calls(shared, module, 2), calls(other, module, 3), lambda: shared.timing() and 0]
    assert in_threads(*works) == [0, 0, 0, 0]


def test_no_update_of_a_state_is_lost():
    exe = sambaflow.compile(Counter(), (torch.zeros(4),), mode="o0")

    def work() -> None:
        for _ in range(25):
            exe(torch.ones(4))
            assert len(set(exe.state["total"].tolist())) == 1, "a state is read between two calls"

    in_threads(work, work, work)
    assert torch.equal(exe.state["total"], torch.full((4,), 75.0))


def test_threads_that_compile_at_once_get_an_answer():
    module, x = model(), torch.randn(4, 16)
    with torch.no_grad():
        want = module(x)
    compiled = torch.compile(module, backend="samba", options={"mode": "o0"})

    def by_compile() -> torch.Tensor:
        return sambaflow.compile(module, (x,), mode="o0")(x)

    def by_torch() -> torch.Tensor:
        with torch.no_grad():
            return compiled(x)

    for result in in_threads(by_compile, by_torch, by_compile, by_torch):
        assert torch.allclose(result, want, atol=1e-5)

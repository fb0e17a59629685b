"""PyTorch's own operator data (`torch.testing._internal.common_methods_invocations.op_db`), compiled and compared.

A sample becomes a module: its tensors are inputs, all else is compiled in. The module is compiled in one mode, run,
timed, and compared with PyTorch's eager results. Samples that PyTorch itself refuses, and operators whose results are
random or not initialised, are skipped and counted.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from sambaflow.testing.coverage import workers
from sambaflow.testing.coverage.outcomes import Outcome, judged, report, shown

DTYPES = (torch.float32, torch.int64, torch.bool)
LOOKED_AT = 48
"""Samples of an operator and dtype among which the few that are tried are chosen, evenly."""

RANDOM = frozenset(
    [
        "bernoulli",
        "cauchy",
        "empty",
        "empty_like",
        "empty_permuted",
        "empty_strided",
        "exponential",
        "geometric",
        "log_normal",
        "multinomial",
        "new_empty",
        "new_empty_strided",
        "nn.functional.alpha_dropout",
        "nn.functional.dropout",
        "nn.functional.dropout2d",
        "nn.functional.dropout3d",
        "nn.functional.feature_alpha_dropout",
        "nn.functional.fractional_max_pool2d",
        "nn.functional.fractional_max_pool3d",
        "nn.functional.multi_head_attention_forward",
        "nn.functional.rrelu",
        "nn.functional.scaled_dot_product_attention",
        "normal",
        "pca_lowrank",
        "rand_like",
        "randint",
        "randint_like",
        "randn",
        "randn_like",
        "svd_lowrank",
        "uniform",
    ]
)
"""Operators that draw random numbers, skipped where two calls differ, or return memory as it is, always skipped."""


@dataclass(frozen=True, order=True)
class Sample:
    """The `index`-th sample of an operator (its name, with the variant) in a dtype."""

    operator: str
    dtype: str
    index: int

    def __str__(self) -> str:
        return f"{self.operator}/{self.dtype}/{self.index}"


class Program(nn.Module):
    """An operator with everything but its tensors compiled in."""

    def __init__(self, function: Callable[..., Any], arguments: Any) -> None:
        super().__init__()
        self.function = function
        self.leaves, self.spec = pytree.tree_flatten(arguments)

    def tensors(self) -> list[torch.Tensor]:
        return [leaf.detach().clone() for leaf in self.leaves if isinstance(leaf, torch.Tensor)]

    def forward(self, *tensors: torch.Tensor) -> Any:
        following = iter(tensors)
        leaves = [next(following) if isinstance(leaf, torch.Tensor) else leaf for leaf in self.leaves]
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return self.function(*args, **kwargs)


@cache
def operators() -> dict[str, Any]:
    """PyTorch's operator data by name and variant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    database: Sequence[Any] = op_db
    return {".".join(filter(None, (info.name, info.variant_test_name))): info for info in database}


def samples(names: Sequence[str], each: int) -> list[Sample]:
    """The first `each` samples to try of every operator in float32, and half as many in int64 and bool."""
    chosen: list[Sample] = []
    for name in sorted(names):
        supported = operators()[name].supported_dtypes("cpu")
        for dtype in DTYPES:
            count = each if dtype.is_floating_point else max(1, each // 2)
            text = str(dtype).removeprefix("torch.")
            chosen += [Sample(name, text, i) for i in range(count) if dtype in supported]
    return chosen


def load(sample: Sample, each: int) -> Program | None:
    """The program of a sample; None when the operator has fewer."""
    info, dtype = operators()[sample.operator], getattr(torch, sample.dtype)
    count = each if dtype.is_floating_point else max(1, each // 2)
    torch.manual_seed(0)
    listed: list[Any] = list(islice(info.sample_inputs("cpu", dtype, requires_grad=False), LOOKED_AT))
    chosen = listed if len(listed) <= count else [listed[i * len(listed) // count] for i in range(count)]
    if sample.index >= len(chosen):
        return None
    inputs = chosen[sample.index]
    return Program(info.op, ((inputs.input, *inputs.args), inputs.kwargs))


def differs(want: Any, got: Any, rtol: float = 1e-4, atol: float = 1e-5) -> str:
    """In what results differ: structure, dtype and shape, or values (integers and bools exactly)."""
    wanted, spec = pytree.tree_flatten(want)
    results, other = pytree.tree_flatten(got)
    if spec != other:
        return f"the structure {other} instead of {spec}"
    for a, b in zip(wanted, results, strict=True):
        if not isinstance(a, torch.Tensor) or not isinstance(b, torch.Tensor):
            if type(a) is not type(b) or (a != b and a == a):
                return f"{b!r} instead of {a!r}"
        elif a.dtype != b.dtype or a.shape != b.shape:
            return f"{b.dtype}{list(b.shape)} instead of {a.dtype}{list(a.shape)}"
        elif not _close(a.detach(), b.detach(), rtol, atol):
            return f"{b.flatten()[:4].tolist()} instead of {a.flatten()[:4].tolist()}"
    return ""


def _close(a: torch.Tensor, b: torch.Tensor, rtol: float, atol: float) -> bool:
    if not (a.is_floating_point() or a.is_complex()):
        return torch.equal(a, b)
    return torch.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True)


def try_sample(sample: Sample, each: int, mode: str) -> Outcome | None:
    """What becomes of a sample; None when there is none of that index."""
    import sambaflow

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    try:
        program = load(sample, each)
        if program is None:
            return None
        with torch.no_grad():
            want = program(*program.tensors())
            torch.manual_seed(1)
            again = program(*program.tensors())
    except TimeoutError:
        raise
    except Exception as error:
        return Outcome("skipped", f"PyTorch refuses it: {type(error).__name__}")
    if sample.operator.startswith(("empty", "new_empty")) or (sample.operator in RANDOM and differs(want, again)):
        return Outcome("skipped", "random or not initialised")

    def compiled() -> str:
        executable = sambaflow.compile(program, tuple(program.tensors()), mode=mode)
        fault = differs(want, executable(*program.tensors()))
        executable.timing()
        return fault

    return judged(compiled)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m sambaflow.testing.coverage operators", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="operators whose name has this")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N samples")
    parser.add_argument("--samples", type=int, default=4, help="samples an operator in float32, half of it in others")
    parser.add_argument("--mode", default="o1", choices=("o0", "o1", "o3"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time after which one has crashed")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="the I-th of N parts of the operators")
    parser.add_argument("--json", metavar="FILE", help="every outcome")
    options = parser.parse_args(arguments)
    part, parts = map(int, options.part.split("/"))
    names = [name for name in operators() if not options.only or any(text in name for text in options.only)]
    tasks = samples(sorted(names)[part - 1 :: parts], options.samples)[: options.limit]
    results = workers.run(
        lambda sample: try_sample(sample, options.samples, options.mode), tasks, options.processes, options.seconds
    )
    return report("samples", shown(results), options.json)

"""One random PyTorch program, compiled in one mode, against eager PyTorch: results, inputs and buffers, call by call.

    outcome = compare_with_eager(program, "o3")
    outcome.kind       # "right", "refused", "wrong", "crashed"

A program that PyTorch itself cannot export counts as refused, in our words. Floats may differ by what the program makes
of rounding: the distance of eager PyTorch to itself in f64 says how much that is.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from sambaflow.errors import InternalError, PassError, SambaError
from sambaflow.samba.compiler import compile as compile_model
from sambaflow.samba.executable import Executable
from sambaflow.testing.torch_programs import Program

MODES = ("o0", "o1", "o3")
RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""What f32 may differ by; bf16 by one rounding more."""
ILL_CONDITIONED = 16
"""How many times eager PyTorch's own distance to f64 is allowed on top."""


@dataclass(frozen=True)
class Outcome:
    """What became of a program: "right", "refused" (in words of ours), "wrong" or "crashed" (any other exception)."""

    kind: str
    why: str = ""

    @property
    def is_fault(self) -> bool:
        return self.kind in ("wrong", "crashed")


class _Differs(Exception):
    """Where the first difference is."""


def compare_with_eager(program: Program, mode: str) -> Outcome:
    """Compile, call as often as the program says, time; what differs from eager PyTorch is "wrong"."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _compare(program, mode)
    except _Differs as difference:
        return Outcome("wrong", str(difference))
    except (InternalError, PassError) as error:  # what passes say is not about the user's program
        return Outcome("crashed", f"{type(error).__name__}: {error}")
    except SambaError as error:
        return Outcome("refused", f"{type(error).__name__}: {error}")
    except Exception as error:
        return Outcome("crashed", f"{type(error).__name__}: {error}")
    return Outcome("right")


@torch.no_grad()
def _compare(program: Program, mode: str) -> None:
    module, eager, precise = program.module(), program.module(), _in_double(program.module())
    args, kwargs = program.calls()[0]
    exe = compile_model(module, args, kwargs, mode=mode)
    for call, (ours, theirs, doubles) in enumerate(zip(*(program.calls() for _ in range(3)), strict=True)):
        try:
            want = eager(*theirs[0], **theirs[1])
        except (RuntimeError, IndexError):  # with these elements PyTorch refuses: 1 // 0
            return
        doubles = pytree.tree_map_only(Tensor, _double, doubles)
        try:
            close = precise(*doubles[0], **doubles[1])
        except RuntimeError:  # f64 where the program asks for f32
            close = want
        got = exe(*ours[0], **ours[1])
        _check_tree(f"call {call}: result", got, want, close)
        _check_tree(f"call {call}: input", ours, theirs, doubles)
        _check_buffers(f"call {call}: buffer", exe, module, eager, precise)
    exe.timing()


def _in_double(module: nn.Module) -> nn.Module:
    for name, buffer in module.named_buffers():
        setattr(module, name, _double(buffer))
    return module


def _double(value: Tensor) -> Tensor:
    """The same elements in f64, with the strides that they have."""
    return value.double() if value.is_floating_point() else copy.deepcopy(value)


def _check_buffers(what: str, exe: Executable, module: nn.Module, eager: nn.Module, precise: nn.Module) -> None:
    """Buffers that calls update are the executable's state; the module itself stays as it was compiled."""
    close = dict(precise.named_buffers())
    first = dict(module.named_buffers())
    for name, want in eager.named_buffers():
        got = exe.state[name] if name in exe.state else first[name]
        _check(f"{what} {name}", got, want, close[name])


def _check_tree(what: str, got: Any, want: Any, close: Any) -> None:
    ours, theirs = pytree.tree_flatten(got), pytree.tree_flatten(want)
    if ours[1] != theirs[1]:
        raise _Differs(f"{what}: structure {ours[1]} instead of {theirs[1]}")
    for number, (a, b, c) in enumerate(zip(ours[0], theirs[0], pytree.tree_leaves(close), strict=True)):
        if isinstance(b, Tensor):
            _check(f"{what} {number}", a, b, c)
        elif type(a) is not type(b) or a != b:
            raise _Differs(f"{what} {number}: {a!r} instead of {b!r}")


def _check(what: str, got: Tensor, want: Tensor, close: Tensor) -> None:
    if got.dtype != want.dtype or got.shape != want.shape:
        raise _Differs(f"{what}: {got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}")
    a, b, c = got.double(), want.double(), close.double()
    if want.dtype.is_floating_point:
        scale = max(1.0, float(b[b.isfinite()].abs().max())) if b.isfinite().any() else 1.0
        unit = 2**-7 if want.dtype == torch.bfloat16 else RELATIVE
        allowed = unit * b.abs() + ABSOLUTE * scale + ILL_CONDITIONED * (b - c).abs()
        right = ((a - b).abs() <= allowed) | (a == b) | (a.isnan() & b.isnan())
        right |= ~(b - c).isfinite() & (a.isnan() | ~a.isfinite()) & (b != c)
    else:
        right = (a == b) | (b != c)  # an integer that rounding decides: PyTorch differs from itself
    if not bool(right.all()):
        place = tuple(int(i) for i in torch.nonzero(~right)[0])
        raise _Differs(f"{what}{list(place)}: {got[place].item()} instead of {want[place].item()}")

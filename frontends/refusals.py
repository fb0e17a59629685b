"""Why a call of a graph cannot be compiled, in the words of PyTorch, and what to write instead.

refusal = refusal_of(call)
refusal.reason      # "the shape of its result depends on data"
refusal.lever       # "keep the shape: select with torch.where(mask, x, other), or multiply by the mask"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sambaflow.errors import Location, UnsupportedOperator, UnsupportedOperators
from sambaflow.frontends.calls import Call, Value, leaves_of, signature
from sambaflow.frontends.conversions import DTYPES, is_known
from sambaflow.frontends.expansions import EXPANSIONS


@dataclass(frozen=True)
class Refusal:
    """One call that has no conversion."""

    name: str
    location: Location | None
    reason: str = ""
    lever: str = ""


_KEEP_SHAPE = "keep the shape: select with torch.where(mask, x, other), or multiply by the mask"
_ON_HOST = "compute it on the host, outside the model, or write it by operators that docs/reference/samba.md lists"
_EXPERTS = 'set model.config._experts_implementation = "batched_mm", whose shapes do not depend on where tokens go'
_NONE = "the samba dialect does not have it, and PyTorch does not define it by operators that it has"


def refusal_of(call: Call) -> Refusal:
    """Why a call has no conversion. The first that holds: data decide a shape, random numbers, dtypes, arguments."""
    reason, lever = _why(call)
    return Refusal(call.name, call.location, reason, _EXPERTS if _routes_tokens(call) else lever)


def _why(call: Call) -> tuple[str, str]:
    target, name = call.target, call.name
    if _takes_mask(call):
        return "how many elements its mask takes depends on data", _KEEP_SHAPE
    if torch.Tag.dynamic_output_shape in target.tags or _is_sized_by_data(call):
        return "the shape of its result depends on data", _KEEP_SHAPE
    if torch.Tag.nondeterministic_seeded in target.tags or "dropout" in name:
        if "dropout" in name or "rrelu" in name:
            return "it draws random numbers, as in training", "call model.eval() first"
        return "it draws random numbers", "draw them outside the model and give them as an input"
    foreign = _foreign_dtypes(call)
    if foreign:
        return f"it works on tensors of {' and '.join(foreign)}", dtype_lever(foreign)
    if target.namespace != "aten":
        return f"it is an operator of {target.namespace}, not of PyTorch", "write it by PyTorch's operators"
    if is_known(call) or name in EXPANSIONS:
        return f"{target} is converted for other arguments than ({_arguments(call)})", _ON_HOST
    return _NONE, _ON_HOST


def _is_sized_by_data(call: Call) -> bool:
    """Whether export gave the results sizes that are not numbers."""
    noted = leaves_of(torch.Tensor, call.node.meta.get("val")) if call.node is not None else []
    return any(type(size) is not int for tensor in noted for size in tensor.shape)


def _takes_mask(call: Call) -> bool:
    """Whether elements are chosen by a mask."""
    if signature(call.target).base not in ("index", "_unsafe_index", "index_put", "_unsafe_index_put", "index_put_"):
        return False
    return any(index.dtype == torch.bool for index in leaves_of(Value, call.args[1]))


def _routes_tokens(call: Call) -> bool:
    """Whether the call is in transformers' code of experts."""
    place = call.location
    return (
        place is not None and "transformers/" in place.file and ("moe" in place.file or "expert" in place.module_path)
    )


def _foreign_dtypes(call: Call) -> list[str]:
    """The dtypes of operands and results that have no element type."""
    noted = leaves_of(torch.Tensor, call.node.meta.get("val")) if call.node is not None else []
    dtypes = [value.dtype for value in (*call.values(), *noted)]
    return sorted({str(dtype) for dtype in dtypes if dtype not in DTYPES})


def dtype_lever(dtypes: Sequence[str]) -> str:
    """What to do about tensors of these dtypes."""
    if any("complex" in dtype for dtype in dtypes):
        return "compute with the real and the imaginary part as two tensors"
    return f"convert them outside the model to one of {', '.join(map(str, DTYPES))}"


def _arguments(call: Call) -> str:
    """What is given, without what is at its default: `self float32[4, 6], dim 1`."""
    form, arguments = signature(call.target), call.arguments()
    told = [name for name in form.names if name in arguments and arguments[name] is not form.defaults.get(name, call)]
    return ", ".join(f"{name} {_shown(arguments[name])}" for name in told)


def _shown(value: Any) -> str:
    if isinstance(value, Value):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return repr(value)


def unsupported(refusals: Sequence[Refusal]) -> UnsupportedOperators:
    """All at once, the most used first; each with its reason and its places of use."""
    alike: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in refusals:
        alike.setdefault((refusal.name, refusal.reason), []).append(refusal)
    operators = [
        UnsupportedOperator(
            name, len(refused), tuple(dict.fromkeys(refusal.location for refusal in refused if refusal.location)), why
        )
        for (name, why), refused in sorted(alike.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return UnsupportedOperators(
        operators, levers=list(dict.fromkeys(refusal.lever for refusal in refusals if refusal.lever))
    )

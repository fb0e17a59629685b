"""Constant folding of samba operators in numpy, for `samba-canonicalize`.

Only what numpy computes bit for bit as the reference does: integers and bools, data movement, casts, comparisons, and
the correctly rounded float operations (+, -, *, /, sqrt). exp, cos and their like stay: libraries differ in the last
bit. 16-bit floats are f32 arrays of representable values, rounded to nearest even after each operator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from xdsl.dialects.builtin import BytesAttr, DenseIntOrFPElementsAttr

from sambaflow.dialects import samba
from sambaflow.dialects.samba.inference import Shaped, dim_index, is_float, result_dtype
from sambaflow.dialects.samba.movement import permutation, slice_range, split_sizes

if TYPE_CHECKING:
    import numpy

    Array: TypeAlias = numpy.ndarray[Any, Any]

FOLD_BYTES = 1 << 16
"""Largest constant that folding makes: constants are text in the IR."""

Settings: TypeAlias = Mapping[str, Any]
Folder: TypeAlias = "Callable[[Sequence[Array], Settings, Shaped], Array | None]"


@lru_cache(maxsize=64)
def name_of(dtype: object) -> str:
    """The text of an element type; cached, because printing one takes 10 us."""
    return str(dtype)


def numpy_dtype(dtype: object) -> str:
    """The numpy type that holds elements of an xDSL type, or of the type of that name."""
    return _NUMPY[name_of(dtype)]


_NUMPY = {"i1": "bool", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "f64": "float64",
          "f32": "float32", "f16": "float32", "bf16": "float32"}  # fmt: skip


def rounded(array: Array, dtype: object) -> Array:
    """The array in the element type `dtype`: floats to nearest even, floats to integers toward zero."""
    import numpy

    name = name_of(dtype)
    with numpy.errstate(all="ignore"):
        if name == "i1":
            return array != 0
        result = array.astype(numpy_dtype(name))
        if name == "f16":
            return result.astype(numpy.float16).astype(numpy.float32)
        return _to_bf16(result) if name == "bf16" else result


def _to_bf16(array: Array) -> Array:
    import numpy

    bits = numpy.ascontiguousarray(array).view(numpy.uint32)
    up = bits + (numpy.uint32(0x7FFF) + ((bits >> numpy.uint32(16)) & numpy.uint32(1)))
    nearest = (up & numpy.uint32(0xFFFF0000)).view(numpy.float32).reshape(array.shape)
    return numpy.where(numpy.isnan(array), array, nearest)


def elements_of(op: samba.ConstantOp) -> Array:
    """The value of a constant. Not to be written to: it is the constant's own memory."""
    import numpy

    shape, dtype = samba.shaped_of(op.result)
    name = name_of(dtype)
    stored = numpy.frombuffer(op.value.data.data, _STORED.get(name, numpy_dtype(name))).reshape(shape)
    if name == "i1":
        return stored != 0
    if name == "bf16":
        return (stored.astype(numpy.uint32) << numpy.uint32(16)).view(numpy.float32)
    return stored.astype(numpy_dtype(name), copy=False)


_STORED = {"i1": "int8", "bf16": "uint16", "f16": "float16"}
"""Where a constant's bytes are not what numpy computes with."""


def constant_of(array: Array, dtype: Any) -> samba.ConstantOp:
    """The constant with this value."""
    import numpy

    name, stored = name_of(dtype), array
    if name == "i1":
        stored = -array.astype(numpy.int8)  # true is -1, as in every one-bit integer
    elif name == "bf16":
        quiet = numpy.isnan(array).astype(numpy.uint32) << numpy.uint32(6)  # no NaN loses all bits of its payload
        stored = array.view(numpy.uint32) >> numpy.uint32(16) | quiet
    data = stored.astype(_STORED.get(name, numpy_dtype(name)), copy=False).tobytes()
    kind = samba.tensor_type(Shaped(tuple(array.shape), dtype))
    value = DenseIntOrFPElementsAttr(kind, BytesAttr(data))  # pyright: ignore[reportArgumentType]
    return samba.ConstantOp.create(result_types=[kind], properties={"value": value})


def byte_count(shaped: Shaped) -> int:
    """Bytes of the array of a tensor."""
    import math

    import numpy

    return math.prod(shaped.shape) * numpy.dtype(numpy_dtype(shaped.dtype)).itemsize


def fold(op: samba.SambaOp, operands: Sequence[Array]) -> list[Array] | None:
    """The results of an operator on constants; None when it is not foldable or too large."""
    folder = FOLDERS.get(op.row.name)
    outs = [samba.shaped_of(result) for result in op.results]
    if folder is None or sum(map(byte_count, outs)) > FOLD_BYTES:
        return None
    settings = op.settings()
    if op.row.name in _SEVERAL:
        return _pieces(op, operands[0])
    out = outs[0]
    if op.row.name in _ARITHMETIC:
        operands = _promoted(op, operands, settings, out)
    import numpy

    with numpy.errstate(all="ignore"):
        result = folder(operands, settings, out)
    return None if result is None else [rounded(result, out.dtype).reshape(out.shape)]


def _promoted(op: samba.SambaOp, operands: Sequence[Array], a: Settings, out: Shaped) -> list[Array]:
    """Operands, and the number that stands for one, in the type that the operator computes in."""
    import numpy

    scalars = [a[name] for name in ("other", "exponent") if a.get(name) is not None]
    dtype: Any = result_dtype([samba.shaped_of(value) for value in op.operands], scalars)
    if op.row.name not in _COMPARISONS:
        dtype = out.dtype
        return [x.astype(numpy_dtype(dtype)) for x in (*operands, *map(numpy.array, scalars))]
    return [rounded(x, dtype) for x in (*operands, *map(numpy.array, scalars))]


def _pieces(op: samba.SambaOp, value: Array) -> list[Array]:
    import numpy

    a = op.settings()
    dim = dim_index(a["dim"], value.ndim)
    sizes = split_sizes(value.shape[dim], op.row.name, a)
    starts = [sum(sizes[:i]) for i in range(1, len(sizes))]
    parts = numpy.split(value, starts, dim)
    return [part.reshape(samba.shaped_of(r).shape) for part, r in zip(parts, op.results, strict=True)]


def _np(name: str) -> Folder:
    def folder(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
        import numpy

        return getattr(numpy, name)(*x)

    return folder


def _whole(name: str) -> Folder:
    """Rounding of floats; integers, which numpy would take for floats, stay."""
    return lambda x, a, out: _np(name)(x, a, out) if x[0].dtype.kind == "f" else x[0]


def _cast(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
    """Not of floats that the integer type does not hold: what becomes of them is left to the machine."""
    import numpy

    if x[0].dtype.kind == "f" and not is_float(out.dtype) and name_of(out.dtype) != "i1":
        limits = numpy.iinfo(numpy_dtype(out.dtype))
        if not ((x[0] >= limits.min) & (x[0] < float(limits.max) + 1)).all():
            return None
    return x[0]


def _integer_division(name: str) -> Folder:
    def folder(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
        exact = not is_float(out.dtype) and bool((x[1] != 0).all())
        return _np(name)(x, a, out) if exact else None

    return folder


def _add(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
    if name_of(out.dtype) == "i1":
        return x[0] | x[1]
    return x[0] + x[1] if a["alpha"] == 1 else None


def _sub(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
    return x[0] - x[1] if a["alpha"] == 1 and name_of(out.dtype) != "i1" else None


def _rsub(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
    return _sub(x[::-1], a, out)


def _div(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
    if a["rounding_mode"] is None:
        return x[0] / x[1]
    return _integer_division("floor_divide")(x, a, out) if a["rounding_mode"] == "floor" else None


def _pow(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
    exponent = a["exponent"]
    return x[0] if exponent == 1 else x[0] * x[0] if exponent == 2 else None


def _sqrt(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
    import numpy

    return numpy.sqrt(x[0])


def _clamp(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
    import numpy

    return numpy.clip(x[0].astype(numpy_dtype(out.dtype)), a["min"], a["max"])


def _where(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
    import numpy

    return numpy.where(x[0], rounded(x[1], out.dtype), rounded(x[2], out.dtype))


def _masked_fill(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
    import numpy

    value = x[2] if len(x) > 2 else numpy.array(a["value"])
    return numpy.where(x[1], rounded(value, out.dtype), x[0])


def _same(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
    return x[0]


def _permuted(name: str) -> Folder:
    return lambda x, a, out: x[0].transpose(permutation(x[0].shape, name, a))


def _expand(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
    import numpy

    return numpy.broadcast_to(x[0], out.shape)


def _slice(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
    dim = dim_index(a["dim"], x[0].ndim)
    taken = slice_range(x[0].shape[dim], a["start"], a["end"], a["step"])
    return x[0].take(taken, dim)


def _select(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
    return x[0].take(a["index"], a["dim"])


def _cat(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
    import numpy

    return numpy.concatenate([rounded(value, out.dtype) for value in x], a["dim"])


def _stack(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
    import numpy

    return numpy.stack([rounded(value, out.dtype) for value in x], a["dim"])


def _triangle(name: str) -> Folder:
    def folder(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
        import numpy

        return getattr(numpy, name)(x[0], a["diagonal"])

    return folder


def _dims(x: Array, a: Settings) -> tuple[int, ...]:
    return tuple(a["dim"] or range(x.ndim))


def _sum(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
    """Integers only: a float sum depends on its order."""
    if is_float(out.dtype):
        return None
    return x[0].astype(numpy_dtype(out.dtype)).sum(_dims(x[0], a), keepdims=a["keepdim"])


def _reduced(name: str) -> Folder:
    def folder(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
        import numpy

        return getattr(numpy, name)(x[0], axis=_dims(x[0], a), keepdims=a["keepdim"])

    return folder


def _cumsum(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
    if is_float(out.dtype) or not x[0].ndim:
        return None
    return x[0].astype(numpy_dtype(out.dtype)).cumsum(a["dim"])


def _arange(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
    """Whole numbers, and floats that f32 holds exactly: elsewhere the order of roundings shows."""
    import numpy

    places = numpy.arange(out.shape[0]) * a["step"]
    result = places + a["start"]
    exact = (places.astype(numpy.float32) == places).all() and (result.astype(numpy.float32) == result).all()
    return result if (result.dtype.kind == "i" and not is_float(out.dtype)) or exact else None


def _filled(value: Callable[[Settings], Any]) -> Folder:
    def folder(x: Sequence[Array], a: Settings, out: Shaped) -> Array:
        import numpy

        return numpy.full(out.shape, value(a))

    return folder


def _index_select(x: Sequence[Array], a: Settings, out: Shaped) -> Array | None:
    """Not at indices out of range, which the machine refuses."""
    value = x[0].reshape(-1) if not x[0].ndim else x[0]
    if not ((x[1] >= 0) & (x[1] < value.shape[a["dim"]])).all():
        return None
    return value.take(x[1], a["dim"])


_COMPARISONS: dict[str, Folder] = {
    "eq": _np("equal"),
    "ne": _np("not_equal"),
    "lt": _np("less"),
    "le": _np("less_equal"),
    "gt": _np("greater"),
    "ge": _np("greater_equal"),
}

_ARITHMETIC: dict[str, Folder] = {
    **_COMPARISONS,
    "add": _add,
    "sub": _sub,
    "rsub": _rsub,
    "mul": _np("multiply"),
    "div": _div,
    "floor_divide": _integer_division("floor_divide"),
    "remainder": _integer_division("remainder"),
    "maximum": _np("maximum"),
    "minimum": _np("minimum"),
    "pow": _pow,
    "sqrt": _sqrt,
    "neg": _np("negative"),
    "abs": _np("absolute"),
    "bitwise_and": _np("bitwise_and"),
    "bitwise_or": _np("bitwise_or"),
    "bitwise_xor": _np("bitwise_xor"),
    "bitwise_not": _np("invert"),
    "logical_and": _np("logical_and"),
    "logical_or": _np("logical_or"),
    "logical_xor": _np("logical_xor"),
}

_SEVERAL = ("split", "chunk", "unbind")
"""Operators with several results."""

FOLDERS: dict[str, Folder] = {
    **_ARITHMETIC,
    **dict.fromkeys(_SEVERAL, _same),
    **{row.name: _same for row in samba.OPERATORS.values() if samba.Trait.IN_ORDER in row.traits},
    "logical_not": _np("logical_not"),
    "floor": _whole("floor"),
    "ceil": _whole("ceil"),
    "to": _cast,
    "clamp": _clamp,
    "where": _where,
    "masked_fill": _masked_fill,
    "transpose": _permuted("transpose"),
    "permute": _permuted("permute"),
    "t": _permuted("t"),
    "expand": _expand,
    "slice": _slice,
    "select": _select,
    "cat": _cat,
    "stack": _stack,
    "tril": _triangle("tril"),
    "triu": _triangle("triu"),
    "sum": _sum,
    "amax": _reduced("amax"),
    "amin": _reduced("amin"),
    "any": _reduced("any"),
    "all": _reduced("all"),
    "cumsum": _cumsum,
    "index_select": _index_select,
    "arange": _arange,
    "full": _filled(lambda a: a["fill_value"]),
    "zeros": _filled(lambda a: 0),
    "ones": _filled(lambda a: 1),
}

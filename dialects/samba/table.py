"""The table of samba operators: class, text form, verifier, builder, reference test and docs come from one row.

A row's name is the operator's name in ATen. Operand names end in `?` when the operand is optional (trailing only) and
in `*` for a list. A second operand that PyTorch also takes as a Python number is optional, and the number is an
attribute (`other`). `sample` and `settings` are a smallest use: the example in the op's documentation, and one of the
cases of its test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Any

from xdsl.dialects.builtin import bf16, f16, f32, f64, i1, i8, i32, i64
from xdsl.ir import Attribute

from sambaflow.dialects.samba import inference as infer
from sambaflow.dialects.samba import movement as move
from sambaflow.dialects.samba.attributes import BOOL, DTYPE, FLOAT, INT, INTS, SCALAR, STR, Kind
from sambaflow.dialects.samba.inference import Rule, Shaped


class Trait(Flag):
    """What passes may know about an operator without its name."""

    NONE = 0
    ELEMENTWISE = auto()
    """Each result element depends on the elements at the same (broadcast) place."""
    VIEW = auto()
    """Moves elements, computes nothing."""
    IN_ORDER = auto()
    """Keeps the row-major sequence of elements: only the shape changes."""
    NOOP_IF_SAME = auto()
    """The identity when the result has the operand's type."""
    CAST = auto()
    """Changes the element type only."""
    PARTIAL = auto()
    """May give f32 from 16-bit operands: a partial sum before a collective."""
    COLLECTIVE = auto()
    """Communicates with other chips."""


RESHAPE = Trait.VIEW | Trait.IN_ORDER | Trait.NOOP_IF_SAME
_SUBSET = Trait.VIEW | Trait.NOOP_IF_SAME

REQUIRED = object()
"""Default of an attribute that must be given."""


@dataclass(frozen=True)
class Attr:
    """An attribute of an operator; `default` None means absent."""

    name: str
    kind: Kind
    default: Any = REQUIRED


@dataclass(frozen=True)
class Row:
    """One operator; see the module's docstring."""

    name: str
    doc: str
    operands: tuple[str, ...]
    rule: Rule
    attributes: tuple[Attr, ...] = ()
    traits: Trait = Trait.NONE
    sample: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def op_name(self) -> str:
        return f"samba.{self.name}"

    @property
    def operand_limits(self) -> tuple[int, int]:
        """Fewest and most operands."""
        least = sum(not name.endswith("?") for name in self.operands)
        most = 1 << 30 if any(name.endswith("*") for name in self.operands) else len(self.operands)
        return least, most

    def operand_names(self, count: int) -> list[str]:
        """Names of `count` operands, a list's elements as `name*0`, `name*1`."""
        plain = [name.rstrip("?*") for name in self.operands]
        extra = count - len(plain) + 1
        if self.operands and self.operands[-1].endswith("*"):
            return [*plain[:-1], *(f"{plain[-1]}*{i}" for i in range(extra))]
        return plain[:count]

    def defaults(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """All attributes, those that are not given at their defaults (absent: None)."""
        return {a.name: values.get(a.name, None if a.default is REQUIRED else a.default) for a in self.attributes}


DTYPES: dict[str, Attribute] = {
    "f64": f64, "f32": f32, "f16": f16, "bf16": bf16, "i64": i64, "i32": i32, "i8": i8, "i1": i1,
}  # fmt: skip
"""Element types of samba tensors by name."""


def shaped(text: str) -> Shaped:
    """`"2x3xf32"` as shape and dtype."""
    *sizes, dtype = text.split("x")
    return Shaped(tuple(map(int, sizes)), DTYPES[dtype])


def _rows(names: str, doc: str, operands: Sequence[str], rule: Rule, *attributes: Attr, traits: Trait = Trait.NONE,
          sample: Sequence[str] = (), **settings: Any) -> list[Row]:  # fmt: skip
    """Rows of one form for all `names`."""
    return [
        Row(n, doc.format(n), tuple(operands), rule, attributes, traits, tuple(sample), settings) for n in names.split()
    ]


_E = Trait.ELEMENTWISE
_OTHER = Attr("other", SCALAR, None)
_ALPHA = Attr("alpha", SCALAR, 1)
_BINARY = ("self", "other?")
_DIM = Attr("dim", INT)
_LAST = Attr("dim", INT, -1)
_FIRST = Attr("dim", INT, 0)
_DIMS = Attr("dim", INTS, None)
_KEEPDIM = Attr("keepdim", BOOL, False)
_DTYPE = Attr("dtype", DTYPE)
_MAYBE_DTYPE = Attr("dtype", DTYPE, None)
_FLIPPED = ("2x3xf32", "3xf32")
_SLICE = (_FIRST, Attr("start", INT, None), Attr("end", INT, None), Attr("step", INT, 1))
_POOL = (Attr("kernel_size", INTS), Attr("stride", INTS, None), Attr("padding", INTS, (0, 0)))
_CEIL = Attr("ceil_mode", BOOL, False)
_CONV2D = (Attr("stride", INTS, (1, 1)), Attr("padding", INTS, (0, 0)), Attr("dilation", INTS, (1, 1)))
_CONV1D = (Attr("stride", INTS, (1,)), Attr("padding", INTS, (0,)), Attr("dilation", INTS, (1,)))
_GROUPS = Attr("groups", INT, 1)
_PRODUCT = (Attr("beta", SCALAR, 1), Attr("alpha", SCALAR, 1))
_CHIPS = Attr("chips", INT)
_WIRE = Attr("wire", DTYPE, f32)

_ELEMENTWISE: list[Row] = [
    *_rows("tanh sigmoid exp exp2 expm1 log log1p log2 sqrt rsqrt sin cos erf reciprocal",
           "{} of each element; integers give f32.", ["self"], infer.float_unary, traits=_E, sample=["2x3xf32"]),
    *_rows("silu", "x * sigmoid(x).", ["self"], infer.floats_only, traits=_E, sample=["2x3xf32"]),
    *_rows("gelu", 'Gaussian error unit, exact ("none") or by tanh.', ["self"], infer.floats_only,
           Attr("approximate", STR, "none"), traits=_E, sample=["2x3xf32"], approximate="tanh"),
    *_rows("softplus", "log(1 + exp(beta * x)) / beta, linear above the threshold.", ["self"], infer.floats_only,
           Attr("beta", SCALAR, 1), Attr("threshold", SCALAR, 20), traits=_E, sample=["2x3xf32"]),
    *_rows("leaky_relu", "x where positive, else negative_slope * x.", ["self"], infer.floats_only,
           Attr("negative_slope", SCALAR, 0.01), traits=_E, sample=["2x3xf32"]),
    *_rows("elu", "scale * x where positive, else scale * alpha * (exp(input_scale * x) - 1).", ["self"],
           infer.floats_only, Attr("alpha", SCALAR, 1), Attr("scale", SCALAR, 1), Attr("input_scale", SCALAR, 1),
           traits=_E, sample=["2x3xf32"]),
    *_rows("relu neg abs sign floor ceil round trunc square", "{} of each element.", ["self"], infer.same,
           traits=_E, sample=["2x3xf32"]),
    *_rows("clamp hardtanh", "Each element moved into [min, max].", ["self"], infer.clamp, Attr("min", SCALAR, None),
           Attr("max", SCALAR, None), traits=_E, sample=["2x3xf32"], min=-1.0, max=1.0),
    *_rows("logical_not isnan", "{} of each element.", ["self"], infer.bool_unary, traits=_E, sample=["2x3xf32"]),
    *_rows("bitwise_not", "Complement of integers, negation of bools.", ["self"], infer.bitwise, traits=_E,
           sample=["2x3xi1"]),
    *_rows("add sub rsub", "{} with broadcast; the second term is scaled by alpha (rsub: other - alpha * self).",
           _BINARY,
           infer.binary, _OTHER, _ALPHA, traits=_E, sample=_FLIPPED),
    *_rows("mul maximum minimum remainder floor_divide", "{} with broadcast.", _BINARY, infer.binary, _OTHER, traits=_E,
           sample=_FLIPPED),
    *_rows("fmod", "The rest of a division toward zero, with broadcast.", _BINARY, infer.binary, _OTHER, traits=_E,
           sample=_FLIPPED),
    *_rows("div", 'Quotient with broadcast; rounding_mode "floor" or "trunc" keeps integers.', _BINARY, infer.divide,
           _OTHER,
           Attr("rounding_mode", STR, None), traits=_E, sample=_FLIPPED),
    *_rows("pow", "self to the power of a tensor or a number.", ("self", "exponent?"), infer.power,
           Attr("exponent", SCALAR, None), traits=_E, sample=["2x3xf32"], exponent=2),
    *_rows("bitwise_and bitwise_or bitwise_xor", "{} of integers or bools.", _BINARY, infer.bitwise, _OTHER, traits=_E,
           sample=["2x3xi1", "3xi1"]),
    *_rows("eq ne lt le gt ge logical_and logical_or logical_xor", "{} with broadcast, as i1.", _BINARY, infer.compare,
           _OTHER, traits=_E, sample=_FLIPPED),
    *_rows("where", "Elements of `self` where the condition holds, else of `other`.", ("condition", "self", "other"),
           infer.where, traits=_E, sample=["2x3xi1", "2x3xf32", "f32"]),
    *_rows("masked_fill", "The value where the mask holds, else the element.", ("self", "mask", "value?"),
           infer.masked_fill, Attr("value", SCALAR, None), traits=_E, sample=["2x3xf32", "2x3xi1"], value=-1.0),
    *_rows("to", "Cast, rounding to nearest even; floats to integers truncate.", ["self"], infer.to, _DTYPE,
           traits=_E | Trait.CAST | Trait.NOOP_IF_SAME, sample=["2x3xf32"], dtype=bf16),
]  # fmt: skip

_PRODUCTS: list[Row] = [
    *_rows("linear", "x @ weight.T + bias over the last dimension.", ("input", "weight", "bias?"), infer.linear,
           traits=Trait.PARTIAL, sample=["2x4xf32", "3x4xf32", "3xf32"]),
    *_rows("matmul", "Matrix product with broadcast batch dimensions.", ("self", "other"), infer.matmul,
           traits=Trait.PARTIAL, sample=["2x3x4xf32", "4x5xf32"]),
    *_rows("mm", "Product of two matrices.", ("self", "mat2"), infer.mm, traits=Trait.PARTIAL, sample=["3x4xf32",
           "4x5xf32"]),
    *_rows("bmm", "Products of two batches of matrices.", ("self", "mat2"), infer.bmm, traits=Trait.PARTIAL,
           sample=["2x3x4xf32", "2x4x5xf32"]),
    *_rows("addmm", "beta * self + alpha * (mat1 @ mat2); with beta = 0 self is not read.", ("self", "mat1", "mat2"),
           infer.addmm, *_PRODUCT,
           sample=["5xf32", "3x4xf32", "4x5xf32"]),
    *_rows("baddbmm", "beta * self + alpha * (batch1 @ batch2); with beta = 0 self is not read.",
           ("self", "batch1", "batch2"), infer.baddbmm, *_PRODUCT,
           sample=["3x5xf32", "2x3x4xf32", "2x4x5xf32"]),
    *_rows("conv2d", "Convolution of [n, c, h, w] with [out, c / groups, kh, kw].", ("input", "weight", "bias?"),
           infer.conv2d, *_CONV2D, _GROUPS, sample=["1x2x5x5xf32", "3x2x3x3xf32", "3xf32"], padding=(1, 1)),
    *_rows("conv1d", "Convolution of [n, c, l] with [out, c / groups, k].", ("input", "weight", "bias?"), infer.conv1d,
           *_CONV1D, _GROUPS, sample=["1x2x5xf32", "3x2x3xf32"], padding=(1,)),
    *_rows("scaled_dot_product_attention",
           "softmax(query @ key.T * scale + attn_mask) @ value; scale defaults to 1 / sqrt(head size), a bool mask "
           "keeps where true, enable_gqa shares each key head among a group of query heads.",
           ("query", "key", "value", "attn_mask?"),
           infer.attention, Attr("is_causal", BOOL, False), Attr("scale", FLOAT, None), Attr("enable_gqa", BOOL, False),
           sample=["1x2x3x4xf32", "1x2x5x4xf32", "1x2x5x4xf32", "3x5xf32"]),
]  # fmt: skip

_NORMS: list[Row] = [
    *_rows("layer_norm", "(x - mean) / sqrt(var + eps) over the last dimensions, times weight, plus bias.",
           ("input", "weight?", "bias?"), infer.layer_norm, Attr("normalized_shape", INTS), Attr("eps", FLOAT, 1e-5),
           sample=["2x3x4xf32", "4xf32", "4xf32"], normalized_shape=(4,)),
    *_rows("rms_norm",
           "x / sqrt(mean(x * x) + eps) over the last dimensions, times weight; eps defaults to f32's (f64's for f64).",
           ("input", "weight?"), infer.rms_norm, Attr("normalized_shape", INTS), Attr("eps", FLOAT, None),
           sample=["2x3x4xf32", "4xf32"], normalized_shape=(4,), eps=1e-6),
    *_rows("batch_norm", "Inference: (x - mean) / sqrt(var + eps) * weight + bias per channel (dimension 1).",
           ("input", "running_mean", "running_var", "weight?", "bias?"), infer.channel_norm, Attr("eps", FLOAT, 1e-5),
           sample=["2x3x4x4xf32", "3xf32", "3xf32", "3xf32", "3xf32"]),
    *_rows("group_norm", "Layer norm over groups of channels and all positions.", ("input", "weight?", "bias?"),
           infer.channel_norm, Attr("num_groups", INT), Attr("eps", FLOAT, 1e-5), sample=["2x4x3xf32", "4xf32",
           "4xf32"],
           num_groups=2),
    *_rows("softmax", "exp(x) / sum(exp(x)) along a dimension.", ["self"], infer.softmax, _DIM, _MAYBE_DTYPE,
           sample=["2x3xf32"], dim=-1),
    *_rows("log_softmax", "log(softmax(x)) along a dimension.", ["self"], infer.softmax, _DIM, _MAYBE_DTYPE,
           sample=["2x3xf32"], dim=-1),
    *_rows("cross_entropy_loss", "-log_softmax(logits)[target], weighted, without targets equal to ignore_index.",
           ("self", "target", "weight?"), infer.cross_entropy, Attr("reduction", STR, "mean"),
           Attr("ignore_index", INT, -100), Attr("label_smoothing", FLOAT, 0.0), sample=["2x3xf32", "2xi64"]),
]  # fmt: skip

_REDUCTIONS: list[Row] = [
    *_rows("sum", "Sum over dimensions (none: all); integers give i64.", ["self"], infer.reduce_sum, _DIMS, _KEEPDIM,
           _MAYBE_DTYPE, sample=["2x3xf32"], dim=(-1,)),
    *_rows("prod", "Product along a dimension (none: of all elements); integers give i64.", ["self"],
           infer.reduce_prod, Attr("dim", INT, None), _KEEPDIM, _MAYBE_DTYPE, sample=["2x3xf32"], dim=-1),
    *_rows("mean", "Mean over dimensions (none: all).", ["self"], infer.reduce_float, _DIMS, _KEEPDIM, _MAYBE_DTYPE,
           sample=["2x3xf32"], dim=(-1,), keepdim=True),
    *_rows("var", "Variance over dimensions, divided by n - correction.", ["self"], infer.reduce_float, _DIMS, _KEEPDIM,
           Attr("correction", SCALAR, 1), sample=["2x3xf32"], dim=(-1,)),
    *_rows("amax amin", "{} over dimensions (none: all).", ["self"], infer.reduce_same, _DIMS, _KEEPDIM,
           sample=["2x3xf32"], dim=(-1,)),
    *_rows("any all", "{} over dimensions (none: all), as i1.", ["self"], infer.reduce_bool, _DIMS, _KEEPDIM,
           sample=["2x3xi1"], dim=(-1,)),
    *_rows("max min", "{} along a dimension and its first index.", ["self"], infer.reduce_with_index, _DIM, _KEEPDIM,
           sample=["2x3xf32"], dim=-1),
    *_rows("argmax argmin", "First index of the {} along a dimension (none: of the flattened tensor).", ["self"],
           infer.arg_reduce, Attr("dim", INT, None), _KEEPDIM, sample=["2x3xf32"], dim=-1),
    *_rows("cumsum", "Running sum along a dimension.", ["self"], infer.cumulative, _DIM, _MAYBE_DTYPE,
           sample=["2x3xf32"],
           dim=1),
    *_rows("topk",
           "The k largest (or smallest) along a dimension, in order, and their indices; of equal values those that "
           "torch.topk picks.", ["self"], infer.topk,
           Attr("k", INT), _LAST, Attr("largest", BOOL, True), sample=["2x5xf32"], k=2),
    *_rows("sort", "Sorted values along a dimension and their indices; equal values keep their order.", ["self"],
           infer.sort, _LAST, Attr("descending", BOOL, False), sample=["2x5xf32"]),
    *_rows("max_pool2d", "Maximum over windows of the last two dimensions.", ["self"], infer.max_pool2d, *_POOL,
           Attr("dilation", INTS, (1, 1)), _CEIL, sample=["1x2x6x6xf32"], kernel_size=(2, 2)),
    *_rows("avg_pool2d", "Mean over windows of the last two dimensions.", ["self"], infer.avg_pool2d, *_POOL, _CEIL,
           Attr("count_include_pad", BOOL, True), sample=["1x2x6x6xf32"], kernel_size=(2, 2)),
    *_rows("adaptive_avg_pool2d", "Mean over windows that divide the image in output_size parts.", ["self"],
           infer.adaptive_pool2d, Attr("output_size", INTS), sample=["1x2x6x6xf32"], output_size=(1, 1)),
]  # fmt: skip

_VIEWS: list[Row] = [
    *_rows("view reshape", "The same elements in row-major order under another shape; one size may be -1.", ["self"],
           move.view, Attr("size", INTS), traits=RESHAPE, sample=["2x6xf32"], size=(3, -1)),
    *_rows("flatten", "Dimensions start_dim to end_dim as one.", ["self"], move.flatten, Attr("start_dim", INT, 0),
           Attr("end_dim", INT, -1), traits=RESHAPE, sample=["2x3x4xf32"], start_dim=1),
    *_rows("unflatten", "One dimension as several.", ["self"], move.unflatten, _DIM, Attr("sizes", INTS),
           traits=RESHAPE,
           sample=["2x6xf32"], dim=1, sizes=(3, 2)),
    *_rows("unsqueeze", "A new dimension of size 1.", ["self"], move.unsqueeze, _DIM, traits=RESHAPE,
           sample=["2x3xf32"],
           dim=1),
    *_rows("squeeze", "Without dimensions of size 1 (those named, or all).", ["self"], move.squeeze, _DIMS,
           traits=RESHAPE,
           sample=["2x1x3xf32"], dim=(1,)),
    *_rows("contiguous clone alias detach", "{}: the same tensor.", ["self"], infer.same, traits=RESHAPE,
           sample=["2x3xf32"]),
    *_rows("dropout", "Dropout in evaluation: the same tensor.", ["self"], infer.same, Attr("p", FLOAT, 0.5),
           traits=RESHAPE,
           sample=["2x3xf32"]),
    *_rows("transpose", "Two dimensions exchanged.", ["self"], move.permuted("transpose"), Attr("dim0", INT),
           Attr("dim1", INT), traits=Trait.VIEW, sample=["2x3x4xf32"], dim0=1, dim1=2),
    *_rows("permute", "Dimensions in the given order.", ["self"], move.permuted("permute"), Attr("dims", INTS),
           traits=Trait.VIEW, sample=["2x3x4xf32"], dims=(2, 0, 1)),
    *_rows("t", "A matrix transposed.", ["self"], move.permuted("t"), traits=Trait.VIEW, sample=["2x3xf32"]),
    *_rows("expand", "Dimensions of size 1 repeated; -1 keeps a size.", ["self"], move.expand, Attr("size", INTS),
           traits=_SUBSET, sample=["2x1xf32"], size=(4, 2, 3)),
    *_rows("slice", "Every step-th element from start to end along a dimension.", ["self"], move.slice_, *_SLICE,
           traits=_SUBSET, sample=["4x3xf32"], start=1, end=3),
    *_rows("select", "One element along a dimension, which goes away.", ["self"], move.select, _DIM, Attr("index",
           INT),
           traits=Trait.VIEW, sample=["4x3xf32"], dim=0, index=-1),
    *_rows("split", "Pieces along a dimension, of one size or of the sizes listed.", ["self"], move.pieces("split"),
           Attr("split_size", INTS), _FIRST, traits=Trait.VIEW, sample=["5x3xf32"], split_size=(2, 3)),
    *_rows("chunk", "At most `chunks` equal pieces along a dimension.", ["self"], move.pieces("chunk"), Attr("chunks",
           INT),
           _FIRST, traits=Trait.VIEW, sample=["4x3xf32"], chunks=2),
    *_rows("unbind", "All slices along a dimension, which goes away.", ["self"], move.pieces("unbind"), _FIRST,
           traits=Trait.VIEW, sample=["2x3xf32"]),
    *_rows("cat", "Tensors one after the other along a dimension.", ("tensors*",), move.cat, _FIRST, traits=Trait.VIEW,
           sample=["2x3xf32", "1x3xf32"]),
    *_rows("stack", "Tensors side by side along a new dimension.", ("tensors*",), move.stack, _FIRST,
           traits=Trait.VIEW,
           sample=["2x3xf32", "2x3xf32"], dim=1),
    *_rows("repeat", "The tensor tiled.", ["self"], move.repeat, Attr("repeats", INTS), traits=_SUBSET,
           sample=["2x3xf32"], repeats=(2, 1, 2)),
    *_rows("repeat_interleave", "Each element repeated along a dimension.", ["self"], move.repeat_interleave,
           Attr("repeats", INT), _DIM, traits=Trait.VIEW, sample=["2x3xf32"], repeats=2, dim=0),
    *_rows("constant_pad_nd", "A border of a constant (negative: cropped), last dimension first.", ["self"],
           move.constant_pad, Attr("pad", INTS), Attr("value", SCALAR, 0), traits=Trait.VIEW, sample=["2x3xf32"],
           pad=(1, 2)),
    *_rows("flip", "Dimensions reversed.", ["self"], move.flip, Attr("dims", INTS), traits=Trait.VIEW,
           sample=["2x3xf32"],
           dims=(1,)),
    *_rows("tril triu", "One triangle of the last two dimensions, the rest 0.", ["self"], move.triangle,
           Attr("diagonal", INT, 0), sample=["3x4xf32"]),
    *_rows("slice_scatter", "`self` with `src` in the place of a slice.", ("self", "src"), move.slice_scatter, *_SLICE,
           traits=Trait.VIEW, sample=["4x3xf32", "2x3xf32"], start=1, end=3),
    *_rows("select_scatter", "`self` with `src` in the place of one element along a dimension.", ("self", "src"),
           move.select_scatter, _DIM, Attr("index", INT), traits=Trait.VIEW, sample=["4x3xf32", "3xf32"], dim=0,
           index=1),
]  # fmt: skip

_INDEXING: list[Row] = [
    *_rows("embedding", "Rows of the weight at the indices.", ("weight", "indices"), move.embedding,
           sample=["4x3xf32", "2x2xi64"]),
    *_rows("index_select", "Slices along a dimension at the indices.", ("self", "index"), move.index_select, _DIM,
           sample=["4x3xf32", "2xi64"], dim=0),
    *_rows("index", "self[...] with integer index tensors at the dimensions `dims`.", ("self", "indices*"), move.index,
           Attr("dims", INTS), sample=["4x3xf32", "2xi64"], dims=(0,)),
    *_rows("index_put", "`self` with values at self[...]; accumulate adds.", ("self", "values", "indices*"),
           move.index_put, Attr("dims", INTS), Attr("accumulate", BOOL, False), sample=["4x3xf32", "2x3xf32", "2xi64"],
           dims=(0,)),
    *_rows("gather", "Elements along a dimension at an index of the result's shape.", ("self", "index"), move.gather,
           _DIM,
           sample=["4x3xf32", "2x3xi64"], dim=0),
    *_rows("scatter", "`self` with elements of `src` at the index along a dimension.", ("self", "index", "src"),
           move.scatter, _DIM, sample=["4x3xf32", "2x3xi64", "2x3xf32"], dim=0),
    *_rows("index_copy", "`self` with the slices of source at the indices along a dimension.", ("self", "index",
           "source"),
           move.index_copy, _DIM, sample=["4x3xf32", "2xi64", "2x3xf32"], dim=0),
]  # fmt: skip

_CREATION: list[Row] = [
    *_rows("full", "A constant everywhere.", [], move.full, Attr("size", INTS), Attr("fill_value", SCALAR), _DTYPE,
           size=(2, 3), fill_value=1.0, dtype=f32),
    *_rows("zeros ones", "{} everywhere.", [], move.full, Attr("size", INTS), _DTYPE, size=(2, 3), dtype=f32),
    *_rows("arange", "start, start + step, ... below end.", [], move.arange, Attr("start", SCALAR, 0), Attr("end",
           SCALAR),
           Attr("step", SCALAR, 1), _DTYPE, end=4, dtype=i64),
]  # fmt: skip

_COLLECTIVES: list[Row] = [
    *_rows("all_reduce", "The sum over the chips, on every chip.", ["self"], move.all_reduce, _CHIPS, _WIRE,
           traits=Trait.COLLECTIVE, sample=["2x3xf32"], chips=2),
    *_rows("all_gather", "The chips' tensors one after the other along a dimension, on every chip.", ["self"],
           move.all_gather, _DIM, _CHIPS, _WIRE, traits=Trait.COLLECTIVE, sample=["2x3xf32"], dim=0, chips=2),
    *_rows("reduce_scatter", "Chip c gets the c-th part, along a dimension, of the sum over the chips.", ["self"],
           move.reduce_scatter, _DIM, _CHIPS, _WIRE, traits=Trait.COLLECTIVE, sample=["4x3xf32"], dim=0, chips=2),
    *_rows("all_to_all", "Part j of chip i, along a dimension, becomes part i of chip j.", ["self"], move.all_to_all,
           _DIM,
           _CHIPS, _WIRE, traits=Trait.COLLECTIVE, sample=["4x3xf32"], dim=0, chips=2),
]  # fmt: skip

GROUPS: Mapping[str, Sequence[Row]] = {
    "Elementwise": _ELEMENTWISE,
    "Products": _PRODUCTS,
    "Normalizations": _NORMS,
    "Reductions": _REDUCTIONS,
    "Views": _VIEWS,
    "Indexing": _INDEXING,
    "Creation": _CREATION,
    "Collectives": _COLLECTIVES,
}
"""All rows, by what they do."""

OPERATORS: dict[str, Row] = {row.name: row for group in GROUPS.values() for row in group}
"""All operators by ATen name, without the dialect prefix."""

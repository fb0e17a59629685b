"""Images made by hand, run by the functional engine and compared with PyTorch; tile by tile gives the same bits."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

import pytest
import torch
from torch.nn import functional

from sambaflow.backends.rdu.image import (
    Access,
    Accumulator,
    Collective,
    Image,
    Launch,
    Load,
    Pcu,
    Pmu,
    PmuPort,
    Repeat,
    Schedule,
    Section,
    Shard,
    Slot,
    Store,
    Stream,
    Symbol,
    Target,
    Unit,
    Words,
    ints,
    words,
)
from sambaflow.backends.rdu.words import Kind, Operand, encode_word
from sambaflow.errors import InputError, SambaError, WeightError
from sambaflow.sim.functional.engine import Engine

BYTES = {"bf16": 2, "f32": 4, "i64": 8}
LETTERS = {
    "r": Kind.REGISTER,
    "in": Kind.INPUT,
    "k": Kind.CONSTANT,
    "i": Kind.COUNTER,
    "acc": Kind.ACCUMULATOR,
    "other": Kind.OTHER,
    "out": Kind.OUTPUT,
}

RELU = "r0 = max.f32 in0, k0; out0 = mov.f32 r0"
MAC = "r0 = mul.f32 in0, in1; r1 = add.f32 acc0, r0; acc0 = mov.f32 r1"
MAC_BF16 = "r0 = extf.f32 in0; r1 = extf.f32 in1; r2 = mul.f32 r0, r1; r3 = add.f32 acc0, r2; acc0 = mov.f32 r3"
TOTAL = "r0 = add.f32 acc0, in0; acc0 = mov.f32 r0"
MERGE = "r0 = add.f32 acc0, other0; acc0 = mov.f32 r0"
LARGEST = "r0 = max.f32 acc0, in0; acc0 = mov.f32 r0"


def bits(value: float) -> int:
    return struct.unpack("<I", struct.pack("<f", value))[0]


def assemble(text: str) -> Words:
    """The words of a disassembled program: `r0 = mul.f32 in0, k1; ...`."""

    def operand(name: str) -> Operand:
        match = re.fullmatch(r"([a-z]+)(\d+)", name)
        assert match
        return Operand(LETTERS[match[1]], int(match[2]))

    program: list[int] = []
    for line in filter(None, (part.strip() for part in text.split(";"))):
        target, call = line.split(" = ")
        name, sources = call.split(" ", 1)
        opcode, dtype = name.split(".")
        program.append(encode_word(opcode, dtype, operand(target), [operand(s) for s in sources.split(", ")]))
    return words(program)


def access(
    strides: Sequence[int], base: int = 0, bounds: Sequence[Sequence[int]] = (), pad: int | None = None
) -> Access:
    return Access(base, ints(list(strides)), ints([list(row) for row in bounds], (len(bounds), len(strides) + 2)), pad)


def indexed(strides: Sequence[int], port: int, stride: int) -> Access:
    return Access(
        0, ints(list(strides)), ints((), (0, len(strides) + 2)), None, ints([port]), ints([stride]), ints((), (0, 1))
    )


def pcu(
    extents: Sequence[int],
    kinds: str,
    body: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    mode: str = "simd",
    finish: str = "",
    combine: str = "",
    accumulators: Sequence[Accumulator] = (),
    constants: Sequence[int] = (),
    tile: Sequence[int] | None = None,
    split: Sequence[int] | None = None,
    predicate: Sequence[Sequence[int]] = (),
) -> Pcu:
    """`kinds` is a letter a dimension: p, r or s."""
    rank = len(extents)
    return Pcu(
        extents=ints(list(extents)),
        mode=mode,
        tile=ints(list(tile or extents)),
        par=ints([1] * rank),
        kinds=ints(["prs".index(k) for k in kinds]),
        split=ints(list(split or [1] * rank)),
        order=ints(list(range(rank))),
        predicate=ints([list(row) for row in predicate], (len(predicate), rank + 1 + len(inputs))),
        constants=words(list(constants)),
        accumulators=list(accumulators),
        body=assemble(body),
        combine=assemble(combine),
        finish=assemble(finish),
        inputs=list(inputs),
        outputs=list(outputs),
    )


def load(slot: int, extents: Sequence[int], pattern: Access) -> Load:
    return Load(
        extents=ints(list(extents)),
        slot=slot,
        access=pattern,
        tile=ints(list(extents)),
        indices=len(pattern.index_ports),
    )


def store(slot: int, extents: Sequence[int], pattern: Access | None = None, conflict: str = "overwrite") -> Store:
    pattern = pattern or access(dense(extents))
    return Store(
        extents=ints(list(extents)),
        slot=slot,
        access=pattern,
        tile=ints(list(extents)),
        conflict=conflict,
        indices=len(pattern.index_ports),
    )


def pmu(
    elements: int,
    dtype: str,
    writes: Sequence[tuple[Sequence[int], Access]],
    reads: Sequence[tuple[Sequence[int], Access]],
) -> Pmu:
    return Pmu(
        extents=ints([elements]),
        elements=elements,
        dtype=dtype,
        depth=2,
        window_bytes=elements * BYTES[dtype],
        banks=1,
        writes=[PmuPort(ints(list(e)), a) for e, a in writes],
        reads=[PmuPort(ints(list(e)), a) for e, a in reads],
    )


def dense(shape: Sequence[int]) -> list[int]:
    strides = [1]
    for extent in reversed(shape[1:]):
        strides.insert(0, strides[0] * extent)
    return strides if shape else []


def image(
    symbols: Sequence[tuple[str, str, str, Sequence[int]]],
    units: Sequence[Unit],
    streams: str,
    *,
    chips: int = 1,
    shards: dict[str, Shard] | None = None,
    steps: Sequence[Launch | Repeat] | None = None,
    tied: dict[str, str] | None = None,
) -> Image:
    """One section; symbols are (name, role, dtype, shape), slot i is symbol i; `streams` reads "0.0>2.1 1>2.0"."""
    address, placed_symbols = 0, list[Symbol]()
    for name, role, dtype, shape in symbols:
        size = BYTES[dtype] * int(torch.Size(shape).numel())
        placed_symbols.append(
            Symbol(name, role, dtype, ints(list(shape)), (shards or {}).get(name), "hbm", address, size, 0, 0)
        )
        address += -(-size // 64) * 64
    joined: list[Stream] = []
    for text in streams.split():
        source, target = ((*map(int, end.split(".")), 0)[:2] for end in text.split(">"))
        joined.append(Stream((source[0], source[1]), (target[0], target[1]), "f32", 4, 1, 2))
    names = [name for name, *_ in symbols]
    outputs = [n for n, (_, role, *_) in enumerate(symbols) if role == "output"] + [names.index(o) for o in tied or {}]
    inputs = [n for n, (_, role, *_) in enumerate(symbols) if role in ("input", "param", "state")]
    ties = [inputs.index(names.index(tied[names[n]])) if tied and names[n] in tied else -1 for n in outputs]
    section = Section(
        "s", [Slot(d, ints(list(s)), r in ("output", "state", "temp")) for _, r, d, s in symbols], list(units), joined
    )
    launches = steps or [Launch(0, ints(list(range(len(placed_symbols)))), ints(list(range(chips))))]
    schedule = Schedule("forward", ints(inputs), ints(outputs), ints(ties), "hardware", list(launches))
    return Image((1, 0), {}, Target("sn40l", 8, chips), placed_symbols, [section], [schedule])


def both_ways(program: Image, weights: dict[str, torch.Tensor], inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The outputs; batched and tile by tile must have the same bits."""
    results: list[list[torch.Tensor]] = []
    for tiled in (False, True):
        engine = Engine(program, tiled=tiled)
        engine.load(weights)
        results.append(engine.run("forward", inputs))
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    return results[0]


def linear_image(m: int, n: int, k: int, dtype: str, tile: Sequence[int], split: int = 1) -> Image:
    body, finish = (
        (MAC_BF16, "r0 = max.f32 acc0, k0; r1 = truncf.bf16 r0; out0 = mov.bf16 r1")
        if dtype == "bf16"
        else (MAC, "r0 = max.f32 acc0, k0; out0 = mov.f32 r0")
    )
    product = pcu(
        [m, n, k],
        "ppr",
        body,
        [dtype, dtype],
        [dtype],
        mode="systolic",
        finish=finish,
        accumulators=[Accumulator(0, "f32")],
        constants=[0],
        tile=tile,
        split=[1, 1, split],
        combine=MERGE,
    )
    return image(
        [("x", "input", dtype, [m, k]), ("w", "param", dtype, [n, k]), ("y", "output", dtype, [m, n])],
        [load(0, [m, n, k], access([k, 0, 1])), load(1, [m, n, k], access([0, k, 1])), product, store(2, [m, n])],
        "0>2.0 1>2.1 2>3",
    )


@pytest.mark.parametrize(("m", "tile"), [(1, (1, 16, 128)), (5, (2, 7, 256)), (33, (32, 20, 300))])
def test_linear_relu_bf16(m: int, tile: tuple[int, int, int]):
    """Against PyTorch's bf16: bit-equal but for the order of additions (check B)."""
    x, w = torch.randn(m, 300).bfloat16(), torch.randn(20, 300).bfloat16()
    (y,) = both_ways(linear_image(m, 20, 300, "bf16", tile), {"w": w}, [x])
    want = functional.relu(x @ w.T)
    assert (y == want).float().mean() > 0.99
    assert torch.allclose(y.float(), want.float(), rtol=2**-7, atol=1e-2)


def test_linear_relu_f32_and_split():
    """A split reduction is a tree of its parts: other bits, the same number."""
    x, w = torch.randn(4, 512), torch.randn(20, 512)
    whole, parts = (both_ways(linear_image(4, 20, 512, "f32", (4, 20, 512), s), {"w": w}, [x])[0] for s in (1, 4))
    want = functional.relu(x.double() @ w.double().T)
    assert torch.allclose(whole.double(), want, atol=1e-4)
    assert torch.allclose(parts.double(), want, atol=1e-4)
    sums = [Engine(linear_image(4, 20, 128, "f32", (4, 20, 128))) for _ in range(4)]
    pieces: list[torch.Tensor] = []
    for number, engine in enumerate(sums):
        engine.load({"w": w[:, number * 128 :][:, :128].contiguous()})
        pieces.append(engine.run("forward", [x[:, number * 128 :][:, :128].contiguous()])[0])
    assert not torch.equal(whole, parts) or torch.equal(whole, functional.relu(pieces[0]))


def softmax_image(rows: int, columns: int) -> Image:
    full = [rows, columns]
    minus_infinity = bits(float("-inf"))
    units: list[Unit] = [
        load(0, full, access([columns, 1])),
        pcu(
            full,
            "pr",
            LARGEST,
            ["f32"],
            ["f32"],
            mode="reduce",
            accumulators=[Accumulator(minus_infinity, "f32")],
            tile=[1, columns],
        ),
        pmu(rows, "f32", [([rows], access([1]))], [(full, access([1, 0]))]),
        load(0, full, access([columns, 1])),
        pcu(
            full,
            "pp",
            "r0 = sub.f32 in0, in1; r1 = exp.f32 r0; out0 = mov.f32 r1",
            ["f32", "f32"],
            ["f32"],
            tile=[2, 3],
        ),
        pcu(full, "pr", TOTAL, ["f32"], ["f32"], mode="reduce", accumulators=[Accumulator(0, "f32")]),
        pmu(rows, "f32", [([rows], access([1]))], [(full, access([1, 0]))]),
        pcu(full, "pp", "r0 = div.f32 in0, in1; out0 = mov.f32 r0", ["f32", "f32"], ["f32"], mode="tail"),
        store(1, full),
    ]
    return image(
        [("x", "input", "f32", full), ("y", "output", "f32", full)],
        units,
        "0>1 1>2 3>4.0 2>4.1 4>5 5>6 4>7.0 6>7.1 7>8",
    )


def test_what_the_caller_switched_on_changes_no_bit():
    """Autocast would round the operands of products to bf16, another default device or type would make others."""
    x, w = torch.randn(4, 64), torch.randn(5, 64)
    engine = Engine(linear_image(4, 5, 64, "f32", (4, 5, 64)))
    engine.load({"w": w})
    (want,) = engine.run("forward", [x])
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta"):
            (got,) = engine.run("forward", [x])
    finally:
        torch.set_default_dtype(before)
    assert got.dtype == torch.float32 and got.device.type == "cpu" and torch.equal(got, want)


def test_softmax():
    x = torch.randn(5, 150) * 4
    (y,) = both_ways(softmax_image(5, 150), {}, [x])
    assert torch.allclose(y, torch.softmax(x, -1), atol=1e-6)


def test_conv2d_with_padding():
    n, c, h, w, o = 2, 3, 7, 6, 5
    oh, ow, kh, kw, stride, pad = 4, 3, 3, 3, 2, 1
    extents = [n, o, oh, ow, c, kh, kw]
    window = access(
        [c * h * w, 0, stride * w, stride, h * w, w, 1],
        base=-pad * w - pad,
        bounds=[[-pad, 0, 0, stride, 0, 0, 1, 0, h], [-pad, 0, 0, 0, stride, 0, 0, 1, w]],
        pad=0,
    )
    program = image(
        [
            ("x", "input", "f32", [n, c, h, w]),
            ("w", "param", "f32", [o, c, kh, kw]),
            ("y", "output", "f32", [n, o, oh, ow]),
        ],
        [
            load(0, extents, window),
            load(1, extents, access([0, c * kh * kw, 0, 0, kh * kw, kw, 1])),
            pcu(
                extents,
                "pppprrr",
                MAC,
                ["f32", "f32"],
                ["f32"],
                mode="systolic",
                accumulators=[Accumulator(0, "f32")],
                tile=[1, 5, 2, 3, 3, 3, 3],
            ),
            store(2, [n, o, oh, ow]),
        ],
        "0>2.0 1>2.1 2>3",
    )
    x, weight = torch.randn(n, c, h, w), torch.randn(o, c, kh, kw)
    (y,) = both_ways(program, {"w": weight}, [x])
    assert torch.allclose(y, functional.conv2d(x, weight, stride=stride, padding=pad), atol=1e-5)


def test_embedding_and_concat():
    """Rows gathered by an index stream, put before a constant block by a second write port."""
    vocabulary, size, tokens, rest = 11, 4, 3, 2
    program = image(
        [
            ("ids", "input", "i64", [tokens]),
            ("table", "param", "f32", [vocabulary, size]),
            ("tail", "input", "f32", [rest, size]),
            ("y", "output", "f32", [tokens + rest, size]),
        ],
        [
            load(0, [tokens, size], access([1, 0])),
            load(1, [tokens, size], indexed([0, 1], 0, size)),
            load(2, [rest, size], access([size, 1])),
            pmu(
                (tokens + rest) * size,
                "f32",
                [([tokens, size], access([size, 1])), ([rest, size], access([size, 1], tokens * size))],
                [([tokens + rest, size], access([size, 1]))],
            ),
            store(3, [tokens + rest, size]),
        ],
        "0>1 1>3.0 2>3.1 3>4",
    )
    ids, table, tail = torch.tensor([7, 0, 7]), torch.randn(vocabulary, size), torch.randn(rest, size)
    (y,) = both_ways(program, {"table": table}, [ids, tail])
    assert torch.equal(y, torch.cat([table[ids], tail]))
    engine = Engine(program)
    engine.load({"table": table})
    with pytest.raises(InputError, match="leaves its tensor"):
        engine.run("forward", [torch.tensor([7, 11, 7]), tail])


@pytest.mark.parametrize("wire", ["f32", "bf16"])
def test_two_chip_all_reduce(wire: str):
    """A row-parallel linear: each chip has half of k, the partial sums add in f32, chips ascending."""
    m, n, k = 3, 20, 256
    half = k // 2
    program = image(
        [("x", "input", "f32", [m, half]), ("w", "param", "f32", [n, half]), ("y", "output", "f32", [m, n])],
        [
            load(0, [m, n, half], access([half, 0, 1])),
            load(1, [m, n, half], access([0, half, 1])),
            pcu(
                [m, n, half], "ppr", MAC, ["f32", "f32"], ["f32"], mode="systolic", accumulators=[Accumulator(0, "f32")]
            ),
            Collective(extents=ints([m, n]), op="all_reduce", dim=0, chips=2, wire=wire, bytes=m * n * 4),
            store(2, [m, n]),
        ],
        "0>2.0 1>2.1 2>3 3>4",
        chips=2,
        shards={"x": Shard(1, 1, 2), "w": Shard(1, 1, 2)},
    )
    x, w = torch.randn(m, k), torch.randn(n, k)
    (y,) = both_ways(program, {"w": w}, [x])
    parts = [
        both_ways(linear_part(m, n, half), {"w": w[:, s].contiguous()}, [x[:, s].contiguous()])[0]
        for s in (slice(0, half), slice(half, k))
    ]
    dtype = torch.float32 if wire == "f32" else torch.bfloat16
    assert torch.equal(y, parts[0].to(dtype).float() + parts[1].to(dtype).float())


def linear_part(m: int, n: int, k: int) -> Image:
    return image(
        [("x", "input", "f32", [m, k]), ("w", "param", "f32", [n, k]), ("y", "output", "f32", [m, n])],
        [
            load(0, [m, n, k], access([k, 0, 1])),
            load(1, [m, n, k], access([0, k, 1])),
            pcu([m, n, k], "ppr", MAC, ["f32", "f32"], ["f32"], mode="systolic", accumulators=[Accumulator(0, "f32")]),
            store(2, [m, n]),
        ],
        "0>2.0 1>2.1 2>3",
    )


def test_shards_interleave():
    """outer = 2: dimension 0 of 8 is [2, 2 chips, 2]; what goes in comes out."""
    shard = Shard(0, 2, 2)
    program = image(
        [("x", "input", "f32", [4]), ("y", "output", "f32", [4])],
        [
            load(0, [4], access([1])),
            pcu([4], "p", "r0 = add.f32 in0, in0; out0 = mov.f32 r0", ["f32"], ["f32"]),
            store(1, [4]),
        ],
        "0>1 1>2",
        chips=2,
        shards={"x": shard, "y": shard},
    )
    engine = Engine(program)
    x = torch.arange(8.0)
    assert torch.equal(engine.run("forward", [x])[0], 2 * x)
    assert engine.storage(0, 0).tolist() == [0, 1, 4, 5]
    assert engine.storage(0, 1).tolist() == [2, 3, 6, 7]


def test_state_is_updated_in_place_and_repeats_run():
    """Three rounds of state += x; the load sees the state as it was before the store of its own round."""
    update = [
        load(0, [4], access([1])),
        load(1, [4], access([1])),
        pcu([4], "p", "r0 = add.f32 in0, in1; out0 = mov.f32 r0", ["f32", "f32"], ["f32"]),
        store(1, [4]),
        pcu([4], "p", "r0 = mul.f32 in0, k0; out0 = mov.f32 r0", ["f32"], ["f32"], constants=[bits(10.0)]),
        store(2, [4]),
    ]
    rounds = Repeat(3, [Launch(0, ints([[0, 1, 2]] * 3), ints([0]))], ints((), (0, 4)), ints((), (0, 2)))
    program = image(
        [("x", "input", "f32", [4]), ("s", "state", "f32", [4]), ("y", "output", "f32", [4])],
        update,
        "0>2.0 1>2.1 2>3 1>4 4>5",
        steps=[rounds],
        tied={"s": "s"},
    )
    engine = Engine(program)
    engine.load({"s": torch.ones(4)})
    outputs = engine.run("forward", [torch.full((4,), 2.0)])
    assert len(outputs) == 1
    assert outputs[0].tolist() == [50.0] * 4  # ten times the state before the third round
    assert engine.read(1).tolist() == [7.0] * 4
    assert engine.launches == 3


def test_predicates():
    """A triangular sum: points outside contribute nothing; a triangular map: they are not written."""
    extents, below = [5, 5], [[0, 1, -1, 0]]
    program = image(
        [("x", "input", "f32", extents), ("y", "output", "f32", [5]), ("z", "output", "f32", extents)],
        [
            load(0, extents, access([5, 1])),
            pcu(
                extents,
                "pr",
                TOTAL,
                ["f32"],
                ["f32"],
                mode="reduce",
                accumulators=[Accumulator(0, "f32")],
                predicate=below,
                tile=[2, 5],
            ),
            store(1, [5]),
            pcu(extents, "pp", "out0 = mov.f32 in0", ["f32"], ["f32"], predicate=below, tile=[2, 3]),
            store(2, extents),
        ],
        "0>1 1>2 0>3 3>4",
    )
    x = torch.arange(25.0).reshape(5, 5)
    y, z = both_ways(program, {}, [x])
    assert torch.equal(y, x.tril().sum(1))
    assert torch.equal(z, x.tril())


def test_argmax_combines_blocks():
    """Two accumulators and a combine program over two blocks; the first of equal values stays."""
    k = 200
    keep = "r1 = select.f32 r0, {0}0, acc0; r2 = select.i64 r0, {1}, acc1; acc0 = mov.f32 r1; acc1 = mov.i64 r2"
    body = "r0 = gt.f32 in0, acc0; " + keep.format("in", "i1")
    merge = "r0 = gt.f32 other0, acc0; " + keep.format("other", "other1")
    program = image(
        [("x", "input", "f32", [3, k]), ("y", "output", "i64", [3])],
        [
            load(0, [3, k], access([k, 1])),
            pcu(
                [3, k],
                "pr",
                body,
                ["f32"],
                ["i64"],
                mode="reduce",
                combine=merge,
                finish="out0 = mov.i64 acc1",
                accumulators=[Accumulator(bits(float("-inf")), "f32"), Accumulator(0, "i64")],
            ),
            store(1, [3]),
        ],
        "0>1 1>2",
    )
    x = torch.randn(3, k)
    x[0, [150, 20]] = 9.0
    assert torch.equal(both_ways(program, {}, [x])[0], torch.tensor([20, *x[1:].argmax(1).tolist()]))


def test_cumulative_sum():
    """A sequential dimension: results for every step, then the final value."""
    body = "r0 = add.f32 acc0, in0; acc0 = mov.f32 r0; out0 = mov.f32 r0"
    program = image(
        [("x", "input", "f32", [6, 3]), ("y", "output", "f32", [6, 3]), ("z", "output", "f32", [3])],
        [
            load(0, [6, 3], access([3, 1])),
            pcu(
                [6, 3],
                "sp",
                body,
                ["f32"],
                ["f32", "f32"],
                accumulators=[Accumulator(0, "f32")],
                finish="out1 = mov.f32 acc0",
                tile=[6, 2],
            ),
            store(1, [6, 3]),
            store(2, [3]),
        ],
        "0>1 1.0>2 1.1>3",
    )
    x = torch.randint(-16, 17, (6, 3)) / 8  # sums of these are exact
    y, z = both_ways(program, {}, [x])
    assert torch.allclose(y, x.cumsum(0))
    assert torch.equal(z, y[-1])


def test_streams_regroup_domains():
    """A value of [heads, 1, m] read by a consumer that counts [group, in group, 1, m]: no data moves between."""
    program = image(
        [("x", "input", "f32", [4, 3]), ("y", "output", "f32", [4, 5, 3])],
        [
            load(0, [2, 2, 5, 3], access([6, 3, 0, 1])),
            pcu([4, 5, 3], "ppp", "r0 = add.f32 in0, in0; out0 = mov.f32 r0", ["f32"], ["f32"], tile=[3, 5, 2]),
            store(1, [4, 5, 3]),
        ],
        "0>1 1>2",
    )
    x = torch.randn(4, 3)
    assert torch.equal(both_ways(program, {}, [x])[0], (2 * x)[:, None].expand(4, 5, 3))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "missing 1 of the weights.*'w'"),
        ({"w": torch.zeros(20, 31)}, r"'w' is float32\[20, 31\], the PEF has float32\[20, 32\]"),
        ({"w": torch.zeros(20, 32).bfloat16()}, "bfloat16"),
    ],
)
def test_wrong_weights(weights: dict[str, torch.Tensor], message: str):
    engine = Engine(linear_image(2, 20, 32, "f32", (2, 20, 32)))
    with pytest.raises(WeightError, match=message):
        engine.load(weights)
        engine.run("forward", [torch.zeros(2, 32)])


def test_wrong_inputs():
    engine = Engine(linear_image(2, 20, 32, "f32", (2, 20, 32)))
    engine.load({"w": torch.zeros(20, 32)})
    with pytest.raises(InputError, match=r"input 'x' .* is float32\[3, 32\], compiled for float32\[2, 32\]"):
        engine.run("forward", [torch.zeros(3, 32)])
    with pytest.raises(InputError, match="takes 1 inputs, got 2"):
        engine.run("forward", [torch.zeros(2, 32)] * 2)
    with pytest.raises(InputError, match="no graph 'decode'"):
        engine.run("decode", [])


def test_a_cycle_of_streams_is_refused():
    program = linear_image(2, 20, 32, "f32", (2, 20, 32))
    program.sections[0].streams.append(Stream((3, 0), (0, 0), "token", 0, 1, 1))
    with pytest.raises(SambaError, match="form a cycle"):
        both_ways(program, {"w": torch.zeros(20, 32)}, [torch.zeros(2, 32)])

"""The numeric contract of folds, against loops in plain Python: blocks of 128, split trees, order, masks, tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import TensorType, bf16, f32
from xdsl.ir import Block, SSAValue

from sambaflow.dialects import kernel
from sambaflow.dialects.kernel import Body, Domain, MappingAttr
from sambaflow.dialects.kernel.analysis import firing_of, operand_bytes, tile_grid, window
from sambaflow.machine import Firing
from sambaflow.sim.functional import primitives
from sambaflow.sim.reference.kernel_reference import run

torch.set_num_threads(1)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def add(b: Body, x: SSAValue, acc: SSAValue) -> SSAValue:
    return b.add(acc, b.ext(x))


def merge(b: Body, x: SSAValue, y: SSAValue) -> SSAValue:
    return b.add(x, y)


def total(rows: int, columns: int, split: int = 1, mapping: MappingAttr | None = None) -> kernel.ReduceOp:
    """Row sums of a rows x columns tensor."""
    block = Block(arg_types=[TensorType(f32, (rows, columns))])
    op = kernel.ReduceOp.make(
        [block.args[0]],
        Domain.of((rows,), reduction=(columns,)),
        [lambda i, j: (i, j), lambda i, j: (i,)],
        [TensorType(f32, (rows,))],
        add,
        combine=merge,
        inits=[kernel.constant(0.0, f32)],
        split=(1, split),
        mapping=mapping,
    )
    block.add_op(op)
    op.verify()
    return op


def strict_sum(values: Sequence[np.float32], split: int) -> np.float32:
    """One loop a block of 128 absolute positions, blocks in order, parts as a tree."""
    size = len(values) // split
    parts: list[np.float32] = []
    for part in range(split):
        sums: dict[int, np.float32] = {}
        for k in range(part * size, (part + 1) * size):
            sums[k // 128] = np.float32(sums.get(k // 128, np.float32(0)) + values[k])
        blocks = list(sums.values())
        value = blocks[0]
        for block in blocks[1:]:
            value = np.float32(value + block)
        parts.append(value)
    while len(parts) > 1:
        pairs = zip_longest(parts[::2], parts[1::2])
        parts = [a if b is None else np.float32(a + b) for a, b in pairs]
    return parts[0]


@settings(max_examples=25, deadline=None, print_blob=True)
@given(st.integers(1, 3), st.integers(1, 150), st.integers(1, 5), st.integers(0, 99))
def test_sums_keep_the_order_of_the_contract(rows: int, part: int, split: int, seed: int) -> None:
    x = rand(rows, part * split, seed=seed)
    (y,) = run(total(rows, part * split, split), [x])
    expected = [strict_sum(list(row), split) for row in x.numpy()]
    assert y.tolist() == [float(value) for value in expected]


@settings(max_examples=25, deadline=None, print_blob=True)
@given(st.data())
def test_tiles_do_not_change_bits(data: st.DataObject) -> None:
    rows, blocks, split = (
        data.draw(st.integers(1, 5)),
        data.draw(st.integers(1, 3)),
        data.draw(st.sampled_from([1, 2, 4])),
    )
    columns = blocks * 128 * split
    par = data.draw(st.sampled_from([p for p in (1, 2, 4) if split % p == 0]))
    tile = (data.draw(st.integers(1, rows)), data.draw(st.integers(1, blocks)) * 128 * par)
    order = data.draw(st.permutations([0, 1]))
    op = total(rows, columns, split, MappingAttr.of(tile, (1, par), order))
    x = rand(rows, columns, seed=data.draw(st.integers(0, 99)))
    assert torch.equal(run(op, [x])[0], run(op, [x], tiled=True)[0])


def contraction(m: int, n: int, k: int, element: object, predicate: bool) -> kernel.ContractOp:
    block = Block(arg_types=[TensorType(element, (m, k)), TensorType(element, (n, k))])  # pyright: ignore

    def body(b: Body, x: SSAValue, y: SSAValue, acc: SSAValue) -> SSAValue:
        return b.add(acc, b.mul(b.ext(x), b.ext(y)))

    op = kernel.ContractOp.make(
        list(block.args),
        Domain.of((m, n), reduction=(k,)),
        [lambda i, j, d: (i, d), lambda i, j, d: (j, d), lambda i, j, d: (i, j)],
        [TensorType(f32, (m, n))],
        body,
        combine=merge,
        inits=[kernel.constant(0.0, f32)],
        predicate=kernel.nonnegative(3, lambda i, j, d: (i + j - d,)) if predicate else None,
    )
    block.add_op(op)
    op.verify()
    return op


@pytest.mark.parametrize("predicate", [False, True])
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 3), (2, 5, 130), (5, 17, 260)])
def test_a_contract_is_one_ascending_chain_a_block(m: int, n: int, k: int, predicate: bool) -> None:
    """bf16 products are exact, so numpy's separate product and sum are the fused ones."""
    x, w = rand(m, k).bfloat16(), rand(n, k, seed=1).bfloat16()
    (y,) = run(contraction(m, n, k, bf16, predicate), [x, w])
    products = (x.float()[:, None] * w.float()[None]).numpy()
    for i in range(m):
        for j in range(n):
            terms = [p if not predicate or i + j >= d else np.float32(0) for d, p in enumerate(products[i, j])]
            assert float(y[i, j]) == float(strict_sum(terms, 1))


def test_a_masked_point_contributes_nothing_even_beside_infinity() -> None:
    x, w = rand(2, 4), rand(3, 4, seed=1)
    x[:, 3], w[:, 3] = math.inf, -math.inf
    (y,) = run(contraction(2, 3, 4, f32, True), [x, w])
    assert torch.isfinite(y[0]).all() and torch.isfinite(y[1, :2]).all() and y[1, 2] == -math.inf


def test_the_product_of_a_contract_is_not_rounded() -> None:
    """a * b - 1 with a = 1 + 2^-12: the square's last bit lies below f32's."""
    value = 1 + 2.0**-12
    x, w = torch.tensor([[-1.0, value]]), torch.tensor([[1.0, value]])
    (y,) = run(contraction(1, 1, 2, f32, False), [x, w])
    assert float(y[0, 0]) == 2.0**-11 + 2.0**-24


@pytest.mark.parametrize("name", ["exp", "tanh", "erf", "log", "rsqrt", "sqrt", "sin", "cos", "div"])
def test_transcendentals_do_not_depend_on_the_shape(name: str) -> None:
    """One element at a time, in rows of 7, transposed: the bits of the whole."""
    x = rand(41, 37).abs() + 0.01
    operands = [x, x.flip(0)] if name == "div" else [x]
    whole = primitives.apply(name, "f32", operands)
    assert torch.equal(primitives.apply(name, "f32", [v.t() for v in operands]).t(), whole)
    for i in range(41):
        for j in range(0, 37, 7):
            part = primitives.apply(name, "f32", [v[i : i + 1, j : j + 7] for v in operands])
            assert torch.equal(part, whole[i : i + 1, j : j + 7])
    single = [primitives.apply(name, "f32", [v[3, j] for v in operands]) for j in range(37)]
    assert torch.equal(torch.stack(single), whole[3])


@settings(max_examples=60, deadline=None)
@given(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(-(1 << 31), (1 << 31) - 1))
def test_integers_as_in_mlir(x: int, y: int) -> None:
    a, b = torch.tensor(x, dtype=torch.int32), torch.tensor(y, dtype=torch.int32)

    def wrapped(value: int) -> int:
        return (value + (1 << 31)) % (1 << 32) - (1 << 31)

    unsigned = (x % (1 << 32), y % (1 << 32))
    expected: dict[str, int] = {
        "addi": wrapped(x + y), "muli": wrapped(x * y), "maxi": max(x, y), "ulti": unsigned[0] < unsigned[1],
        "maxui": wrapped(max(unsigned)), "xor": x ^ y,
    }  # fmt: skip
    if y and not (x == -(1 << 31) and y == -1):  # that quotient does not exist
        quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
        expected |= {"divi": quotient, "remi": x - quotient * y, "floordivi": x // y, "ceildivi": -(-x // y)}
        expected |= {"divui": wrapped(unsigned[0] // unsigned[1]), "remui": wrapped(unsigned[0] % unsigned[1])}
    for name, value in expected.items():
        assert int(primitives.apply(name, "i32", [a, b])) == value, name
    shift = torch.tensor(y % 32, dtype=torch.int32)
    assert int(primitives.apply("shrui", "i32", [a, shift])) == wrapped(unsigned[0] >> (y % 32))


def test_random_bits_are_splitmix64() -> None:
    """The generator in Python integers."""

    def mixed(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % (1 << 64)
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % (1 << 64)
        return z ^ (z >> 31)

    for seed, index in ((0, 0), (7, 12345), (-3, 1 << 40)):
        state = (mixed(seed % (1 << 64)) + (index + 1) * 0x9E3779B97F4A7C15) % (1 << 64)
        bits = primitives.random_bits(torch.tensor(seed), torch.tensor(index))
        assert int(bits) % (1 << 32) == mixed(state) >> 32


def test_windows_bytes_and_firings_of_a_tile() -> None:
    """A 3x3 convolution of stride 2 reads a halo; the firing is that of one PCU of two."""
    block = Block(arg_types=[TensorType(bf16, (3, 9, 8)), TensorType(bf16, (4, 3, 3, 3))])

    def body(b: Body, x: SSAValue, y: SSAValue, acc: SSAValue) -> SSAValue:
        return b.add(acc, b.mul(b.ext(x), b.ext(y)))

    op = kernel.ContractOp.make(
        list(block.args),
        Domain.of((4, 5, 4), reduction=(3, 3, 3)),
        [
            lambda o, h, w, c, i, j: (c, h * 2 + i - 1, w * 2 + j - 1),
            lambda o, h, w, c, i, j: (o, c, i, j),
            lambda o, h, w, c, i, j: (o, h, w),
        ],
        [TensorType(f32, (4, 5, 4))],
        body,
        combine=merge,
        inits=[kernel.constant(0.0, f32)],
        pads=[kernel.constant(0.0, bf16), None],
        mapping=MappingAttr.of((4, 2, 4, 3, 3, 3), (2, 1, 1, 1, 1, 1)),
    )
    op.verify()
    tile = (4, 2, 4, 3, 3, 3)
    assert window(op.input_maps[0], (3, 9, 8), tile) == (
        3,
        5,
        8,
    )  # 2 rows of stride 2 and their halo; 9 columns, 8 exist
    assert [operand_bytes(op, i, tile) for i in range(3)] == [3 * 5 * 8 * 2, 4 * 27 * 2, 4 * 2 * 4 * 4]
    firing = firing_of(op)
    assert isinstance(firing, Firing) and firing.mode == "systolic"
    assert firing.trips == 2 * 2 * 4 * 27 and firing.shape == (4, 4, 27)
    assert [box[1] for box in tile_grid((4, 5, 4), (4, 2, 4), (0, 1, 2))] == [(0, 1), (2, 3), (4, 4)]

"""The worked examples of the stage interface against PyTorch, whole and tile by tile.

The IR stands in `test/dialects/kernel/*.mlir`; `docs/levels/kernel.md` shows the same text, which is tested here too.
Nothing in the interpreter knows which operator an example is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp

from sambaflow.dialects.text.parsing import parse_module
from sambaflow.errors import InputError
from sambaflow.passes.framework.context import SambaContext
from sambaflow.sim.reference.kernel_reference import run, run_chips

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "test" / "dialects" / "kernel"
torch.set_num_threads(1)


def functions(name: str) -> dict[str, FuncOp]:
    """The verified functions of an example, by name."""
    text = (EXAMPLES / f"{name}.mlir").read_text()
    module: ModuleOp = parse_module(text, f"{name}.mlir", SambaContext())
    module.verify()
    return {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}


def both_ways(function: FuncOp, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The results, after checking that tile by tile gives the same bits and writes no input."""
    before = [value.clone() for value in inputs]
    whole = run(function, inputs)
    for old, new in zip(before, inputs, strict=True):
        assert torch.equal(old, new)
    for a, b in zip(whole, run(function, inputs, tiled=True), strict=True):
        assert same_bits(a, b)
    return whole


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal, and NaN where the other is NaN."""
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


def close(got: torch.Tensor, expected: torch.Tensor) -> None:
    """f32: within 1e-6 of the largest magnitude (times 4); bf16: one unit in the last place."""
    assert got.dtype == expected.dtype
    difference = (got.double() - expected.double()).abs()
    scale = expected.double().abs()
    if got.dtype == torch.bfloat16:
        assert bool((difference <= scale * 2**-7 + scale.max() * 2**-16).all())
    else:
        assert float(difference.max()) <= 4e-6 * float(scale.max())


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def test_linear() -> None:
    x, w, b = (rand(*s, seed=i, dtype=torch.bfloat16) for i, s in enumerate(((5, 200), (24, 200), (24,))))
    (y,) = both_ways(functions("linear")["linear"], [x, w, b])
    close(y, F.linear(x.float(), w.float(), b.float()).bfloat16())


def test_conv2d() -> None:
    x, w, b = rand(2, 3, 9, 8), rand(4, 3, 3, 3, seed=1), rand(4, seed=2)
    (y,) = both_ways(functions("conv2d")["conv2d"], [x, w, b])
    close(y, F.conv2d(x, w, b, stride=2, padding=1))


def test_max_pool_and_its_backward() -> None:
    x = rand(2, 2, 7, 6).round().requires_grad_()  # many ties
    y, where = both_ways(functions("max_pool")["max_pool"], [x.detach()])
    expected, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    assert torch.equal(y, expected.detach()) and torch.equal(where, indices)
    dy = rand(2, 2, 4, 3, seed=1)
    (dx,) = both_ways(functions("max_pool")["max_pool_backward"], [dy, where])
    (gradient,) = torch.autograd.grad(expected, x, dy)
    close(dx, gradient)


def test_softmax() -> None:
    x = rand(5, 300, dtype=torch.bfloat16) * 4
    (y,) = both_ways(functions("softmax")["softmax"], [x])
    close(y, torch.softmax(x.double(), -1).bfloat16())


def test_layer_norm() -> None:
    x, w, b = (rand(*s, seed=i, dtype=torch.bfloat16) for i, s in enumerate(((3, 512), (512,), (512,))))
    (y,) = both_ways(functions("layer_norm")["layer_norm"], [x + 3, w, b])
    close(y, F.layer_norm((x + 3).double(), (512,), w.double(), b.double()).bfloat16())


def test_embedding_and_its_gradient() -> None:
    ids = torch.tensor([[1, 10, 3, 1, 1], [0, 3, 3, 2, 9]])
    table = rand(11, 16, dtype=torch.bfloat16)
    (y,) = both_ways(functions("embedding")["embedding"], [ids, table])
    assert torch.equal(y, F.embedding(ids, table))
    dy = rand(2, 5, 16, seed=1, dtype=torch.bfloat16)
    (dw,) = both_ways(functions("embedding")["embedding_backward"], [ids, dy])
    exact = torch.zeros(11, 16).index_add_(0, ids.flatten(), dy.float().flatten(0, 1))
    close(dw, exact.bfloat16())


def test_an_id_out_of_range_is_an_error() -> None:
    ids, table = torch.full((2, 5), 11), rand(11, 16, dtype=torch.bfloat16)
    with pytest.raises(InputError, match="leaves a tensor of shape 11x16"):
        run(functions("embedding")["embedding"], [ids, table])


def test_causal_attention_streamed_over_keys() -> None:
    q, k, v = (rand(2, 20, 16, seed=i) for i in range(3))
    (y,) = both_ways(functions("attention")["attention"], [q, k, v])
    close(y, F.scaled_dot_product_attention(q.double(), k.double(), v.double(), is_causal=True).float())


def test_cumsum() -> None:
    x = rand(3, 50, dtype=torch.bfloat16)
    y, total = both_ways(functions("cumsum")["cumsum"], [x])
    close(y, torch.cumsum(x.double(), -1).bfloat16())
    close(total, x.double().sum(-1).float())


def test_topk() -> None:
    x = torch.randperm(600, generator=torch.Generator().manual_seed(0)).reshape(3, 200).div(4).bfloat16()
    values, indices = both_ways(functions("topk")["topk"], [x])
    want = torch.topk(x, 4)  # values are equal in bf16: which of them is picked is torch's choice
    assert torch.equal(values, want.values) and torch.equal(indices, want.indices)


def test_dropout_depends_on_the_global_index_only() -> None:
    x, seed = rand(6, 100), torch.tensor(7)
    function = functions("dropout")["dropout"]
    parts = run_chips(function, [[x[:3], seed], [x[3:], seed]])
    both_ways(function, [x[:3], seed])
    y = torch.cat([parts[0][0], parts[1][0]])
    mask = y != 0
    torch.testing.assert_close(y[mask], x[mask] / 0.75)
    assert 0.70 < float(mask.float().mean()) < 0.80
    assert not torch.equal(mask[:3], mask[3:])  # the second chip draws other numbers
    other = run(function, [x[:3], torch.tensor(8)])[0]
    assert not torch.equal(other != 0, mask[:3])


def test_lstm_step() -> None:
    cell = torch.nn.LSTMCell(6, 10)
    x, h, c = rand(3, 6), rand(3, 10, seed=1), rand(3, 10, seed=2)
    weights = [p.detach() for p in (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)]
    h1, c1 = both_ways(functions("lstm_step")["lstm_step"], [x, h, c, *weights])
    with torch.no_grad():
        expected_h, expected_c = cell(x, (h, c))
    close(h1, expected_h)
    close(c1, expected_c)


def test_kv_cache_update_is_read_in_the_same_section() -> None:
    cache, new, q = (rand(*s, seed=i, dtype=torch.bfloat16) for i, s in enumerate(((2, 12, 16), (2, 1, 16), (2, 16))))
    for position in (0, 7, 11):
        written, scores = both_ways(functions("kv_cache")["decode"], [cache, new, torch.tensor([position]), q])
        expected = cache.clone()
        expected[:, position] = new[:, 0]
        assert torch.equal(written, expected)
        exact = torch.einsum("hd,htd->ht", q.double(), expected.double()).float()
        exact[:, position + 1 :] = 0
        close(scores, exact)


def test_all_reduce_inside_a_section() -> None:
    x, w, b = (rand(*s, seed=i, dtype=torch.bfloat16) for i, s in enumerate(((4, 128), (16, 128), (16,))))
    function = functions("all_reduce")["row_parallel"]
    chips = [[x[:, part], w[:, part], b] for part in (slice(0, 64), slice(64, 128))]
    whole, tiled = run_chips(function, chips), run_chips(function, chips, tiled=True)
    assert all(same_bits(a, b) for a, b in zip(whole[0] + whole[1], tiled[0] + tiled[1], strict=True))
    assert torch.equal(whole[0][0], whole[1][0])
    close(whole[0][0], F.linear(x.double(), w.double(), b.double()).bfloat16())

"""`docs/levels/kernel.md`: the stage interface by example, from the tests in `test/dialects/kernel`.

An example's prose is the comments of its test, its IR the test's text: lit checks that it parses, prints and parses
back, `test/sim/test_kernel_reference.py` that it computes what PyTorch computes, whole and tile by tile.
"""

from __future__ import annotations

from markup import ROOT

TESTS = ROOT / "test" / "dialects" / "kernel"

EXAMPLES: dict[str, str] = {
    "linear": "Linear",
    "conv2d": "Convolution with stride and padding",
    "max_pool": "Max pooling and its backward",
    "softmax": "Softmax",
    "layer_norm": "Layer norm",
    "embedding": "Embedding and its gradient",
    "attention": "Causal attention, streamed over keys",
    "cumsum": "Cumulative sum",
    "topk": "Top k",
    "dropout": "Dropout",
    "lstm_step": "One LSTM step",
    "kv_cache": "A KV cache written and read in one section",
    "all_reduce": "An all-reduce inside a section",
}
"""Test file and title, in the order of the page."""

INTRODUCTION = """\
# The kernel level by example

At the kernel level an operator is a pipeline of *stages*. All ten kinds of stage (map, contract, reduce, scan,
gather, scatter, sort, random, move, collective) have one interface:

* a **domain**: extents and iterator kinds (parallel, reduction, sequential);
* **maps**: for each input and result, the element (or block) that a point of the domain touches. Maps may overlap
  (convolution), leave the tensor (then `pads` says what is read) and use symbols whose values come from other inputs
  (`bindings`);
* a **body** that runs at every point, with accumulators (`inits`) where the kind folds; **finish** runs once per
  output point, **combine** merges partial results;
* a **mapping**: `tile`, `par`, `order`, `hold`. It decides where and when, never what: bits do not depend on it
  (`split`, which names the tree of a reduction that is spread, is the one exception).

Tiling, legality, cost and the reference semantics are written against these fields, so nothing below is known to them
by name. The fields in full stand in [boundaries.md](../boundaries.md); the verifier's messages in
`test/dialects/kernel/invalid.mlir`.

Each example is a test. Its tiles are chosen to be ragged; the reference interpreter
(`sim/reference/kernel_reference.py`) runs it whole and tile by tile, demands the same bits, and compares with PyTorch.

`python docs/generator` writes this page from those tests.
"""


def kernel_levels_page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(_section(name, title) for name, title in EXAMPLES.items())])


def _section(name: str, title: str) -> str:
    """One example: the comments of the test as prose, each function as a block of IR behind its own comments."""
    lines = [f"## {title}", ""]
    code: list[str] = []
    for line in (*(TESTS / f"{name}.mlir").read_text().splitlines(), ""):
        if line.startswith(("// RUN", "// CHECK")):
            continue
        if line.startswith("//"):
            lines.append(line.removeprefix("//").strip())
        elif line:
            code.append(line)
        elif code:
            lines += ["", "```mlir", *code, "```", ""]
            code = []
    return "\n".join(lines)

"""Which stages came from one samba operator: a number that they share, `kernel.operators`.

`convert-samba-to-kernel` marks the stages of an operator that becomes several (a softmax, an attention), so that o0 and
o1 keep them in one section; a stage that was fused from several operators has the numbers of all.
"""

from __future__ import annotations

from collections.abc import Iterable

from xdsl.dialects.builtin import DenseArrayBase, i64
from xdsl.ir import Operation

OPERATORS = "kernel.operators"


def operators_of(op: Operation) -> tuple[int, ...]:
    """The numbers of the operators that `op` came from; none for the only stage of one."""
    numbers = op.attributes.get(OPERATORS)
    return numbers.get_values() if isinstance(numbers, DenseArrayBase) else ()


def mark_operators(op: Operation, numbers: Iterable[int]) -> None:
    """Say that `op` came from the operators `numbers`."""
    distinct = sorted(set(numbers))
    if distinct:
        op.attributes[OPERATORS] = DenseArrayBase.from_list(i64, distinct)

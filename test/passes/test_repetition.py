"""passes/layers/repetition.py against a definition by brute force."""

from hypothesis import given
from hypothesis import strategies as st

from sambaflow.passes.layers.repetition import find_runs

layers = st.lists(st.integers(0, 5), min_size=3, max_size=7)


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 5))
def test_a_run_is_periodic_and_maximal(sequence: list[int], least: int):
    for run in find_runs(sequence, least):
        end = run.start + run.length
        assert run.period >= least and run.start >= 0 and end <= len(sequence)
        assert all(sequence[i] == sequence[i + run.period] for i in range(run.start, end - run.period))
        assert 2 * (run.length - run.period) >= run.period
        assert run.start == 0 or sequence[run.start - 1] != sequence[run.start - 1 + run.period]
        assert end == len(sequence) or sequence[end] != sequence[end - run.period]


@given(layers, st.integers(3, 9), st.lists(st.integers(10, 20), max_size=5), st.lists(st.integers(30, 40), max_size=5))
def test_a_stack_of_layers_is_in_the_first_run(layer: list[int], count: int, before: list[int], behind: list[int]):
    """The best run covers the stack; its period is the layer's, or a shorter one if the layer itself repeats."""
    best = find_runs([*before, *layer * count, *behind], 1)[0]
    assert best.start <= len(before) and best.start + best.length >= len(before) + len(layer) * count
    assert len(layer) % best.period == 0


def test_what_only_the_first_layer_has_leaves_the_rest():
    best = find_runs([1, 9, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4], 3)[0]
    assert (best.period, best.start, best.length) == (4, 2, 11)

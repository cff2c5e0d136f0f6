"""Exactly the pairs of least total cost, as SciPy finds them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from gpen_live.faces.assign import assign


@given(st.integers(0, 5), st.integers(0, 7), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=300, deadline=None)
def test_the_pairs_are_those_of_least_total_cost(rows: int, columns: int, seed: int, capped: bool) -> None:
    cost = np.random.default_rng(seed).uniform(0, 20, (rows, columns))
    if capped:
        cost = np.minimum(cost, 12.0)  # as the tracker does: many costs are the same then, and several answers as good
    pairs = assign(cost)
    assert len(pairs) == min(rows, columns) == len({row for row, _ in pairs}) == len({column for _, column in pairs})
    assert pairs == sorted(pairs)
    theirs = linear_sum_assignment(cost)
    assert sum(cost[pair] for pair in pairs) == pytest.approx(float(cost[theirs].sum()))
    if not capped:
        assert pairs == [(int(row), int(column)) for row, column in zip(*theirs, strict=True)]


def test_the_nearest_pair_is_given_up_for_a_better_whole() -> None:
    assert assign(np.array([[1.0, 2.0], [1.5, 9.0]])) == [(0, 1), (1, 0)]

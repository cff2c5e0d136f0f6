"""Who is who: pairs of least total cost, exactly."""

from __future__ import annotations

from gpen_live.faces.detect import Floats


def assign(cost: Floats) -> list[tuple[int, int]]:
    """The pairs (row, column) of least total cost, by rising row: each row and column once, as many as the fewer of them.

    By all subsets of the fewer ones: exact, and a fraction of a millisecond for the four faces that are tracked. (SciPy's
    assignment is for thousands, and its import alone takes longer than the first frame may.)

    Args:
        cost: rows x columns, finite.
    """
    if cost.shape[0] > cost.shape[1]:
        return sorted((row, column) for column, row in assign(cost.T))
    rows, columns = cost.tolist(), range(cost.shape[1])
    best: dict[int, tuple[float, tuple[tuple[int, int], ...]]] = {0: (0.0, ())}  # by rows that have a pair, a bit for each
    for column in columns:
        for paired, (total, pairs) in list(best.items()):
            for row, costs in enumerate(rows):
                more = paired | 1 << row
                if more != paired and (more not in best or total + costs[column] < best[more][0]):
                    best[more] = total + costs[column], (*pairs, (row, column))
    return sorted(best[(1 << len(rows)) - 1][1])

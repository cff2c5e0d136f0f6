"""The load generator: it takes as much as it says and gives it back, and its figures can be read."""

from __future__ import annotations

import os

import cv2
import numpy as np
import psutil

from gpen_live.bench.pressure import PHASES, Run, Second, Summary, _half_the_machine, draw, table


def run(budget_ms: float) -> Run:
    seconds = [Second(float(i + 1), 30.0 - i % 3 - budget_ms / 10, 40.0, 60.0 + i + budget_ms, i // 5) for i in range(30)]
    phases = [Summary(phase, 29.5, 29.0, 40.0, 61.5, i, "less is done" if i else "") for i, phase in enumerate(PHASES)]
    return Run(budget_ms, seconds, phases)


def test_half_of_the_cores_are_kept_busy_and_given_back() -> None:
    with _half_the_machine(taken=True):
        busy = psutil.Process().children()
        assert len(busy) == max(1, (os.cpu_count() or 2) // 2)
    assert not any(process.is_running() for process in busy)
    with _half_the_machine(taken=False):
        assert psutil.Process().children() == []


def test_the_table_says_what_was_given_up() -> None:
    told = table(run(80.0))
    assert "budget of 80 ms" in told
    assert [line.split("  ")[0] for line in told.splitlines()[2:]] == list(PHASES)
    assert told.count("less is done") == 2
    assert "without a budget" in table(run(0.0))


def test_the_chart_is_a_picture_with_both_runs() -> None:
    picture = cv2.imdecode(np.frombuffer(draw([run(0.0), run(100.0)], "lite-256", 10, 30.0), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    for colour in ((0xAA, 0x69, 0x17), (0x3E, 0x41, 0xB0)):  # BGR of the two lines
        assert (np.abs(picture.astype(int) - colour).max(axis=2) < 12).sum() > 200

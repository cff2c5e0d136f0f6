"""Each picture's time on its source's own timeline, however fast or slowly it is read."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from gpen_live.frame import Size
from gpen_live.sources import open_source
from gpen_live.sources.base import Source
from tests.sources.films import film
from tests.sources.test_video import Clock, clock, play

__all__ = ["clock"]
SMALL = Size(64, 48)


def times(source: Source, count: int, pause: float = 0.0) -> list[float]:
    found = []
    for _ in range(count):
        assert source.read() is not None
        assert source.media_time is not None
        found.append(source.media_time)
        time.sleep(pause)
    source.close()
    return found


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_a_film_read_as_fast_as_possible_keeps_its_time_stamps(tmp_path: Path, pause: float) -> None:
    stamps = [0.0, 0.04, 0.2, 0.21, 1.5]
    found = times(play(film(tmp_path / "a.mkv", frames=5, times=stamps)), 5, pause)
    assert found == pytest.approx(stamps, abs=1e-3)


def test_a_film_that_starts_anew_goes_on_in_time(tmp_path: Path) -> None:
    found = times(play(film(tmp_path / "a.mp4", frames=4), loop=True), 11)
    assert found == pytest.approx([n / 10 for n in range(11)], abs=1e-3)


def test_a_film_in_real_time_whose_reader_is_late_misses_time_with_the_frames(tmp_path: Path, clock: Clock) -> None:
    source = play(film(tmp_path / "a.mp4"), realtime=True)
    source.read()
    clock.now += 0.35
    source.read()
    assert source.media_time == pytest.approx(0.3, abs=1e-3)


def test_time_goes_on_while_a_long_still_passage_repeats_its_picture(tmp_path: Path, clock: Clock) -> None:
    source = play(film(tmp_path / "a.mkv", frames=3, times=[0.0, 0.1, 2.0]), realtime=True)
    found = []
    while source.read() is not None:
        assert source.media_time is not None
        found.append(source.media_time)
    assert found == sorted(found)
    assert max(b - a for a, b in zip(found, found[1:], strict=False)) <= 0.51
    assert found[-1] == pytest.approx(2.0, abs=1e-3)


def test_the_demo_and_a_picture_count_frames(tmp_path: Path) -> None:
    assert times(open_source("demo", size=SMALL, fps=25.0, realtime=False), 4, 0.01) == pytest.approx([0, 0.04, 0.08, 0.12])
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    assert times(open_source(str(path), size=None, fps=None, realtime=False), 3, 0.01) == pytest.approx([0, 1 / 30, 2 / 30])


def test_the_demo_in_real_time_misses_time_with_the_frames(clock: Clock) -> None:
    source = open_source("demo", size=SMALL, fps=25.0)
    source.read()
    clock.now += 1.0
    source.read()
    assert source.media_time == pytest.approx(1.0)

"""All that lives in time takes it from the frames."""

from __future__ import annotations

from typing import Any

import pytest

from gpen_live.frame import Image
from gpen_live.live.config import LiveConfig
from gpen_live.live.pipeline import LivePipeline
from tests.live.fakes import FakeEngine, FakeSource, World, wait_for


class Film(FakeSource):
    """Ten seconds a frame, whatever the clock says."""

    def read(self) -> Image | None:
        self.media_time = 10.0 * self.number
        return super().read()


class Noting(FakeEngine):
    def __init__(self) -> None:
        super().__init__()
        self.moments: list[float] = []

    def process(self, image: Image, at: float, *arguments: Any, **named: Any) -> Any:
        self.moments.append(at)
        return super().process(image, at, *arguments, **named)


def moments_of(source: FakeSource, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the engine is told that the first frames are of."""
    world = World(monkeypatch)
    world.sources["demo"], engine = source, Noting()
    world.engine = engine
    pipeline = LivePipeline(LiveConfig(fps=100.0))
    pipeline.start(wait_for_model=True)
    wait_for(lambda: len(engine.moments) > 8)
    pipeline.stop()
    return engine.moments


def test_the_engine_is_given_a_films_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = moments_of(Film(), monkeypatch)
    assert all(moment % 10 == 0 for moment in moments)
    assert moments == sorted(set(moments))


def test_of_a_live_camera_it_is_the_capture_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = moments_of(FakeSource(fps=100.0), monkeypatch)
    assert moments == sorted(set(moments))
    assert 0.03 < moments[8] - moments[0] < 10

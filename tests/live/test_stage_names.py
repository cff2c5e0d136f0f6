"""A stage that nobody has heard of shows up wherever stages do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from gpen_live.cli.run import meters_line
from gpen_live.engine.result import FrameResult
from gpen_live.frame import STAGES, in_order
from gpen_live.live.config import LiveConfig
from gpen_live.live.pipeline import LivePipeline
from gpen_live.live.status.meters import Meters
from gpen_live.live.status.overlay import overlay_lines
from tests.live.fakes import FakeEngine, World, wait_for


class Painter(FakeEngine):
    """An engine with two stages more, one of which has an odd name."""

    def process(self, *arguments: Any, **named: Any) -> FrameResult:
        done = super().process(*arguments, **named)
        done.times_ms |= {"make-up": 3.0, "": 1.0}
        return done


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Iterator[LivePipeline]:
    world = World(monkeypatch)
    world.engine = Painter()
    pipeline = LivePipeline(LiveConfig(fps=100.0))
    pipeline.start(wait_for_model=True)
    wait_for(lambda: pipeline.snapshot().counts.enhanced > 10)
    yield pipeline
    pipeline.stop()


def test_meters_report_and_both_texts_have_it(pipeline: LivePipeline) -> None:
    snapshot = pipeline.snapshot()
    assert snapshot.stages["make-up"].p50 == 3.0
    report = cast(dict[str, dict[str, dict[str, float]]], pipeline.report())
    assert report["latency_ms"]["make-up"]["p50"] == 3.0
    assert any("make-up 3.0" in line for line in overlay_lines(snapshot))
    assert "make-up 3.0" in meters_line(snapshot)
    assert pipeline.board.notes() == []


def test_what_is_known_has_its_place_and_the_rest_is_the_engines() -> None:
    assert in_order(reversed(STAGES)) == list(STAGES)
    names = in_order(["send", "make-up", "end_to_end", "blend", "glow", "convert"])
    assert names == ["make-up", "glow", "blend", "convert", "send", "end_to_end"]


def test_names_without_end_fill_no_memory() -> None:
    meters = Meters()
    for number in range(200):
        meters.sent(float(number), number, {f"stage {number}": 1.0, "network": 2.0}, enhanced=True)
    assert len(meters.stages()) < 50
    assert meters.stages()["network"].p50 == 2.0
    assert meters.recent("stage 199", 0.0).max == 0.0

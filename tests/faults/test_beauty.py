"""Beauty that can't be loaded or drawn: frames go out enhanced without it, and a change of the look tries it again."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gpen_live.engine.result import Change, FaceCrop, Stage
from gpen_live.errors import WeightsError
from gpen_live.inference.device import Device
from gpen_live.live.pipeline import LivePipeline
from gpen_live.look import Beauty, Look, Mode
from tests.faults.conftest import Start
from tests.faults.fakes import ENHANCED, RAW, World, goes_on, notes_with
from tests.live.fakes import wait_for
from tests.messages.says import mentions

SMOOTH, SMOOTHER = Look(beauty=Beauty(smooth=0.5)), Look(beauty=Beauty(smooth=0.6))
ADDED = 40
DRAWN = ENHANCED + ADDED


class Painter:
    """Makes the crop `ADDED` levels brighter; `fault` is done instead."""

    name = "beauty"

    def __init__(self) -> None:
        self.fault: Callable[[Change], Change] | None = None

    def active(self, face: FaceCrop) -> bool:
        return face.look.beauty.uses()

    def __call__(self, seen: Any, change: Change, told: Any) -> Change:
        return Change(change.added + np.float32(ADDED)) if self.fault is None else self.fault(change)


class Salon(World):
    """Frames around a stage that the test holds in its hands; `opened` by these threads."""

    def __init__(self) -> None:
        super().__init__()
        self.painter = Painter()
        self.faults: list[Exception] = []
        self.opened: list[str] = []
        self.may_open = threading.Event()
        self.may_open.set()

    def open_stage(self, device: Device) -> Stage | None:
        self.opened.append(threading.current_thread().name)
        self.may_open.wait(20)
        if self.faults:
            raise self.faults.pop(0)
        return self.painter

    def begin(self, start: Start, look: Look) -> LivePipeline:
        return start(dataclasses.replace(self.outside, open_stage=self.open_stage), look=look)

    def shows(self, level: int) -> bool:
        return abs(self.level() - level) <= 1


def trouble_of(pipeline: LivePipeline, key: str) -> bool:
    trouble = pipeline.snapshot().beauty_trouble
    return trouble is not None and mentions(trouble, key)


def nan(change: Change) -> Change:
    return Change(change.added * np.float32("nan"))


def raises(change: Change) -> Change:
    raise ValueError("a point is not finite")


def test_nothing_is_loaded_before_it_is_asked_for_and_frames_go_on_meanwhile(start: Start) -> None:
    salon = Salon()
    salon.may_open.clear()
    pipeline = salon.begin(start, Look())
    wait_for(lambda: salon.shows(ENHANCED))
    goes_on(salon.sink)
    assert salon.opened == []
    assert pipeline.report()["beauty"] is None
    pipeline.change(look=SMOOTH)
    wait_for(lambda: salon.opened)
    goes_on(salon.sink)
    assert salon.shows(ENHANCED), "not there yet"
    salon.may_open.set()
    wait_for(lambda: salon.shows(DRAWN))
    assert salon.opened == ["gpen-live-beauty"], "not by the thread that owns the device"
    report: dict[str, Any] = pipeline.report()
    assert report["beauty"] == {"amount": 1.0, "smooth": 0.5}
    assert report["latency_ms"]["beauty"]["max"] > 0
    pipeline.change(look=Look())
    wait_for(lambda: salon.shows(ENHANCED))
    assert pipeline.board.notes() == []


def test_what_cannot_be_loaded_is_said_once_and_tried_again_with_another_look(start: Start) -> None:
    salon = Salon()
    salon.faults = [WeightsError("broken_beauty"), OSError("no such file")]
    pipeline = salon.begin(start, SMOOTH)
    wait_for(lambda: notes_with(pipeline, "broken_beauty"))
    wait_for(lambda: salon.shows(ENHANCED))
    goes_on(salon.sink)
    assert len(salon.opened) == 1
    pipeline.change(look=SMOOTHER)
    wait_for(lambda: notes_with(pipeline, "live.beauty_failed"))
    goes_on(salon.sink)
    assert trouble_of(pipeline, "live.beauty_failed")
    assert salon.shows(ENHANCED)
    pipeline.change(look=SMOOTH)
    wait_for(lambda: salon.shows(DRAWN))
    wait_for(lambda: pipeline.snapshot().beauty_trouble is None)
    assert len(pipeline.board.notes()) == 2


@pytest.mark.parametrize("fault", [nan, raises])
def test_what_fails_in_a_frame_is_left_out_of_it_and_of_the_next_ones(start: Start, fault: Callable[[Change], Change]) -> None:
    salon = Salon()
    pipeline = salon.begin(start, SMOOTH)
    wait_for(lambda: salon.shows(DRAWN))
    seen = len(salon.sink.sent)
    salon.painter.fault = fault
    wait_for(lambda: salon.shows(ENHANCED))
    goes_on(salon.sink)
    assert notes_with(pipeline, "live.stage_failed") == 1
    assert trouble_of(pipeline, "live.stage_failed")
    assert all(frame[40, 48, 0] > RAW + 10 for frame in salon.sink.sent[seen:]), "no frame goes out raw for it"
    salon.painter.fault = None
    goes_on(salon.sink)
    assert salon.shows(ENHANCED)
    pipeline.change(look=SMOOTHER)
    wait_for(lambda: salon.shows(DRAWN))
    wait_for(lambda: pipeline.snapshot().beauty_trouble is None)


def test_without_the_network_it_is_drawn_on_the_raw_frame(start: Start) -> None:
    salon = Salon()
    pipeline = salon.begin(start, dataclasses.replace(SMOOTH, strength=0.0))
    wait_for(lambda: salon.shows(RAW + ADDED))
    calls = salon.network.calls
    pipeline.change(look=Look(strength=0.0))
    wait_for(lambda: salon.shows(RAW))
    pipeline.change(look=dataclasses.replace(SMOOTH, strength=0.0, mode=Mode.FULL))
    wait_for(lambda: salon.shows(RAW + ADDED))
    assert salon.network.calls == calls

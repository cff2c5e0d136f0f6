"""The network raises, gives no picture, or does not come back: the raw frame goes out, one message says so, and it ends."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest

from gpen_live.frame import Frame
from gpen_live.inference.autotune_cpu import Pictures
from gpen_live.live.bypass import STUCK, Bypass
from gpen_live.live.models.loader import LoadedModel
from gpen_live.live.models.stepdown import ModelRequest
from gpen_live.live.slot import Slot
from gpen_live.live.status.snapshot import Health
from gpen_live.messages import message
from tests.faults.conftest import Measured, Start
from tests.faults.fakes import Gated, Network, World, goes_on, is_well, notes_with, on_processor, ordered, seconds_until
from tests.live.fakes import stamped, wait_for
from tests.messages.says import mentions


def fails(_: Pictures) -> Pictures:
    raise RuntimeError("the kernel did not launch")


FAULTS: dict[str, Callable[[Pictures], Pictures]] = {
    "raises": fails,
    "gives no numbers": lambda pictures: pictures * np.float32("nan"),
    "gives another shape": lambda pictures: pictures[:, :, ::2],
    "gives no picture at all": lambda pictures: cast(Pictures, None),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_network_that_fails_leaves_the_raw_frame(what: str, start: Start) -> None:
    world = World()
    pipeline = start(world.outside)
    wait_for(world.is_enhanced)
    before = len(pipeline.board.notes())
    world.network.fault = FAULTS[what]
    wait_for(world.is_raw)
    wait_for(lambda: pipeline.snapshot().model.health is Health.WARNING)
    assert mentions(pipeline.snapshot().model.message, "live.raw_goes_out")
    goes_on(world.sink, 30)
    assert len(pipeline.board.notes()) == before + 1, "said once, not once a frame"
    world.network.fault = None
    wait_for(world.is_enhanced)
    wait_for(lambda: is_well(pipeline, "model"))
    assert ordered(world.numbers())


def test_when_its_stand_ins_come_nothing_starts_over(start: Start) -> None:
    world, loads = World(), list[LoadedModel]()
    outside = world.outside

    def load(wanted: ModelRequest) -> LoadedModel:
        assert outside.load is not None
        loads.append(outside.load(wanted))
        return loads[-1]

    pipeline = start(dataclasses.replace(outside, load=load))
    wait_for(world.is_enhanced)
    engine, budget = pipeline._worker._engine, pipeline._governor._budget
    assert engine is not None
    world.network.fault = fails
    wait_for(lambda: pipeline.snapshot().model.health is Health.WARNING)
    stand_in = on_processor(Network(), "lite-256")
    before = len(pipeline.board.notes())
    pipeline._loader.loaded.put(dataclasses.replace(loads[0], lighter=(stand_in,)))
    wait_for(lambda: engine.lighter == (stand_in,))
    goes_on(world.sink, 10)
    assert pipeline._worker._engine is engine
    assert pipeline._governor._budget is budget, "what was learnt of the load holds"
    assert pipeline.snapshot().model.health is Health.WARNING, "it still fails"
    assert len(pipeline.board.notes()) == before


def test_past_a_network_that_is_stuck_fresh_raw_frames_go_out(start: Start, figure: Measured) -> None:
    world = World()
    pipeline = start(world.outside)
    wait_for(lambda: pipeline.snapshot().counts.enhanced > 20)

    comes_back = threading.Event()

    def takes_long(pictures: Pictures) -> Pictures:
        world.network.fault = None  # once
        comes_back.wait(20)
        return pictures + np.float32(0.2)

    world.network.fault = takes_long
    wait_for(lambda: world.network.fault is None)
    since = len(world.sink.sent)
    figure("network stuck: fresh raw frames go out", seconds_until(world.is_raw))
    wait_for(lambda: pipeline.snapshot().model.health is Health.WARNING)
    assert pipeline.snapshot().model.message == message("live.raw_goes_out", cause=STUCK)
    assert pipeline.snapshot().raw_reason == STUCK
    assert pipeline.preview.take(1) is not None
    wait_for(lambda: len(set(world.numbers()[since:])) > 30)  # not one picture over and over
    assert world.is_raw()
    comes_back.set()
    figure("network back: enhanced frames go out", seconds_until(world.is_enhanced))
    wait_for(lambda: is_well(pipeline, "model"))
    assert pipeline.snapshot().raw_reason is None
    assert notes_with(pipeline, STUCK.id) == 1
    assert ordered(world.numbers()), "the frame that came late was left out"
    pipeline.stop()
    counts = pipeline.meters.counts()
    assert counts.out_of_order == 0
    assert 0 <= counts.captured - counts.enhanced - counts.raw - counts.dropped <= 3, "each frame ends once; a few were under way"


@pytest.mark.parametrize("noticed", ["at once", "by the sender alone"])
def test_a_frame_that_comes_too_late_is_seen_nowhere(noticed: str, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.source = source = Gated()
    comes_back = threading.Event()

    def stuck(pictures: Pictures) -> Pictures:
        comes_back.wait(20)
        return pictures + np.float32(0.2)

    pipeline = start(world.outside)
    wait_for(world.is_enhanced)
    if noticed == "by the sender alone":  # the engine came back just when the sender had looked
        monkeypatch.setattr(pipeline._worker.bypass, "overtaken", lambda number: False)
    world.network.fault = stuck
    wait_for(world.is_raw)
    source.gate.clear()
    goes_on(world.sink, 20)
    newest = world.numbers()[-1]
    before = pipeline.preview.take(1)
    assert before is not None
    dropped, sent = pipeline.snapshot().counts.dropped, len(world.sink.sent)
    comes_back.set()
    wait_for(lambda: pipeline.snapshot().counts.dropped > dropped)
    goes_on(world.sink, 20)
    assert set(world.numbers()[sent:]) == {newest}
    if noticed == "at once":
        assert pipeline.preview.take(0) is None, "the window does not show it either"
    source.gate.set()
    wait_for(world.is_enhanced)
    assert ordered(world.numbers())


def test_a_network_that_is_always_slow_is_not_stuck(start: Start) -> None:
    world = World()

    def slow(pictures: Pictures) -> Pictures:
        time.sleep(0.4)
        return pictures + np.float32(0.2)

    pipeline = start(world.outside)
    wait_for(world.is_enhanced)
    world.network.fault = slow
    calls = world.network.calls
    wait_for(lambda: world.network.calls > calls + 4)
    since = len(world.sink.sent)
    wait_for(lambda: world.network.calls > calls + 8)
    assert all(frame[40, 48, 0] > 60 for frame in world.sink.sent[since:]), "no raw frame in between"
    assert is_well(pipeline, "model")


def test_what_is_unusual_is_measured_against_what_is_usual() -> None:
    at = [0.0]
    told: list[float] = []
    captured: Slot[Frame] = Slot()
    bypass = Bypass(captured, lambda frame: frame.number, lambda: told.append(at[0]), lambda: None, lambda: at[0])

    def frame(number: int, took: float) -> None:
        bypass.begin(counts=True)
        at[0] += took
        bypass.end()
        captured.put(Frame(stamped(number), number, at[0], at[0]))

    assert bypass.next(1 / 30) is None, "nothing is at work"
    for number in range(8):
        frame(number, 0.5)
    frame(8, 60.0)  # one that was stuck is not what is usual
    bypass.begin(counts=True)
    at[0] += 1.4
    assert bypass.next(1 / 30) is None, "not three times as long yet"
    at[0] += 0.2
    assert bypass.next(1 / 30) == 8
    assert told == [at[0]]
    assert bypass.overtaken(7)
    assert not bypass.overtaken(8)
    assert bypass.next(1 / 30) is None, "it went out"
    captured.put(Frame(stamped(9), 9, at[0], at[0]))
    assert bypass.next(1 / 30) == 9
    assert len(told) == 1
    assert bypass.active
    bypass.end()
    assert not bypass.active

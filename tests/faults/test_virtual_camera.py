"""The virtual camera's driver fails, is unloaded, is slow or never comes back: everything else goes on, and it is found again."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyvirtualcam.camera

from gpen_live.live.pipeline import LivePipeline, Outside
from gpen_live.live.status.snapshot import Health
from gpen_live.sinks import loopback, open_sink
from tests.faults.conftest import Measured, Start
from tests.faults.fakes import Backend, World, is_well, seconds_until
from tests.live.fakes import wait_for

SEEN_S = 1.0
BACK_S = 2.0
MACHINE_S = 1.0  # what a busy machine may add


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Backend]]:
    """A Linux machine with one virtual camera."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {})
    monkeypatch.setattr(loopback, "_DEVICES", tmp_path / "devices")
    monkeypatch.setattr(loopback, "_MODULE", tmp_path / "module")
    pyvirtualcam.register_backend("v4l2loopback", Backend)
    Backend.loaded, Backend.slow_s, Backend.sent, Backend.goes_on = True, 0.0, [], threading.Event()
    Backend.in_driver = Backend.most_in_driver = 0
    Backend.goes_on.set()
    yield Backend
    Backend.goes_on.set()


def run(start: Start, world: World) -> LivePipeline:
    outside = world.outside
    pipeline = start(Outside(open_source=outside.open_source, open_sink=open_sink, load=outside.load), sink="vcam")
    wait_for(lambda: len(Backend.sent) > 10)
    return pipeline


def everything_else_goes_on(pipeline: LivePipeline) -> None:
    before = pipeline.snapshot().counts
    pipeline.preview.take(0)
    wait_for(lambda: pipeline.snapshot().counts.captured > before.captured + 10)
    assert pipeline.preview.take(1) is not None
    assert pipeline.error() is None


def is_lost(pipeline: LivePipeline) -> bool:
    return pipeline.snapshot().sink.health is Health.WARNING


def test_a_driver_that_is_unloaded_and_back(driver: type[Backend], start: Start, figure: Measured) -> None:
    pipeline = run(start, World())
    driver.loaded = False
    seen = seconds_until(lambda: is_lost(pipeline))
    figure("virtual camera unloaded: seen", seen)
    assert seen < SEEN_S + MACHINE_S
    everything_else_goes_on(pipeline)
    text = pipeline.snapshot().sink.text
    assert "took no frame" in text
    assert "Everything else goes on; trying again." in text
    sent = len(driver.sent)
    driver.loaded = True
    back = seconds_until(lambda: len(driver.sent) > sent)
    figure("virtual camera loaded again: frames go out", back)
    assert back < BACK_S + MACHINE_S
    wait_for(lambda: is_well(pipeline, "sink"))
    assert pipeline.meters.counts().out_of_order == 0


def test_a_driver_that_holds_a_frame_holds_up_nothing_else(driver: type[Backend], start: Start, figure: Measured) -> None:
    pipeline = run(start, World())
    driver.goes_on.clear()
    seen = seconds_until(lambda: is_lost(pipeline))
    figure("virtual camera blocks: seen", seen)
    assert seen < SEEN_S + MACHINE_S
    assert "has not taken a frame for a second" in pipeline.snapshot().sink.text
    everything_else_goes_on(pipeline)
    driver.goes_on.set()
    sent = len(driver.sent)
    back = seconds_until(lambda: len(driver.sent) > sent + 1)
    figure("virtual camera goes on: frames go out", back)
    assert back < BACK_S + MACHINE_S
    wait_for(lambda: is_well(pipeline, "sink"))
    assert driver.most_in_driver == 1, "no second thread in the driver, no closing while it holds a frame"


def test_a_driver_that_never_comes_back_is_said_and_another_output_takes_over(driver: type[Backend], start: Start) -> None:
    pipeline = run(start, World())
    driver.goes_on.clear()
    wait_for(lambda: is_lost(pipeline))
    pipeline.change(sink="none")
    wait_for(lambda: pipeline.snapshot().sink.health is Health.OFF)
    sent = pipeline.snapshot().counts.sent
    wait_for(lambda: pipeline.snapshot().counts.sent > sent + 10)


def test_a_slow_consumer_costs_frames_but_not_their_order(driver: type[Backend], start: Start) -> None:
    world = World()
    pipeline = run(start, world)
    driver.slow_s = 0.15
    captured = pipeline.snapshot().counts.captured
    wait_for(lambda: pipeline.snapshot().counts.captured > captured + 60)
    counts = pipeline.snapshot().counts
    assert counts.dropped > 0
    assert counts.out_of_order == 0
    assert is_well(pipeline, "sink"), "slow is not gone"


def test_a_virtual_camera_that_was_never_there_is_not_tried_for_ever(driver: type[Backend], start: Start) -> None:
    """The user has to do something: install it, or stop the program that holds it."""
    driver.loaded = False
    world = World()
    pipeline = start(Outside(open_source=world.outside.open_source, load=world.outside.load), sink="vcam")
    wait_for(lambda: pipeline.error() is not None)
    assert "The driver of the virtual camera is not loaded" in pipeline.snapshot().sink.text
    driver.loaded = True
    pipeline.retry("sink")
    wait_for(lambda: is_well(pipeline, "sink"))

"""The camera goes, comes back under another number, hangs, or delivers what is no picture."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from gpen_live.live.pipeline import LivePipeline, Outside
from gpen_live.live.status.snapshot import Health
from gpen_live.sources import camera, identity
from gpen_live.sources.camera import CameraSource
from tests.faults.conftest import Measured, Start
from tests.faults.fakes import RAW, Camera, Machine, World, goes_on, is_well, seconds_until
from tests.live.fakes import wait_for
from tests.messages.says import mentions

SEEN_S = 1.0
BACK_S = 2.0
MACHINE_S = 1.0  # what a busy machine may add


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    """A Linux machine with one camera."""
    machine = Machine()
    machine.cameras[0] = Camera("C920")
    for number in range(4):
        (tmp_path / f"video{number}").touch()
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(camera, "_DEVICES", tmp_path)
    monkeypatch.setattr(camera, "captures", lambda device: True)
    monkeypatch.setattr(cv2, "VideoCapture", machine.capture)
    for room in (camera, identity):
        monkeypatch.setattr(room, "list_cameras", machine.list_cameras)
    cameras = [*machine.cameras.values()]
    yield machine
    for one in {*cameras, *machine.cameras.values()}:
        one.goes_on.set()


@pytest.fixture
def world() -> World:
    return World()


def run(start: Start, world: World) -> LivePipeline:
    """The pipeline with the camera; past the frames by which it gets to know it."""
    outside = world.outside
    pipeline = start(Outside(open_sink=outside.open_sink, load=outside.load), source="camera:0")
    wait_for(lambda: pipeline.snapshot().counts.captured > 20 and world.is_enhanced())
    return pipeline


def is_lost(pipeline: LivePipeline) -> bool:
    return pipeline.snapshot().source.health is Health.WARNING


def test_a_camera_that_goes_leaves_its_last_frame_with_a_note_and_is_found_under_another_number(
    machine: Machine, world: World, start: Start, figure: Measured
) -> None:
    pipeline = run(start, world)
    lost = machine.cameras.pop(0)
    seen = seconds_until(lambda: is_lost(pipeline))
    figure("camera gone: seen", seen)
    assert seen < SEEN_S + MACHINE_S
    captured = pipeline.snapshot().counts.captured
    goes_on(world.sink)
    told = pipeline.snapshot().source.message
    assert mentions(told, "live.camera_lost")
    assert "C920" in pipeline.snapshot().source.text
    assert pipeline.snapshot().counts.captured == captured
    assert pipeline.error() is None
    lost.held = False  # the system lets go of it
    machine.cameras[2] = Camera("C920")
    back = seconds_until(lambda: is_well(pipeline, "source"))
    figure("camera back under another number: running", back)
    assert back < BACK_S + MACHINE_S
    assert machine.opened[-1] == 2
    wait_for(lambda: pipeline.snapshot().counts.captured > captured + 5)


def test_another_camera_is_not_taken_for_the_one_that_went(machine: Machine, world: World, start: Start) -> None:
    """Neither the one that has its number now nor one of its kind that was there before: they may show anything."""
    machine.cameras[1] = Camera("C920")
    pipeline = run(start, world)
    machine.cameras.pop(0)
    wait_for(lambda: is_lost(pipeline))
    machine.cameras[0] = Camera("Bedroom")
    opened = len(machine.opened)
    time.sleep(1.5)  # some tries
    assert len(machine.opened) == opened
    pipeline.retry("source")  # the user says so
    wait_for(lambda: is_well(pipeline, "source"))
    assert pipeline.snapshot().source.label == "Bedroom"


def test_a_camera_that_hangs_in_its_driver_is_seen_and_opened_again(
    machine: Machine, world: World, start: Start, figure: Measured
) -> None:
    pipeline = run(start, world)
    hung = machine.cameras[0]
    hung.state = "hangs"
    seen = seconds_until(lambda: is_lost(pipeline))
    figure("camera hangs: seen", seen)
    assert seen < SEEN_S + MACHINE_S
    sent = len(world.sink.sent)
    wait_for(lambda: len(world.sink.sent) > sent + 30)
    hung.state = "well"
    hung.goes_on.set()
    back = seconds_until(lambda: is_well(pipeline, "source"))
    figure("camera hung and goes on: running", back)
    assert back < BACK_S + MACHINE_S
    assert machine.opened == [0, 0]


def test_a_camera_that_keeps_silent_is_opened_again(machine: Machine, world: World, start: Start) -> None:
    pipeline = run(start, world)
    machine.cameras[0].state = "silent"
    wait_for(lambda: is_lost(pipeline))
    machine.cameras[0].state = "well"
    assert seconds_until(lambda: is_well(pipeline, "source")) < BACK_S + MACHINE_S


@pytest.mark.parametrize("timeout", [0.8, 0.1])
def test_a_slow_camera_is_not_taken_for_one_that_hangs(timeout: float, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five a second are usual in the dark; one that is slower than the timeout is known by then."""
    assert timeout <= camera._FRAME_TIMEOUT_S <= SEEN_S
    monkeypatch.setattr(camera, "_FRAME_TIMEOUT_S", timeout)
    machine.cameras[0].fps = 5.0
    source = CameraSource(0)
    for _ in range(8):
        assert source.read()[5, 5, 0] == RAW
    source.close()


def test_garbage_and_other_sizes_carry_on(machine: Machine, world: World, start: Start) -> None:
    pipeline = run(start, world)
    shape = world.sink.sent[-1].shape
    taken = machine.cameras[0].taken
    machine.cameras[0].state = "garbage"
    wait_for(lambda: machine.cameras[0].taken > taken + 10)
    machine.cameras[0].state = "strange sizes"
    wait_for(lambda: world.sink.sent[-1][40, 48, 0] < RAW)
    goes_on(world.sink, 30)
    machine.cameras[0].state = "well"
    wait_for(world.is_enhanced)
    assert {frame.shape for frame in world.sink.sent} == {shape}
    assert is_well(pipeline, "source")


def test_stopping_does_not_wait_for_a_camera_that_hangs(machine: Machine, world: World, start: Start, figure: Measured) -> None:
    pipeline = run(start, world)
    machine.cameras[0].state = "hangs"
    wait_for(lambda: is_lost(pipeline))
    began = time.monotonic()
    pipeline.stop()
    figure("stopping while a camera hangs", time.monotonic() - began)
    assert time.monotonic() - began < 6.0
    assert not any(thread.name == "gpen-live-capture" for thread in threading.enumerate())

"""The virtual camera's driver fails, is unloaded, is slow or never comes back: everything else goes on, and it is found again.

The driver is one below the C library of the virtual camera's own process, as a real one is: see `tests.sinks.vcam.driver`.
"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from gpen_live.live.pipeline import LivePipeline, Outside
from gpen_live.live.status.snapshot import Health
from gpen_live.sinks import open_sink
from tests.faults.conftest import Measured, Start
from tests.faults.fakes import World, is_well, seconds_until
from tests.live.fakes import wait_for
from tests.messages.says import mentions
from tests.sinks.vcam.driver import FakeDriver

SEEN_S = 1.0
BACK_S = 2.0
MACHINE_S = 1.5  # what a busy machine may add, to start a process too


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDriver:
    """A Linux machine with one virtual camera."""
    made = FakeDriver(tmp_path)
    for name in ("LD_PRELOAD", "FAKE_LOOPBACK"):
        monkeypatch.setenv(name, made.environment[name])
    return made


def run(start: Start, world: World, driver: FakeDriver) -> LivePipeline:
    outside = world.outside
    pipeline = start(Outside(open_source=outside.open_source, open_sink=open_sink, load=outside.load), sinks=(driver.spec,))
    wait_for(lambda: len(driver.taken()) > 10)
    return pipeline


def everything_else_goes_on(pipeline: LivePipeline) -> None:
    before = pipeline.snapshot().counts
    pipeline.preview.take(0)
    wait_for(lambda: pipeline.snapshot().counts.captured > before.captured + 10)
    assert pipeline.preview.take(1) is not None
    assert pipeline.error() is None


def is_lost(pipeline: LivePipeline) -> bool:
    return pipeline.snapshot().sink.health is Health.WARNING


def comes_back(pipeline: LivePipeline, driver: FakeDriver) -> float:
    """Seconds until frames go out again."""
    sent = len(driver.taken())
    took = seconds_until(lambda: len(driver.taken()) > sent)
    wait_for(lambda: is_well(pipeline, "sink"))
    assert pipeline.meters.counts().out_of_order == 0
    return took


@pytest.mark.parametrize("mode", ["gone", "fail"])
def test_a_driver_that_is_unloaded_or_fails_and_is_back(mode: str, driver: FakeDriver, start: Start, figure: Measured) -> None:
    pipeline = run(start, World(), driver)
    driver.set(mode)
    seen = seconds_until(lambda: is_lost(pipeline))
    figure(f"virtual camera {mode}: seen", seen)
    assert seen < SEEN_S + MACHINE_S
    everything_else_goes_on(pipeline)
    assert mentions(pipeline.snapshot().sink.message, "vcam.frame_refused")
    assert mentions(pipeline.snapshot().sink.message, "live.output_lost")
    driver.set()
    back = comes_back(pipeline, driver)
    figure(f"virtual camera {mode}, then well: frames go out", back)
    assert back < BACK_S + MACHINE_S


def test_a_driver_that_holds_a_frame_holds_up_nothing_else(driver: FakeDriver, start: Start, figure: Measured) -> None:
    pipeline = run(start, World(), driver)
    driver.set("block 60")
    seen = seconds_until(lambda: is_lost(pipeline))
    figure("virtual camera blocks: seen", seen)
    assert seen < SEEN_S + MACHINE_S
    assert mentions(pipeline.snapshot().sink.message, "vcam.not_taking")
    everything_else_goes_on(pipeline)
    driver.set()
    back = comes_back(pipeline, driver)
    figure("virtual camera goes on: frames go out", back)
    assert back < BACK_S + MACHINE_S
    rows = driver.taken()
    assert all(one.done <= other.came for one, other in zip(rows, rows[1:], strict=False)), "no two processes in the driver"


def test_a_process_that_is_killed_is_started_again(driver: FakeDriver, start: Start, figure: Measured) -> None:
    pipeline = run(start, World(), driver)
    before = driver.taken()[-1].process
    psutil.Process(before).kill()
    wait_for(lambda: is_lost(pipeline))
    assert mentions(pipeline.snapshot().sink.message, "vcam.ended")
    figure("virtual camera's process killed: frames go out", comes_back(pipeline, driver))
    assert driver.taken()[-1].process != before
    everything_else_goes_on(pipeline)


def test_a_driver_that_never_comes_back_is_said_and_another_output_takes_over(driver: FakeDriver, start: Start) -> None:
    pipeline = run(start, World(), driver)
    driver.set("block 60")
    wait_for(lambda: is_lost(pipeline))
    pipeline.change(sinks=())
    wait_for(lambda: pipeline.snapshot().sink.health is Health.OFF)
    sent = pipeline.snapshot().counts.sent
    wait_for(lambda: pipeline.snapshot().counts.sent > sent + 10)


def test_a_slow_consumer_costs_frames_but_not_their_order(driver: FakeDriver, start: Start) -> None:
    pipeline = run(start, World(), driver)
    driver.set("block 0.15")
    captured = pipeline.snapshot().counts.captured
    wait_for(lambda: pipeline.snapshot().counts.captured > captured + 60)
    counts = pipeline.snapshot().counts
    assert counts.dropped > 0
    assert counts.out_of_order == 0
    assert is_well(pipeline, "sink"), "slow is not gone"


def test_a_virtual_camera_that_was_never_there_is_not_tried_for_ever(driver: FakeDriver, start: Start) -> None:
    """The user has to do something: install it, or stop the program that holds it."""
    driver.set("gone")
    world = World()
    pipeline = start(Outside(open_source=world.outside.open_source, load=world.outside.load), sinks=(driver.spec,))
    wait_for(lambda: pipeline.error() is not None)
    assert mentions(pipeline.snapshot().sink.message, "vcam.missing")
    driver.set()
    pipeline.retry("sink")
    wait_for(lambda: is_well(pipeline, "sink"))

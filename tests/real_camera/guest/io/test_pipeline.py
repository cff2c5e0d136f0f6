"""The whole live path between real drivers: a camera with numbered pictures, the pipeline, the virtual camera, a viewer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from gpen_live.errors import GpenLiveError
from gpen_live.frame import Size
from gpen_live.live.config import LiveConfig
from gpen_live.live.pipeline import LivePipeline, Outside
from gpen_live.live.status.snapshot import Health
from gpen_live.look import Look
from tests.messages.says import mentions
from tests.real_camera.guest import drivers
from tests.real_camera.guest.programs import View, film, holder, viewer, views, wait_until

SIZE = Size(640, 480)
TOLERANCE = 2.0
"""Mean difference over a picture, of 255: twice through colours of half the resolution."""


def no_network(_: object) -> NoReturn:
    raise GpenLiveError("no_network")


@contextmanager
def live(source: str, *, enhance: bool = False) -> Iterator[LivePipeline]:
    """The pipeline, running; on an emulated processor the networks are left out."""
    config = LiveConfig(source=source, sinks=("vcam",), size=SIZE, fps=5, look=Look(enhance=enhance))
    pipeline = LivePipeline(config, outside=Outside(load=no_network))
    pipeline.start()
    try:
        wait_until(lambda: pipeline.meters.counts().sent > 0)
        yield pipeline
    finally:
        pipeline.stop()


def seen_now(count: int) -> list[View]:
    """What a viewer sees who starts now."""
    with viewer(drivers.VIRTUAL, count) as program:
        assert program.code() == 0
        return views(program.lines)


def check(seen: list[View]) -> None:
    numbers = [view.number for view in seen]
    assert all(view.whole for view in seen), seen
    assert numbers == sorted(numbers), "out of order"
    assert max(view.difference for view in seen) < TOLERANCE, seen


def goes_on(pipeline: LivePipeline, frames: int = 10) -> None:
    before = pipeline.meters.counts().sent
    wait_until(lambda: pipeline.meters.counts().sent >= before + frames)


def output_ticks(pipeline: LivePipeline) -> None:
    before = pipeline.meters.counts().repeated
    wait_until(lambda: pipeline.meters.counts().repeated >= before + 10)


def source_is(pipeline: LivePipeline, health: Health) -> float:
    return wait_until(lambda: pipeline.snapshot().source.health is health)


def test_from_camera_to_viewer_every_picture_is_one_that_was_shown() -> None:
    with film(drivers.FILM, SIZE, "YUYV") as camera, live("camera:11"):
        seen = seen_now(12)
        sent = len(camera.lines)
    check(seen)
    assert max(view.number for view in seen) <= sent
    assert len({view.number for view in seen}) > 6


def test_the_camera_is_unplugged_and_comes_back() -> None:
    with live("camera:0") as pipeline:
        goes_on(pipeline)
        drivers.unplug()
        source_is(pipeline, Health.WARNING)
        assert mentions(pipeline.snapshot().source.message, "camera.stopped")
        output_ticks(pipeline)
        drivers.plug_in()
        took = source_is(pipeline, Health.OK)
        goes_on(pipeline)
        print(f"back {took:.1f} s after its return as {drivers.camera_node()}")


def test_the_camera_comes_back_under_another_number() -> None:
    with live("camera:0") as pipeline:
        holding = os.open(drivers.CAMERA, os.O_RDWR)  # as a program does that has not noticed yet
        try:
            drivers.unplug()
            drivers.plug_in()
            assert drivers.camera_node() not in (None, drivers.CAMERA)
            source_is(pipeline, Health.WARNING)
            source_is(pipeline, Health.OK)
            captured = pipeline.meters.counts().captured
            wait_until(lambda: pipeline.meters.counts().captured > captured + 5)
        finally:
            os.close(holding)


def test_the_camera_falls_silent_without_an_error() -> None:
    camera = film(drivers.FILM, SIZE, "YUYV")
    with live("camera:11") as pipeline:
        camera.end()
        source_is(pipeline, Health.WARNING)
        output_ticks(pipeline)
        kept = seen_now(5)
        check(kept)
        assert len({view.number for view in kept}) == 1, "viewers see the last picture"
        with film(drivers.FILM, SIZE, "YUYV", first=500):
            source_is(pipeline, Health.OK)
            later = seen_now(5)
            check(later)
            assert later[0].number >= 500


def test_the_camera_is_held_by_another_program_until_the_user_tries_again() -> None:
    with holder(drivers.CAMERA) as other:
        config = LiveConfig(source="camera:0", sinks=("vcam",), size=SIZE, fps=5, look=Look(enhance=False))
        pipeline = LivePipeline(config, outside=Outside(load=no_network))
        pipeline.start()
        try:
            source_is(pipeline, Health.FAILED)
            assert mentions(pipeline.snapshot().source.message, "camera.busy")
            other.end()
            pipeline.retry("source")
            source_is(pipeline, Health.OK)
            goes_on(pipeline)
        finally:
            pipeline.stop()


def test_the_virtual_camera_is_held_by_another_program_until_the_user_tries_again() -> None:
    with film(drivers.VIRTUAL, SIZE) as other, film(drivers.FILM, SIZE, "YUYV"):
        config = LiveConfig(source="camera:11", sinks=("vcam",), size=SIZE, fps=5, look=Look(enhance=False))
        pipeline = LivePipeline(config, outside=Outside(load=no_network))
        pipeline.start()
        try:
            wait_until(lambda: pipeline.snapshot().sink.health is Health.FAILED)
            assert mentions(pipeline.snapshot().sink.message, "vcam.in_use", name=drivers.VIRTUAL)
            captured = pipeline.meters.counts().captured
            wait_until(lambda: pipeline.meters.counts().captured > captured + 5)
            other.end()
            pipeline.retry("sink")
            wait_until(lambda: pipeline.snapshot().sink.health is Health.OK)
            check(seen_now(5))
        finally:
            pipeline.stop()


def test_viewers_that_come_and_go_change_nothing() -> None:
    with film(drivers.FILM, SIZE, "YUYV"), live("camera:11") as pipeline:
        with viewer(drivers.VIRTUAL, 1000, pause=1.0) as slow:
            slow.wait_for_lines(1)
            check(seen_now(5))
            goes_on(pipeline)
        check(seen_now(5))
        assert pipeline.snapshot().sink.health is Health.OK

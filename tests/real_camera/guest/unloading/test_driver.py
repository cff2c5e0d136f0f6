"""The virtual camera's driver, unloaded and loaded again: for guests whose kernel has it as a module."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from gpen_live.errors import SinkError
from gpen_live.live.status.snapshot import Health
from gpen_live.sinks import loopback, open_sink
from tests.messages.says import mentions
from tests.real_camera.guest import drivers
from tests.real_camera.guest.io.test_pipeline import goes_on, live
from tests.real_camera.guest.io.test_virtual_camera import SMALL, sending, watch
from tests.real_camera.guest.programs import viewer, wait_until

UNLOAD, SETUP = drivers.by_root(loopback.UNLOAD_COMMAND), drivers.by_root(loopback.SETUP_COMMAND)


@pytest.fixture(autouse=True)
def loopbacks() -> Iterator[None]:
    """All of them again afterwards, for the command that people are told to type makes one."""
    yield
    drivers.reload_loopbacks()


def test_the_driver_is_not_unloaded_from_under_us_and_once_unloaded_it_is_missed_until_it_is_back() -> None:
    with sending() as thread:
        assert "in use" in drivers.refused(*UNLOAD)
        before = thread.sent
        wait_until(lambda: thread.sent > before + 5)
    drivers.call(*UNLOAD)
    with pytest.raises(SinkError) as caught:
        open_sink("vcam", size=SMALL, fps=30)
    assert caught.value.message.id == "vcam.module"
    assert loopback.SETUP_COMMAND in caught.value.remedy
    drivers.call(*SETUP)  # what people are told to type
    with sending() as thread, viewer(drivers.VIRTUAL, 10) as program:
        watch(program, SMALL, 10, thread)


def test_the_virtual_cameras_driver_is_gone_and_comes_back() -> None:
    with live("camera:0") as pipeline:
        assert "in use" in drivers.refused(*UNLOAD)
        goes_on(pipeline)
        pipeline.change(sinks=())
        wait_until(lambda: pipeline.snapshot().sink.health is Health.OFF)
        wait_until(lambda: subprocess.run(UNLOAD, capture_output=True, check=False).returncode == 0)
        pipeline.change(sinks=("vcam",))
        wait_until(lambda: pipeline.snapshot().sink.health is Health.FAILED)
        assert mentions(pipeline.snapshot().sink.message, "vcam.module")
        captured = pipeline.meters.counts().captured
        wait_until(lambda: pipeline.meters.counts().captured > captured + 5)
        drivers.call(*SETUP)
        pipeline.retry("sink")
        wait_until(lambda: pipeline.snapshot().sink.health is Health.OK)
        goes_on(pipeline)

"""Whether a program reads the virtual camera, as the real driver tells or its processes do."""

from __future__ import annotations

from gpen_live.live.pacing.idle import REASON
from gpen_live.sinks import loopback
from gpen_live.sinks.readers import holders, readers, told_by_driver
from tests.real_camera.guest import drivers
from tests.real_camera.guest.io.test_pipeline import goes_on, live
from tests.real_camera.guest.io.test_virtual_camera import sending
from tests.real_camera.guest.programs import viewer, wait_until


def test_a_reader_is_known_while_it_reads_and_no_longer() -> None:
    with sending():
        device = loopback.own_device()
        assert device is not None
        print("the driver tells:", told_by_driver(device), "holders:", holders(device))
        assert readers(device) == 0
        with viewer(drivers.VIRTUAL, 500) as program:
            program.wait_for_lines(3)
            print("with a viewer the driver tells:", told_by_driver(device), "holders:", holders(device))
            assert (readers(device) or 0) >= 1
        wait_until(lambda: readers(device) == 0)


def test_asking_does_not_disturb_what_is_sent() -> None:
    with sending() as thread:
        device = loopback.own_device()
        assert device is not None
        before = thread.sent
        for _ in range(200):
            readers(device)
        wait_until(lambda: thread.sent > before + 5)


def test_the_app_rests_while_nobody_reads_and_wakes_for_who_comes() -> None:
    with live("camera:0", enhance=True) as pipeline:
        wait_until(lambda: pipeline.snapshot().raw_reason == REASON)
        goes_on(pipeline)  # a camera that says nothing is taken for a broken one
        with viewer(drivers.VIRTUAL, 500) as program:
            program.wait_for_lines(1)
            woke = wait_until(lambda: pipeline.snapshot().raw_reason != REASON)
        wait_until(lambda: pipeline.snapshot().raw_reason == REASON)
        print(f"awake {woke:.2f} s after the viewer's first picture")

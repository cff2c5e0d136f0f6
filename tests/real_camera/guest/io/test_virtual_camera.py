"""Our virtual camera on v4l2loopback, looked at by other programs."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gpen_live.errors import SinkError
from gpen_live.frame import Size
from gpen_live.media.pixel_formats import convert
from gpen_live.sinks import open_sink
from gpen_live.sinks.base import Sink
from tests.messages.says import holds
from tests.real_camera.guest import drivers
from tests.real_camera.guest.numbered import BITS, picture
from tests.real_camera.guest.programs import Program, View, film, viewer, views, wait_until

SMALL = Size(640, 480)
TOLERANCE = 1.5
"""Mean difference over a picture, of 255: I420's colours have half the resolution."""


class Sending:
    """Sends numbered pictures from a thread of its own, as the app's sender does."""

    def __init__(self, sink: Sink, size: Size, fps: float) -> None:
        self._sink, self._size, self._period = sink, size, 1 / fps
        self.sent = 0
        self.longest_s = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for number in itertools.count():
            pixels = convert(picture(number % 2**BITS, self._size), self._sink.wants)
            begun = time.monotonic()
            self._sink.send(pixels, begun)
            self.longest_s = max(self.longest_s, time.monotonic() - begun)
            self.sent = number + 1
            if self._stop.wait(self._period):
                return


@contextmanager
def sending(size: Size = SMALL, fps: float = 5, spec: str = "vcam") -> Iterator[Sending]:
    sink = open_sink(spec, size=size, fps=fps)
    thread = Sending(sink, size, fps)
    try:
        wait_until(lambda: thread.sent > 0)
        yield thread
    finally:
        thread.end()
        sink.close()


def check(seen: list[View], size: Size, sent: int) -> None:
    """Each picture carries a number that was sent, in order (a viewer may be shown one twice), and looks as it did."""
    numbers = [view.number for view in seen]
    assert all(view.whole for view in seen), seen
    assert {view.size for view in seen} == {size}
    assert numbers == sorted(numbers), "out of order"
    assert max(numbers) <= sent, "a number that was never sent"
    assert len(set(numbers)) > len(numbers) // 2, "a frozen picture"
    assert max(view.difference for view in seen) < TOLERANCE, seen


def watch(program: Program, size: Size, count: int, thread: Sending) -> None:
    assert program.code() == 0
    seen = views(program.lines)
    assert len(seen) == count
    check(seen, size, thread.sent)
    print(f"{size}: numbers {seen[0].number} to {seen[-1].number}, worst mean difference {max(v.difference for v in seen):.2f}")


@pytest.mark.parametrize("size", [SMALL, Size(1280, 720), Size(1920, 1080)], ids=str)
def test_what_is_sent_is_seen(size: Size) -> None:
    with sending(size) as thread, viewer(drivers.VIRTUAL, 8) as program:
        watch(program, size, 8, thread)


def test_the_device_with_our_label_is_taken_and_named() -> None:
    sink = open_sink("vcam", size=SMALL, fps=30)
    assert sink.label == "GPEN Live (/dev/video10)"
    sink.close()


def test_two_viewers_at_once() -> None:
    with sending() as thread, viewer(drivers.VIRTUAL, 8) as one, viewer(drivers.VIRTUAL, 8) as other:
        watch(one, SMALL, 8, thread)
        watch(other, SMALL, 8, thread)


def test_a_viewer_that_leaves_takes_nothing_from_one_that_stays() -> None:
    with sending() as thread, viewer(drivers.VIRTUAL, 1000) as stays:
        stays.wait_for_lines(3)
        for _ in range(2):
            with viewer(drivers.VIRTUAL, 3) as leaves:
                watch(leaves, SMALL, 3, thread)
            stays.wait_for_lines(len(stays.lines) + 10)
        check(views(stays.lines), SMALL, thread.sent)


def test_a_viewer_that_comes_and_goes() -> None:
    with sending() as thread:
        last = -1
        for _ in range(3):
            with viewer(drivers.VIRTUAL, 8) as program:
                watch(program, SMALL, 8, thread)
                first = views(program.lines)[0].number
            assert first > last, "an old picture"
            last = first
        before = thread.sent
        wait_until(lambda: thread.sent > before + 5)  # nobody looks, and it goes on


def test_a_slow_viewer_and_one_that_is_killed_hold_nobody_up() -> None:
    with sending() as thread, viewer(drivers.VIRTUAL, 1000, pause=30.0) as slow:
        slow.wait_for_lines(1)
        before = thread.sent
        wait_until(lambda: thread.sent > before + 20)
        assert len(slow.lines) == 1, "it was not slow"
        with viewer(drivers.VIRTUAL, 10) as quick:
            watch(quick, SMALL, 10, thread)
        slow.end()
        before = thread.sent
        wait_until(lambda: thread.sent > before + 5)
        assert thread.longest_s < 15.0, "a viewer's pause was the sender's"


def test_no_viewer_gets_in_before_the_first_frame() -> None:
    with viewer(drivers.VIRTUAL, 1) as early:
        assert early.code() == 3  # exclusive_caps=1: until then it is no camera


def test_held_by_another_program_then_free() -> None:
    with film(drivers.VIRTUAL, SMALL):
        with pytest.raises(SinkError) as caught:
            open_sink("vcam", size=SMALL, fps=30)
        assert holds(caught.value.message, "vcam.in_use", name=drivers.VIRTUAL)
    with sending() as thread, viewer(drivers.VIRTUAL, 5) as program:
        watch(program, SMALL, 5, thread)


def test_a_device_that_is_not_there_or_no_output() -> None:
    with pytest.raises(SinkError) as caught:
        open_sink("vcam:/dev/video77", size=SMALL, fps=30)
    assert holds(caught.value.message, "vcam.missing", device="/dev/video77")
    with pytest.raises(SinkError) as camera:
        open_sink(f"vcam:{drivers.CAMERA}", size=SMALL, fps=30)
    assert holds(camera.value.message, "vcam.not_virtual", device=drivers.CAMERA)


def test_another_size_at_the_next_opening() -> None:
    for size in (SMALL, Size(1280, 720), SMALL):
        with sending(size) as thread, viewer(drivers.VIRTUAL, 3) as program:
            watch(program, size, 3, thread)


def test_a_viewer_that_stays_sees_the_next_sender_and_keeps_its_size() -> None:
    with sending():
        program = viewer(drivers.VIRTUAL, 1000, pause=0.1)
        program.wait_for_lines(3)
    with program:
        with pytest.raises(SinkError) as caught:
            open_sink("vcam", size=Size(1280, 720), fps=30)
        assert holds(caught.value.message, "vcam.shown_otherwise", name="GPEN Live (/dev/video10)", size="640x480")
        with sending() as thread:
            program.wait_for_lines(len(program.lines) + 5)
            check(views(program.lines[-4:]), SMALL, thread.sent)


def test_our_own_sender_that_was_killed_is_in_nobodys_way() -> None:
    with Program("sender", "vcam", SMALL) as other:
        other.wait_for_lines(3)
        other.kill()
    with sending() as thread, viewer(drivers.VIRTUAL, 3) as program:
        watch(program, SMALL, 3, thread)


def test_a_sender_that_the_driver_has_forgotten_is_in_nobodys_way() -> None:
    with film(drivers.VIRTUAL, SMALL, streams=False):
        pass
    with sending() as thread, viewer(drivers.VIRTUAL, 3) as program:
        watch(program, SMALL, 3, thread)

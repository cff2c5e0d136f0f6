"""When the network rests: with readers, a window and a clock of the tests' own."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpen_live.live.config import LiveConfig, Resting
from gpen_live.live.pacing.idle import IdleMonitor, nobody_sees
from gpen_live.live.session import Session
from gpen_live.live.status.snapshot import Health

WISHES = st.sampled_from(Resting)
WINDOWS = st.sampled_from([True, False, None])
READERS = st.one_of(st.none(), st.integers(0, 3))
SINKS = st.sampled_from(["none", "vcam", "vcam:/dev/video10", "stream.mp4"])


@given(WISHES, SINKS, WINDOWS, READERS)
def test_what_somebody_sees_never_rests(wish: Resting, sink: str, window: bool | None, read_by: int | None) -> None:
    rests = nobody_sees(wish, sink, window, read_by)
    seen = window or sink == "stream.mp4" or (sink.startswith("vcam") and read_by)
    assert not (seen and rests)
    assert not (wish is Resting.NEVER and rests)


@pytest.mark.parametrize(
    ("wish", "window", "read_by", "rests"),
    [
        (Resting.KNOWN, False, 0, True),
        (Resting.KNOWN, None, 0, True),  # headless
        (Resting.KNOWN, False, None, False),  # not known: it might be seen
        (Resting.HIDDEN, False, None, True),
        (Resting.HIDDEN, None, None, False),
        (Resting.HIDDEN, False, 1, False),  # known to be seen
    ],
)
def test_the_virtual_camera(wish: Resting, window: bool | None, read_by: int | None, rests: bool) -> None:
    assert nobody_sees(wish, "vcam", window, read_by) is rests


def test_without_an_output_a_hidden_window_rests_and_a_measurement_does_not() -> None:
    assert nobody_sees(Resting.KNOWN, "none", False, None)
    assert not nobody_sees(Resting.KNOWN, "none", None, None)


class Desk:
    def __init__(self) -> None:
        self.at, self.count, self.asked = 0.0, 0, 0
        self.session = Session(LiveConfig(sinks=("vcam",)), clock=lambda: self.at)
        self.session.board.write("sink", Health.OK, "GPEN Live (/dev/video10)")
        self.rest = IdleMonitor(self.session, self.readers)
        self.rest.window = False

    def readers(self, device: str) -> int | None:
        assert device == "/dev/video10"
        self.asked += 1
        return self.count

    def after(self, seconds: float) -> bool:
        self.at += seconds
        self.rest.look()
        return self.rest.resting


def test_it_rests_after_a_while_and_wakes_at_once() -> None:
    desk = Desk()
    assert not desk.after(0.0)
    assert not desk.after(1.9)
    assert desk.after(0.2)
    desk.count = 1
    assert not desk.after(0.03)
    desk.count = 0
    assert not desk.after(0.03)
    assert not desk.after(1.0), "a program that opens the camera anew finds it awake"
    assert desk.after(1.1)


def test_beside_a_recording_it_never_rests_and_of_two_cameras_each_is_asked_about() -> None:
    desk = Desk()
    desk.session.change(sinks=("vcam", "film.mp4"))
    assert not any(desk.after(1.0) for _ in range(10))
    desk.session.change(sinks=("film.mp4", "vcam"))
    assert not any(desk.after(1.0) for _ in range(10))
    desk.session.change(sinks=("vcam:/dev/video9", "vcam:/dev/video10"))
    desk.session.board.write("sink", Health.OK, "/dev/video9")
    desk.session.board.write("sink vcam:/dev/video10", Health.OK, "/dev/video10")
    counts = {"/dev/video9": 0, "/dev/video10": 1}
    desk.rest = IdleMonitor(desk.session, lambda device: counts[device])
    desk.rest.window = False
    assert not any(desk.after(1.0) for _ in range(10))
    counts["/dev/video10"] = 0
    assert [desk.after(1.0) for _ in range(3)] == [False, False, True]


def test_while_the_window_is_seen_nobody_is_asked() -> None:
    desk = Desk()
    desk.rest.window = True
    assert not desk.after(10.0)
    assert desk.asked == 0


def test_a_virtual_camera_that_is_not_open_yet_is_not_asked_about() -> None:
    desk = Desk()
    desk.session.board.write("sink", Health.STARTING)
    for _ in range(10):
        assert not desk.after(1.0)
    assert desk.asked == 0


def test_who_never_wants_it_to_rest_does_not_pay_for_looking() -> None:
    desk = Desk()
    desk.session.change(rest=Resting.NEVER)
    assert not any(desk.after(1.0) for _ in range(10))
    assert desk.asked == 0


def test_a_window_that_is_shown_while_readers_are_counted_is_seen_at_once() -> None:
    desk = Desk()
    desk.after(0.0)

    def shown_meanwhile(device: str) -> int:
        desk.rest.window = True
        return 0

    desk.rest._count = shown_meanwhile
    assert not desk.after(3.0)


class Waits(threading.Event):
    """A stop that lets time pass in no time, and comes after so many waits."""

    def __init__(self, desk: Desk, count: int) -> None:
        super().__init__()
        self.desk, self.count, self.seconds = desk, count, list[float]()

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        self.desk.at += timeout
        return len(self.seconds) > self.count


def test_it_looks_often_only_while_it_rests_and_less_where_that_is_dear() -> None:
    desk = Desk()
    desk.count = 1
    desk.session.stop = awake = Waits(desk, 20)
    desk.rest.run()
    assert min(awake.seconds) >= 0.25
    desk.count = 0
    desk.session.stop = asleep = Waits(desk, 20)
    desk.rest.run()
    assert asleep.seconds[-1] <= 1 / 30

    def dear(device: str) -> int:
        desk.at += 0.1
        return 0

    desk.rest._count = dear
    desk.session.stop = costly = Waits(desk, 20)
    desk.rest.run()
    assert costly.seconds[-1] >= 2.0


def test_the_thread_looks_and_ends() -> None:
    desk = Desk()
    thread = threading.Thread(target=desk.rest.run)
    thread.start()
    while not desk.asked:
        assert thread.is_alive()
    desk.session.stop.set()
    thread.join(20)
    assert not thread.is_alive()

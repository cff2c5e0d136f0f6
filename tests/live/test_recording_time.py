"""A recording lasts as long as the wall clock says, whatever the camera, the disk, the scheduler or the system's sleep do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGCONT, SIGSTOP

import av
import numpy as np
import pytest

from gpen_live.errors import GpenLiveError
from gpen_live.frame import Array, Size
from gpen_live.live import sender
from gpen_live.live.config import LiveConfig
from gpen_live.live.pacing.clock import now
from gpen_live.live.pipeline import LivePipeline, Outside
from gpen_live.sinks.base import Sink
from gpen_live.sinks.recorder import RecorderSink
from tests.live.fakes import SIZE, FakeSource, wait_for

ROOT = Path(__file__).parents[2]


def seconds_of(film: Path) -> float:
    """From its first picture to the end of its last one, as players take it."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        duration, unit = stream.duration, stream.time_base
    assert duration is not None
    assert unit is not None
    return float(duration * unit)


def no_network(_: object) -> object:
    raise GpenLiveError("no_network")


class Timed(Sink):
    """A recording; when its first and its last frame were sent, by a clock of the test's own. `hold` is called for each frame."""

    def __init__(self, path: Path, fps: float, hold: Callable[[int], None]) -> None:
        self._sink, self._hold = RecorderSink(path, size=SIZE, fps=fps), hold
        self.label, self.wants = self._sink.label, self._sink.wants
        self.at: list[float] = []

    def send(self, pixels: Array, at: float) -> None:
        self.at.append(time.monotonic())
        self._hold(len(self.at))
        self._sink.send(pixels, at)

    def close(self) -> None:
        self._sink.close()


def recorded(
    path: Path, seconds: float, *, camera_fps: float, fps: float = 30.0, hold: Callable[[int], None] = lambda _: None
) -> float:
    """Records from a camera; returns for how long, from the first frame's send to a period after the last one's."""
    sink = Timed(path, fps, hold)

    def opened(*_: object, **__: object) -> Sink:
        return sink

    def camera(*_: object, **__: object) -> FakeSource:
        return FakeSource(fps=camera_fps)

    outside = Outside(open_source=camera, open_sink=opened, load=no_network)  # type: ignore[arg-type]
    pipeline = LivePipeline(LiveConfig(sinks=(str(path),), size=SIZE, fps=fps), outside=outside)
    pipeline.start()
    try:
        wait_for(lambda: bool(sink.at) and time.monotonic() - sink.at[0] > seconds)
    finally:
        pipeline.stop()
    return sink.at[-1] - sink.at[0] + 1 / fps


@pytest.mark.parametrize("rate", [30000 / 1001, 29.8])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_minutes_of_a_camera_that_is_a_little_slow(name: str, rate: float, tmp_path: Path) -> None:
    """The output's ticks follow it, so that its frames have the camera's distances and not those that the recording was told."""
    sink = RecorderSink(tmp_path / name, size=Size(32, 32), fps=30)
    frames = round(120 * rate)
    for number in range(frames):
        sink.send(np.full((48, 32), number % 200, np.uint8), 5000 + number / rate)
    sink.close()
    with av.open(str(tmp_path / name)) as container:
        times = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None]
    assert len(times) == frames
    assert float(times[-1] - times[0]) == pytest.approx(120, abs=2 / rate)


@pytest.mark.parametrize("camera_fps", [30000 / 1001, 29.8, 22.3])
def test_a_camera_of_an_odd_rate(camera_fps: float, tmp_path: Path) -> None:
    took = recorded(tmp_path / "a.mp4", 3, camera_fps=camera_fps)
    assert seconds_of(tmp_path / "a.mp4") == pytest.approx(took, abs=2 / 30)


def test_a_disk_that_holds_a_frame_for_a_while(tmp_path: Path) -> None:
    took = recorded(tmp_path / "a.mp4", 7, camera_fps=30, hold=lambda number: time.sleep(5 if number == 30 else 0))
    assert took > 6
    assert seconds_of(tmp_path / "a.mp4") == pytest.approx(took, abs=2 / 30)


def test_the_systems_sleep_is_a_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, slept = now, 0.0

    def sleeps(number: int) -> None:
        nonlocal slept
        slept = 3600.0 if number >= 30 else 0.0

    monkeypatch.setattr(sender, "now", lambda: clock() + slept)
    took = recorded(tmp_path / "a.mp4", 2, camera_fps=30, hold=sleeps)
    assert seconds_of(tmp_path / "a.mp4") == pytest.approx(took + 3600, abs=2 / 30)


STOPPED = """
import sys, time
from pathlib import Path
from tests.live.test_recording_time import recorded
print("loaded", flush=True)
print(recorded(Path(sys.argv[1]), float(sys.argv[2]), camera_fps=30, hold=lambda n: n == 20 and print("recording", flush=True)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("seconds", [6, 2])
def test_a_process_that_is_stopped_for_a_while(seconds: int, tmp_path: Path) -> None:
    """Also where the recording ends at once when it goes on."""
    film = tmp_path / "a.mp4"
    command = [sys.executable, "-c", STOPPED, str(film), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        assert process.stdout.readline() == "recording\n"
        process.send_signal(SIGSTOP)
        time.sleep(3)
        process.send_signal(SIGCONT)
        took = float(process.stdout.readline())
    assert took > 3
    assert seconds_of(film) == pytest.approx(took, abs=2 / 30)

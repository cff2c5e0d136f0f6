"""A recording ended at any moment of its writing: every state that its file goes through on the disk can be played."""

from __future__ import annotations

import errno
import io
import shutil
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest

from gpen_live.errors import SinkError
from gpen_live.frame import Size
from gpen_live.media.video_file import VideoFile
from gpen_live.sinks import recorder
from gpen_live.sinks.recorder import RecorderSink
from tests.sinks.films import playable

FPS = 10
FRAMES = 47
SIZE = Size(96, 64)


class Step(NamedTuple):
    """Bytes that reached the disk at an offset after so many frames were sent."""

    at: int
    data: bytes
    sent: int


class WatchedFile(io.FileIO):
    """Writes down what it writes, in `steps`."""

    steps: list[Step]
    sent = 0
    room: int | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]
        taken = bytes(data)
        if WatchedFile.room is not None:
            taken = taken[: WatchedFile.room]
            WatchedFile.room -= len(taken)
            if not taken:
                raise OSError(errno.ENOSPC, "No space left on device")
        WatchedFile.steps.append(Step(self.tell(), taken, WatchedFile.sent))
        return super().write(taken)


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io, "FileIO", WatchedFile)
    WatchedFile.steps, WatchedFile.sent, WatchedFile.room = [], 0, None


def record(path: Path) -> None:
    """Noise, so that the file is large enough to be written in many steps."""
    noise = np.random.default_rng(0)
    sink = RecorderSink(path, size=SIZE, fps=FPS)
    try:
        for _ in range(FRAMES):
            WatchedFile.sent += 1
            sink.send(noise.integers(0, 255, (SIZE.height * 3 // 2, SIZE.width), dtype=np.uint8), WatchedFile.sent / FPS)
    finally:
        sink.close()


def boxes(path: Path) -> list[str]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        found.append(data[at + 4 : at + 8].decode())
        length = int.from_bytes(data[at : at + 4], "big")
        assert length >= 8
        at += length
    assert at == len(data)
    return found


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_whenever_it_is_killed_all_but_the_last_second_plays(name: str, tmp_path: Path) -> None:
    record(tmp_path / name)
    steps = WatchedFile.steps
    assert len(steps) > 5
    disk = bytearray()
    for step in steps:
        for part in (step.data[: len(step.data) // 2], step.data):  # a write may be cut in the middle too
            after = bytearray(disk)
            after[step.at : step.at + len(part)] = part
            killed = tmp_path / f"killed-{name}"
            killed.write_bytes(after)
            assert playable(killed) >= step.sent - FPS - 1, f"at {step.at} after {step.sent} frames"
        disk[step.at : step.at + len(step.data)] = step.data
    assert bytes(disk) == (tmp_path / name).read_bytes()
    assert playable(tmp_path / name) == FRAMES


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_closed_in_order_it_is_an_ordinary_film_that_can_be_searched(name: str, tmp_path: Path) -> None:
    record(tmp_path / name)
    assert [kind for kind in boxes(tmp_path / name) if kind not in ("free", "wide")] == ["ftyp", "mdat", "moov"]
    with av.open(str(tmp_path / name)) as film:
        stream = film.streams.video[0]
        assert stream.frames == FRAMES
        assert stream.duration is not None
        assert stream.time_base is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(FRAMES / FPS)
        film.seek(int(3 / stream.time_base), stream=stream)
        assert next(film.decode(video=0)).time == pytest.approx(3)


def test_a_matroska_film_can_be_searched_too(tmp_path: Path) -> None:
    record(tmp_path / "a.mkv")
    with av.open(str(tmp_path / "a.mkv")) as film:
        assert film.duration == pytest.approx(FRAMES / FPS * 1e6, rel=0.02)
        film.seek(3_000_000)
        assert next(film.decode(video=0)).time == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
def test_wherever_the_disk_fills_up_what_is_there_plays_and_it_is_said_once(name: str, tmp_path: Path) -> None:
    record(tmp_path / name)
    ends = np.cumsum([len(step.data) for step in WatchedFile.steps]).tolist()
    whole = (tmp_path / name).stat().st_size
    for room in sorted({*ends[2:], *(end - 7 for end in ends[2:]), *np.linspace(whole // 8, whole, 12).astype(int).tolist()}):
        WatchedFile.steps, WatchedFile.sent, WatchedFile.room = [], 0, room
        path = tmp_path / f"full-{name}"
        complaint = None
        try:
            record(path)
        except SinkError as error:
            complaint = error.what
        if complaint is None:
            assert playable(path) == FRAMES
            continue
        assert complaint == f"{path} can't be written (No space left on device)."
        written = sum(len(step.data) for step in WatchedFile.steps)
        assert playable(path) >= int(FRAMES * written / whole) - 2 * FPS, f"with room for {room} of {whole} bytes"
        if name != "a.mkv":
            boxes(path)  # no box is cut off: players that are strict take it


def test_an_error_in_sending_is_not_said_again_at_the_end(tmp_path: Path) -> None:
    sink = RecorderSink(tmp_path / "a.mp4", size=SIZE, fps=FPS)
    WatchedFile.room = 0
    picture = np.zeros((SIZE.height * 3 // 2, SIZE.width), np.uint8)

    def go_on() -> None:
        for number in range(3 * FPS):
            sink.send(picture, number / FPS)

    with pytest.raises(SinkError, match="No space left"):
        go_on()
    sink.close()


def test_it_ends_in_order_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    def free(_: Path) -> Usage:
        return Usage(recorder._ROOM + 60 - 2 * WatchedFile.sent)

    monkeypatch.setattr(shutil, "disk_usage", free)
    with pytest.raises(SinkError, match=r"nearly full, so the recording a\.mp4 ended; what was recorded is there\. Make room"):
        record(tmp_path / "a.mp4")
    assert [kind for kind in boxes(tmp_path / "a.mp4") if kind != "free"] == ["ftyp", "mdat", "moov"]
    assert playable(tmp_path / "a.mp4") == 30, "looked at once a second"
    with pytest.raises(SinkError, match="There is no room to record"):
        RecorderSink(tmp_path / "b.mp4", size=SIZE, fps=FPS)
    assert not (tmp_path / "b.mp4").exists()


def test_what_changes_earlier_bytes_waits_for_the_end(tmp_path: Path) -> None:
    path = tmp_path / "film"
    file = VideoFile(path)
    file.write(b"head, body")
    assert file.seek(0) == 0
    file.write(b"HEAD")
    assert file.seek(-4, 2) == 6
    file.write(b"BODY, tail")  # partly over what is there
    assert file.tell() == 16
    assert path.read_bytes() == b"head, body, tail"
    file.finish()
    assert path.read_bytes() == b"HEAD, BODY, tail"


def test_abandoned_a_file_of_another_kind_stays_as_it_is(tmp_path: Path) -> None:
    for content in (b"", b"short", b"no boxes at all, but text that is longer", bytes(100)):
        file = VideoFile(tmp_path / "film")
        file.write(content)
        file.abandon()
        assert (tmp_path / "film").read_bytes() == content

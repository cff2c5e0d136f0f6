"""Recording, and reading it again."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpen_live.errors import SinkError, UsageError
from gpen_live.frame import Image, Size
from gpen_live.media.pixel_formats import convert
from gpen_live.messages import Message, message
from gpen_live.sinks import open_sink, recorder
from gpen_live.sinks.base import even
from gpen_live.sinks.recorder import RecorderSink
from tests.messages.says import says


def pictures(count: int, size: Size) -> list[Image]:
    """Two colours, the border between them moving."""
    images = []
    for n in range(count):
        image = np.full((size.height, size.width, 3), (40, 90, 180), np.uint8)
        image[:, : size.width * n // count] = (170, 120, 60)
        images.append(image)
    return images


def record(path: Path, images: list[Image], fps: float = 30) -> None:
    sink = open_sink(str(path), size=Size.of(images[0]), fps=fps)
    for number, image in enumerate(images):
        sink.send(convert(image, sink.wants), 1000 + number / fps)
    sink.close()
    sink.close()


def decoded(path: Path) -> list[Image]:
    container = av.open(str(path))
    images = [frame.to_ndarray(format="bgr24").astype(np.uint8) for frame in container.decode(video=0)]
    container.close()
    return images


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "A.MP4", "ümlaut 文.mp4"])
def test_every_frame_is_there_as_it_was(tmp_path: Path, name: str) -> None:
    images = pictures(20, Size(64, 48))
    record(tmp_path / name, images, fps=25)
    read = decoded(tmp_path / name)
    assert len(read) == 20
    for before, after in zip(images, read, strict=True):
        assert np.abs(before.astype(int) - after).mean() < 6
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert float(stream.average_rate or 0) == 25
        assert (stream.codec_context.colorspace, stream.codec_context.color_range) == (5, 1)
        assert len(list(tmp_path.iterdir())) == 1


def test_colours(tmp_path: Path) -> None:
    image = np.full((48, 64, 3), (200, 60, 30), np.uint8)
    record(tmp_path / "a.mp4", [image] * 5)
    assert np.abs(decoded(tmp_path / "a.mp4")[-1].astype(int) - image).max() <= 6


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(width=st.integers(1, 70), height=st.integers(1, 70))
def test_any_size(tmp_path: Path, width: int, height: int) -> None:
    image = np.full((height, width, 3), (90, 120, 150), np.uint8)
    record(tmp_path / "a.mp4", [image] * 3)
    read = decoded(tmp_path / "a.mp4")
    assert [Size.of(after) for after in read] == [even(Size(width, height))] * 3
    assert np.abs(read[-1].astype(int) - image[0, 0]).max() <= 6


@pytest.mark.parametrize("fps", [29.97, 23.976, 12.5, 60.0, 59.94005994, 7.3])
def test_frame_rates(tmp_path: Path, fps: float) -> None:
    record(tmp_path / "a.mp4", pictures(12, Size(32, 32)), fps)
    with av.open(str(tmp_path / "a.mp4")) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    assert np.allclose(np.diff(times), 1 / fps, rtol=0.01)


def test_an_existing_file_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    record(path, pictures(30, Size(64, 48)))
    record(path, pictures(3, Size(32, 32)))
    assert [Size.of(image) for image in decoded(path)] == [Size(32, 32)] * 3


def test_nothing_sent_leaves_a_file_that_does_no_harm(tmp_path: Path) -> None:
    RecorderSink(tmp_path / "a.mp4", size=Size(64, 48), fps=30).close()
    assert (tmp_path / "a.mp4").exists()


def test_mpeg4_where_there_is_no_x264(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    images = pictures(10, Size(64, 48))
    record(tmp_path / "a.mp4", images)
    monkeypatch.undo()
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    read = decoded(tmp_path / "a.mp4")
    assert len(read) == 10
    assert np.abs(images[-1].astype(int) - read[-1]).mean() < 8


KILLED = """
import sys
import numpy as np
from pathlib import Path
from gpen_live.frame import Size
from gpen_live.sinks.recorder import RecorderSink

sink = RecorderSink(Path(sys.argv[1]), size=Size(64, 48), fps=10)
for n in range(10_000):
    sink.send(np.full((72, 64), 40 + n % 100, np.uint8), n / 10)
    if n == 65:
        print("recording", flush=True)
        sys.stdin.read()
"""


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_a_killed_program_leaves_a_film_to_watch(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "recording\n"
    process.kill()
    process.wait()
    if os.name == "posix":
        assert process.returncode == -signal.SIGKILL
    process.stdin.close()
    process.stdout.close()
    assert len(decoded(path)) >= 50  # of 66: all but the last second


# What goes wrong


def said(path: Path) -> Message:
    with pytest.raises(SinkError) as caught:
        RecorderSink(path, size=Size(64, 48), fps=30)
    return caught.value.message


def test_an_ending_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, check=says("recording.ending", file="a.avi", endings=".mp4, .mkv, .mov")):
        RecorderSink(tmp_path / "a.avi", size=Size(64, 48), fps=30)


def test_a_missing_folder(tmp_path: Path) -> None:
    assert said(tmp_path / "none" / "a.mp4") == message("recording.no_folder", folder=tmp_path / "none")


def test_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").mkdir()
    assert said(tmp_path / "a.mp4") == message("recording.folder", path=tmp_path / "a.mp4")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert said(tmp_path / "a.mp4") == message("recording.uncreatable", path=tmp_path / "a.mp4", reason="Permission denied")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.symlink_to("/dev/full")
    with pytest.raises(SinkError) as caught:
        record(path, pictures(100, Size(64, 48)))
    assert caught.value.message == message("recording.unwritable", path=path, reason="No space left on device")


def test_sending_after_the_end(tmp_path: Path) -> None:
    sink = RecorderSink(tmp_path / "a.mp4", size=Size(64, 48), fps=30)
    sink.close()
    with pytest.raises(SinkError, check=says("recording.finished")):
        sink.send(np.zeros((72, 64), np.uint8), 0.0)


def test_frames_of_another_size(tmp_path: Path) -> None:
    sink = RecorderSink(tmp_path / "a.mp4", size=Size(64, 48), fps=30)
    with pytest.raises(SinkError, check=says("recording.size", size="64x48")):
        sink.send(np.zeros((36, 32), np.uint8), 0.0)
    sink.close()


def test_the_endings_that_the_command_line_allows() -> None:
    assert recorder.SUFFIXES == (".mp4", ".mkv", ".mov")

"""Video files as sources."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from gpen_live.errors import SourceError
from gpen_live.frame import Image, Size
from gpen_live.messages import message
from gpen_live.sources import open_source
from gpen_live.sources.base import Source
from tests.messages.says import says
from tests.sources.films import film, grey_level, number_of, rotate


class Clock:
    """Stands in for `time`: sleeping moves it on."""

    def __init__(self) -> None:
        self.now = 50.0
        self.longest_sleep = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.longest_sleep = max(self.longest_sleep, seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gpen_live.sources.pacing.time", clock)
    monkeypatch.setattr("gpen_live.sources.video.time", clock)
    return clock


def play(path: Path, *, realtime: bool = False, loop: bool = False) -> Source:
    return open_source(str(path), size=None, fps=None, realtime=realtime, loop=loop)


def all_of(source: Source) -> list[Image]:
    images = []
    while (image := source.read()) is not None:
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        images.append(image)
    source.close()
    return images


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.gif", "a.webm", "a.avi", "A.MP4", "ümlaut 文.mp4"])
def test_every_frame_once_in_order(tmp_path: Path, name: str) -> None:
    path = film(tmp_path / name)
    source = play(path)
    assert (source.size, round(source.fps), source.label) == (Size(64, 48), 10, name)
    images = all_of(source)
    assert [number_of(image) for image in images] == list(range(10))
    for n, image in enumerate(images):
        assert image.shape == (48, 64, 3)
        assert np.abs(image.astype(int) - grey_level(n)).max() <= 6


def test_the_end_is_final_and_closing_twice_is_fine(tmp_path: Path) -> None:
    source = play(film(tmp_path / "a.mp4", frames=2))
    assert [source.read() is None for _ in range(5)] == [False, False, True, True, True]
    source.close()
    source.close()


def test_odd_sizes(tmp_path: Path) -> None:
    path = film(tmp_path / "odd.gif", size=Size(35, 27))
    assert all_of(play(path))[0].shape == (27, 35, 3)


def test_colours_arrive_as_bgr(tmp_path: Path) -> None:
    path = tmp_path / "blue.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgr0"
        image = np.zeros((32, 32, 3), np.uint8)
        image[:, :] = (250, 120, 10)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format="bgr0")))
        container.mux(stream.encode(None))
    (read,) = all_of(play(path))
    assert np.array_equal(read, image)


@pytest.mark.parametrize(("degrees", "turn"), [(90, cv2.ROTATE_90_CLOCKWISE), (180, cv2.ROTATE_180), (270, 2)])
def test_phones_films_stand_upright(tmp_path: Path, degrees: int, turn: int) -> None:
    path = tmp_path / "a.mp4"
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = 220  # bright upper left corner
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    rotate(path, degrees)
    source = play(path)
    (read,) = all_of(source)
    expected = cv2.rotate(picture, turn)
    assert source.size == Size.of(expected)
    assert np.abs(read.astype(int) - expected).mean() < 3


def test_real_time_follows_the_time_stamps(tmp_path: Path, clock: Clock) -> None:
    times = [0.0, 0.1, 0.15, 0.4, 0.5]
    source = play(film(tmp_path / "a.mp4", frames=5, times=times), realtime=True)
    start = clock.now
    for n, due in enumerate(times):
        image = source.read()
        assert image is not None
        assert number_of(image) == n
        assert clock.now - start == pytest.approx(due, abs=0.002)
    assert source.read() is None


def test_a_late_reader_gets_the_current_frame(tmp_path: Path, clock: Clock) -> None:
    source = play(film(tmp_path / "a.mp4"), realtime=True)
    numbers = []
    while (image := source.read()) is not None:
        numbers.append(number_of(image))
        clock.now += 0.25  # 2.5 frames of work
    assert numbers == [0, 2, 5, 7, 9]


def test_after_a_long_absence_it_goes_on_where_it_was(tmp_path: Path, clock: Clock) -> None:
    source = play(film(tmp_path / "a.mp4"), realtime=True)
    first = source.read()
    clock.now += 3600
    numbers = [number_of(image) for image in (first, source.read(), source.read()) if image is not None]
    assert numbers == [0, 1, 2]


def test_a_long_still_passage_repeats_its_picture(tmp_path: Path, clock: Clock) -> None:
    source = play(film(tmp_path / "a.mkv", frames=3, times=[0.0, 2.2, 2.3]), realtime=True)
    numbers = [number_of(image) for image in all_of(source)]
    assert numbers == [0, 0, 0, 0, 0, 1, 2]
    assert clock.longest_sleep <= 0.5
    assert len(all_of(play(tmp_path / "a.mkv"))) == 3


@pytest.mark.parametrize("realtime", [False, True])
def test_looping(tmp_path: Path, clock: Clock, realtime: bool) -> None:
    source = play(film(tmp_path / "a.mp4", frames=4), realtime=realtime, loop=True)
    numbers, times = [], []
    for _ in range(10):
        image = source.read()
        assert image is not None
        numbers.append(number_of(image))
        times.append(clock.now)
    assert numbers == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    if realtime:
        assert np.allclose(np.diff(times), 0.1, atol=0.002)
    source.close()


def test_a_frame_that_changes_size_midway_is_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    parts = []
    for size in (Size(64, 48), Size(96, 64)):
        part = film(tmp_path / f"{size}.ts", frames=3, size=size)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    assert {Size.of(image) for image in all_of(play(path))} == {Size(64, 48), Size(96, 64)}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.txt", b"This is no film.\n" * 50),
        ("noise.mp4", np.random.default_rng(0).bytes(4096)),
        ("cut.mp4", b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n"),
        ("list.ffconcat", b"ffconcat version 1.0\nfile other.mp4\n"),
    ],
)
def test_what_is_no_video(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        play(path)
    assert caught.value.message == message("video.unreadable", file=name)


def test_a_video_that_lost_its_end_before_its_index(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(SourceError, check=says("video.unreadable", file="a.mp4")):
        play(path)


def test_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        assert isinstance(stream, av.AudioStream)
        for n in range(4):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate, sound.pts = 44100, n * 1024
            container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(SourceError) as caught:
        play(path)
    assert caught.value.message == message("video.sound_only", file="song.mp4")


def test_no_frames_at_all(tmp_path: Path) -> None:
    path = film(tmp_path / "none.mkv", frames=0)
    with pytest.raises(SourceError) as caught:
        play(path)
    assert caught.value.message.params["file"] == "none.mkv"


def test_damage_in_the_middle_is_played_over(tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", frames=18)
    data = bytearray(path.read_bytes())
    third = [at for at in range(len(data)) if data[at : at + 4] == b"00dc"][3] + 8
    data[third : third + 24] = bytes(24)
    path.write_bytes(data)
    assert number_of(all_of(play(path))[-1]) == 17


@pytest.mark.parametrize("loop", [False, True])
def test_damage_up_to_the_end(tmp_path: Path, loop: bool) -> None:
    path = film(tmp_path / "a.mp4", frames=18, size=Size(320, 240))
    data = bytearray(path.read_bytes())
    first, last = data.index(b"mdat") + 4, data.index(b"moov") - 4
    middle = (first + last) // 2
    data[middle:last] = np.random.default_rng(1).bytes(last - middle)
    path.write_bytes(data)
    source = play(path, loop=loop)
    with pytest.raises(SourceError) as caught:
        all_of(source)
    assert caught.value.message == message("video.damaged", file="a.mp4")
    source.close()

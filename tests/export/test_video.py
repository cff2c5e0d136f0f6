"""As fast as possible: every frame once, in order, and the same pictures however fast the machine is."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

from gpen_live.engine.effort import Effort
from gpen_live.errors import SinkError, SourceError, WeightsError
from gpen_live.export.video import VideoRun
from gpen_live.faces.detect import Detection
from gpen_live.frame import Array, Image, PixelFormat, Size
from gpen_live.inference.device import Device
from gpen_live.live.config import LiveConfig
from gpen_live.live.models.loader import LoadedModel, ModelRequest
from gpen_live.live.pipeline import Outside
from gpen_live.live.status.snapshot import Health
from gpen_live.messages import Message, message
from tests.faults.fakes import ENHANCED, RAW, Known, World
from tests.live.fakes import FakeSink, FakeSource, wait_for
from tests.live.test_recording_time import seconds_of
from tests.messages.says import mentions

Pictures = npt.NDArray[np.float32]

FRAMES = 24
FPS = 30.0


class Film(FakeSource):
    """A film of `FPS` frames a second, read as fast as may be; `script` as in FakeSource."""

    def read(self) -> Image | None:
        number = self.number
        image = super().read()
        self.media_time = number / FPS
        return image


class Trembling(Known):
    """Finds the face a little beside where it is, by chance, but alike in every run."""

    def __init__(self, device: Device) -> None:
        super().__init__(device)
        self._chance = np.random.default_rng(5)

    def detect(self, image: Array, *, max_faces: int = 4, threshold: float = 0.6) -> list[Detection]:
        (face,) = self.faces
        return [Detection(face.box, face.score, face.landmarks + self._chance.normal(0, 1.5, (5, 2)))]


class Studio(World):
    """A film, a real engine and a sink."""

    def __init__(self, frames: int = FRAMES) -> None:
        super().__init__()
        self.film = self.source = Film(fps=2000, size=self.source.size, script={frames: None})
        self.open_error: SinkError | None = None

    @property
    def outside(self) -> Outside:
        def load(wanted: ModelRequest) -> LoadedModel:
            plain = self._load(wanted)
            return LoadedModel(wanted, plain.device, plain.device_label, Trembling(plain.device), plain.enhancer)

        def open_sink(spec: str, **_: object) -> FakeSink:
            if self.open_error is not None:
                raise self.open_error
            return self.sink

        return Outside(open_source=self._open_source, open_sink=open_sink, load=load)

    def slow(self, seconds: float) -> None:
        def slowly(pictures: Pictures) -> Pictures:
            time.sleep(seconds)
            return pictures + 0.2

        self.network.fault = slowly


Run = Callable[..., VideoRun]


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs what is in a studio to its end: `run(studio, max_frames=None, **wishes)`."""
    runs: list[VideoRun] = []

    def begin(
        studio: Studio,
        *,
        max_frames: int | None = None,
        wait: bool = True,
        outside: Outside | None = None,
        **wishes: object,
    ) -> VideoRun:
        config = LiveConfig(loop=False, **wishes)  # type: ignore[arg-type]
        made = VideoRun(config, max_frames=max_frames, outside=outside or studio.outside)
        runs.append(made)
        made.start()
        if wait:
            wait_for(lambda: made.finished)
        return made

    yield begin
    for each in runs:
        each.stop()


def test_every_frame_goes_out_once_in_order_and_is_counted(run: Run) -> None:
    studio = Studio()
    studio.slow(0.01)
    done = run(studio, budget_ms=1.0)
    assert studio.numbers() == list(range(FRAMES))
    counts = done.meters.counts()
    assert (counts.captured, counts.sent, counts.dropped, counts.repeated) == (FRAMES, FRAMES, 0, 0)
    assert counts.enhanced == FRAMES - 1, "the first one has a face that is only coming into view"
    assert done.error() is None
    assert studio.sink.closed.is_set()
    assert studio.film.closed.is_set()
    engine = done._engine
    assert engine is not None
    assert engine.effort == Effort(), "nothing is given up"


def test_beauty_is_there_from_the_first_face_on(run: Run) -> None:
    from tests.faults.test_beauty import ADDED, SMOOTH, Painter

    studio = Studio()

    def slowly(device: Device) -> Painter:
        time.sleep(0.2)
        return Painter()

    run(studio, outside=dataclasses.replace(studio.outside, open_stage=slowly), look=SMOOTH)
    plain = Studio()
    run(plain)
    apart = [int(one[40, 48, 0]) - int(other[40, 48, 0]) for one, other in zip(studio.sink.sent, plain.sink.sent, strict=True)]
    assert apart[1] > 0
    assert abs(apart[-1] - ADDED) <= 1


def test_a_slow_network_makes_the_same_pictures_as_a_fast_one(run: Run) -> None:
    fast, slow = Studio(), Studio()
    slow.slow(0.05)
    run(fast)
    run(slow)
    apart = [int(np.abs(one.astype(int) - other).max()) for one, other in zip(fast.sink.sent, slow.sink.sent, strict=True)]
    assert len(apart) == FRAMES
    assert max(apart) == 0


@pytest.mark.parametrize("slow_s", [0.0, 0.1])
def test_a_face_fades_in_within_as_many_frames_as_live(run: Run, slow_s: float) -> None:
    studio = Studio()
    studio.slow(slow_s)
    run(studio)
    levels = [int(picture[40, 48, 0]) for picture in studio.sink.sent]
    assert levels[0] == RAW
    assert levels.index(max(levels)) == 5, "it takes .16 s, which are five frames of this film"
    assert max(levels) >= ENHANCED - 2


def test_each_frame_is_sent_with_the_films_own_time(run: Run) -> None:
    studio = Studio()
    moments: list[float] = []
    send = studio.sink.send

    def noted(pixels: Array, at: float) -> None:
        moments.append(at)
        send(pixels, at)

    studio.sink.send = noted  # type: ignore[method-assign]
    run(studio)
    assert moments == pytest.approx([number / FPS for number in range(FRAMES)])


def test_so_many_frames_and_no_more(run: Run) -> None:
    studio = Studio()
    run(studio, max_frames=7)
    assert studio.numbers() == list(range(7))


def test_reading_is_never_far_ahead(run: Run) -> None:
    studio = Studio(frames=1000)
    studio.sink.slow = 0.05
    done = run(studio, wait=False)
    wait_for(lambda: len(studio.sink.sent) >= 5)
    assert studio.film.number - len(studio.sink.sent) <= 10
    began = time.monotonic()
    done.stop()
    assert time.monotonic() - began < 3
    assert studio.sink.closed.is_set(), "what was recorded is whole"
    assert len(studio.sink.sent) < 1000


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_the_sink_gets_its_format_and_the_size_that_was_asked_for(run: Run, pixel_format: PixelFormat) -> None:
    studio = Studio()
    studio.sink.wants = pixel_format
    run(studio, size=Size(64, 48), overlay=True)
    shape = (48, 64, 3) if pixel_format is PixelFormat.BGR else (72, 64)
    assert {frame.shape for frame in studio.sink.sent} == {shape}


def test_a_network_that_fails_lets_the_raw_frame_through_and_says_so_once(run: Run) -> None:
    studio = Studio()

    def broken(pictures: Pictures) -> Pictures:
        raise RuntimeError("no such kernel")

    studio.network.fault = broken
    done = run(studio)
    assert studio.numbers() == list(range(FRAMES))
    assert {int(frame[40, 48, 0]) for frame in studio.sink.sent} == {RAW}
    assert done.error() is None
    (note,) = done.board.notes()
    assert mentions(note, "live.raw_goes_out")
    assert "no such kernel" in str(note)


def test_what_is_too_large_for_the_device_gives_way_and_no_frame_goes_out_raw(run: Run) -> None:
    studio = Studio()
    calls = [0]

    def full_once(pictures: Pictures) -> Pictures:
        calls[0] += 1
        if calls[0] == 9:
            raise MemoryError
        return pictures + 0.2

    studio.network.fault = full_once
    done = run(studio, model="lite-512")
    assert studio.numbers() == list(range(FRAMES))
    assert [wanted.model for wanted in studio.loads] == ["lite-512", "lite-256"]
    assert done.meters.counts().raw <= 2, "the first one, and the first that a new engine sees"
    assert done.snapshot().model_name == "lite-256"


def told(run: VideoRun) -> Message | None:
    error = run.error()
    return None if error is None else error.message


def test_what_ends_it_is_an_error_of_its_part(run: Run) -> None:
    film = Studio()
    film.film.script[5] = SourceError("damaged")
    done = run(film)
    assert told(done) == message("damaged")
    assert film.numbers() == list(range(5)), "what was read before is out"
    assert film.sink.closed.is_set()

    full = Studio()
    full.open_error = SinkError("no_folder")
    done = run(full)
    assert told(done) == message("no_folder")
    assert full.film.closed.is_set()

    broken = Studio()
    broken.sink.broken = True
    done = run(broken)
    assert done.snapshot().sink.health is Health.FAILED

    weightless = Studio()
    weightless.load_faults = [WeightsError("no_weights")]
    done = run(weightless)
    assert told(done) == message("no_weights")
    assert weightless.sink.sent == []


def test_a_disk_that_is_full_at_the_end_is_told(run: Run) -> None:
    class Grudging(FakeSink):
        def close(self) -> None:
            raise SinkError("full_disk")

    studio = Studio()
    studio.sink = Grudging()
    assert told(run(studio)) == message("full_disk")


def test_the_report_is_that_of_a_live_run(run: Run) -> None:
    from gpen_live.live.pipeline import LivePipeline

    studio = Studio()
    report = run(studio).report()
    assert report.keys() == LivePipeline(LiveConfig()).report().keys()
    frames = cast(dict[str, int], report["frames"])
    assert frames["sent"] == FRAMES
    latency = cast(dict[str, dict[str, float]], report["latency_ms"])
    assert latency["network"]["p50"] > 0
    assert latency["end_to_end"]["p50"] > 0


def test_several_outputs_each_get_every_frame_in_their_own_format(run: Run) -> None:
    studio = Studio()
    second = FakeSink(wants=PixelFormat.I420)
    sinks = {"a.mp4": studio.sink, "b.mp4": second}
    outside = dataclasses.replace(studio.outside, open_sink=lambda spec, **_: sinks[spec])
    done = run(studio, outside=outside, sinks=tuple(sinks))
    assert studio.numbers() == list(range(FRAMES))
    assert [frame.shape for frame in second.sent] == [(studio.film.size.height * 3 // 2, studio.film.size.width)] * FRAMES
    assert [output["sent"] for output in cast(list[dict[str, int]], done.report()["sinks"])] == [FRAMES, FRAMES]
    assert second.closed.is_set()


def test_a_recording_lasts_as_long_as_the_film_did(run: Run, tmp_path: Path) -> None:
    studio = Studio(frames=48)
    path = tmp_path / "a.mp4"
    run(studio, outside=dataclasses.replace(studio.outside, open_sink=None), sinks=(str(path),))
    assert seconds_of(path) == pytest.approx(48 / FPS, abs=0.001)

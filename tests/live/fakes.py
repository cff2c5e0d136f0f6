"""Sources, sinks, networks and detectors that a pipeline test controls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from gpen_live.engine.effort import Effort
from gpen_live.engine.result import FrameResult, HostPicture
from gpen_live.errors import SinkError, SourceError
from gpen_live.frame import Array, Image, PixelFormat, Size
from gpen_live.live import bypass, capture, outputs, worker
from gpen_live.live.models import loader
from gpen_live.look import Look, Mode
from gpen_live.media.pixel_formats import convert
from gpen_live.messages import Message
from gpen_live.sinks.base import Sink
from gpen_live.sources.base import Source

SIZE = Size(64, 48)


def stamped(number: int, size: Size = SIZE) -> Image:
    """A picture that carries its number in its first pixel."""
    image = np.full((size.height, size.width, 3), 50, np.uint8)
    image[0, 0] = (number % 256, number // 256, 7)
    return image


def number_of(image: Array) -> int:
    return int(image[0, 0, 0]) + 256 * int(image[0, 0, 1])


class FakeSource(Source):
    """Delivers stamped pictures at `fps`; `script` maps a number to what happens there (a picture, an exception, None = end)."""

    def __init__(self, label: str = "fake", *, fps: float = 100.0, size: Size = SIZE, script: dict[int, object] | None = None):
        self.label, self.fps, self.size = label, fps, size
        self.script = script or {}
        self.number = 0
        self.pace = fps
        self.closed = threading.Event()

    def read(self) -> Image | None:
        time.sleep(1 / self.pace)
        event = self.script.get(self.number, "picture")
        number, self.number = self.number, self.number + 1
        if isinstance(event, Exception):
            raise event
        if event is None or isinstance(event, np.ndarray):
            return event
        return stamped(number, self.size)

    def close(self) -> None:
        self.closed.set()


class FakeSink(Sink):
    """Remembers what it was sent; fails while `broken`, takes `slow` seconds for each frame."""

    def __init__(self, *, wants: PixelFormat = PixelFormat.BGR, slow: float = 0.0) -> None:
        self.label, self.wants, self.slow = "fake sink", wants, slow
        self.sent: list[Array] = []
        self.at: list[float] = []
        self.broken = False
        self.closed = threading.Event()

    def send(self, pixels: Array, at: float) -> None:
        if self.broken:
            raise SinkError("broken_sink")
        time.sleep(self.slow)
        self.sent.append(pixels)
        self.at.append(time.perf_counter())

    def close(self) -> None:
        self.closed.set()


class FarPicture:
    """A picture on a device: its pixels in one pixel_format are here, the rest must be fetched, which is counted."""

    at_hand = False
    fetched = 0

    def __init__(self, bgr: Image, pixel_format: PixelFormat) -> None:
        self._bgr, self._pixel_format = bgr, pixel_format

    def image(self) -> Image:
        FarPicture.fetched += 1
        return self._bgr

    def pixels(self, pixel_format: PixelFormat) -> Array:
        assert pixel_format is self._pixel_format, "the engine was told another one"
        return convert(self._bgr, pixel_format)


class FakeEngine:
    """Adds 100 to every pixel but the stamp; `fail` makes it raise, `slow` seconds a frame."""

    def __init__(self, model: str = "lite-256") -> None:
        self.device = "fake"
        self.model = model
        self.fail: Exception | None = None
        self.slow = 0.0
        self.scenes = 0
        self.far = False
        self.staged = 0
        self.stage_error: Exception | None = None
        self.busy_ms = 1.0
        self.notes: list[Message] = []
        self.effort = Effort()
        self.lighter: tuple[Any, ...] = ()
        self.stages: tuple[Any, ...] = ()
        self.stage_trouble: Message | None = None
        self.in_between = True
        self.enhancer = SimpleNamespace(spec=SimpleNamespace(name=model), precision="fp32")

    def pin(self, image: Image) -> Image:
        if self.stage_error is not None:
            raise self.stage_error
        self.staged += 1
        return image

    def new_scene(self) -> None:
        self.scenes += 1

    def process(self, image: Image, at: float, look: Look, pixel_format: PixelFormat = PixelFormat.BGR) -> FrameResult:
        if look.mode is Mode.FULL:
            return FrameResult(HostPicture(np.full_like(image, 222)), times_ms={"network": 1.0}, busy_ms=self.busy_ms)
        time.sleep(self.slow)
        if self.fail is not None:
            raise self.fail
        out = image.copy()
        out[1:] += 100
        if self.far:
            return FrameResult(FarPicture(out, pixel_format), times_ms={"network": 1.0, "convert": 5.0}, busy_ms=self.busy_ms)
        return FrameResult(HostPicture(out), times_ms={"network": 1.0}, busy_ms=self.busy_ms)


class World:
    """Everything outside the pipeline: what opens, what loads. Tests put things in and look at what came out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sources: dict[str, Source | Exception] = {"demo": FakeSource()}
        self.sinks: dict[str, FakeSink | Exception] = {"none": FakeSink()}
        self.openers: dict[str, Callable[[], Any]] = {}
        self.open_s = 0.0
        self.sink_rates: list[float] = []
        self.engine = FakeEngine()
        self.load_error: Exception | None = None
        self.load_s = 0.0
        self.may_load = threading.Event()
        self.may_load.set()
        self.sink_open_s = 0.0
        self.loads: list[str] = []
        monkeypatch.setattr(capture, "open_source", self._open_source)
        monkeypatch.setattr(outputs, "open_sink", self._open_sink)
        monkeypatch.setattr(loader.Loader, "_load", lambda _, wanted: self._load(wanted))
        monkeypatch.setattr(worker.Worker, "_engine_with", lambda _, loaded: self.engine)
        monkeypatch.setattr(capture, "RETRY_S", 0.05)
        monkeypatch.setattr(bypass, "_GRACE_S", 60.0)  # a busy machine holds threads up; tests/faults shows what happens then

    @property
    def sink(self) -> FakeSink:
        sink = self.sinks["none"]
        assert isinstance(sink, FakeSink)
        return sink

    def _open_source(self, spec: str, **_: object) -> Source:
        time.sleep(self.open_s)
        if spec in self.openers:
            return cast(Source, self.openers[spec]())
        found = self.sources.get(spec, SourceError("no_source", spec=spec))
        if isinstance(found, Exception):
            raise found
        return found

    def _open_sink(self, spec: str, *, fps: float, **_: object) -> Sink:
        time.sleep(self.sink_open_s)
        self.sink_rates.append(fps)
        if spec in self.openers:
            return cast(Sink, self.openers[spec]())
        found = self.sinks.get(spec, SinkError("no_sink", spec=spec))
        if isinstance(found, Exception):
            raise found
        return found

    def _load(self, wanted: loader.ModelRequest) -> object:
        time.sleep(self.load_s)
        self.may_load.wait(20)
        self.loads.append(wanted.model)
        if self.load_error is not None:
            raise self.load_error
        return SimpleNamespace(
            wanted=wanted,
            device="fake",
            device_label="fake device",
            detector=None,
            enhancer=SimpleNamespace(spec=SimpleNamespace(name=wanted.model), precision="fp32"),
            lighter=(),
        )


def wait_for(condition: object, seconds: float = 20.0) -> None:
    """Waits until `condition()` is true; fails after `seconds`, far longer than it takes."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)

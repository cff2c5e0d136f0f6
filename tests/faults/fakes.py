"""What fails: cameras below OpenCV, networks below the engine; the rest is the real thing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch

from gpen_live.faces.align import GPEN_TEMPLATE
from gpen_live.faces.detect import Detection, Detector
from gpen_live.frame import Array, Image, Size
from gpen_live.inference.autotune_cpu import Pictures, Way
from gpen_live.inference.device import CPU, Device
from gpen_live.inference.host import HostEnhancer
from gpen_live.live.models.loader import LoadedModel, ModelRequest
from gpen_live.live.pipeline import LivePipeline, Outside
from gpen_live.live.status.snapshot import Health
from gpen_live.models.registry import get
from gpen_live.sinks.base import Sink
from gpen_live.sources.base import Source
from gpen_live.sources.devices import CameraInfo
from tests.live.fakes import FakeSink, FakeSource, number_of, stamped, wait_for
from tests.messages.says import mentions

SIZE = Size(96, 80)
RAW, ENHANCED = 50, 75
"""The levels of a pixel in the middle of the face."""


class Camera:
    """A camera as its driver sees it. `state`: "well"; "hangs" in the driver; "silent" (a timed-out wait); "garbage"; "large"."""

    def __init__(self, name: str, *, fps: float = 60.0) -> None:
        self.name, self.fps, self.state = name, fps, "well"
        self.goes_on = threading.Event()
        self.held = False
        self.taken = 0


class Machine:
    """The cameras that are plugged in, by number: what OpenCV opens and what the system lists."""

    def __init__(self) -> None:
        self.cameras: dict[int, Camera] = {}
        self.opened: list[int] = []

    def list_cameras(self) -> list[CameraInfo]:
        return [CameraInfo(index, camera.name) for index, camera in sorted(self.cameras.items())]

    def capture(self, index: int, backend: int, params: list[int] | None = None) -> FakeCapture:
        return FakeCapture(self, index)


class FakeCapture:
    """In place of cv2.VideoCapture."""

    def __init__(self, machine: Machine, index: int) -> None:
        self._machine, self._index = machine, index
        self._camera = machine.cameras.get(index)
        self._opened = self._camera is not None and not self._camera.held
        if self._camera is not None and self._opened:
            self._camera.held = True
            machine.opened.append(index)

    def isOpened(self) -> bool:
        return self._opened

    def set(self, prop: int, value: float) -> bool:
        return True

    def get(self, prop: int) -> float:
        return float(cv2.VideoWriter.fourcc(*"MJPG"))

    def read(self) -> tuple[bool, Any]:
        camera = self._camera
        if camera is None or self._machine.cameras.get(self._index) is not camera:
            return False, None
        if camera.state == "hangs":
            camera.goes_on.wait(20)
            return False, None
        time.sleep(1 / camera.fps)
        camera.taken += 1
        if camera.state == "silent":
            return False, None
        if camera.state == "garbage":
            odd = [None, np.zeros((0, 0, 3), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros(7, np.uint8), "a picture"]
            return True, odd[camera.taken % len(odd)]
        if camera.state == "strange sizes":
            shapes = [(31, 77, 3), (200, 10, 3), (90, 90), (60, 80, 1), (60, 80, 4)]
            return True, np.full(shapes[camera.taken % len(shapes)], 9, np.uint8)
        return True, stamped(camera.taken, SIZE)

    def release(self) -> None:
        if self._camera is not None and self._opened:
            self._camera.held = False
            self._opened = False


class Gated(FakeSource):
    """Delivers only while its gate is open."""

    def __init__(self) -> None:
        super().__init__(fps=60.0, size=SIZE)
        self.gate = threading.Event()
        self.gate.set()
        self.waits = False

    def read(self) -> Image | None:
        self.waits = not self.gate.is_set()
        self.gate.wait(20)
        return super().read()


class Network:
    """Makes the face brighter; `fault` is done once a picture, until it is taken away."""

    def __init__(self) -> None:
        self.fault: Callable[[Pictures], Pictures] | None = None
        self.calls = 0

    def __call__(self, pictures: Pictures, previous: Pictures | None) -> Pictures:
        self.calls += 1
        return pictures + np.float32(0.2) if self.fault is None else self.fault(pictures)


def on_processor(network: Network, name: str) -> HostEnhancer:
    """The network as what the model `name` runs in."""
    return HostEnhancer(get(name), [Way("OpenVINO", "fp32", lambda threads: network)], stride=16)


class Known(Detector):
    """Knows where the one face is; reduces and reads as the real one does."""

    def __init__(self, device: Device) -> None:
        self.device, self.long_side = device, 64
        points = (GPEN_TEMPLATE - 0.5) * 60 + [48, 40]
        self.faces = [Detection((33.0, 25.0, 63.0, 55.0), 0.99, points)]

    def detect(self, image: Array, *, max_faces: int = 4, threshold: float = 0.6) -> list[Detection]:
        return self.faces

    def candidates(self, reduced: torch.Tensor) -> torch.Tensor:
        return torch.zeros(7, 15, device=reduced.device) + reduced.mean()

    def read(self, candidates: Array, *, scale: Any, max_faces: int = 4, threshold: float = 0.6) -> list[Detection]:
        return self.faces


class World:
    """Everything around a real pipeline. `loads`: the models asked of it; `load_faults`: what loading raises, in turn."""

    def __init__(self) -> None:
        self.source: Source = FakeSource(fps=60.0, size=SIZE)
        self.sink = FakeSink()
        self.network = Network()
        self.device_label = "cpu (fake)"
        self.loads: list[ModelRequest] = []
        self.load_faults: list[Exception] = []

    @property
    def outside(self) -> Outside:
        return Outside(open_source=self._open_source, open_sink=self._open_sink, load=self._load)

    def _open_source(self, spec: str, **_: object) -> Source:
        return self.source

    def _open_sink(self, spec: str, **_: object) -> Sink:
        return self.sink

    def _load(self, wanted: ModelRequest) -> LoadedModel:
        self.loads.append(wanted)
        if self.load_faults:
            raise self.load_faults.pop(0)
        return LoadedModel(wanted, CPU, self.device_label, Known(CPU), on_processor(self.network, wanted.model))

    def numbers(self) -> list[int]:
        """Of the frames that went out, in turn."""
        return [number_of(frame) for frame in self.sink.sent]

    def level(self) -> int:
        """Of the last frame that went out, in the middle of the face."""
        return int(self.sink.sent[-1][40, 48, 0]) if self.sink.sent else 0

    def is_enhanced(self) -> bool:
        return self.level() > RAW + 10

    def is_raw(self) -> bool:
        return self.level() == RAW


def ordered(numbers: list[int]) -> bool:
    return all(one <= other for one, other in zip(numbers, numbers[1:], strict=False))


def goes_on(sink: FakeSink, frames: int = 10) -> None:
    """The output ticks."""
    seen = len(sink.sent)
    wait_for(lambda: len(sink.sent) >= seen + frames)


def seconds_until(condition: Callable[[], bool]) -> float:
    began = time.monotonic()
    wait_for(condition)
    return time.monotonic() - began


def is_well(pipeline: LivePipeline, part: str) -> bool:
    return bool(getattr(pipeline.snapshot(), part).health is Health.OK)


def notes_with(pipeline: LivePipeline, key: str) -> int:
    return len([note for note in pipeline.board.notes() if mentions(note, key)])

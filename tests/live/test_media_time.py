"""All that lives in time takes it from the frames: how fast the machine works changes no picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from gpen_live.faces.detect import Detection
from gpen_live.frame import Array, Image
from gpen_live.inference.autotune_cpu import Pictures
from gpen_live.inference.device import Device
from gpen_live.live.config import LiveConfig
from gpen_live.live.models.loader import LoadedModel, ModelRequest
from gpen_live.live.pipeline import LivePipeline, Outside
from tests.faults.fakes import ENHANCED, RAW, Known, World
from tests.live.fakes import FakeSource, wait_for

FRAMES = 24
FPS = 30.0


class Timed(FakeSource):
    """A film of `FPS` frames a second; `script` as in FakeSource."""

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


class Films(World):
    """A film through the real engine, as fast as possible, with a network that takes `slow_s`."""

    def __init__(self, slow_s: float) -> None:
        super().__init__()
        self.source = Timed(fps=2000, size=self.source.size, script={FRAMES: None})

        def slowly(pictures: Pictures) -> Pictures:
            time.sleep(slow_s)
            return pictures + np.float32(0.2)

        self.network.fault = slowly

    @property
    def outside(self) -> Outside:
        def load(wanted: ModelRequest) -> LoadedModel:
            plain = self._load(wanted)
            return LoadedModel(wanted, plain.device, plain.device_label, Trembling(plain.device), plain.enhancer)

        return Outside(open_source=self._open_source, open_sink=self._open_sink, load=load)


@pytest.fixture
def played() -> Iterator[Callable[[float], list[Array]]]:
    """The pictures of the film with a network that takes so many seconds a frame."""
    pipelines = []

    def play(slow_s: float) -> list[Array]:
        films = Films(slow_s)
        pipeline = LivePipeline(LiveConfig(realtime=False, loop=False), outside=films.outside)
        pipelines.append(pipeline)
        pipeline.start(wait_for_model=True)
        wait_for(lambda: pipeline.finished)
        return films.sink.sent

    yield play
    for pipeline in pipelines:
        pipeline.stop()


def test_a_slow_network_makes_the_same_pictures_as_a_fast_one(played: Callable[[float], list[Array]]) -> None:
    fast, slow = played(0.0), played(0.05)
    assert len(fast) == len(slow) == FRAMES
    apart = [int(np.abs(one.astype(int) - other).max()) for one, other in zip(fast, slow, strict=True)]
    assert max(apart) == 0


@pytest.mark.parametrize("slow_s", [0.0, 0.1])
def test_a_face_fades_in_within_as_many_frames_as_live(played: Callable[[float], list[Array]], slow_s: float) -> None:
    levels = [int(picture[40, 48, 0]) for picture in played(slow_s)]
    assert levels[0] == RAW
    assert levels.index(max(levels)) == 5, "it takes .16 s, which are five frames of this film"
    assert max(levels) >= ENHANCED - 2

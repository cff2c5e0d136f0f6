"""The engine with less than full effort: what is left out, and that the face doesn't show it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from gpen_live.engine.effort import Effort
from gpen_live.engine.engine import Engine
from gpen_live.engine.result import Change, FaceCrop
from gpen_live.faces.detect import Detection, Detector
from gpen_live.frame import Image
from gpen_live.inference.device import CPU
from gpen_live.look import Beauty, Look
from gpen_live.models.registry import ModelSpec, get, lighter_than
from tests.engine.networks import on_host
from tests.engine.test_engine import known_face

STEP = 1 / 30


class Counting(nn.Module):
    stride = 16

    def __init__(self, brighter: float = 0.2) -> None:
        super().__init__()
        self.brighter, self.calls, self.faces = brighter, 0, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.faces += len(x)
        return x + self.brighter


class Moving(Detector):
    """Knows where the faces are; the first one moves by `speed` pixels a frame."""

    def __init__(self, *places: tuple[float, float], speed: float = 0.0) -> None:
        self.places, self.speed, self.number, self.searches = places, speed, 0, 0

    def detect(self, image: Image, *, max_faces: int = 4, threshold: float = 0.6) -> list[Detection]:
        self.searches += 1
        return [
            known_face(x + (self.speed * self.number if i == 0 else 0), 150.0, side) for i, (x, side) in enumerate(self.places)
        ]


def textured(shift: float = 0.0) -> Image:
    rng = np.random.default_rng(0)
    rough = rng.integers(40, 180, (300, 700, 3), dtype=np.uint8)
    soft = cv2.GaussianBlur(rough, (0, 0), 5)
    soft = cv2.normalize(soft, soft, 40, 180, cv2.NORM_MINMAX)
    matrix = np.array([[1.0, 0, shift], [0, 1.0, 0]])
    return np.asarray(cv2.warpAffine(soft, matrix, (700, 300), borderMode=cv2.BORDER_REFLECT), np.uint8)


def run(engine: Engine, detector: Moving, frames: int, *, first: int = 0) -> list[Image]:
    out = []
    for number in range(first, first + frames):
        detector.number = number
        done = engine.process(textured(detector.speed * number), number * STEP, Look())
        out.append(done.image)
    return out


def make(network: nn.Module, detector: Moving, *lighter: nn.Module) -> Engine:
    stand_ins = [on_host(one) for one in lighter]
    return Engine(CPU, detector, on_host(network), lighter=stand_ins)


def test_searches_are_left_out_and_the_face_is_enhanced_all_the_same() -> None:
    network, detector = Counting(), Moving((200, 160))
    engine = make(network, detector)
    engine.effort = Effort(detect_every=4)
    frames = run(engine, detector, 40)
    assert detector.searches == 10
    assert network.calls == 39, "but for the first frame, in which the face fades in"
    for frame in frames[10:]:
        assert np.abs(frame[165, 200].astype(int) - textured()[165, 200]).min() >= 24


def test_the_last_change_moves_along_where_the_network_rests() -> None:
    """Against the network in every frame: the same picture but for a level or two, at a third of its calls."""
    pictures = {}
    for every in (1, 3):
        network, detector = Counting(), Moving((150, 160), speed=4.0)
        engine = make(network, detector)
        engine.effort = Effort(enhance_every=every)
        pictures[every] = run(engine, detector, 40)
        assert network.calls == pytest.approx(39 / every, abs=2)
    apart = [np.abs(a.astype(int) - b.astype(int)) for a, b in zip(pictures[1][10:], pictures[3][10:], strict=True)]
    assert max(int(one.max()) for one in apart) <= 2
    raw = textured(4.0 * 39)
    assert np.abs(pictures[3][-1].astype(int) - raw.astype(int)).max() >= 24, "no frame goes out raw"


def test_a_change_that_is_old_or_not_there_is_made_anew() -> None:
    network, detector = Counting(), Moving((200, 160))
    engine = make(network, detector)
    engine.effort = Effort(enhance_every=4)
    run(engine, detector, 10)
    calls = network.calls
    engine.process(textured(), 10 * STEP + 1.0, Look())  # a second later
    assert network.calls == calls + 1
    engine.effort = Effort(enhance_every=100)
    detector.places = ((200, 160), (500, 120))
    for i in range(4):  # a second face has come into view
        engine.process(textured(), 11.1 + i * STEP, Look())
    assert network.faces >= network.calls + 1


def test_the_smaller_faces_go_raw() -> None:
    network, detector = Counting(), Moving((150, 160), (400, 120), (600, 80))
    engine = make(network, detector)
    run(engine, detector, 20)
    assert network.faces > 2.5 * network.calls
    engine.effort = Effort(faces=1)
    run(engine, detector, 15, first=20)  # they fade
    before = network.calls, network.faces
    out = run(engine, detector, 5, first=35)
    assert (network.calls - before[0], network.faces - before[1]) == (5, 5)
    raw = textured()
    assert np.array_equal(out[-1][100:200, 350:450], raw[100:200, 350:450])
    assert not np.array_equal(out[-1][100:200, 100:200], raw[100:200, 100:200])


def test_a_lighter_network_stands_in_and_the_wish_stays() -> None:
    heavy, light, detector = Counting(0.2), Counting(-0.2), Moving((200, 160))
    engine = make(heavy, detector, light)
    run(engine, detector, 10)
    engine.effort = Effort(lighter=1)
    calls = heavy.calls
    darker = run(engine, detector, 5, first=10)[-1]
    assert heavy.calls == calls
    assert darker[165, 200, 0] < textured()[165, 200, 0]
    engine.effort = Effort()
    brighter = run(engine, detector, 5, first=15)[-1]
    assert brighter[165, 200, 0] > textured()[165, 200, 0]
    engine.effort = Effort(lighter=7)  # more than there are
    assert engine.enhancer is engine.lighter[-1]
    other = on_host(Counting())
    engine.use(other)
    assert engine.enhancer is other
    late = on_host(light)
    engine.lighter = (late,)
    engine.effort = Effort(lighter=1)
    assert engine.enhancer is late


def test_another_scene_is_searched() -> None:
    network, detector = Counting(), Moving((200, 160))
    engine = make(network, detector)
    engine.effort = Effort(detect_every=100)
    run(engine, detector, 10)
    assert detector.searches == 1
    engine.new_scene()
    run(engine, detector, 1, first=10)
    assert detector.searches == 2


def test_a_frame_after_a_pause_is_searched() -> None:
    detector = Moving((200, 160))
    engine = make(Counting(), detector)
    engine.effort = Effort(detect_every=100)
    run(engine, detector, 10)
    detector.places = ((500, 160),)  # while it rested, the face went elsewhere
    engine.process(textured(), 10 * STEP + 60.0, Look())
    assert detector.searches == 2


def test_lighter_networks_are_found_among_those_that_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    from gpen_live.models import registry

    present = {"lite-256", "gpen-256"}

    def here(spec: ModelSpec) -> Path:
        return Path(__file__) if spec.name in present else Path(__file__) / "nowhere"

    monkeypatch.setattr(registry, "expected_path", here)
    names = {name: [spec.name for spec in lighter_than(get(name))] for name in ("lite-256", "lite-512", "gpen-256", "gpen-1024")}
    assert names == {
        "lite-256": [],
        "lite-512": ["lite-256"],
        "gpen-256": ["lite-256"],
        "gpen-1024": ["gpen-256", "lite-256"],
    }
    present.remove("gpen-256")
    assert [spec.name for spec in lighter_than(get("gpen-512"))] == ["lite-256"]


class Looking:
    """A stage that notes for each of its faces whether it was to look anew."""

    name = "beauty"

    def __init__(self) -> None:
        self.looks: dict[str, list[bool]] = {}

    def active(self, face: FaceCrop) -> bool:
        return True

    def __call__(self, seen: Image, change: Change, told: FaceCrop) -> Change:
        name = told.kept.setdefault("name", f"face {len(self.looks)}")
        self.looks.setdefault(name, []).append(told.refresh)
        return change


@pytest.mark.parametrize("enhance_every", [1, 2])
def test_faces_take_turns_in_being_looked_at_anew(enhance_every: int) -> None:
    stage, detector = Looking(), Moving((200, 160), (500, 120))
    engine = Engine(CPU, detector, on_host(Counting()), stages=[stage])
    run(engine, detector, 4)
    assert all(all(looks) for looks in stage.looks.values())
    stage.looks = {name: [] for name in stage.looks}
    engine.effort = Effort(refresh_every=2, enhance_every=enhance_every)
    run(engine, detector, 16, first=4)
    one, other = stage.looks.values()
    assert sum(one) == len(one) // 2 == 8, "also where the network rests"
    assert [not looked for looked in one] == other


def test_without_shape_and_make_up_the_rest_of_the_look_is_drawn() -> None:
    look = Look(beauty=Beauty(smooth=0.5, slim=0.4, lips=0.3))
    assert Effort().spared(look) is look
    assert Effort(shape=False).spared(look).beauty == Beauty(smooth=0.5, lips=0.3)
    assert Effort(shape=False, makeup=False).spared(look).beauty == Beauty(smooth=0.5)

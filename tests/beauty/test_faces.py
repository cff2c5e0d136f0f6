"""Several faces, each with a state of its own: nothing of one reaches another when they change places or leave, or after cuts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpen_live.beauty.constants import MAP
from gpen_live.beauty.host import HostBeauty
from gpen_live.engine.engine import Engine
from gpen_live.faces.detect import Detection, Detector
from gpen_live.faces.mesh import CANONICAL, Mesh
from gpen_live.frame import Image
from gpen_live.inference.device import CPU
from gpen_live.look import Beauty, Look, Mode
from tests.engine.networks import on_host
from tests.engine.test_engine import known_face
from tests.engine.test_stages import Nothing

STEP = 1 / 30
SIDE = 700


class Crowd(Detector):
    """Square faces, each of a grey of its own, where the test puts them: grey -> x of the centre and side."""

    def __init__(self) -> None:
        self.places: dict[int, tuple[float, float]] = {}

    def picture(self) -> Image:
        image = np.full((260, SIDE, 3), 10, np.uint8)
        for grey, (x, side) in self.places.items():
            image[:, max(int(x - side / 2), 0) : int(x + side / 2)] = grey
        return image

    def detect(self, image: Image, *, max_faces: int = 4, threshold: float = 0.6) -> list[Detection]:
        return [known_face(x, 130, side) for x, side in self.places.values()]


class Watched:
    """Networks whose layers carry the grey of the face that they saw; notes what memory each face was given."""

    def __init__(self) -> None:
        self.given: list[tuple[int, int | None]] = []

    def mesh(self, seen: Any) -> Mesh:
        return Mesh(CANONICAL.copy(), 1.0)

    def layers(self, seen: Any, previous: Any) -> Any:
        grey = int(np.median(seen[96:160, 96:160]))
        self.given.append((grey, None if previous is None else round(float(previous[1, 0, 0]) * 255)))
        return np.full((5, MAP, MAP), grey / 255, np.float32)

    def leaks(self) -> list[tuple[int, int | None]]:
        """The faces that were given another one's memory."""
        return [(grey, memory) for grey, memory in self.given if memory is not None and abs(memory - grey) > 4]


class Stage:
    """An engine in front of the crowd."""

    def __init__(self, mode: Mode) -> None:
        self.crowd, self.watched, self.number = Crowd(), Watched(), 0
        stage = HostBeauty(self.watched.mesh, self.watched.layers)
        self.engine = Engine(CPU, self.crowd, on_host(Nothing()), stages=[stage])
        self.look = Look(mode=mode, beauty=Beauty(smooth=0.5, slim=0.5))

    def frames(self, count: int) -> None:
        for _ in range(count):
            done = self.engine.process(self.crowd.picture(), self.number * STEP, self.look)
            assert self.engine.notes == []
            assert done.picture.image().shape == (260, SIDE, 3)
            self.number += 1


@pytest.mark.parametrize("mode", list(Mode))
def test_faces_that_change_in_size_and_place_keep_what_is_theirs(mode: Mode) -> None:
    stage = Stage(mode)
    for second in range(12):  # the one on the left grows past the others, which come closer
        stage.crowd.places = {60: (110 + 2 * second, 60 + 8 * second), 120: (350 - second, 120), 200: (590 - 3 * second, 110)}
        stage.frames(1)
    assert stage.watched.leaks() == []
    assert {grey // 10 for grey, memory in stage.watched.given if memory is not None} == {6, 12, 20}


def test_a_face_that_takes_another_one_s_place_begins_with_nothing() -> None:
    stage = Stage(Mode.ROI)
    stage.crowd.places = {60: (150, 120), 120: (500, 110)}
    stage.frames(6)
    stage.crowd.places = {120: (500, 110)}  # one leaves, and fades
    stage.frames(12)
    stage.watched.given.clear()
    stage.crowd.places = {200: (150, 120), 120: (500, 110)}
    stage.frames(6)
    assert stage.watched.leaks() == []
    assert next(memory for grey, memory in stage.watched.given if grey == 200) is None


def test_after_a_cut_nothing_of_the_scene_before_is_left() -> None:
    stage = Stage(Mode.ROI)
    stage.crowd.places = {60: (150, 120), 120: (500, 110)}
    stage.frames(6)
    stage.engine.new_scene()
    stage.watched.given.clear()
    stage.crowd.places = {120: (150, 120), 60: (500, 110)}  # the same places, the other way round
    stage.frames(6)
    assert stage.watched.leaks() == []
    assert [memory for _, memory in stage.watched.given[:2]] == [None, None]

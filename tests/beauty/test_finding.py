"""The stage looks at a face on threads of its own, between `begin` and the call; what is no number is no face."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from gpen_live.beauty.host import HostBeauty
from gpen_live.beauty.maps import Floats
from gpen_live.engine.result import Change, EarlyStage, FaceCrop
from gpen_live.faces.mesh import Mesh
from gpen_live.faces.state import LastResult
from gpen_live.look import Beauty, Look
from tests.beauty.painted import Painted, painted


class Eyes:
    """Both networks, as the test has them; notes on which threads they ran and what layers they were given."""

    def __init__(self, face: Painted) -> None:
        self.face = face
        self.points, self.found = face.points, face.layers
        self.fault: Exception | None = None
        self.threads: list[str] = []
        self.given: list[Floats | None] = []

    def mesh(self, seen: Any) -> Mesh:
        self.threads.append(threading.current_thread().name)
        if self.fault is not None:
            raise self.fault
        return Mesh(self.points, 1.0)

    def layers(self, seen: Any, previous: Floats | None) -> Floats:
        self.given.append(previous)
        return self.found


class Sitting:
    """A face in front of the stage, frame after frame."""

    def __init__(self) -> None:
        self.face = painted()
        self.eyes = Eyes(self.face)
        self.stage = HostBeauty(self.eyes.mesh, self.eyes.layers)
        self.kept: dict[str, Any] = {}
        self.number = 0

    def crop(self, *, refresh: bool = True) -> FaceCrop:
        look = Look(beauty=Beauty(smooth=1.0, lips=1.0))
        return FaceCrop(np.eye(2, 3), 1.0, look, LastResult(), self.number / 30, self.kept, refresh)

    def frame(self, *, refresh: bool = True, begins: bool = True, network_fails: bool = False) -> float:
        """How much is drawn on the next frame."""
        told = self.crop(refresh=refresh)
        self.number += 1
        if begins:
            self.stage.begin(self.face.seen, told)
        if network_fails:
            return 0.0
        drawn = self.stage(self.face.seen, Change(np.zeros(self.face.seen.shape, np.float32)), told).added
        if (layers := self.kept["beauty"].layers) is not None:
            layers.result(10)
        assert np.isfinite(drawn).all()
        return float(np.abs(drawn).sum())


@pytest.mark.parametrize("begins", [True, False])
def test_each_frame_is_looked_at_once_and_elsewhere(begins: bool) -> None:
    sitting = Sitting()
    assert isinstance(sitting.stage, EarlyStage)
    assert min(sitting.frame(begins=begins) for _ in range(3)) > 0
    assert len(sitting.eyes.threads) == 3
    assert threading.current_thread().name not in sitting.eyes.threads
    assert [one is None for one in sitting.eyes.given] == [True, False, False, False], "once for this frame, then for the next"


def test_what_was_seen_serves_where_it_is_not_to_look_anew() -> None:
    sitting = Sitting()
    sitting.frame()
    assert sitting.frame(refresh=False) > 0
    assert len(sitting.eyes.threads) == 1
    sitting.number += 30
    assert sitting.frame(refresh=False) > 0
    assert len(sitting.eyes.threads) == 2, "what was seen a second ago is of no help"
    assert [one is None for one in sitting.eyes.given] == [True, False, True, False]


def test_the_skin_is_that_of_the_frame_before() -> None:
    sitting = Sitting()
    whole = sitting.frame()
    sitting.eyes.found = np.zeros_like(sitting.face.layers)
    assert sitting.frame() == pytest.approx(whole, rel=0.02)
    assert sitting.frame() < 0.5 * whole


def test_a_frame_whose_network_failed_leaves_nothing_behind() -> None:
    sitting = Sitting()
    sitting.frame()
    sitting.frame(network_fails=True)
    sitting.eyes.points = sitting.face.points + np.float32(0.05)
    sitting.frame()
    assert len(sitting.eyes.threads) == 3
    points = sitting.kept["beauty"].sight.points
    assert np.abs(points - sitting.face.points).max() > 0.01, "the frame before it is not what is drawn on"


def test_points_and_layers_that_are_no_numbers_are_no_face() -> None:
    sitting = Sitting()
    whole = sitting.frame()
    sitting.eyes.points = np.full_like(sitting.face.points, np.nan)
    fading = [sitting.frame() for _ in range(6)]
    assert whole > fading[0] > 0
    assert fading[-1] == 0
    sitting.eyes.points = sitting.face.points
    back = [sitting.frame() for _ in range(6)]
    assert back[-1] == pytest.approx(whole, rel=0.02)
    sitting.eyes.found = np.full_like(sitting.face.layers, np.nan)
    sitting.frame()
    assert back[-1] > sitting.frame() > 0
    sitting.eyes.found = sitting.face.layers
    assert sitting.frame() > 0
    assert all(one is None or np.isfinite(one).all() for one in sitting.eyes.given), "nor are they remembered"


def test_what_a_network_raises_reaches_whoever_calls() -> None:
    sitting = Sitting()
    sitting.eyes.fault = RuntimeError("no more memory")
    with pytest.raises(RuntimeError, match="no more memory"):
        sitting.frame()
    sitting.eyes.fault = None
    assert sitting.frame() > 0

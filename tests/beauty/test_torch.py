"""The look in PyTorch against the host's: the same picture, over time as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gpen_live.beauty.host import HostBeauty
from gpen_live.beauty.torch import TorchBeauty
from gpen_live.beauty.torch_draw import TorchDraws
from gpen_live.engine.result import WHOLE, Change, FaceCrop
from gpen_live.faces.mesh import Mesh
from gpen_live.faces.state import LastResult
from gpen_live.look import CONTROLS, Beauty, Look
from tests.beauty.on_device import ALL, crops, nothing, rows_of, told_of, wearing
from tests.beauty.painted import DARK_SKIN, LIGHT_SKIN, Painted, painted

CPU = torch.device("cpu")
STEP = 1 / 30
LOOKS = {
    **{one.name: wearing({one.name: 1.0}) for one in CONTROLS if one.number and one.name != "lips_gloss"},
    "light from the left": Beauty(light=-1.0),
    "gloss": Beauty(lips=1.0, lips_gloss=1.0),
    "moles too": Beauty(blemish=1.0, keep_moles=False),
    "all": ALL,
}


def unused(*_: object) -> Any:
    raise AssertionError


class Pair:
    """The stage on the host and the one in PyTorch, which are told the same points and layers."""

    def __init__(self, face: Painted) -> None:
        self.face, self.points, self.score = face, face.points, 1.0
        self._kept: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        self.host = HostBeauty(lambda _: Mesh(self.points, self.score), self._layers)
        self.there = TorchBeauty(TorchDraws(self._meshes, self._tensor_layers, CPU), CPU)

    def _layers(self, _: object, before: Any) -> Any:
        return self.face.layers if before is None else (self.face.layers + before) / 2

    def _meshes(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.points)[None].repeat(len(seen), 1, 1), torch.full((len(seen),), self.score)

    def _tensor_layers(self, seen: Tensor, before: Tensor) -> Tensor:
        now = torch.from_numpy(self.face.layers).expand_as(before)
        return now if not bool(before.any()) else (now + before) / 2

    def draw(self, look: Beauty, at: float) -> tuple[Change, Change]:
        here, there = (FaceCrop(WHOLE, 1.0, Look(beauty=look), LastResult(), at, kept) for kept in self._kept)
        assert self.host.active(here) == self.there.active(there)
        host = self.host(self.face.seen, Change(np.zeros(self.face.seen.shape, np.float32)), here)
        seen = crops([self.face], CPU)
        return host, self.there(seen, nothing(seen, moves=False), [there])


def apart(host: Change, there: Change) -> tuple[float, float]:
    """How far the two lie apart at most, where not one pixel in a thousand counts, and on average; levels."""
    difference = np.abs(host.added - there.added[0].numpy().transpose(1, 2, 0)[:, :, ::-1])
    assert (host.displacement is None) == (there.displacement is None)
    if host.displacement is not None and there.displacement is not None:
        assert np.abs(host.displacement - there.displacement[0].numpy().transpose(1, 2, 0)).max() < 0.05
    return float(np.quantile(difference, 0.999)), float(difference.mean())


@pytest.mark.parametrize("name", LOOKS)
def test_a_face_looks_as_on_the_host(name: str) -> None:
    for tone in (LIGHT_SKIN, DARK_SKIN):
        host, there = Pair(painted(256, tone, smiling=True)).draw(LOOKS[name], 0.0)
        most, mean = apart(host, there)
        assert most < (4 if name == "liner" else 2.5)
        assert mean < 0.03
        assert np.abs(host.added).max() > 3 or host.displacement is not None or name in ("under_eye", "shine")


def test_what_is_drawn_over_time_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A face that moves, is lost and comes again, with dials that fade."""
    pair = Pair(painted(256, smiling=True))
    random = np.random.default_rng(0)
    for i in range(10):
        pair.points = pair.face.points + np.float32(0.01 * np.sin(i)) + random.normal(0, 5e-4, (478, 3)).astype(np.float32)
        pair.score = 0.5 if i in (4, 5) else 1.0
        at = i * STEP + (1.0 if i > 7 else 0.0)
        host, there = pair.draw(Beauty() if i == 6 else ALL, at)
        most, mean = apart(host, there)
        assert most < 3
        assert mean < 0.05


def test_nothing_is_nothing_to_the_bit() -> None:
    face = painted(256)
    seen = crops([face], CPU)
    change = nothing(seen, moves=False)
    change.added.normal_()
    before = change.added.clone()
    TorchDraws(unused, unused, CPU).draw(seen, change, told_of([Beauty()], CPU), rows_of([face], CPU))
    assert torch.equal(change.added, before)


def test_faces_keep_to_themselves() -> None:
    """In one batch each looks as by itself."""
    faces, looks = [painted(256, LIGHT_SKIN), painted(256, DARK_SKIN, smiling=True)], [Beauty(lips=1.0, smooth=0.5), ALL]
    seen = crops(faces, CPU)
    draws = TorchDraws(unused, unused, CPU)
    both = nothing(seen, moves=True)
    draws.draw(seen, both, told_of(looks, CPU), rows_of(faces, CPU))
    for i in range(2):
        alone = nothing(seen[:1], moves=True)
        draws.draw(seen[i : i + 1], alone, told_of(looks[i : i + 1], CPU), rows_of(faces[i : i + 1], CPU))
        assert (alone.added - both.added[i]).abs().max() < 1e-2


def test_rows_are_given_to_faces_that_come() -> None:
    stage = TorchBeauty(TorchDraws(unused, unused, CPU), CPU)
    kept: list[dict[str, Any]] = [{} for _ in range(20)]
    look = Look(beauty=ALL)
    for i in range(17):
        faces = [FaceCrop(WHOLE, 1.0, look, LastResult(), i * STEP, one) for one in kept[i : i + 4]]
        variant = stage.variant(faces)
        assert variant is not None
        assert variant.moves
        rows = [one["beauty"].row for one in kept[i : i + 4]]
        assert len(set(rows)) == 4
        kept[i].clear()

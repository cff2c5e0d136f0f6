"""What the networks find on a face: by threads of their own, so that they work beside the frame's network."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from gpen_live.beauty.maps import Floats
from gpen_live.beauty.sight import Sight
from gpen_live.faces.mesh import Mesh, MeshFilter
from gpen_live.frame import Image
from gpen_live.look import Beauty

FindsMesh = Callable[[Image], Mesh]
"""A crop's mesh, see `gpen_live.inference.face_mesh`."""

FindsLayers = Callable[[Image, "Floats | None"], Floats]
"""The layers of a crop, given those of the frame before, see `gpen_live.inference.retouch`."""


@dataclass(frozen=True)
class Found:
    """What was found in a frame: how sure it is that there is a face, 0..1, and the face; None where it can't be told."""

    score: float
    sight: Sight | None


@dataclass(frozen=True)
class Coming:
    """What will have been found in the frame at `at` seconds of media time: `result` waits for it, and raises what was raised."""

    at: float
    found: Future[Found]


class Finder:
    """Runs both networks, each on a thread of its own.

    A face is aligned alike in every frame, so the layers of one frame hold for the next: they are found while the device would
    rest, between two frames, and only the mesh beside the frame's own network.
    """

    def __init__(self, mesh: FindsMesh, layers: FindsLayers) -> None:
        self._mesh, self._layers = mesh, layers
        self._meshes, self._retouching = (ThreadPoolExecutor(1, f"gpen-live-{name}") for name in ("mesh", "retouch"))

    def layers(self, seen: Image, before: Floats | None) -> Future[Floats]:
        """Begins to find the layers of a crop (S x S x 3, uint8, BGR), given those of the frame before, if there are any.

        The crop is not to be written to meanwhile.
        """
        return self._retouching.submit(self._layers, seen, before)

    def begin(self, seen: Image, at: float, smooth: MeshFilter, layers: Future[Floats], beauty: Beauty) -> Coming:
        """Begins to look at a crop, as `layers`.

        Args:
            at: its media time in seconds.
            smooth: the face's own; used in the order of the calls. layers: what will be known of its skin.
            beauty: what will be drawn.
        """
        return Coming(at, self._meshes.submit(self._found, seen, at, smooth, layers, beauty))

    def _found(self, seen: Image, at: float, smooth: MeshFilter, layers: Future[Floats], beauty: Beauty) -> Found:
        mesh = self._mesh(seen)
        points = smooth(mesh.points, at) if np.isfinite(mesh.points).all() else None
        found = layers.result()
        if points is None or not np.isfinite(found.sum()):
            return Found(0.0, None)
        sight = Sight(points, found)
        sight.prepare(beauty, len(seen))
        return Found(mesh.score, sight)

"""What the networks find on a face: by threads of their own, so that they work beside the frame's network."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from gpen_live.beauty.maps import Floats
from gpen_live.faces.mesh import Mesh
from gpen_live.frame import Image

FindsMesh = Callable[[Image], Mesh]
"""A crop's mesh, see `gpen_live.inference.face_mesh`."""

FindsLayers = Callable[[Image, "Floats | None"], Floats]
"""The layers of a crop, given those of the frame before, see `gpen_live.inference.retouch`."""


@dataclass(frozen=True)
class Coming:
    """What will have been found in the frame at `at` seconds of media time."""

    at: float
    _mesh: Future[Mesh]
    _layers: Future[Floats]

    def mesh(self) -> Mesh | None:
        """The mesh, once it is there; None where its points are no numbers. Raises what the network raised."""
        mesh = self._mesh.result()
        return mesh if np.isfinite(mesh.points).all() else None

    def layers(self) -> Floats | None:
        """The layers, likewise."""
        layers = self._layers.result()
        return layers if np.isfinite(layers.sum()) else None


class Finder:
    """Runs both networks, each on a thread of its own."""

    def __init__(self, mesh: FindsMesh, layers: FindsLayers) -> None:
        self._mesh, self._layers = mesh, layers
        self._meshes, self._retouching = (ThreadPoolExecutor(1, f"gpen-live-{name}") for name in ("mesh", "retouch"))

    def begin(self, seen: Image, at: float, previous: Floats | None) -> Coming:
        """Begins to look at a crop (S x S x 3, uint8, BGR), which is not to be written to meanwhile.

        Args:
            at: its media time in seconds. previous: the layers of the frame before; None: there are none.
        """
        layers = self._retouching.submit(self._layers, seen, previous)
        return Coming(at, self._meshes.submit(self._mesh, seen), layers)

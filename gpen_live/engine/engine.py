"""One frame through detection, alignment, network and blend, on one device, by one thread."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.engine.canvas import Canvas, open_canvas, scale_of
from gpen_live.engine.device import synchronize
from gpen_live.engine.enhancer import Enhancer
from gpen_live.engine.memory import WHOLE_FRAME, Memory
from gpen_live.engine.whole import enhance_whole
from gpen_live.faces.align import GPEN_TEMPLATE, Matrix, Points, to_template
from gpen_live.faces.detect import Detector
from gpen_live.faces.track import Face, Tracker
from gpen_live.frame import Image
from gpen_live.models.registry import get, locate

if TYPE_CHECKING:
    import torch

NO_FACE = "No face in view."
COMING = "A face is coming into view."
_LARGEST_CROP = 4.0  # in frames: landmarks that ask for more are no face's
_WORST_FIT = 0.1  # root-mean-square distance from the template, in crop sides
_LEAST_WEIGHT = 1e-3


@dataclass
class Processed:
    """A finished frame. `raw_reason` says in a sentence why the frame is as it came; empty when it was enhanced."""

    image: Image
    faces: list[Face] = field(default_factory=list)
    raw_reason: str = ""
    times_ms: dict[str, float] = field(default_factory=dict)


class Engine:
    """Owns detector, tracker and network. All methods belong to the one thread that owns the device."""

    def __init__(self, device: torch.device, detector: Detector, enhancer: Enhancer) -> None:
        self.device = device
        self.detector = detector
        self.enhancer = enhancer
        self._tracker = Tracker()
        self._memory = Memory()

    def use(self, enhancer: Enhancer) -> None:
        """Another network on the same device; the faces that are followed stay."""
        self.enhancer = enhancer
        self._memory.forget()

    def new_scene(self) -> None:
        """Another source: faces of the old one are forgotten."""
        self._tracker.reset()
        self._memory.forget()

    def enhance_faces(self, image: Image, at: float, strength: float) -> Processed:
        """ROI mode: the faces of a frame captured at `at` seconds, enhanced by `strength` (0..1) and blended back.

        Raises:
            NetworkError: see `Enhancer`. The caller sends the raw frame then.
        """
        import torch

        done = Processed(image)
        self.enhancer.use_threads()
        with torch.inference_mode():
            with self._timed(done, "detect"):
                found = self.detector.detect(image)
                done.faces = self._tracker.update(found, at)
            size = self.enhancer.size
            placed = [(face, _placed(face, size, image)) for face in done.faces if face.weight > _LEAST_WEIGHT]
            faces = [face for face, matrix in placed if matrix is not None]
            matrices = [matrix for _, matrix in placed if matrix is not None]
            if not faces:
                done.raw_reason = COMING if done.faces else NO_FACE
                return done
            with self._timed(done, "warp"):
                canvas = open_canvas(image, self.device)
                crops = torch.cat([canvas.crop(matrix, size) for matrix in matrices])
            with self._timed(done, "network"):
                pictures = self._remembering([face.identity for face in faces], crops, at)
            with self._timed(done, "blend"):
                _blend(canvas, matrices, pictures - crops, [strength * face.weight for face in faces])
                done.image = canvas.picture()
        return done

    def enhance_frame(self, image: Image, at: float, strength: float) -> Processed:
        """Full-frame mode: all of a frame captured at `at` seconds through the network, mixed with the raw one by `strength`.

        Raises:
            NetworkError: see `Enhancer`. The caller sends the raw frame then.
        """
        import torch

        done = Processed(image)
        self.enhancer.use_threads(whole_frame=True)
        with torch.inference_mode():
            with self._timed(done, "warp"):
                canvas = open_canvas(image, self.device)
                whole = canvas.whole()
            with self._timed(done, "network"):
                previous = self._memory.recall([WHOLE_FRAME], whole, at) if self.enhancer.memory else None
                picture = enhance_whole(self.enhancer, whole, previous)
                self._memory.keep([WHOLE_FRAME], picture, at)
            with self._timed(done, "blend"):
                canvas.blend_whole((picture - whole) * strength)
                done.image = canvas.picture()
        return done

    def _remembering(self, faces: list[int], crops: torch.Tensor, at: float) -> torch.Tensor:
        """The network's pictures of the faces with these identities, given its last ones where it has a memory."""
        if not self.enhancer.memory:
            return self.enhancer(crops)
        pictures = self.enhancer(crops, self._memory.recall(faces, crops, at))
        self._memory.keep(faces, pictures, at)
        return pictures

    @contextmanager
    def _timed(self, done: Processed, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        synchronize(self.device)
        done.times_ms[stage] = (time.perf_counter() - start) * 1e3


def blend_faces(image: Image, enhancer: Enhancer, faces: Sequence[tuple[Points, float]]) -> Image:
    """A photo with the given faces (landmarks and strength each, largest first) enhanced; one after the other."""
    import torch

    with torch.inference_mode():
        canvas = open_canvas(image, enhancer.device)
        for landmarks, strength in reversed(faces):
            matrix = to_template(landmarks, enhancer.size)
            crop = canvas.crop(matrix, enhancer.size)
            canvas.blend(matrix, (enhancer(crop) - crop) * strength)
        return canvas.picture()


def _placed(face: Face, size: int, image: Image) -> Matrix | None:
    """The face's transform onto the template; None for landmarks that are no face's (mirrored, coinciding, beyond all bounds)."""
    try:
        matrix = to_template(face.landmarks, size)
    except ValueError:
        return None
    fitted = face.landmarks @ matrix[:, :2].T + matrix[:, 2]
    distance = np.sqrt(((fitted / size - GPEN_TEMPLATE) ** 2).sum(axis=1).mean())
    too_large = size > _LARGEST_CROP * max(image.shape[:2]) * scale_of(matrix)
    return None if too_large or distance > _WORST_FIT else matrix


def _blend(canvas: Canvas, matrices: list[Matrix], change: torch.Tensor, weights: list[float]) -> None:
    """Blends smallest first: where faces overlap, the larger one, nearer to the camera, has the last word."""
    for i in reversed(range(len(matrices))):
        canvas.blend(matrices[i], change[i : i + 1] * weights[i])


def load_detector(device: torch.device) -> Detector:
    """The shipped face detector on `device`, warmed up.

    Raises:
        WeightsError: its weights are missing or damaged.
    """
    detector = Detector.load(locate(get("detector"), None), device)
    for _ in range(2):
        detector.detect(np.full((360, 640, 3), 127, np.uint8))
    return detector

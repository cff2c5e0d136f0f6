"""One photo: faces enhanced at the photo's own resolution, or an aligned crop through the network and nothing else."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gpen_live.errors import GpenLiveError, UsageError
from gpen_live.frame import Array, Image, Size
from gpen_live.look import Look
from gpen_live.media.fit import as_bgr
from gpen_live.media.picture_file import WRITABLE
from gpen_live.privacy import hide

if TYPE_CHECKING:
    from gpen_live.engine.result import Stage
    from gpen_live.faces.detect import Detection

_MOST_FACES = 64
_DETECTION_SIDES = (320, 640, 1280)  # small faces in a large photo need a larger reduced picture


@dataclass(frozen=True)
class Photo:
    """A photo as read: `image` is BGR, `alpha` the H x W transparency, or None."""

    image: Image
    alpha: Array | None


def read_photo(path: Path) -> Photo:
    """Reads any picture that OpenCV knows: grey, 16-bit and alpha ones too, turned as its EXIF data say.

    Raises:
        GpenLiveError: the file is missing or no picture.
    """
    hide(path)
    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise GpenLiveError("photo.missing", path=path) from None
    except OSError as error:
        raise GpenLiveError("photo.unreadable", path=path, reason=error.strerror) from error
    try:
        image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if raw.size else None
        plain = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED) if raw.size else None
    except cv2.error:
        image = plain = None
    if image is None or plain is None:
        raise GpenLiveError("photo.not_a_picture", path=path)
    has_alpha = plain.ndim == 3 and plain.shape[2] == 4
    return Photo(as_bgr(np.asarray(image)), _upright(plain[:, :, 3], _turned(raw)) if has_alpha else None)


def _upright(plane: Array, orientation: int) -> Array:
    """A plane set upright by the EXIF orientation of its file, 1..8: OpenCV does so for colours, not for transparency."""
    if orientation >= 5:
        plane = plane.T
    if orientation in (2, 3, 6, 7):
        plane = plane[:, ::-1]
    if orientation in (3, 4, 7, 8):
        plane = plane[::-1]
    return np.ascontiguousarray(plane)


def _turned(raw: Array) -> int:
    """The EXIF orientation that OpenCV applied to the colours of a file: 1 where it left them as they lie."""
    lying = cv2.imdecode(raw, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    upright = cv2.imdecode(raw, cv2.IMREAD_COLOR)
    if lying.shape == upright.shape and np.array_equal(lying, upright):
        return 1
    from PIL import Image as Pictures

    with Pictures.open(io.BytesIO(raw.tobytes())) as picture:
        exif: Mapping[int, int] = picture.getexif()
        return int(exif.get(0x0112, 1))


def check_photo_target(path: Path) -> None:
    """Raises UsageError when the name's ending is of no picture that can be written, GpenLiveError when there is no folder."""
    hide(path)
    if path.suffix.lower() not in WRITABLE:
        raise UsageError("photo.ending", path=path, endings=", ".join(WRITABLE))
    if not path.parent.is_dir():
        raise GpenLiveError("file.no_folder", path=path)


def enhance_photo(
    image: Image,
    *,
    model: str,
    weights: Path | None,
    device: str,
    look: Look,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Image:
    """The photo with all its faces as `look` says; its mode doesn't matter.

    Args:
        progress: told how many faces are done, of how many.

    Raises:
        GpenLiveError: there is no face in it, or beauty failed; or as `load_enhancer` and `choose_device`.
    """
    from gpen_live.engine.photo import enhance_faces
    from gpen_live.faces.track import SURE
    from gpen_live.inference.device import choose_device
    from gpen_live.inference.loading import load_detector, load_enhancer

    chosen = choose_device(device)
    enhancer = load_enhancer(model, weights, chosen)
    detector = load_detector(chosen)
    found: list[Detection] = []
    for detector.long_side in _DETECTION_SIDES:
        found = max(found, detector.detect(image, max_faces=_MOST_FACES, threshold=SURE), key=len)
    if not found:
        raise GpenLiveError("photo.no_face")
    numbers = itertools.count(1)
    progress(0, len(found))
    with _in_a_sentence():
        return enhance_faces(
            image,
            enhancer,
            [face.landmarks for face in found],
            look,
            _stages(look),
            lambda: progress(next(numbers), len(found)),
        )


def enhance_aligned(image: Image, *, model: str, weights: Path | None, device: str, look: Look) -> Image:
    """A crop that is aligned already, as `look` says: size x size.

    Raises:
        GpenLiveError: beauty failed; or as `load_enhancer` and `choose_device`.
    """
    from gpen_live.engine import photo
    from gpen_live.inference.device import choose_device
    from gpen_live.inference.loading import load_enhancer

    enhancer = load_enhancer(model, weights, choose_device(device))
    side = enhancer.size
    if Size.of(image) != Size(side, side):
        way = cv2.INTER_AREA if min(image.shape[:2]) > side else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (side, side), interpolation=way), dtype=np.uint8)
    with _in_a_sentence():
        return photo.enhance_aligned(image, enhancer, look, _stages(look))


def _stages(look: Look) -> list[Stage]:
    """What draws on a photo: on the processor whatever the network runs on, as a photo has time."""
    if not look.beauty.uses():
        return []
    from gpen_live.beauty.stage import open_stage
    from gpen_live.inference.device import CPU

    stage = open_stage(CPU)
    return [] if stage is None else [stage]


@contextmanager
def _in_a_sentence() -> Iterator[None]:
    from gpen_live.engine.result import StageError

    try:
        yield
    except StageError as error:
        raise GpenLiveError("photo.no_beauty", reason=error.reason) from error

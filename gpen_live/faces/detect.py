"""Faces and five landmarks in a frame: facexlib's RetinaFace (mobile0.25) on a reduced picture, with our own decoding.

The network is that of Deng et al., "RetinaFace: Single-stage Dense Face Localisation in the Wild", CVPR 2020 (arXiv 1905.00641).
Imports torch at import time: import this module late. facexlib itself is imported when weights are loaded; its downloading
helpers are never used.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gpen_live.errors import WeightsError
from gpen_live.faces.align import Points
from gpen_live.faces.stub_packages import stub_packages
from gpen_live.frame import Image

ARCHITECTURE = "retinaface_mobile0.25"
STEPS = (8, 16, 32)
ANCHOR_SIZES = ((16, 32), (64, 128), (256, 512))
VARIANCES = (0.1, 0.2)
MEAN_BGR = (104.0, 117.0, 123.0)
"""Steps, anchor sizes (pixels) of the three levels, coding variances and input mean, as in facexlib's configuration."""

DEFAULT_LONG_SIDE = 320
DEFAULT_THRESHOLD = 0.9
"""Good for a face that is followed already. Where one false face matters, and for new faces, ask for 0.97."""

NMS_IOU = 0.4
VOTE_IOU = 0.6
MAX_CANDIDATES = 192

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Detection:
    """One face, in pixels of the frame (pixel centres at integer coordinates).

    `box` is (x0, y0, x1, y1) and may reach beyond the frame; `score` is 0..1; `landmarks` are 5 x 2: left eye, right eye, nose,
    left and right mouth corner, as seen in the picture.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: Points

    @property
    def area(self) -> float:
        x0, y0, x1, y1 = self.box
        return (x1 - x0) * (y1 - y0)


class Detector:
    """Finds faces on one device. Not for several threads at once.

    Args:
        network: facexlib's `RetinaFace("mobile0.25")` with its weights; copied, never changed.
        device, dtype: where and in what precision the convolutions run; decoding is always in fp32.
        long_side: frames are reduced so that their longer side has this many pixels (never enlarged).
        vote: average each face over its overlapping candidates, which makes landmarks steadier than the best candidate's alone.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        long_side: int = DEFAULT_LONG_SIDE,
        vote: bool = True,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.long_side = long_side
        self.vote = vote
        self._network = _for_inference(network).to(device=device, dtype=dtype)
        self._layout = memory_format(device)
        self._network.to(memory_format=self._layout)  # type: ignore[call-overload]
        self._search: Callable[[Tensor], Tensor] | None = None

    @property
    def network(self) -> nn.Module:
        """RetinaFace with its batch normalisations folded, giving logits; not to be changed."""
        return self._network

    def use(self, search: Callable[[Tensor], Tensor]) -> None:
        """Another way to `candidates`, faster on this device: gets what `plain_candidates` does, and gives as much."""
        self._search = search

    @staticmethod
    def load(
        path: Path, device: torch.device, dtype: torch.dtype = torch.float32, *, long_side: int = DEFAULT_LONG_SIDE
    ) -> Detector:
        """Reads a safetensors file with facexlib's parameter names.

        Raises:
            WeightsError: the file is missing, damaged, or of another network.
        """
        network = build_network(torch.device("cpu"))
        try:
            network.load_state_dict(_read_weights(path), strict=True)
        except RuntimeError as error:
            raise WeightsError(
                f"{path.name} does not hold weights of the face detector ({ARCHITECTURE}).",
                "Restore the file that came with GPEN Live.",
            ) from error
        return Detector(network, device, dtype, long_side=long_side)

    def detect(self, image: Image, *, max_faces: int = 4, threshold: float = DEFAULT_THRESHOLD) -> list[Detection]:
        """The faces in a frame, largest first.

        Args:
            image: H x W x 3, uint8, BGR.
            max_faces: at most so many.
            threshold: smallest score, 0..1.

        Raises:
            ValueError: the picture has another shape or type.
        """
        check_picture(image)
        height, width = image.shape[:2]
        small_h, small_w = self.reduced(height, width)
        small = image
        if (small_w, small_h) != (width, height):
            small = np.asarray(cv2.resize(image, (small_w, small_h), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        tensor = torch.from_numpy(np.ascontiguousarray(small)).to(self.device).permute(2, 0, 1)[None].float()
        return self.detect_tensor(tensor, scale=(width / small_w, height / small_h), max_faces=max_faces, threshold=threshold)

    @torch.inference_mode()
    def detect_tensor(
        self,
        reduced: Tensor,
        *,
        scale: tuple[float, float] = (1.0, 1.0),
        max_faces: int = 4,
        threshold: float = DEFAULT_THRESHOLD,
    ) -> list[Detection]:
        """As `detect`, for a picture that is already reduced and on the device.

        Args:
            reduced: 1 x 3 x h x w, BGR, 0..255, any float type.
            scale: frame pixels per reduced pixel, in x and in y.
            max_faces: at most so many.
            threshold: smallest score, 0..1.
        """
        return self.read(self.candidates(reduced).cpu().numpy(), scale=scale, max_faces=max_faces, threshold=threshold)

    def reduced(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the reduced picture for frames of that size."""
        ratio = min(1.0, self.long_side / max(height, width))
        return max(1, round(height * ratio)), max(1, round(width * ratio))

    def read(
        self,
        candidates: npt.NDArray[np.floating[Any]],
        *,
        scale: tuple[float, float],
        max_faces: int = 4,
        threshold: float = DEFAULT_THRESHOLD,
    ) -> list[Detection]:
        """The faces among `candidates` (of a picture reduced by `scale`, on the host), largest first."""
        # Below half the threshold nobody is heard, and there are few above it.
        found = candidates[candidates[:, 0] >= threshold / 2].astype(np.float64)
        found = found[np.isfinite(found).all(axis=1)]
        if not len(found):
            return []
        scores = found[:, 0]
        points = found[:, 1:].reshape(-1, 7, 2)
        points = (points + 0.5) * np.asarray(scale) - 0.5
        kept = suppress(points[:, :2].reshape(-1, 4), scores, threshold)
        faces = [self._face(points, scores, index, threshold) for index in kept]
        return sorted(faces, key=lambda face: -face.area)[:max_faces]

    def candidates(self, reduced: Tensor) -> Tensor:
        """The best-scored anchors of a picture, decoded: N x 15 on the device, fp32, by falling score.

        Columns: score, box (x0, y0, x1, y1), landmarks (x, y) x 5, in pixels of `reduced`. Has a fixed size for a given input
        size and no transfer in between, so that a GPU is waited for once.
        """
        return self.plain_candidates(reduced) if self._search is None else self._search(reduced)

    def plain_candidates(self, reduced: Tensor) -> Tensor:
        """`candidates` by PyTorch's own operations, on any device."""
        x = padded(reduced).to(self.dtype, memory_format=self._layout)
        boxes, classes, landmarks = self._network(x)
        return decode(boxes, classes, landmarks, x.shape[-2], x.shape[-1])

    def _face(self, points: Floats, scores: Floats, index: int, threshold: float) -> Detection:
        merged = points[index]
        if self.vote:
            # Weights fall to zero at the cut, so that a candidate that comes or goes moves nothing abruptly.
            cut = threshold / 2
            overlap = iou(points[index, :2].reshape(4), points[:, :2].reshape(-1, 4))
            weights = np.where(overlap >= VOTE_IOU, np.clip(scores - cut, 0.0, None) * (overlap - VOTE_IOU + 1e-3), 0.0)
            merged = np.tensordot(weights / weights.sum(), points, axes=1)
        x0, y0, x1, y1 = (float(value) for value in merged[:2].reshape(4))
        return Detection((x0, y0, x1, y1), float(scores[index]), np.ascontiguousarray(merged[2:]))


def memory_format(device: torch.device) -> torch.memory_format:
    """The layout in which convolutions are fastest; on Apple's GPUs channels-last has given wrong pictures in some versions."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def check_picture(image: Image) -> None:
    """Raises ValueError unless `image` is H x W x 3, uint8."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"a picture of H x W x 3 bytes is needed, not {image.shape} of {image.dtype}")


def build_network(device: torch.device) -> nn.Module:
    """A fresh RetinaFace (mobile0.25) of facexlib."""
    network: nn.Module = _retinaface()("mobile0.25", half=False, device=device)
    return network


def _retinaface() -> Callable[..., nn.Module]:
    """The class of facexlib. It wants one small class of torchvision, whose package would bring in PyTorch's compiler with it.

    Without that, a start is seconds shorter, and 170 MB of memory are saved.
    """
    try:
        with stub_packages("torchvision", "torchvision.models", "facexlib", "facexlib.detection"):
            from facexlib.detection.retinaface import RetinaFace
    except ImportError:  # another torchvision, built otherwise
        from facexlib.detection.retinaface import RetinaFace
    found: Callable[..., nn.Module] = RetinaFace
    return found


def make_anchors(height: int, width: int) -> Floats:
    """The anchors of an input of that size: N x 3, centre (x, y) and side, in pixels, in the network's output order.

    As in facexlib's PriorBox, without the division by the picture's size.
    """
    levels = []
    for step, sizes in zip(STEPS, ANCHOR_SIZES, strict=True):
        rows, columns = -(-height // step), -(-width // step)
        y, x, size = np.meshgrid((np.arange(rows) + 0.5) * step, (np.arange(columns) + 0.5) * step, sizes, indexing="ij")
        levels.append(np.stack([x, y, size], axis=-1).reshape(-1, 3))
    return np.concatenate(levels)


def padded(reduced: Tensor) -> Tensor:
    """What the network gets of a picture (1 x 3 x h x w, BGR, 0..255): without the mean, sides up to whole steps with zeros."""
    height, width = reduced.shape[-2:]
    return F.pad(reduced.float() - _mean_on(reduced.device), (0, -width % STEPS[-1], 0, -height % STEPS[-1]))


def decode(boxes: Tensor, classes: Tensor, landmarks: Tensor, height: int, width: int) -> Tensor:
    """The best-scored of the network's anchors, as `Detector.candidates` gives them.

    Args:
        boxes: 1 x N x 4. classes: 1 x N x 2, logits. landmarks: 1 x N x 10.
        height, width: of what the network got.
    """
    anchors = _anchors_on(height, width, boxes.device)
    margin = classes[0, :, 1].float() - classes[0, :, 0].float()
    best, order = margin.topk(min(MAX_CANDIDATES, margin.shape[0]))
    return torch.cat(
        [
            best.sigmoid()[:, None],
            decode_boxes(boxes[0, order].float(), anchors[order]),
            decode_landmarks(landmarks[0, order].float(), anchors[order]),
        ],
        dim=1,
    )


@cache  # never let go of: recorded graphs read it
def _mean_on(device: torch.device) -> Tensor:
    return torch.tensor(MEAN_BGR, device=device).view(1, 3, 1, 1)


@cache  # never let go of: recorded graphs read them
def _anchors_on(height: int, width: int, device: torch.device) -> Tensor:
    return torch.from_numpy(make_anchors(height, width)).float().to(device)


def decode_boxes(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Boxes (x0, y0, x1, y1) in pixels from regressed offsets (... x N x 4) and anchors (N x 3)."""
    size = anchors[:, 2:]
    centre = anchors[:, :2] + offsets[..., :2] * (VARIANCES[0] * size)
    # The clamp keeps an untrained or damaged network from infinities; 2**7 anchors is larger than any picture.
    half = size * (offsets[..., 2:] * VARIANCES[1]).clamp(max=5.0).exp() / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def decode_landmarks(offsets: Tensor, anchors: Tensor) -> Tensor:
    """Landmarks (x, y) x 5 in pixels from regressed offsets (... x N x 10) and anchors (N x 3)."""
    return anchors[:, :2].repeat(1, 5) + offsets * (VARIANCES[0] * anchors[:, 2:])


def iou(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one box with N boxes, each (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = box.tolist()
    left, top, right, bottom = boxes.T
    width, height = np.minimum(right, x1) - np.maximum(left, x0), np.minimum(bottom, y1) - np.maximum(top, y0)
    common = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    area = np.maximum(right - left, 0.0) * np.maximum(bottom - top, 0.0)
    own = max(x1 - x0, 0.0) * max(y1 - y0, 0.0)
    return np.asarray(common / np.maximum(area + own - common, 1e-9), dtype=np.float64)


def suppress(boxes: Floats, scores: Floats, threshold: float, overlap: float = NMS_IOU) -> list[int]:
    """Greedy non-maximum suppression: indices of the boxes to keep, by falling score, all at least `threshold`.

    Of two boxes with an IoU above `overlap`, the less sure one goes.
    """
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= threshold]
    kept: list[int] = []
    while order.size:
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        order = rest[iou(boxes[best], boxes[rest]) <= overlap]
    return kept


def _read_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(str(path))
    except (OSError, SafetensorError) as error:
        missing = isinstance(error, FileNotFoundError)
        what = f"The face detector's weights {path} are missing." if missing else f"{path.name} is damaged or no weights file."
        raise WeightsError(what, "Restore the file that came with GPEN Live.") from error
    return tensors


def _for_inference(network: nn.Module) -> nn.Module:
    """A copy with every batch normalisation folded into the convolution before it, giving logits instead of probabilities."""
    copied = copy.deepcopy(network).float().eval()
    for module in list(copied.modules()):
        if not isinstance(module, nn.Sequential):
            continue
        for index in range(len(module) - 1):
            convolution, norm = module[index], module[index + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[index] = fuse_conv_bn_eval(convolution, norm)
                module[index + 1] = nn.Identity()
    copied.phase = "train"  # type: ignore[assignment]  # facexlib's switch: no softmax
    return copied.requires_grad_(False)

"""The face detector on tensors: in PyTorch on any device, by kernels of its own on NVIDIA cards.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gpen_live.faces.detect import (
    DEFAULT_LONG_SIDE,
    DEFAULT_THRESHOLD,
    MAX_CANDIDATES,
    VARIANCES,
    Detection,
    Detector,
    Planes,
    make_anchors,
)
from gpen_live.inference.device import Device, exclusive
from gpen_live.models.loading import load
from gpen_live.models.registry import get
from gpen_live.nets.layers import Network
from gpen_live.nets.retinaface import MEAN_BGR, STRIDE
from gpen_live.nets.torch_graph import TorchGraph


class TorchDetector(Detector):
    """Finds faces on one device. Not for several threads at once.

    Args:
        network: as `gpen_live.nets.retinaface.fold` gives it.
        device, dtype: where and in what precision the convolutions run; decoding is always in fp32.
        long_side, vote: as for `Detector`.
    """

    def __init__(
        self,
        network: Network,
        device: Device,
        dtype: torch.dtype = torch.float32,
        *,
        long_side: int = DEFAULT_LONG_SIDE,
        vote: bool = True,
    ) -> None:
        super().__init__(self._search_on_device, long_side=long_side, vote=vote)
        self.device = device
        self.dtype = dtype
        self._layout = memory_format(device)
        self._fast: Callable[[Tensor], Tensor] | None = None
        self.network = network
        with exclusive(device):
            self._module = TorchGraph.of(network).to(device=device.torch(), dtype=dtype)
            self._module.to(memory_format=self._layout)  # type: ignore[call-overload]

    def use(self, search: Callable[[Tensor], Tensor]) -> None:
        """Another way to `candidates`, faster on this device: gets what `plain_candidates` does, and gives as much."""
        self._fast = search

    @staticmethod
    def load(
        path: Path, device: Device, dtype: torch.dtype = torch.float32, *, long_side: int = DEFAULT_LONG_SIDE
    ) -> TorchDetector:
        """Reads a safetensors file with facexlib's parameter names.

        Raises:
            WeightsError: the file is missing, damaged, or of another network.
        """
        network = load(get("detector"), path).network
        assert network is not None
        return TorchDetector(network, device, dtype, long_side=long_side)

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
        return self.read(self._found(reduced), scale=scale, max_faces=max_faces, threshold=threshold)

    def candidates(self, reduced: Tensor) -> Tensor:
        """The best-scored anchors of a picture, decoded: N x 15 on the device, fp32, by falling score; see `Detector`.

        Has a fixed size for a given input size and no transfer in between, so that a GPU is waited for once.
        """
        return self.plain_candidates(reduced) if self._fast is None else self._fast(reduced)

    def plain_candidates(self, reduced: Tensor) -> Tensor:
        """`candidates` by PyTorch's own operations, on any device."""
        x = padded(reduced).to(self.dtype, memory_format=self._layout)
        boxes, classes, landmarks = self._module.run(x)
        return decode(boxes, classes, landmarks, x.shape[-2], x.shape[-1])

    @torch.inference_mode()
    def _search_on_device(self, reduced: Planes) -> Planes:
        with exclusive(self.device):
            return self._found(torch.from_numpy(reduced).to(self.device.torch()))

    def _found(self, reduced: Tensor) -> Planes:
        found: Planes = self.candidates(reduced).cpu().numpy()
        return found


def memory_format(device: Device) -> torch.memory_format:
    """The layout in which convolutions are fastest; on Apple's GPUs channels-last has given wrong pictures in some versions."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def padded(reduced: Tensor) -> Tensor:
    """The picture (1 x 3 x h x w, BGR, 0..255), its sides up to whole steps with the mean."""
    height, width = reduced.shape[-2:]
    rows, columns = (-(-side // STRIDE) * STRIDE for side in (height, width))
    out = _mean_on(reduced.device).expand(len(reduced), -1, rows, columns).contiguous()
    out[..., :height, :width] = reduced
    return out


def decode(boxes: Tensor, classes: Tensor, landmarks: Tensor, height: int, width: int) -> Tensor:
    """As `gpen_live.faces.detect.decode`, on the device."""
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
    return torch.from_numpy(make_anchors(height, width).astype(np.float32)).to(device)


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

"""The face detector on tensors: in PyTorch on any device, by kernels of its own on NVIDIA cards.

Imports torch at import time: import this module late. facexlib is imported when weights are loaded; its downloading helpers are
never used.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gpen_live.errors import WeightsError
from gpen_live.faces.detect import (
    ARCHITECTURE,
    DEFAULT_LONG_SIDE,
    DEFAULT_THRESHOLD,
    MAX_CANDIDATES,
    MEAN_BGR,
    STEPS,
    VARIANCES,
    Detection,
    Detector,
    Planes,
    make_anchors,
)
from gpen_live.faces.stub_packages import stub_packages
from gpen_live.inference.device import Device, exclusive


class TorchDetector(Detector):
    """Finds faces on one device. Not for several threads at once.

    Args:
        network: facexlib's `RetinaFace("mobile0.25")` with its weights; copied, never changed.
        device, dtype: where and in what precision the convolutions run; decoding is always in fp32.
        long_side, vote: as for `Detector`.
    """

    def __init__(
        self,
        network: nn.Module,
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
        with exclusive(device):
            self._network = _for_inference(network).to(device=device.torch(), dtype=dtype)
            self._network.to(memory_format=self._layout)  # type: ignore[call-overload]

    @property
    def network(self) -> nn.Module:
        """RetinaFace with its batch normalisations folded, giving logits; not to be changed."""
        return self._network

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
        network = build_network(torch.device("cpu"))
        try:
            network.load_state_dict(_read_weights(path), strict=True)
        except RuntimeError as error:
            raise WeightsError("detector.other_network", file=path.name, architecture=ARCHITECTURE) from error
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
        boxes, classes, landmarks = self._network(x)
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


def padded(reduced: Tensor) -> Tensor:
    """As `gpen_live.faces.detect.padded`."""
    height, width = reduced.shape[-2:]
    return F.pad(reduced.float() - _mean_on(reduced.device), (0, -width % STEPS[-1], 0, -height % STEPS[-1]))


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


def _read_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(str(path))
    except (OSError, SafetensorError) as error:
        if isinstance(error, FileNotFoundError):
            raise WeightsError("detector.missing", path=path) from error
        raise WeightsError("detector.damaged", file=path.name) from error
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

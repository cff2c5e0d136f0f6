"""The face detector's faster way on NVIDIA cards: kernels of its own, where they prove to find the same as PyTorch.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from gpen_live.inference import measurements as store
from gpen_live.inference.autotune_cuda import card_key

if TYPE_CHECKING:
    from torch import Tensor

    from gpen_live.inference.torch_detector import TorchDetector
    from gpen_live.nets.layers import Network

_log = logging.getLogger(__name__)

_PROOFS = ((180, 320), (157, 93))
"""Heights and widths of the pictures that both ways have to agree on."""
_MOST_PIXELS, _MOST_LOGITS = 1.0, 0.1
"""By how much candidates may differ. Half precision moves them by a fifth of it at most; a single channel that is missing by more
than one or the other."""


@torch.inference_mode()
def speed_up(detector: TorchDetector) -> bool:
    """Gives a detector on a card the faster way, if that runs there and agrees with PyTorch; whether it does.

    It compiles kernels before (seconds). The first call on a machine has it prove that, which is remembered.
    """
    if detector.device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return False
    card = detector.device.torch()
    try:
        from gpen_live.kernels.detector import TritonDetector

        fast = TritonDetector(detector.network, torch.float16, card, early=True)
        fast.compile()
        key = card_key(card, "detector", _digest(detector.network))
        if store.recall(key) is not True:
            prove(fast, detector)
            store.remember(key, True)
    except Exception:  # noqa: BLE001  no compiler, an old card or driver, a wrong result: PyTorch finds faces too
        _log.warning("the face detector's faster way does not run on %s: PyTorch finds the faces", detector.device, exc_info=True)
        return False
    detector.use(fast)
    return True


def _digest(network: Network) -> str:
    """Tells weights from others."""
    found = hashlib.sha256()
    for name in network.graph.parameters:
        found.update(network.weights[name].tobytes())
    return found.hexdigest()[:12]


@torch.inference_mode()
def prove(search: Callable[[Tensor], Tensor], detector: TorchDetector) -> None:
    """Raises RuntimeError unless `search` gives PyTorch's candidates."""
    for height, width in _PROOFS:
        picture = _picture(height, width).to(detector.device.torch())
        pixels, logits = difference(search(picture), detector.plain_candidates(picture))
        if not (pixels <= _MOST_PIXELS and logits <= _MOST_LOGITS):
            raise RuntimeError(
                f"the candidates differ from PyTorch's by {pixels:.2f} pixels, by {logits:.2f} in the score's logit"
            )


def difference(candidates: Tensor, reference: Tensor) -> tuple[float, float]:
    """By how much candidates differ from a reference at most: in pixels, and in the score's logits. Infinite for other shapes.

    The surer half of the reference is looked at, and each candidate of it is compared with the one that lies closest: rounding
    exchanges those of nearly the same score, and which ones come last.
    """
    if candidates.shape != reference.shape or not bool(torch.isfinite(candidates).all()):
        return float("inf"), float("inf")
    some = reference[: -(-len(reference) // 2)].double()
    apart = (some[:, None, 1:] - candidates[None, :, 1:]).abs().amax(dim=2)
    pixels, nearest = apart.min(dim=1)
    logits = (candidates[nearest, 0].double().logit() - some[:, 0].logit()).abs()
    return float(pixels.max()), float(logits.max())


def _picture(height: int, width: int) -> Tensor:
    """Soft blotches with some noise, always the same: 1 x 3 x height x width, 0..255, whole numbers."""
    generator = torch.Generator().manual_seed(0)
    blotches = torch.rand(1, 3, 6, 8, generator=generator)
    soft = torch.nn.functional.interpolate(blotches, (height, width), mode="bicubic")
    noise = torch.randn(1, 3, height, width, generator=generator)
    return (soft * 255 + noise * 12).round().clamp(0, 255)

"""The face detector's faster way: kernels on NVIDIA cards, OpenVINO on processors, where it proves to find the same as PyTorch.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from gpen_live.faces.detect import decode
from gpen_live.inference import measurements as store
from gpen_live.inference.autotune_cpu import most_threads
from gpen_live.inference.autotune_cuda import card_key
from gpen_live.inference.device import cpu_name
from gpen_live.nets import retinaface
from gpen_live.nets.layers import Network
from gpen_live.nets.torch_graph import arrays

if TYPE_CHECKING:
    from torch import Tensor

    from gpen_live.faces.detect import Detector

_log = logging.getLogger(__name__)

_PROOFS = ((180, 320), (157, 93))
"""Heights and widths of the pictures that both ways have to agree on."""
_MOST_PIXELS, _MOST_LOGITS = 1.0, 0.1
"""By how much candidates may differ. Half precision moves them by a fifth of it at most; a single channel that is missing by more
than one or the other."""


Search = Callable[[torch.Tensor], torch.Tensor]
_THREADS = 2  # on processors: more gain nothing for so small a picture, and are missing elsewhere


@torch.inference_mode()
def speed_up(detector: Detector) -> bool:
    """Gives the detector the faster way, if its device has one that agrees with PyTorch; whether it does.

    The first call on a machine has it prove that, which is remembered; on a card it compiles kernels before (seconds).
    """
    try:
        way = _WAYS.get(detector.device.type)
        found = None if way is None else way(detector)
        if found is None:
            return False
        fast, key = found
        if store.recall(key) is not True:
            prove(fast, detector)
            store.remember(key, True)
    except Exception:  # noqa: BLE001  no compiler, an old card or driver, a wrong result: PyTorch finds faces too
        _log.warning("the face detector's faster way does not run on %s: PyTorch finds the faces", detector.device, exc_info=True)
        return False
    detector.use(fast)
    return True


def _on_a_card(detector: Detector) -> tuple[Search, str] | None:
    if importlib.util.find_spec("triton") is None:
        return None
    from gpen_live.inference.triton.detector import TritonDetector

    fast = TritonDetector(detector.network, torch.float16, detector.device, early=True)
    fast.compile()
    return fast, card_key(detector.device, "detector", _digest(detector.network))


def _on_a_processor(detector: Detector) -> tuple[Search, str] | None:
    from gpen_live.inference.openvino.detector import OpenVinoDetector

    network = OpenVinoDetector(Network(retinaface.graph(), arrays(detector.network)), threads=min(most_threads(), _THREADS))

    def fast(reduced: Tensor) -> Tensor:
        height, width = (-(-side // retinaface.STRIDE) * retinaface.STRIDE for side in reduced.shape[-2:])
        boxes, classes, landmarks = (torch.from_numpy(each) for each in network(reduced.float().numpy()))
        return decode(boxes, classes, landmarks, height, width)

    version = importlib.metadata.version("openvino")
    return fast, " | ".join(("detector", _digest(detector.network), cpu_name(), f"openvino {version}"))


_WAYS: dict[str, Callable[[Detector], tuple[Search, str] | None]] = {"cuda": _on_a_card, "cpu": _on_a_processor}


def _digest(network: torch.nn.Module) -> str:
    """Tells weights from others."""
    found = hashlib.sha256()
    for tensor in network.state_dict().values():
        found.update(tensor.float().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:12]


@torch.inference_mode()
def prove(search: Callable[[Tensor], Tensor], detector: Detector) -> None:
    """Raises RuntimeError unless `search` gives PyTorch's candidates."""
    for height, width in _PROOFS:
        picture = _picture(height, width).to(detector.device)
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

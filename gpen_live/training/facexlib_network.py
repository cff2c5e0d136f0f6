"""facexlib's RetinaFace, which is what training trains: with batch normalisations, under the names of the detector's file.

Imports torch at import time, and facexlib when a network is built; its downloading helpers are never used.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from gpen_live.nets import retinaface
from gpen_live.nets.layers import Network
from gpen_live.nets.torch_graph import arrays
from gpen_live.training.stub_packages import stub_packages


def as_network(module: nn.Module) -> Network:
    """What detectors run: normalisations folded; the module is copied."""
    return retinaface.fold(arrays(module))


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

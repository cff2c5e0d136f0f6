"""The tests' networks, written in PyTorch, for the frame paths."""

from __future__ import annotations

import torch
from torch import nn

from gpen_live.inference.autotune_cpu import Pictures, Way
from gpen_live.inference.device import CPU, Device
from gpen_live.inference.enhancer import Enhancer
from gpen_live.inference.host import HostEnhancer
from gpen_live.models.registry import get

SPEC = get("lite-256")


def on_host(network: nn.Module, size: int = 256) -> HostEnhancer:
    """The network as the processor's path takes it: arrays in and out."""
    memory = bool(getattr(network, "memory", False))

    def run(pictures: Pictures, previous: Pictures | None) -> Pictures:
        seen = [torch.from_numpy(pictures)] + ([torch.from_numpy(previous)] if memory and previous is not None else [])
        with torch.inference_mode():
            out: Pictures = network(*seen).numpy()
        return out

    way = Way("PyTorch", "fp32", lambda threads: run)
    enhancer = HostEnhancer(SPEC, [way], stride=getattr(network, "stride", None), memory=memory)
    enhancer.size = size
    return enhancer


def on_tensors(network: nn.Module, device: Device = CPU, size: int = 256) -> Enhancer:
    """The network as the other paths take it."""
    enhancer = Enhancer(network, SPEC, device)
    enhancer.size = size
    return enhancer

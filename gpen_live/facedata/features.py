"""The feature network that training learns from and validation measures with: VGG-19 up to relu3_1, given by path."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_CONVOLUTIONS = ((0, 3, 3, 1), (2, 3, 64, 3), (5, 64, 64, 3), (9, 64, 128, 3), (12, 128, 128, 3), (16, 128, 256, 3))
_POOL_BEFORE = {9, 16}
_TAKEN = {5, 12, 16}  # relu1_2, relu2_2, relu3_1


class Features(nn.Module):
    """VGG-19 (Simonyan and Zisserman 2015), normalised (Gatys et al. 2016) so that every channel is 1 on average.

    The state dict is that of an `nn.Sequential` whose first 1x1 convolution takes RGB in [0, 1] to the network's own colours.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({str(i): nn.Conv2d(a, b, k) for i, a, b, k in _CONVOLUTIONS})
        self.requires_grad_(False)

    @classmethod
    def load(cls, path: Path) -> Features:
        """Reads the weights (a plain state dict, nothing in it is executed)."""
        net = cls()
        state = torch.load(path, map_location="cpu", weights_only=True)
        net.load_state_dict({f"layers.{name}": value for name, value in state.items()})
        return net.eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """N,3,H,W RGB in [-1, 1] to the activations of relu1_2, relu2_2 and relu3_1."""
        x = (x + 1) / 2
        taken = []
        for name, layer in self.layers.items():
            index = int(name)
            if index in _POOL_BEFORE:
                x = F.max_pool2d(x, 2)
            if index == 0:
                x = layer(x)
                continue
            x = F.relu(layer(F.pad(x, (1, 1, 1, 1), mode="reflect")))
            if index in _TAKEN:
                taken.append(x)
        return taken


def feature_distance(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """Mean absolute difference of the activations, summed over the three layers; per picture (N).

    A distance of features, to be learnt from and compared; not LPIPS.
    """
    return torch.stack([(p - q).abs().mean((1, 2, 3), dtype=torch.float32) for p, q in zip(a, b, strict=True)]).sum(0)

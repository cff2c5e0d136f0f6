"""The adversarial term: a small network that tells enhanced patches from photos.

After Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017, kept tame by spectral
normalisation (Miyato et al., ICLR 2018).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class Critic(nn.Module):
    """N,3,H,W, RGB in [-1, 1], to N,1,H/4,W/4: above 0 for what looks like a photo. Sees patches of 30 pixels."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        steps = ((3, width, 2), (width, 2 * width, 2), (2 * width, 4 * width, 1))
        self.layers = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4 if s == 2 else 3, s, 1)) for a, b, s in steps)
        self.last = spectral_norm(nn.Conv2d(4 * width, 1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        out: Tensor = self.last(x)
        return out


def critic_loss(real: Tensor, made: Tensor) -> Tensor:
    """Hinge loss of the critic."""
    return F.relu(1 - real).mean() + F.relu(1 + made).mean()

"""An enhancer of either kind, called with tensors: for those who compare pictures in PyTorch anyway."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gpen_live.inference.host import HostEnhancer

if TYPE_CHECKING:
    from torch import Tensor

    from gpen_live.inference.enhancer import Enhancer

    TensorNetwork = Callable[..., Tensor]


def on_tensors(enhancer: HostEnhancer | Enhancer) -> TensorNetwork:
    """The enhancer as a function of pictures and, or None, the ones before: tensors on its device, as `Enhancer` takes them."""
    if not isinstance(enhancer, HostEnhancer):
        return enhancer

    def call(pictures: Tensor, previous: Tensor | None = None) -> Tensor:
        import torch

        before = None if previous is None else previous.contiguous().numpy()
        return torch.from_numpy(enhancer(pictures.contiguous().numpy(), before))

    return call

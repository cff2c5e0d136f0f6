"""The layers of faces' retouching on tensors: in PyTorch, on any device, several faces at once, without waiting for the device.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gpen_live.inference.device import Device
from gpen_live.inference.retouch import SHAPE, shipped_network
from gpen_live.nets.layers import Network
from gpen_live.nets.retouch import SIZE
from gpen_live.nets.torch_graph import TorchGraph


class TorchRetouch:
    """Finds the layers of faces (see `gpen_live.nets.retouch.LAYERS`). Its calls can be captured in a CUDA graph.

    Args:
        network: as `gpen_live.inference.retouch.shipped_network` gives it.
        device, dtype: where and in what precision it runs.
    """

    def __init__(self, network: Network, device: Device, dtype: torch.dtype = torch.float32) -> None:
        self._net = TorchGraph.of(network).to(device=device.torch(), dtype=dtype)

    @staticmethod
    def load(device: Device, dtype: torch.dtype = torch.float32) -> TorchRetouch:
        """With the weights that come with GPEN Live.

        Raises:
            WeightsError: they are missing or damaged.
        """
        return TorchRetouch(shipped_network(), device, dtype)

    @torch.inference_mode()
    def __call__(self, crops: Tensor, previous: Tensor | None = None) -> Tensor:
        """The layers of the faces in aligned crops.

        Args:
            crops: N x 3 x S x S, RGB, 0..255, any float dtype, on the device.
            previous: the layers of the frame before, aligned alike, N x 5 x 128 x 128; None, or zeros for a face: there are none.

        Returns:
            N x 5 x 128 x 128, float32, in [0, 1].
        """
        if crops.shape[-1] > SIZE:
            crops = F.interpolate(crops, (SIZE, SIZE), mode="area")
        elif crops.shape[-1] < SIZE:
            crops = F.interpolate(crops, (SIZE, SIZE), mode="bilinear", align_corners=False)
        before = crops.new_zeros((len(crops), *SHAPE)) if previous is None else previous
        return self._net.run(crops / 127.5 - 1, before)[0].float()

"""The dense meshes of faces on tensors: in PyTorch, on any device, several faces at once, without waiting for the device.

Imports torch at import time: import this module late.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gpen_live.faces.mesh import window
from gpen_live.inference.device import Device
from gpen_live.inference.face_mesh import shipped_networks
from gpen_live.nets import face_mesh as nets
from gpen_live.nets.layers import Network
from gpen_live.nets.torch_graph import TorchGraph


class TorchFaceMesh:
    """Finds the points of faces. Its calls can be captured in a CUDA graph.

    Args:
        base, parts: as `gpen_live.nets.face_mesh.networks` gives them.
        device, dtype: where and in what precision the convolutions run; all that is of points is in float32.
    """

    def __init__(self, base: Network, parts: Network, device: Device, dtype: torch.dtype = torch.float32) -> None:
        self._device = device.torch()
        self._base, self._parts = (TorchGraph.of(each).to(device=self._device, dtype=dtype) for each in (base, parts))

        def on_device(values: object) -> Tensor:
            return torch.tensor(values, device=self._device)

        self._boxes = [on_device(box) for box in nets.CROPS]
        self._first, self._second = on_device(nets.CORNERS).T
        self._finds = on_device([index for part in nets.PARTS for index in part])
        counts = [len(part) for part in nets.PARTS]
        self._places = on_device([part * nets.PART_WIDTH // 2 + i for part, count in enumerate(counts) for i in range(count)])
        self._crop_of = on_device([crop for crop, count in zip(nets.CROP_OF_PART, counts, strict=True) for _ in range(count)])
        self._crop_of_part = on_device(nets.CROP_OF_PART)
        self._edges = [on_device(eye[: nets.EYE_EDGE]) for eye in (nets.LEFT_EYE, nets.RIGHT_EYE)]
        self._pixels = on_device(nets.CROP_PIXELS)

    @staticmethod
    def load(device: Device, dtype: torch.dtype = torch.float32) -> TorchFaceMesh:
        """With the weights that come with GPEN Live.

        Raises:
            WeightsError: they are missing or damaged.
        """
        return TorchFaceMesh(*shipped_networks(), device, dtype)

    @torch.inference_mode()
    def __call__(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """The meshes of the faces in aligned crops.

        Args:
            crops: N x 3 x S x S, RGB, 0..255, any float dtype, on the device.

        Returns:
            The points, N x 478 x 3, fractions of the crop's side, and the scores, N, in 0..1; float32.
        """
        size = crops.shape[-1]
        left, top, side, box = window(size)
        seen = crops[..., top : top + side, left : left + side].float()
        if box > 1:
            seen = F.avg_pool2d(seen, box)
        seen = F.interpolate(seen, (nets.SIDE, nets.SIDE), mode="bilinear", align_corners=False)
        points, logits = self.found(seen / 255)
        points *= side / (nets.SIDE * size)
        points[..., 0] += left / size
        points[..., 1] += top / size
        return points, logits.sigmoid()

    @torch.inference_mode()
    def found(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The points in N pictures (N x 3 x 192 x 192, RGB in [0, 1]), N x 478 x 3 in their pixels, and N logits."""
        numbers, features = (each.float() for each in self._base.run(pictures))
        base = numbers[:, :-1].view(len(pictures), nets.BASE_POINTS, 3)
        transforms = self._transforms(base)
        found = self._parts.run(self._crops(features, transforms))[0].float()
        local = found.view(len(pictures), -1, 2)[:, self._places] / (nets.FEATURE_STEP * nets.CROP_SIDE)
        transform = transforms[:, self._crop_of]
        placed = (transform[..., :2] @ local[..., None])[..., 0] + transform[..., 2]
        points = torch.cat([base, base.new_zeros(len(base), nets.POINTS - nets.BASE_POINTS, 3)], dim=1)
        points[:, self._finds, :2] = placed
        for iris, edge in zip((nets.LEFT_IRIS, nets.RIGHT_IRIS), self._edges, strict=True):
            points[:, iris[0] : iris[-1] + 1, 2] = base[:, edge, 2].mean(dim=1, keepdim=True)
        return points, numbers[:, -1]

    def _transforms(self, points: Tensor) -> Tensor:
        """From fractions of each crop's sides to pixels of the picture: N x 3 x 2 x 3."""
        flat = points[..., :2]
        across = flat[:, self._second] - flat[:, self._first]
        cosine, sine = (across / across.norm(dim=2, keepdim=True).clamp_min(1e-6)).unbind(2)
        back = torch.stack([cosine, -sine, sine, cosine], dim=2).view(-1, len(nets.CROPS), 2, 2)
        level = [flat[:, box] @ back[:, crop] for crop, box in enumerate(self._boxes)]
        low, high = (torch.stack([getattr(each, which)(dim=1) for each in level], dim=1) for which in ("amin", "amax"))
        linear = back * (nets.CROP_MARGIN * (high - low))[:, :, None]
        middle = (back @ ((low + high) / 2)[..., None])[..., 0]
        return torch.cat([linear, (middle - linear.sum(dim=3) / 2)[..., None]], dim=3)

    def _crops(self, features: Tensor, transforms: Tensor) -> Tensor:
        """What the parts see, N x 160 x 16 x 16."""
        count, channels, height, width = features.shape
        at = (transforms[..., :2] @ self._pixels + transforms[..., 2:]) / nets.FEATURE_STEP  # N x 3 x 2 x 256
        x, y = at[:, :, 0], at[:, :, 1]
        grid = torch.stack([x / width, y / height], dim=3) * 2 - 1
        inside = (x >= 0.5) & (x <= width - 0.5) & (y >= 0.5) & (y <= height - 0.5)
        sampled = F.grid_sample(features, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        crops = (sampled * inside[:, None]).view(count, channels, len(nets.CROPS), nets.CROP_SIDE, nets.CROP_SIDE)
        return crops[:, :, self._crop_of_part].transpose(1, 2).flatten(1, 2)

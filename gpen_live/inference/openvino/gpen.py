"""GPEN through OpenVINO, on processors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gpen_live.inference.openvino.network import compiled, core, library
from gpen_live.nets.gpen import Gpen

if TYPE_CHECKING:
    import torch


class OpenVinoGpen:
    """GPEN in OpenVINO: faces in, restored faces out, N x 3 x size x size, float32 RGB, about [-1, 1], on the CPU.

    In bf16 styles, demodulation and the sum of the colours stay in float32. Of `network` nothing is kept.

    Raises:
        RuntimeMissingError: OpenVINO is missing. RuntimeError: it refuses the network.
    """

    def __init__(self, network: Gpen, precision: Literal["fp32", "bf16"], *, threads: int) -> None:
        from gpen_live.inference.openvino.gpen_graph import build

        openvino = library()
        self._request = compiled(core(), build(openvino, network, bf16=precision == "bf16"), "as built", threads)

    def __call__(self, pictures: torch.Tensor, previous: torch.Tensor | None = None) -> torch.Tensor:
        """The restored faces; `previous` is for networks with a memory. Raises RuntimeError where it fails."""
        import torch

        restored = []
        for picture in torch.split(pictures, 1):  # the weights are no burden: several at once are no faster
            self._request.infer({0: picture.contiguous().numpy()}, share_inputs=True)
            restored.append(torch.from_numpy(self._request.get_output_tensor(0).data.copy()))
        return torch.cat(restored)

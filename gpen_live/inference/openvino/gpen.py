"""GPEN through OpenVINO, on processors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from gpen_live.inference.openvino.network import compiled, core, library

if TYPE_CHECKING:
    from gpen_live.inference.autotune_cpu import Pictures
    from gpen_live.nets.gpen import Gpen


class OpenVinoGpen:
    """GPEN in OpenVINO: faces in, restored faces out, N x 3 x size x size, float32 RGB, about [-1, 1].

    In bf16 styles, demodulation and the sum of the colours stay in float32. Of `network` nothing is kept.

    Raises:
        RuntimeMissingError: OpenVINO is missing. RuntimeError: it refuses the network.
    """

    def __init__(self, network: Gpen, precision: Literal["fp32", "bf16"], *, threads: int) -> None:
        from gpen_live.inference.openvino.gpen_graph import build

        openvino = library()
        self._request = compiled(core(), build(openvino, network, bf16=precision == "bf16"), "as built", threads)

    def __call__(self, pictures: Pictures, previous: Pictures | None = None) -> Pictures:
        """The restored faces; `previous` is for networks with a memory. Raises RuntimeError where it fails."""
        restored = []
        for i in range(len(pictures)):  # the weights are no burden: several at once are no faster
            self._request.infer({0: np.ascontiguousarray(pictures[i : i + 1])}, share_inputs=True)
            restored.append(self._request.get_output_tensor(0).data.copy())
        return np.concatenate(restored)

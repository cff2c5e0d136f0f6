"""GPEN: in PyTorch alone as far as weights are concerned; runtimes make what they run from its module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gpen_live.models.architectures.base import STRICT, Architecture, Descriptor
from gpen_live.nets.gpen_variants import VARIANTS, describe
from gpen_live.nets.layers import Array


class Gpen(Architecture):
    """See `gpen_live.nets.gpen`."""

    name = "gpen"
    purpose = "enhance"
    any_size = False
    heavy = True
    kernels = "gpen"
    tolerance = STRICT

    def detect(self, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str | None:
        """Variants are told apart by their depth and their widths."""
        variant = describe({name: values.shape for name, values in arrays.items()})
        return None if variant is None else variant.upper()

    def load(self, model: str, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> Descriptor:
        """`model` is one of `VARIANTS`. The module takes over the memory of the arrays."""
        import torch

        from gpen_live.nets.gpen import Gpen as TorchGpen
        from gpen_live.nets.torch_graph import tensors

        with torch.device("meta"):
            module = TorchGpen(**VARIANTS[model])
        try:
            missing, unexpected = module.load_state_dict(tensors(arrays), strict=False, assign=True)
        except RuntimeError as error:  # shapes
            raise ValueError("its parameters have other shapes") from error
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        if unexpected:
            raise ValueError(f"{unexpected[0]} is left over")
        module.eval().requires_grad_(False)
        return Descriptor(stride=None, memory=False, module=lambda: module)


GPEN: Final = Gpen()

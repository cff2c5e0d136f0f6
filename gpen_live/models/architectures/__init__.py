"""The architectures of the networks: each knows the files that hold one of its networks, and loads them into a descriptor.

A new architecture is a module here, an entry in `ALL`, and models in `gpen_live.models.registry`; nothing else asks what
kind a model is of. After spandrel (github.com/chaiNNer-org/spandrel). Imports no runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gpen_live.models.architectures.base import LIGHT, STRICT, Architecture, Descriptor, Tolerance
from gpen_live.models.architectures.detector import DETECTOR
from gpen_live.models.architectures.face_mesh import FACE_MESH
from gpen_live.models.architectures.gpen import GPEN
from gpen_live.models.architectures.lite import LITE
from gpen_live.models.architectures.retouch import RETOUCH
from gpen_live.nets.layers import Array

__all__ = [
    "ALL",
    "DETECTOR",
    "FACE_MESH",
    "GPEN",
    "LIGHT",
    "LITE",
    "RETOUCH",
    "STRICT",
    "Architecture",
    "Descriptor",
    "Tolerance",
    "identify",
]

ALL: Final[tuple[Architecture, ...]] = (LITE, GPEN, DETECTOR, FACE_MESH, RETOUCH)

_STRANGERS: Final = {
    "quantize.embedding.weight": "CodeFormer",
    "stylegan_decoder.constant_input.weight": "GFPGAN",
    "final_conv.0.weight": "a discriminator, which only training needs",
    "conv_first.weight": "a super-resolution network",
}
"""Parameters that give networks away which GPEN Live does not run."""


def identify(arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str | None:
    """What a file was made for, in words for the user; None if it is not known."""
    held = (architecture.detect(arrays, metadata) for architecture in ALL)
    return next((title for title in held if title), next((title for sign, title in _STRANGERS.items() if sign in arrays), None))

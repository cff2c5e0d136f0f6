"""What an architecture says of its networks, and a network as it was loaded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from gpen_live.faces.align import GPEN_TEMPLATE, Points
from gpen_live.nets.layers import Array, Network
from gpen_live.nets.quantised import Ranges

if TYPE_CHECKING:
    from torch import nn


Kernels = Literal["gpen", "graph"]
"""GPEN's own, or those of any graph of layers; see `gpen_live.kernels`."""


@dataclass(frozen=True)
class Tolerance:
    """How far a picture may be from PyTorch's in float32, in levels of 0..255: on average, and in any one value."""

    mean: float
    most: float


LIGHT: Final = Tolerance(mean=4.0, most=64.0)
"""A light network's 8 bits differ by about 1, by 6 somewhere; what is wrong differs by tens."""

STRICT: Final = Tolerance(mean=0.5, most=8.0)
"""Nobody sees such a difference. For networks that were not trained to be rounded."""


@dataclass(frozen=True)
class Descriptor:
    """A network with its weights.

    Args:
        stride: the sides of its pictures must be multiples of this; None: it takes squares of its model's size alone.
        memory: whether it also looks at its last picture.
        module: the network in PyTorch, on the CPU, in float32, ready for inference; imports PyTorch. Always the same weights, but
            not always another module.
        network: the network as a graph, which runs without PyTorch; None where there is none.
        ranges: of the convolutions that compute in 8 bits; empty where the weights are in float.
        made_of: SHA-256 (hex) of the file of float weights that weights in 8 bits were made from; else empty.
        followers: networks of the same file that go on from what `network` gives.
    """

    stride: int | None
    memory: bool
    module: Callable[[], nn.Module]
    network: Network | None = None
    ranges: Ranges = field(default_factory=dict)
    made_of: str = ""
    followers: tuple[Network, ...] = ()


class Architecture(ABC):
    """All that differs from one kind of network to another, before and while a file is loaded."""

    name: ClassVar[str]
    purpose: ClassVar[Literal["enhance", "detect", "landmarks", "retouch"]]
    any_size: ClassVar[bool]
    """Whether it takes pictures of other sizes than its model's: a whole frame."""
    heavy: ClassVar[bool]
    """Whether a crop takes a processor far longer than a frame of a camera lasts: one thread has no chance."""
    kernels: ClassVar[Kernels | None]
    """By which of our kernels it runs on NVIDIA cards; None: by PyTorch's alone."""
    template: ClassVar[Points] = GPEN_TEMPLATE
    """Where a face's five landmarks lie in the crops that it was trained on, in crop sides."""
    tolerance: ClassVar[Tolerance]
    """How far a faster way to run it may be from PyTorch's float32."""

    @abstractmethod
    def detect(self, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> str | None:
        """What a file with these parameters and metadata holds, in words for the user; None: no network of this architecture."""

    @abstractmethod
    def load(self, model: str, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> Descriptor:
        """The network of the model of that name with these parameters.

        Raises:
            ValueError: they are not this network's; what is wrong, for the end of a sentence.
        """

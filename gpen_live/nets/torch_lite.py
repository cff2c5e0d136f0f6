"""The light network in PyTorch, as training makes it. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping

from gpen_live.nets.lite import LITE_256, Settings, checked, graph
from gpen_live.nets.torch_graph import Residual


class Lite(Residual):
    """A light network with random weights; untrained, it leaves pictures as they are.

    `settings`: see `gpen_live.nets.lite.graph`.

    Raises:
        ValueError: settings out of range.
    """

    def __init__(self, **settings: object) -> None:
        super().__init__(graph(settings))
        self.settings: Settings = checked(settings)

    @classmethod
    def from_settings(cls, settings: Mapping[str, object]) -> Lite:
        """The network that `settings` (of a `Lite`, as it lies in a weights file's metadata) describes.

        Raises:
            ValueError: keys are missing or unknown, or values are of another type or out of range.
        """
        return cls(**settings)


def lite_256() -> Lite:
    """The architecture of the shipped `lite-256` and `lite-512`, with random weights."""
    return Lite(**LITE_256)

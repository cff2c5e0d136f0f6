"""What a network with a memory made of the frame before, face by face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

LONGEST_S = 0.25
"""After a longer gap (a pause, a suspended machine, many dropped frames) the last picture is no help any more."""

WHOLE_FRAME = -1
"""The key of the whole frame, beside the faces' track_ids."""


class Memory:
    """The last pictures by face. A face is aligned alike in every frame, so its last picture already lies where it is now."""

    def __init__(self) -> None:
        self._pictures: dict[int, torch.Tensor] = {}
        self._at = 0.0

    def forget(self) -> None:
        """Another scene, or another network."""
        self._pictures = {}

    def recall(self, keys: Sequence[int], now: torch.Tensor, at: float) -> torch.Tensor:
        """The last picture of each face, N x C x H x W as `now`; what is seen now where there is none, or only an old one.

        Args:
            keys: which face each picture of `now` shows, N.
            now: what the network gets to see.
            at: capture time of the frame in seconds.
        """
        import torch

        if not 0 <= at - self._at <= LONGEST_S:
            self.forget()
        last = [self._pictures.get(key) for key in keys]
        if all(picture is None or picture.shape[1:] != now.shape[1:] for picture in last):
            return now
        return torch.stack(
            [
                seen if picture is None or picture.shape[1:] != now.shape[1:] else picture[0]
                for picture, seen in zip(last, now, strict=True)
            ]
        )

    def keep(self, keys: Sequence[int], pictures: torch.Tensor, at: float) -> None:
        """Remembers N pictures, and nothing else: a face that wasn't enhanced now is forgotten."""
        self._pictures = {key: pictures[i : i + 1] for i, key in enumerate(keys)}
        self._at = at

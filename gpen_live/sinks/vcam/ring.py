"""The frames on their way to the virtual camera's process: places in shared memory, each written and sent in turn."""

from __future__ import annotations

import weakref
from functools import partial

import numpy as np

from gpen_live.frame import Array
from gpen_live.system import shared_memory

PLACES = 8
"""One that is written, those that wait (two), the one that is sent, the one before it, which may be sent again; and some over."""


class Ring:
    """Places for frames of one shape, uint8. Whoever got one has it for as long as anything refers to its array."""

    def __init__(self, shape: tuple[int, int], places: int = PLACES) -> None:
        """Raises OSError where there is not so much memory."""
        self.shape, self.places = shape, places + 1
        self.frame_bytes = shape[0] * shape[1]
        self.memory = shared_memory.create(self.frame_bytes * self.places)
        # The last one released is the first one taken: places that are never needed cost no memory.
        self._free = list(reversed(range(places)))
        self._taken: dict[int, weakref.ref[Array]] = {}
        self._start = self._flat(0).ctypes.data

    @property
    def spare(self) -> int:
        """A place that `take` never gives away."""
        return self.places - 1

    def take(self) -> Array | None:
        """A free place, as an array; None when there is none."""
        try:
            place = self._free.pop()
        except IndexError:
            return None
        flat = self._flat(place)
        self._taken[place] = weakref.ref(flat, partial(self._release, place))  # views of it refer to it too
        return flat.reshape(self.shape)

    def place_of(self, pixels: Array) -> int | None:
        """Which place an array is; None for one that lies elsewhere."""
        if pixels.shape != self.shape or pixels.dtype != np.uint8 or not pixels.flags.c_contiguous:
            return None
        place, rest = divmod(pixels.ctypes.data - self._start, self.frame_bytes)
        return place if rest == 0 and 0 <= place < self.places else None

    def put(self, pixels: Array) -> int:
        """Copies a frame that lies elsewhere into the spare place."""
        np.copyto(self._flat(self.spare).reshape(self.shape), pixels)
        return self.spare

    def _flat(self, place: int) -> Array:
        return np.frombuffer(self.memory.bytes, np.uint8, self.frame_bytes, place * self.frame_bytes)

    def _release(self, place: int, _: weakref.ref[Array]) -> None:
        self._taken.pop(place, None)
        self._free.append(place)

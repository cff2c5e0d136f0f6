"""When which fault happens: at random, but the same for the same seed, and all of them equally often."""

from __future__ import annotations

import random
from collections.abc import Sequence

from gpen_live.soak.faults import FAULTS, Fault

_FIRST_GAP_S = 4.0


class Schedule:
    """Deals faults like cards: each once, shuffled, then all again.

    The first `warm_ups` deals come quickly, then `per_hour` faults. `haste`: everything comes so many times sooner.
    """

    def __init__(
        self, seed: int, per_hour: float, haste: float = 1.0, warm_ups: int = 1, faults: Sequence[Fault] = FAULTS
    ) -> None:
        self._random = random.Random(seed)
        self._gap_s = 3600 / per_hour / haste
        self._first_gap_s = min(_FIRST_GAP_S / haste, self._gap_s)
        self._faults = list(faults)
        self._warm_up = warm_ups * len(self._faults)
        self._deck: list[Fault] = []
        self._dealt = 0

    def next(self) -> tuple[float, Fault]:
        """Seconds of quiet, and the fault after them."""
        gap_s = self._first_gap_s if self._dealt < self._warm_up else self._random.uniform(0.5, 1.5) * self._gap_s
        if not self._deck:
            self._deck = self._shuffled()
        self._dealt += 1
        return gap_s, self._deck.pop(0)

    def _shuffled(self) -> list[Fault]:
        deck = self._random.sample(self._faults, len(self._faults))
        for fault in self._faults:
            if fault.after is not None:
                deck.remove(fault)
                deck.insert([one.kind for one in deck].index(fault.after) + 1, fault)
        return deck

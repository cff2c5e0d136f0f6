"""How a face is to look: one value, carried whole from settings, command line or preset to the engine."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, Literal


class Mode(str, Enum):
    """ROI: the face crops are enhanced and blended back. FULL: the whole frame goes through the network."""

    ROI = "roi"
    FULL = "full"


Group = Literal["skin", "face", "shape", "makeup"]


@dataclass(frozen=True)
class Control:
    """One control of `Beauty`.

    Args:
        name: of the field. group: where it belongs.
        least, most: the range of a number; both None of a switch or a colour.
        colour: it is a colour, `#rrggbb`.
    """

    name: str
    group: Group
    least: float | None = 0.0
    most: float | None = 1.0
    colour: bool = False

    @property
    def number(self) -> bool:
        """It is a number, not a switch or a colour."""
        return self.least is not None

    def allows(self, value: object) -> bool:
        """Whether `value` is one that the control can take."""
        if self.colour:
            return isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value) is not None
        if self.least is None or self.most is None:
            return isinstance(value, bool)
        return isinstance(value, (int, float)) and not isinstance(value, bool) and self.least <= value <= self.most


def _switch(name: str, group: Group) -> Control:
    return Control(name, group, None, None)


def _colour(name: str, group: Group) -> Control:
    return Control(name, group, None, None, colour=True)


def _both_ways(name: str, group: Group) -> Control:
    return Control(name, group, -1.0, 1.0)


CONTROLS: Final = (
    Control("smooth", "skin"),
    Control("even", "skin"),
    Control("blemish", "skin"),
    _switch("keep_moles", "skin"),
    Control("under_eye", "skin"),
    Control("shine", "skin"),
    Control("eyes", "face"),
    Control("teeth", "face"),
    Control("brighten", "face"),
    _both_ways("light", "face"),
    _both_ways("warmth", "face"),
    _both_ways("slim", "shape"),
    _both_ways("jaw", "shape"),
    _both_ways("eye_size", "shape"),
    _both_ways("nose", "shape"),
    Control("lips", "makeup"),
    _colour("lips_color", "makeup"),
    Control("lips_gloss", "makeup"),
    Control("blush", "makeup"),
    _colour("blush_color", "makeup"),
    Control("brows", "makeup"),
    Control("liner", "makeup"),
)
"""All controls, in the order in which they are shown."""


@dataclass(frozen=True)
class Beauty:
    """What is drawn on a face after the network. At 0 a control changes nothing; the default is nothing at all.

    Args:
        amount: of everything, 0..1: every number below is scaled by it.
        smooth: the skin's middle band damped, pores kept. even: redness and blotches towards the face's own mean.
        blemish: spots and scratches healed. keep_moles: moles and freckles stay. under_eye: shadows and bags below the eyes.
        shine: highlights on forehead and nose.
        eyes: sclera and catch-light. teeth: less yellow, a little lighter. brighten: a soft lamp in front of the face.
        light: a lamp at its side, -1 (left in the picture) to 1 (right). warmth: the lamp's colour, -1 (cool) to 1 (warm).
        slim: cheeks, jaw: lower face, eye_size, nose: its width; -1 to 1, above 0 slimmer, narrower, larger, narrower.
        lips, lips_color, lips_gloss: lipstick, its colour, and 0 (matt) to 1 (glossy). blush, blush_color: on the cheeks.
        brows: fuller and darker. liner: along the lashes.
    """

    amount: float = 1.0
    smooth: float = 0.0
    even: float = 0.0
    blemish: float = 0.0
    keep_moles: bool = True
    under_eye: float = 0.0
    shine: float = 0.0
    eyes: float = 0.0
    teeth: float = 0.0
    brighten: float = 0.0
    light: float = 0.0
    warmth: float = 0.0
    slim: float = 0.0
    jaw: float = 0.0
    eye_size: float = 0.0
    nose: float = 0.0
    lips: float = 0.0
    lips_color: str = "#b03a4e"
    lips_gloss: float = 0.0
    blush: float = 0.0
    blush_color: str = "#d9707a"
    brows: float = 0.0
    liner: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= 1:
            raise ValueError(f"amount must be 0 to 1, got {self.amount}")
        for control in CONTROLS:
            if not control.allows(getattr(self, control.name)):
                raise ValueError(f"{control.name} cannot be {getattr(self, control.name)!r}")

    @property
    def scaled(self) -> Beauty:
        """The same look with `amount` 1: every number multiplied by it."""
        if self.amount == 1:
            return self
        numbers = {one.name: getattr(self, one.name) * self.amount for one in CONTROLS if one.number}
        return replace(self, amount=1.0, **numbers)

    def without(self, *groups: Group) -> Beauty:
        """The same look with nothing of these groups."""
        nothing: dict[str, Any] = {one.name: 0.0 for one in CONTROLS if one.number and one.group in groups}
        return replace(self, **nothing)

    def uses(self, *groups: Group) -> bool:
        """Whether a control of these groups (none given: of any) is above nothing."""
        return self.amount > 0 and any(
            getattr(self, one.name) != 0
            for one in CONTROLS
            if one.number and one.name != "lips_gloss" and (not groups or one.group in groups)
        )


@dataclass(frozen=True)
class Look:
    """What the viewers are to see; a change makes a new one: `dataclasses.replace(look, strength=0.5)`.

    Args:
        enhance: False sends the raw frame.
        mode: the faces alone, or the whole frame.
        strength: of the network's change, 0 (raw; the network need not run) to 1 (the network's picture).
        beauty: what is drawn on the faces after the network.
    """

    enhance: bool = True
    mode: Mode = Mode.ROI
    strength: float = 1.0
    beauty: Beauty = Beauty()

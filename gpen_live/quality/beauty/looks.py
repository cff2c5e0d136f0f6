"""The looks that are measured beside those that the user names: one thing at its most, and a look's skin group alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gpen_live.look import CONTROLS, Beauty, Group

SMOOTH: Final = Beauty(smooth=1.0)
SKIN: Final = Beauty(smooth=1.0, even=1.0, blemish=1.0, under_eye=1.0, shine=1.0)
HEALED: Final = Beauty(blemish=1.0)
MADE_UP: Final = Beauty(lips=1.0, blush=1.0, brows=1.0, liner=1.0)


def only(beauty: Beauty, *groups: Group) -> Beauty:
    """The look with nothing but the controls of these groups; its amount stays."""
    nothing = Beauty()
    others = {one.name: getattr(nothing, one.name) for one in CONTROLS if one.group not in groups}
    return replace(beauty, **others)

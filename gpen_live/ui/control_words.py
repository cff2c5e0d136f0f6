"""What the controls of a look are called in the window, and what each of them does."""

from __future__ import annotations

from typing import Final, NamedTuple

from gpen_live.look import Group


class Words(NamedTuple):
    """A control's name beside its slider, and its tool tip; `least` and `most` name the two ends of a control that has them."""

    name: str
    tip: str
    least: str = ""
    most: str = ""


GROUPS: Final[dict[Group, str]] = {"skin": "Skin", "face": "Face", "shape": "Shape", "makeup": "Make-up"}

WORDS: Final[dict[str, Words]] = {
    "smooth": Words("Smoothness", "Evens out bumps and fine lines; pores stay"),
    "even": Words("Even tone", "Calms redness and blotches without making skin lighter or darker"),
    "blemish": Words("Blemishes", "Fades spots and scratches"),
    "keep_moles": Words("Keep moles and freckles", "Leaves them alone when blemishes are faded"),
    "under_eye": Words("Under eyes", "Softens dark circles and bags"),
    "shine": Words("Shine", "Takes highlights off forehead and nose"),
    "eyes": Words("Eyes", "Clearer whites and livelier eyes; the iris keeps its colour"),
    "teeth": Words("Teeth", "Less yellow and a little lighter"),
    "brighten": Words("Brighten", "A soft lamp in front of your face"),
    "light": Words("Side light", "A soft lamp at one side of your face", "left", "right"),
    "warmth": Words("Warmth", "The colour of the light on your face", "cooler", "warmer"),
    "slim": Words("Cheeks", "Slimmer or fuller cheeks", "fuller", "slimmer"),
    "jaw": Words("Jaw", "A narrower or wider lower face", "wider", "narrower"),
    "eye_size": Words("Eye size", "Larger or smaller eyes", "smaller", "larger"),
    "nose": Words("Nose", "A narrower or wider nose", "wider", "narrower"),
    "lips": Words("Lipstick", "How much colour goes on your lips"),
    "lips_color": Words("Lipstick colour", "The colour on your lips"),
    "lips_gloss": Words("Gloss", "From matt to glossy lipstick"),
    "blush": Words("Blush", "How much colour goes on your cheeks"),
    "blush_color": Words("Blush colour", "The colour on your cheeks"),
    "brows": Words("Brows", "Fuller and darker brows"),
    "liner": Words("Eyeliner", "A fine line along the lashes"),
}

PALETTES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "lips_color": (
        ("Nude", "#b8796b"),
        ("Coral", "#cf5a4c"),
        ("Raspberry", "#b03a4e"),
        ("Red", "#a81c2b"),
        ("Berry", "#8a2a4a"),
        ("Plum", "#652844"),
        ("Brown", "#74392f"),
    ),
    "blush_color": (
        ("Peach", "#e0916f"),
        ("Coral", "#d8705c"),
        ("Pink", "#d9707a"),
        ("Rose", "#c25a6e"),
        ("Berry", "#a2405c"),
        ("Terracotta", "#b05a40"),
        ("Plum", "#84405a"),
    ),
}
"""For each colour a few that suit many skins, from light to deep, with their names."""


def describe_value(name: str, value: float) -> str:
    """A number as it stands beside its slider: percent, with the end towards which it goes."""
    percent = round(100 * value)
    words = WORDS[name]
    if not words.least:
        return str(percent)
    return f"{percent:+d}".replace("-", "\N{MINUS SIGN}") if percent else "0"

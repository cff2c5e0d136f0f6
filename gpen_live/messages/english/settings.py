"""The settings file."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "settings.beauty_is_new": Sentence(
        "New: beauty for skin, eyes, light, shape and make-up.", "Your picture is as you left it; choose Natural to try it."
    ),
    "settings.broken": Sentence("The settings could not be read."),
    "settings.in_the_way": Sentence(
        "{cause.what}", "The file {path} can't be moved aside ({reason}), so defaults are used and nothing is saved over it."
    ),
    "settings.newer": Sentence("The settings are from a newer version."),
    "settings.out_of_range": Sentence("Settings out of range were reset: {names}."),
    "settings.set_aside": Sentence("{cause.what}", "They were kept as {name}, and defaults are used."),
    "settings.unreadable": Sentence("The settings can't be read ({reason})."),
    "settings.unsaved": Sentence(
        "Settings can't be saved to {path} ({reason}).", "They remain in effect and will be saved as soon as that works."
    ),
}

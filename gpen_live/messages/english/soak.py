"""Endurance: `gpen-live soak`."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

_WAIT = "This is one of the soak's own faults: wait."

SENTENCES = {
    "soak.camera_gone": Sentence("The camera is gone.", _WAIT),
    "soak.no_frame": Sentence("No frame came within minutes.", "Check whether `gpen-live run --headless` works."),
    "soak.nothing_to_draw": Sentence(
        "There is nothing to draw: the soak ended before anything was measured.", "Let it run longer."
    ),
    "soak.output_gone": Sentence("The output is gone.", _WAIT),
    "soak.source_ended": Sentence("The source came to its end."),
}

"""The window's own trouble."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "window.job_failed": Sentence("That didn't work ({reason})."),
    "window.start_failed": Sentence(
        "The video couldn't be started ({reason}).", "Run gpen-live doctor in a terminal to find out why."
    ),
}

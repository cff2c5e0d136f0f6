"""The window's own trouble."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "window.job_failed": Sentence("That did not work ({reason})."),
    "window.start_failed": Sentence("The video could not start ({reason}).", "Run gpen-live doctor in a terminal to see why."),
}

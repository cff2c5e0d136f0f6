"""Measuring speed: `gpen-live bench`."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

_COMMIT = "Use its commit 2c73670."

SENTENCES = {
    "bench.child_ended": Sentence("A measuring process ended with code {code} ({reason})."),
    "bench.child_failed": Sentence("A measuring process failed ({reason})."),
    "bench.child_late": Sentence("A measuring process did not finish in time.", "Close other programs and run it again."),
    "bench.no_frames": Sentence("{source} has no frames.", "Name another file."),
    "bench.nothing_to_draw": Sentence("There is nothing to draw: no network and no frame path was measured.", "Omit --only."),
    "bench.stands_still": Sentence("The pipeline has stopped moving.", "Run the bench again; if that does not help, report it."),
    "chart.library": Sentence("The chart can't be drawn ({reason}).", "Reinstall GPEN Live with all it requires."),
    "upstream.import": Sentence(
        "Upstream's {file} can't be imported ({reason}).", "Check that the checkout is complete; git status shows it."
    ),
    "upstream.no_checkout": Sentence(
        "{folder} is not a checkout of GPEN: it has no {file}.", "Name the folder into which yangxy/GPEN was cloned."
    ),
    "upstream.no_generator": Sentence("{path} has no FullGenerator.", "Name the folder into which yangxy/GPEN was cloned."),
    "upstream.parameters": Sentence("Upstream's network has other parameters than {model} ({name}).", _COMMIT),
    "upstream.unbuildable": Sentence("Upstream's network can't be built as {model} ({reason}).", _COMMIT),
    "upstream.word": Sentence(
        '"{word}" names nothing to compare with.', "Write upstream=DIR, where DIR is a checkout of yangxy/GPEN."
    ),
}

"""The command line's own."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "bench.incomplete": Sentence("Not everything could be measured.", "{failures}"),
    "bench.same_file": Sentence("Two of the files to write have the same name.", "Give each its own."),
    "enhance.onto_itself": Sentence("{path} is the photo itself, which would be lost.", "Name another file for OUT."),
    "evaluate.clip_alone": Sentence("--clip is a film for the sheet of looks.", "Use it with --beauty and --sheet."),
    "evaluate.look_off": Sentence("{name} draws nothing, so there is nothing to measure.", "Name a look such as natural."),
    "evaluate.not_with_beauty": Sentence("{option} is for measuring networks.", "Omit it, or omit --beauty."),
    "evaluate.one_folder": Sentence("Networks are measured on one folder or file of photos.", "Name one."),
    "evaluate.one_network": Sentence("--weights belongs to one network, but several were named.", "Name one --model."),
    "models.interrupted": Sentence("The download was interrupted.", "What has arrived is kept; run the same command to resume."),
    "models.not_accepted": Sentence("Nothing was downloaded.", "Answer y, or add --accept-licence, if you accept these terms."),
    "options.a_switch": Sentence("Use on or off."),
    "options.no_assignment": Sentence("{value} sets nothing.", "Write NAME=VALUE, such as smooth=0.5; the names are {names}."),
    "options.no_control": Sentence("{name} is not a control of beauty.", "Use one of {names}."),
    "options.not_allowed": Sentence("{name} can't be {value}.", "{allowed.what}"),
    "options.not_a_number": Sentence("{value} is not a number between {least:g} and {most:g}."),
    "options.not_a_size": Sentence("{value} is not a size.", "Write WIDTHxHEIGHT, each from 16 to {most}, such as 1280x720."),
    "options.not_a_strength": Sentence(
        "{value} is not a strength.", "Use a number from 0 (the raw picture) to 1 (the network's)."
    ),
    "soak.too_small": Sentence("Frames of {size} are too small to carry a number.", "Use {smallest} or more."),
    "cli.unexpected": Sentence("Something unexpected went wrong ({reason}).", "Run the same command with --debug to see where."),
    "cli.unusable_file": Sentence(
        "{file} can't be used ({reason}).", "Check the name, your permissions and the free disk space."
    ),
    "cli.unusable_something": Sentence(
        "A file or a device can't be used ({reason}).", "Check the names, your permissions and the free disk space."
    ),
    "run.loading": Sentence("Loading {model}; {source} to {sinks}."),
    "run.no_display": Sentence(
        "No display was found, so this runs without the window and prints its meters.", "Press Ctrl-C to stop."
    ),
    "run.onto_itself": Sentence("{sink} is the source itself; recording would destroy it.", "Choose another file for --sink."),
    "run.waiting": Sentence("Waiting for the first frame."),
    "window.unopened": Sentence(
        "The window can't be opened ({reason}).",
        "`gpen-live doctor` shows what is missing; `gpen-live run --headless` works without a window.",
    ),
    "bench.duration": Sentence(
        "This takes about {duration}, longer if other programs are busy: close them.",
        "Ctrl-C stops early and keeps what has been measured.",
    ),
    "bench.foreign_code": Sentence(
        "The code in {folder} is not part of GPEN Live.", "It runs in a separate process, with your permissions."
    ),
    "bench.measuring": Sentence("Measuring {models} on {device}, frames of {size}."),
    "cli.drawing": Sentence("Drawing the sheet."),
    "cli.interrupted": Sentence("Interrupted: the results below are incomplete."),
    "cli.loading_pytorch": Sentence("Loading PyTorch."),
    "doctor.examining": Sentence("Checking this machine."),
    "evaluate.duration": Sentence("This will take about {duration}.", "Ctrl-C stops early and keeps what has been measured."),
    "evaluate.left_out": Sentence("Left out: {columns}."),
    "evaluate.looks": Sentence("{faces} faces, {filmed} of them filmed: {looks}."),
    "evaluate.reading": Sentence("Reading faces of {size} pixels."),
    "evaluate.rows": Sentence("{faces} faces of {size} pixels, {conditions} conditions: {rows}."),
    "models.fetched": Sentence("{name} was downloaded and verified: {path}"),
    "models.included": Sentence("{name} is included with GPEN Live; there is nothing to download."),
    "soak.interrupted": Sentence("Interrupted: the results below cover the part that ran."),
}

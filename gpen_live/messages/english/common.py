"""What belongs to no single room: composition, and files that anyone reads or writes."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "file.folder_read_only": Sentence("The folder of {path} can't be written to.", "Name a file in another folder."),
    "file.is_a_folder": Sentence("{path} is a folder.", "Name a file."),
    "file.no_folder": Sentence("The folder of {path} does not exist.", "Create it first, or name another file."),
    "file.not_png": Sentence("{path} can't be written in that format.", "The name must end in .png."),
    "file.unwritable": Sentence("{path} can't be written ({reason}).", "Name another file."),
    "joined": Sentence("{first.what} {then.what}", "{first.remedy} {then.remedy}"),
    "report.other": Sentence("{path} is not a report of `{command}` ({reason}).", "Name a file written by --json."),
    "report.unreadable": Sentence("The report {path} can't be read ({reason}).", "Check its name."),
}

"""Presets: files of the user's."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "preset.a_colour": Sentence("Use a colour of six digits such as #b03a4e."),
    "preset.a_number": Sentence("Use a number from {least:g} to {most:g}."),
    "preset.a_switch": Sentence("Use true or false."),
    "preset.bad_name": Sentence(
        "{name} can't be a preset's name.",
        "Use 1 to {most} characters, none of {without}, not starting with a dot or a dash and not ending with a dot.",
    ),
    "preset.in_the_way": Sentence("{cause.what}", "It would be lost, so nothing was saved: choose another name."),
    "preset.misnamed": Sentence("{path} can't be used as it is called: {cause.what}", "{cause.remedy}"),
    "preset.missing": Sentence("There is no preset {name} of yours.", "Choose one from the list."),
    "preset.name_built_in": Sentence("{name} comes with GPEN Live.", "Choose a name other than {names}."),
    "preset.name_taken": Sentence("There is a preset {name} already.", "Choose another name."),
    "preset.newer": Sentence("The preset {path} is from a newer version of GPEN Live.", "Update GPEN Live to use it."),
    "preset.no_control": Sentence("The preset {path} sets {name}, which is not a control.", "Remove it, or use one of {names}."),
    "preset.no_part": Sentence("The preset {path} has an unknown part {name}.", "Remove it; there are name, version and beauty."),
    "preset.not_deleted": Sentence("The preset {path} can't be deleted ({reason}).", "Check the permissions of its folder."),
    "preset.not_json": Sentence("{path} is not a preset ({reason}).", "Ask for the file again, or correct it in a text editor."),
    "preset.not_one": Sentence(
        "{path} is not a preset, or a damaged one.", "A preset has a name, a version and beauty: ask for the file again."
    ),
    "preset.reserved_name": Sentence("Windows keeps the name {name} for itself.", "Choose another one."),
    "preset.too_large": Sentence("{path} is too large for a preset.", "A preset has at most {most} KB."),
    "preset.unknown": Sentence("{name} is neither a preset nor a file.", "Use {names}, or the name of a preset's file."),
    "preset.unreadable": Sentence("{path} can't be read as a preset ({reason}).", "Check its name and its permissions."),
    "preset.unsaved": Sentence("The preset can't be saved as {path} ({reason}).", "Check the folder and the free disk space."),
    "preset.wrong_value": Sentence("The preset {path} sets {name} to {value}, which it can't be.", "{allowed.what}"),
}

"""Weights: downloading them, and what is wrong with a file."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

_RESUME = "Check the network, then try again: the download resumes where it stopped."
_AGAIN = "Download it again, or choose another file."
_OTHER = "Choose another file."
_LATER = "Try again later."
_BY_HAND = "Download it yourself from {page} and choose it as the weights file."
_LATER_OR_BY_HAND = "Try again later, or download it yourself from {page} and choose it as the weights file."

SENTENCES = {
    "fetch.broke_off": Sentence("The connection to {host} broke off.", _RESUME),
    "fetch.cancelled": Sentence("The download of {title} was cancelled.", "Start it again to resume where it stopped."),
    "fetch.changed": Sentence(
        "The weights file {path} was changed or damaged (its SHA-256 is not the expected one).",
        "Download it again with: gpen-live models fetch {name}",
    ),
    "fetch.changed_shipped": Sentence(
        "The weights file {path}, which comes with GPEN Live, was changed or damaged (its SHA-256 is not the expected one).",
        "Reinstall GPEN Live.",
    ),
    "fetch.circles": Sentence("The address of {title} redirects in circles.", "Try again later, or see {page}."),
    "fetch.digests": Sentence(
        "The list of digests {path} can't be read.", "Delete it; it is written again with the next download."
    ),
    "fetch.disk_full": Sentence("The disk that holds {folder} is full.", "Free some space, then try again."),
    "fetch.failed": Sentence("{title} could not be downloaded from {host} ({reason}).", _RESUME),
    "fetch.folder": Sentence("{folder} can't be written to ({reason}).", "Check its permissions."),
    "fetch.gone": Sentence("{title} is no longer at its address ({url}).", _BY_HAND),
    "fetch.length": Sentence(
        "{host} offers {megabytes:.1f} MB for {title}, which should have about {expected:.1f} MB. It was refused.",
        _LATER_OR_BY_HAND,
    ),
    "fetch.locked": Sentence("{file} is being downloaded by another GPEN Live.", "Wait until it has finished."),
    "fetch.new_version": Sentence(
        "{title} is not the same file as when it was first downloaded, so the download was deleted.",
        "If its authors published a new version, remove {file} from {digests} and try again.",
    ),
    "fetch.nonsense": Sentence("{host} sent an answer that makes no sense.", _LATER),
    "fetch.not_encrypted": Sentence("The download of {title} leads to {url}, which is not encrypted (https).", "See {page}."),
    "fetch.refused": Sentence("{host} refused to send {title} (HTTP status {status}).", _LATER),
    "fetch.room": Sentence(
        "{folder} has {free:.1f} MB free, but {needed:.1f} MB are needed.", "Make room on that disk, then try again."
    ),
    "fetch.symlink": Sentence(
        "{path} is a symbolic link, and downloads are not written through links.", "Remove it, then try again."
    ),
    "fetch.unproven_host": Sentence(
        "{host} could not prove its identity, so nothing was downloaded.",
        "Check this computer's clock, and whether a proxy or a guest network is in the way.",
    ),
    "fetch.unreachable": Sentence("{host} can't be reached.", _RESUME),
    "fetch.wrong_file": Sentence(
        "What was downloaded for {title} is not the expected file (its SHA-256 differs), so it was deleted.",
        _LATER_OR_BY_HAND,
    ),
    "fetch.wrong_network": Sentence("What was downloaded is not {title}, so it was deleted. {cause.what}", _LATER),
    "fetch.wrong_part": Sentence("{host} sent a part of {title} other than the one requested.", _LATER),
    "models.unknown": Sentence("There is no model called {name}.", "Choose one of {names}."),
    "weights.code": Sentence(
        "The weights file {path} carries program code, which GPEN Live never runs.",
        "Choose a file with plain weights (a state dict or safetensors).",
    ),
    "weights.damaged": Sentence("The weights file {path} is cut off or damaged.", _AGAIN),
    "weights.empty": Sentence("The weights file {path} is empty.", _AGAIN),
    "weights.folder": Sentence("{path} is a folder, not a weights file.", "Choose the file in it."),
    "weights.git_lfs": Sentence(
        "The file {path} only points to weights in Git LFS.", "Run git lfs pull, or choose another file."
    ),
    "weights.impossible_name": Sentence(
        "The name of the weights file has characters that are not allowed in a file's name.", "Check the path."
    ),
    "weights.missing": Sentence("The weights file {path} does not exist.", "Check the path."),
    "weights.no_override": Sentence(
        "The weights file {path} does not exist.", "Check the path, or omit it to use the model's own."
    ),
    "weights.not_downloaded": Sentence(
        "The weights of {title} have not been downloaded yet ({path}).", "Get them with: gpen-live models fetch {name}"
    ),
    "weights.not_eight_bits": Sentence("The weights file {path} does not fit {title}: its weights are not in 8 bits.", _OTHER),
    "weights.not_finite": Sentence(
        "The weights file {path} is damaged: {name} holds values that are not finite numbers.", _AGAIN
    ),
    "weights.not_plain": Sentence("The weights file {path} is damaged: {name} holds no plain values.", _AGAIN),
    "weights.not_shipped": Sentence("The file {path}, which comes with GPEN Live, is missing.", "Reinstall GPEN Live."),
    "weights.not_weights": Sentence("The file {path} is not a weights file.", "Choose a .safetensors or .pth file."),
    "weights.no_state": Sentence("The file {path} does not hold a network's weights (no state dict).", _OTHER),
    "weights.other_model": Sentence(
        "The weights file {path} holds {held}, not {title}.", "Choose the model {model}, or another file."
    ),
    "weights.other_network": Sentence("The weights file {path} holds {held}, not {title}.", _OTHER),
    "weights.unfit": Sentence("The weights file {path} does not fit {title}: {reason}.", _OTHER),
    "weights.unreadable": Sentence("The weights file {path} can't be read ({reason}).", "Check its permissions."),
    "weights.web_page": Sentence("The file {path} is a web page, not weights.", _AGAIN),
}

"""Training the networks."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "training.film": Sentence("{path} can't be read as a video.", "Name a file that OpenCV can play."),
    "training.no_backgrounds": Sentence(
        "{folder} has no backgrounds for the split {split}.", "Name the folder of scenes that detector_pack wrote."
    ),
    "training.no_checkpoint": Sentence(
        "There is no checkpoint.pt in {folder} to resume from.", "Omit --resume, or name another run."
    ),
    "training.no_manifest": Sentence(
        "There is no manifest.csv in {folder}.", "Name the folder that holds it and the folder photos."
    ),
    "training.no_photos": Sentence("{path} lists no photos of the split {split}.", "Name another folder of photos."),
    "training.no_weights": Sentence("The detector's weights {path} are missing.", "Check the path."),
    "training.no_yunet": Sentence("YuNet's file {path} is missing.", "Check the path."),
    "training.picture": Sentence(
        "The picture {path} is missing or can't be read.", "Restore it, or remove it from the manifest."
    ),
    "training.unwritable": Sentence("{path} can't be written.", "Check the folder and the room on the disk."),
    "training.wrong_weights": Sentence("{path} does not hold weights of {architecture}.", "Choose another file."),
}

"""Photos."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "photo.ending": Sentence("{path} does not end like a picture's name.", "Use one of {endings}."),
    "photo.encoder": Sentence("The picture can't be written as {ending}.", "Use .png or .jpg."),
    "photo.missing": Sentence("There is no file {path}.", "Check its name."),
    "photo.no_beauty": Sentence("Beauty could not be drawn on the photo ({reason}).", "Add --beauty off to enhance it without."),
    "photo.no_face": Sentence("No face was found in the photo.", "For a crop that shows nothing but a face, use --aligned."),
    "photo.not_a_picture": Sentence("{path} is not a picture that can be read.", "Use a PNG, JPEG, WebP, BMP or TIFF file."),
    "photo.unreadable": Sentence("{path} can't be read ({reason}).", "Check its permissions."),
}

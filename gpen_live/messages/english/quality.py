"""Measuring the quality of pictures: `gpen-live evaluate`."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

SENTENCES = {
    "quality.face_unreadable": Sentence(
        "{path} is missing or is not a picture.", "Restore it, or remove it from the folder or the manifest."
    ),
    "quality.feature_net": Sentence(
        "{path} is not a feature network that can be read.",
        "It must be the state dict of VGG-19 up to relu3_1, as training takes it.",
    ),
    "quality.identity_net": Sentence(
        "{path} is not an identity network that OpenCV can run.", "It must be an ONNX file that takes 1 x 3 x 112 x 112."
    ),
    "quality.manifest": Sentence(
        "{path} can't be read ({reason}).", "It needs the columns file, split, gpen_crop_px and the five landmarks."
    ),
    "quality.no_faces": Sentence(
        "{path} has no face to measure at {size} pixels.",
        "Faces of a manifest need the split asked for and a crop (gpen_crop_px) of at least {smallest:.0f} pixels.",
    ),
    "quality.no_feature_net": Sentence("There is no feature network {path}.", "Name a state dict, or omit --feature-net."),
    "quality.no_folder": Sentence(
        "There is no folder {path}.", "Name a folder of photos with a manifest.csv, or one of aligned faces."
    ),
    "quality.no_identity_net": Sentence("There is no identity network {path}.", "Name an ONNX file, or omit --identity-net."),
    "quality.no_x264": Sentence(
        "This build of PyAV has no x264, which h264 needs.", "Name the other degradations with --degradation."
    ),
    "quality.packed": Sentence(
        "{path} is not a packed file of faces ({reason}).", "Create it with python -m gpen_live.facedata.pack."
    ),
    "quality.packed_size": Sentence("{path} holds faces of {held} pixels, not {size}.", "Name the folder of photos instead."),
}

"""Cameras, video files and pictures."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

_ALLOWED = 'Use "demo", "camera:N" (N = 0, 1, ...), a device such as /dev/video0 (Linux), or a video or picture file.'
_IN_USE = "{name} (camera:{index}) can't be opened: it is in use or not allowed."
_CLOSE = "Close the program that uses it (OBS, a browser, a video call)"
_OTHER_FILE = "Choose another file."

SENTENCES = {
    "camera.busy": Sentence(_IN_USE, f"{_CLOSE}."),
    "camera.busy_macos": Sentence(_IN_USE, f"{_CLOSE}, and allow it in System Settings > Privacy & Security > Camera."),
    "camera.busy_windows": Sentence(
        _IN_USE, f"{_CLOSE}, and allow desktop apps to use cameras in Settings > Privacy & security > Camera."
    ),
    "camera.choices": Sentence("Cameras here: {cameras}."),
    "camera.failed": Sentence("{name} failed unexpectedly ({reason}).", "Plug it in again, or choose another camera."),
    "camera.gone": Sentence("{name} is gone; {spec} is now {other}.", "Plug it in again, or choose another one."),
    "camera.missing": Sentence("There is no camera {index}.", "{choices.what}"),
    "camera.no_choice": Sentence('No camera was found: plug one in, or use "demo" or a video file as the source.'),
    "camera.no_device": Sentence("{spec} is not a camera device of this system.", _ALLOWED),
    "camera.no_number": Sentence("{spec} does not name a camera.", _ALLOWED),
    "camera.no_permission": Sentence(
        "No permission to open camera {index} ({device}).",
        'Run "sudo usermod -a -G video $USER", then log out and in again.',
    ),
    "camera.not_a_camera": Sentence("{device} is a device that delivers no pictures.", "{choices.what}"),
    "camera.silent": Sentence(
        "{name} is open, but delivers no pictures.",
        "Close other programs that use it, plug it in again, or choose another camera.",
    ),
    "camera.stopped": Sentence(
        "{name} stopped delivering pictures.", "Check its plug, and whether another program has taken it over."
    ),
    "source.address": Sentence("{spec} is an address, but streams from the network are not played.", _ALLOWED),
    "source.empty_file": Sentence("{path} is empty.", _OTHER_FILE),
    "source.empty_name": Sentence("The source is empty.", _ALLOWED),
    "source.folder": Sentence("{path} is a folder.", "Choose a video or picture file."),
    "source.missing": Sentence("There is no file {path}.", _ALLOWED),
    "source.unreadable": Sentence("{path} can't be read.", "Check its name and your permission to read it."),
    "still.unreadable": Sentence("{file} is not a picture that can be read.", "Choose another file, or save it as PNG."),
    "video.damaged": Sentence("{file} is damaged: it can't be read any further.", "Choose another file, or export it again."),
    "video.damaged_header": Sentence("{file} is damaged: how its pictures are encoded is unknown.", _OTHER_FILE),
    "video.no_pictures": Sentence("{file} has no pictures.", "Choose another video file."),
    "video.sound_only": Sentence("{file} has sound only, no pictures.", "Choose another video file."),
    "video.unreadable": Sentence("{file} is not a video that can be read.", "Choose an MP4, MOV, MKV, WebM or GIF file."),
}

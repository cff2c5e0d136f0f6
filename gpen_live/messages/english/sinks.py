"""Where frames go: virtual cameras and recordings."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

_AGAIN = "Start the virtual camera again."
_ROOM = "Make room on that disk, or record to another one."
_STOP_SENDER = "Close the program that sends to it."
_TAKEN_BY_OBS = "The OBS virtual camera is taken by OBS itself or by another program."
_START_ONCE = 'Install OBS 30 or later, press "Start Virtual Camera" there once, '

SENTENCES = {
    "recording.ending": Sentence("{file} does not end like a recording's name.", "Use one of {endings}."),
    "recording.finished": Sentence("The recording {file} is already finished."),
    "recording.folder": Sentence("{path} is a folder.", "Give the recording another name."),
    "recording.full": Sentence("The disk is nearly full, so the recording {file} ended; what was recorded is there.", _ROOM),
    "recording.no_folder": Sentence("There is no folder {folder} to record into.", "Create it, or choose another one."),
    "recording.no_room": Sentence("There is no room to record {path}.", _ROOM),
    "recording.size": Sentence("The recording {file} takes only frames of {size}.", "Start a new recording for another size."),
    "recording.uncreatable": Sentence("{path} can't be written ({reason}).", "Choose a folder that you may write to."),
    "recording.unwritable": Sentence(
        "{path} can't be written ({reason}).", "Check the free space and your permission to write there."
    ),
    "sink.same_camera": Sentence(
        "Two outputs would send to one virtual camera.", "Name a different device for each: vcam:DEVICE."
    ),
    "sink.same_file": Sentence("Two outputs would record to one file.", "Name a different file for each."),
    "sink.unknown": Sentence(
        '"{spec}" is not a place to send frames to.',
        'Use "none", "vcam", "vcam:DEVICE", or a file to record to that ends in .mp4, .mkv or .mov.',
    ),
    "vcam.closed": Sentence("{name} is already closed.", _AGAIN),
    "vcam.ended": Sentence("The process of {name} ended unexpectedly.", _AGAIN),
    "vcam.frame_refused": Sentence("{name} took no frame ({reason}).", _AGAIN),
    "vcam.frame_shape": Sentence("{name} takes no frame of shape {shape}.", _AGAIN),
    "vcam.frame_short": Sentence("{name} took only {written} of a frame's {bytes} bytes.", _AGAIN),
    "vcam.in_use": Sentence("{name} is in use.", f"{_STOP_SENDER} ({{reason}})"),
    "vcam.in_use_all": Sentence(
        "The virtual camera is in use.", "Close the program that sends to it, or set it up again: {command}"
    ),
    "vcam.in_use_any": Sentence("The virtual camera is in use.", f"{_STOP_SENDER} ({{reason}})"),
    "vcam.missing": Sentence("There is no virtual camera {device}.", "Run: {command} ({reason})"),
    "vcam.module": Sentence(
        "The driver of the virtual camera is not loaded.", "Run: {setup} - if that finds no module, first: {install}"
    ),
    "vcam.no_backend": Sentence("There are no virtual cameras on this system.", "Record to a file instead."),
    "vcam.no_permission": Sentence(
        "No permission to open {device}.", 'Run "sudo usermod -a -G video $USER", then log out and in again. ({reason})'
    ),
    "vcam.nonsense": Sentence("{name} gave an answer that makes no sense.", _AGAIN),
    "vcam.not_installed": Sentence(
        "No virtual camera is installed.",
        "Install OBS Studio from https://obsproject.com (its virtual camera comes with it), or Unity Capture, and try again. "
        "({reason})",
    ),
    "vcam.not_opening": Sentence("{name} did not open in time.", "Close the programs that show it."),
    "vcam.not_taking": Sentence("{name} has not taken a frame for a second.", "Close the programs that show it."),
    "vcam.not_virtual": Sentence("{device} is not a virtual camera.", "Omit the device, or run: {command} ({reason})"),
    "vcam.obs_not_set_up": Sentence(
        "OBS's virtual camera is not set up.",
        f"{_START_ONCE}allow its extension in System Settings, stop it again and restart the Mac. ({{reason}})",
    ),
    "vcam.obs_taken": Sentence(
        _TAKEN_BY_OBS,
        'Press "Stop Virtual Camera" in OBS: here OBS is to show this camera as a source, not to send to it. ({reason})',
    ),
    "vcam.obs_too_old": Sentence("OBS's virtual camera is too old.", f"{_START_ONCE}and stop it again. ({{reason}})"),
    "vcam.shown_otherwise": Sentence(
        "Another program still shows {name} in {size}.", "Close that program (OBS, a browser, a video call), or send {size}."
    ),
    "vcam.unclear": Sentence(
        "The virtual camera can't be opened.", "Close other programs that use it, and try again. ({reason})"
    ),
    "vcam.unknown_macos": Sentence(
        'There is no virtual camera named "{device}".', 'Omit the device, or give "{obs}". ({reason})'
    ),
    "vcam.unknown_windows": Sentence(
        'There is no virtual camera named "{device}".',
        'Omit the device, or give "{obs}" or the name of a Unity Capture camera. ({reason})',
    ),
    "vcam.unstartable": Sentence("The virtual camera's process can't be started ({reason}).", _AGAIN),
}

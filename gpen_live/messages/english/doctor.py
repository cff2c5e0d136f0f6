"""What `gpen-live doctor` finds, often names and figures instead of a sentence, and what to do about it."""

from __future__ import annotations

from gpen_live.messages.sentence import Sentence

_START_ONCE = "Open OBS, click Start Virtual Camera, allow its extension in System Settings, then click Stop Virtual Camera."

SENTENCES = {
    "doctor.cameras": Sentence("{cameras}"),
    "doctor.compute": Sentence("{device}: {gflop:.1f} GFLOP in {ms:.2f} ms ({rate:.0f} GFLOP/s)"),
    "doctor.compute_wrong": Sentence("{cause.what}, but the result is wrong by {error:.3g}.", "Update the driver."),
    "doctor.disk": Sentence("{free:.1f} GiB free where models are kept ({folder})"),
    "doctor.disk_low": Sentence(
        "{free:.1f} GiB free where models are kept ({folder})",
        "A model takes up to 0.3 GiB and a recording about 3 GiB an hour; free some space.",
    ),
    "doctor.encoder": Sentence("{name} (PyAV {version})"),
    "doctor.failed": Sentence("This check failed ({reason})."),
    "doctor.graphics": Sentence("{cards}; {build.what}"),
    "doctor.graphics_none": Sentence("No graphics card that PyTorch can use, so the processor does the work; {build.what}"),
    "doctor.graphics_old_driver": Sentence(
        "{cards}, but {build.what} can't use it: the driver is too old for that CUDA version.",
        "Update the NVIDIA driver, or install a build for the older one: {command}",
    ),
    "doctor.graphics_other_build": Sentence(
        "{cards}, but {build.what} can't use it.", "Install the build for the card: {command}"
    ),
    "doctor.log": Sentence("What went wrong is in {path}."),
    "doctor.log_empty": Sentence("Nothing went wrong so far; it would be in {path}."),
    "doctor.memory": Sentence("{total:.1f} GiB, {free:.1f} GiB free"),
    "doctor.memory_low": Sentence("{total:.1f} GiB, {free:.1f} GiB free", "The app needs about 2 GiB; close other programs."),
    "doctor.models": Sentence("{names}: here and verified"),
    "doctor.no_answer": Sentence("This check gave no answer within {seconds:.0f} seconds.", "Restart the computer."),
    "doctor.no_cameras": Sentence(
        "None found.",
        "Plug one in, and allow access to it in the system's privacy settings. The demo camera works without one.",
    ),
    "doctor.no_encoder": Sentence(
        "PyAV {version} has no H.264 encoder, so recordings can't be made.",
        "Install PyAV's own build: pip install --force-reinstall av",
    ),
    "doctor.processor": Sentence("{name}, {cores} cores, {threads} threads; {sets}"),
    "doctor.processor_slow": Sentence(
        "{name}, {cores} cores, {threads} threads; {sets}",
        "Without AVX2 it is too slow for live video; a graphics card is needed.",
    ),
    "doctor.python": Sentence("Python {version}, {bits}"),
    "doctor.python_unsuited": Sentence("Python {version}, {bits}", "GPEN Live needs Python 3.10, 3.11 or 3.12."),
    "doctor.settings": Sentence("{path}"),
    "doctor.settings_broken": Sentence("{path} can't be used ({reason}).", "The window sets it aside and starts with defaults."),
    "doctor.settings_newer": Sentence("{path} is from a newer version.", "Update GPEN Live, or defaults are used."),
    "doctor.settings_none": Sentence("None saved yet; defaults are used."),
    "doctor.system": Sentence("{name}"),
    "doctor.torch": Sentence("PyTorch {version} (built for CUDA {cuda})"),
    "doctor.torch_no_cuda": Sentence("PyTorch {version} (built without CUDA)"),
    "doctor.vcam": Sentence("{names}"),
    "doctor.vcam_no_permission": Sentence(
        "{devices}, but this user may not write to it.", "Run: sudo usermod -aG video $USER, then log out and in again."
    ),
    "doctor.vcam_none_windows": Sentence(
        "None is installed.",
        "Install OBS Studio from obsproject.com; it brings its virtual camera along. (Or install Unity Capture.)",
    ),
    "doctor.vcam_not_installed": Sentence(
        "v4l2loopback, Linux's virtual camera, is not installed.",
        "Debian, Ubuntu: {install}. Fedora (RPM Fusion): sudo dnf install akmod-v4l2loopback. "
        "Arch: sudo pacman -S v4l2loopback-dkms. Then run: {setup}",
    ),
    "doctor.vcam_not_loaded": Sentence("v4l2loopback is installed but not loaded.", "Run: {setup}"),
    "doctor.vcam_obs": Sentence("OBS Virtual Camera (OBS {version})"),
    "doctor.vcam_obs_inactive": Sentence("OBS {version}, whose virtual camera has not been activated yet.", _START_ONCE),
    "doctor.vcam_obs_none": Sentence(
        "OBS, which brings the virtual camera, is not installed.",
        f"Install OBS Studio 30 or newer from obsproject.com. {_START_ONCE}",
    ),
    "doctor.vcam_obs_old": Sentence("OBS {version} is too old.", f"Install OBS Studio 30 or newer. {_START_ONCE}"),
    "doctor.window": Sentence("Qt's libraries are complete, and there is a display."),
    "doctor.window_libraries": Sentence(
        "Qt lacks libraries of this system: {libraries}.",
        "Debian, Ubuntu: sudo apt install {packages}. On other systems install what provides these libraries.",
    ),
    "doctor.window_no_display": Sentence(
        "No display (neither DISPLAY nor WAYLAND_DISPLAY is set).",
        "Start it in a desktop session, or use: gpen-live run --headless",
    ),
    "doctor.window_no_qt": Sentence("Qt (PySide6) is not installed.", "Run the set-up again: packaging/start.py"),
}

"""What the errors of virtual cameras' drivers mean on each system, and what to do about them."""

from __future__ import annotations

import errno

from gpen_live.errors import SinkError
from gpen_live.sinks import loopback
from gpen_live.sinks.vcam import OBS_DEVICE

_MISSING = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


class NotAnOutput(OSError):
    """A device that takes no frames: a real camera, or a virtual one that somebody sends to."""


def explain(system: str, text: str, device: str | None) -> SinkError:
    """What pyvirtualcam's error means on Windows and macOS; its own words follow in parentheses."""
    explain_here = {"Windows": _explain_windows, "Darwin": _explain_macos}.get(system)
    if explain_here is None:
        what, remedy = "There are no virtual cameras on this system.", "Record to a file instead."
    else:
        what, remedy = explain_here(text.lower(), device)
    detail = joined(text)
    return SinkError(what, f"{remedy} ({detail})" if detail else remedy)


def explain_loopback(error: OSError, device: str) -> SinkError:
    """What it means that a device of Linux could not be opened; the system's own words follow in parentheses."""
    if error.errno in (errno.EACCES, errno.EPERM):
        what, remedy = f"You may not use {device}.", 'Run "sudo usermod -a -G video $USER", then log out and in again.'
    elif error.errno in _MISSING:
        what, remedy = f"There is no virtual camera {device}.", f"Run: {loopback.SETUP_COMMAND}"
    elif error.errno == errno.EBUSY or (isinstance(error, NotAnOutput) and device in loopback.virtual_devices()):
        # With exclusive_caps=1 it is no output any more once somebody sends to it.
        what, remedy = f"{device} is in use.", "Close the program that sends to it."
    elif isinstance(error, NotAnOutput):
        what, remedy = f"{device} is not a virtual camera.", f"Leave the device out, or run: {loopback.SETUP_COMMAND}"
    else:
        what, remedy = _unclear()
    return SinkError(what, f"{remedy} ({error.strerror or error})")


def no_loopback() -> SinkError:
    """There is no device of v4l2loopback that would take frames."""
    if loopback.module_loaded():
        again = f"{loopback.UNLOAD_COMMAND} && {loopback.SETUP_COMMAND}"
        return SinkError("The virtual camera is in use.", f"Close the program that sends to it, or set it up again: {again}")
    return SinkError(
        "The driver of the virtual camera is not loaded.",
        f"Run: {loopback.SETUP_COMMAND} - if that finds no module, first: {loopback.INSTALL_COMMAND}",
    )


def _explain_windows(text: str, device: str | None) -> tuple[str, str]:
    if "output could not be started" in text:
        return _taken_by_obs()
    if "in use" in text:
        return f"{device or 'The virtual camera'} is in use.", "Close the program that sends to it."
    if device not in (None, OBS_DEVICE) and ("with this name" in text or "supports only" in text):
        return _unknown(device), f'Leave the device out, or give "{OBS_DEVICE}" or the name of a Unity Capture camera.'
    if "not found" in text or "no camera registered" in text:
        return (
            "No virtual camera is installed.",
            "Install OBS Studio from https://obsproject.com (its virtual camera comes with it), or Unity Capture, and try again.",
        )
    return _unclear()


def _explain_macos(text: str, device: str | None) -> tuple[str, str]:
    if "version is not supported" in text:
        return (
            "OBS's virtual camera is too old.",
            'Install OBS 30 or later, press "Start Virtual Camera" there once, and stop it again.',
        )
    if "not installed" in text:
        return (
            "OBS's virtual camera is not set up.",
            'Install OBS 30 or later, press "Start Virtual Camera" there once, allow its extension in System Settings, '
            "stop it again and restart the Mac.",
        )
    if "supports only" in text:
        return _unknown(device), f'Leave the device out, or give "{OBS_DEVICE}".'
    if "multiple cameras" in text or "start" in text or "stream not found" in text:
        return _taken_by_obs()
    return _unclear()


def _taken_by_obs() -> tuple[str, str]:
    return (
        "The OBS virtual camera is taken by OBS itself or by another program.",
        'Press "Stop Virtual Camera" in OBS: here OBS is to show this camera as a source, not to send to it.',
    )


def _unknown(device: str | None) -> str:
    return f'There is no virtual camera named "{device}".'


def _unclear() -> tuple[str, str]:
    return "The virtual camera can't be opened.", "Close other programs that use it, and try again."


def joined(text: str) -> str:
    """A library's lines as one."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())

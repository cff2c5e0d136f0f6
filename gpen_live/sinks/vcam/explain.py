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
    """What pyvirtualcam's error means on Windows and macOS; its own words are the message's reason."""
    explain_here = {"Windows": _explain_windows, "Darwin": _explain_macos}.get(system)
    return SinkError("vcam.no_backend") if explain_here is None else explain_here(text.lower(), device, joined(text))


def explain_loopback(error: OSError, device: str) -> SinkError:
    """What it means that a device of Linux could not be opened; the system's own words are the message's reason."""
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        return SinkError("vcam.no_permission", device=device, reason=reason)
    if error.errno in _MISSING:
        return SinkError("vcam.missing", device=device, command=loopback.SETUP_COMMAND, reason=reason)
    if error.errno == errno.EBUSY or (isinstance(error, NotAnOutput) and device in loopback.virtual_devices()):
        # With exclusive_caps=1 it is no output any more once somebody sends to it.
        return SinkError("vcam.in_use", name=device, reason=reason)
    if isinstance(error, NotAnOutput):
        return SinkError("vcam.not_virtual", device=device, command=loopback.SETUP_COMMAND, reason=reason)
    return SinkError("vcam.unclear", reason=reason)


def no_loopback() -> SinkError:
    """There is no device of v4l2loopback that would take frames."""
    if loopback.module_loaded():
        return SinkError("vcam.in_use_all", command=f"{loopback.UNLOAD_COMMAND} && {loopback.SETUP_COMMAND}")
    return SinkError("vcam.module", setup=loopback.SETUP_COMMAND, install=loopback.INSTALL_COMMAND)


def _explain_windows(text: str, device: str | None, reason: str) -> SinkError:
    if "output could not be started" in text:
        return SinkError("vcam.obs_taken", reason=reason)
    if "in use" in text:
        return SinkError("vcam.in_use", name=device, reason=reason) if device else SinkError("vcam.in_use_any", reason=reason)
    if device not in (None, OBS_DEVICE) and ("with this name" in text or "supports only" in text):
        return SinkError("vcam.unknown_windows", device=device, obs=OBS_DEVICE, reason=reason)
    if "not found" in text or "no camera registered" in text:
        return SinkError("vcam.not_installed", reason=reason)
    return SinkError("vcam.unclear", reason=reason)


def _explain_macos(text: str, device: str | None, reason: str) -> SinkError:
    if "version is not supported" in text:
        return SinkError("vcam.obs_too_old", reason=reason)
    if "not installed" in text:
        return SinkError("vcam.obs_not_set_up", reason=reason)
    if "supports only" in text:
        return SinkError("vcam.unknown_macos", device=device, obs=OBS_DEVICE, reason=reason)
    if "multiple cameras" in text or "start" in text or "stream not found" in text:
        return SinkError("vcam.obs_taken", reason=reason)
    return SinkError("vcam.unclear", reason=reason)


def joined(text: str) -> str:
    """A library's lines as one."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())

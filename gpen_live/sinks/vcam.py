"""The virtual camera, through pyvirtualcam: OBS or Unity Capture on Windows, OBS on macOS, v4l2loopback on Linux."""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING

import numpy as np

from gpen_live.errors import SinkError
from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.sinks import loopback
from gpen_live.sinks.base import Sink, even

if TYPE_CHECKING:
    import pyvirtualcam

OBS_DEVICE = "OBS Virtual Camera"


class VirtualCameraSink(Sink):
    """Sends to a virtual camera, which programs such as OBS, browsers and video calls list among the cameras.

    Args:
        device: "/dev/videoN" on Linux, "OBS Virtual Camera" or the name of a Unity Capture camera on Windows, "OBS Virtual
            Camera" on macOS. None takes the one labelled "GPEN Live" on Linux, otherwise the first that is free.
        size: of the frames; odd sides are rounded up (see `sinks.base.even`).
        fps: about how many frames per second will be sent.

    Raises:
        SinkError: it is not installed, in use, or may not be used; says what to do on this system.
    """

    def __init__(self, device: str | None = None, *, size: Size, fps: float) -> None:
        system = platform.system()
        self.wants = native_layout(system)
        chosen = device or (loopback.own_device() if system == "Linux" else None)
        frame = even(size)
        self._claim: loopback.Claim | None = None
        if system == "Linux" and chosen is not None:
            loopback.revive(chosen)
        try:
            import pyvirtualcam

            pixel_format = pyvirtualcam.PixelFormat[self.wants.name]
            self._camera: pyvirtualcam.Camera | None = pyvirtualcam.Camera(
                frame.width, frame.height, fps, fmt=pixel_format, device=chosen
            )
        except (RuntimeError, ValueError, OSError, ImportError) as error:
            raise explain(system, str(error), chosen) from error
        self._device = self._camera.device if system == "Linux" else ""
        self.label = _label(self._camera.device)
        shown = loopback.shown_size(self._device) if self._device else None
        if shown not in (None, frame):
            self.close()
            raise SinkError(
                f"Another program still shows {self.label} in {shown}.",
                f"Close that program (OBS, a browser, a video call), or send {shown}.",
            )

    def send(self, pixels: Array) -> None:
        """Sends one frame in the pixel_format `wants`, H*3/2 x W."""
        if self._camera is None:
            raise SinkError(f"{self.label} is already closed.", "Start the virtual camera again.")
        if self._claim is not None:
            self._claim.keep_viewers()
        try:
            self._camera.send(np.ascontiguousarray(pixels))
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            raise SinkError(f"{self.label} took no frame ({_joined(str(error))}).", "Start the virtual camera again.") from error
        if self._device and self._claim is None:
            self._claim = loopback.Claim(self._device)  # not before the first frame: later drivers would give the output to it

    def close(self) -> None:
        """Releases the device: programs that show it get no more frames."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
        if self._claim is not None:
            self._claim.close()
            self._claim = None


def native_layout(system: str) -> PixelFormat:
    """The pixel_format that costs the backend least.

    OBS on Windows carries NV12. v4l2loopback carries any, and I420 is the one that all readers know; on macOS OBS carries UYVY,
    to which I420 is one step and NV12 two.
    """
    return PixelFormat.NV12 if system == "Windows" else PixelFormat.I420


def explain(system: str, text: str, device: str | None) -> SinkError:
    """What pyvirtualcam's error means on this system, and what to do about it; its own words follow in parentheses."""
    explain_here = {"Windows": _explain_windows, "Darwin": _explain_macos, "Linux": _explain_linux}.get(system)
    if explain_here is None:
        what, remedy = "There are no virtual cameras on this system.", "Record to a file instead."
    else:
        what, remedy = explain_here(text.lower(), device)
    detail = _joined(text)
    return SinkError(what, f"{remedy} ({detail})" if detail else remedy)


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


def _explain_linux(text: str, device: str | None) -> tuple[str, str]:
    name = device or "The virtual camera"
    if "missing permissions" in text:
        return (
            f"You may not use {device or 'the virtual camera'}.",
            'Run "sudo usermod -a -G video $USER", then log out and in again.',
        )
    if "does not exist" in text:
        return f"There is no virtual camera {device}.", f"Run: {loopback.SETUP_COMMAND}"
    if "busy" in text or "in use" in text:
        return f"{name} is in use.", "Close the program that sends to it."
    if "not a v" in text or "queried" in text:  # "is not a video output device", "is not a V4L2 device"
        if device in loopback.virtual_devices():  # with exclusive_caps=1 it is no output any more once somebody sends to it
            return f"{name} is in use.", "Close the program that sends to it."
        return f"{name} is not a virtual camera.", f"Leave the device out, or run: {loopback.SETUP_COMMAND}"
    if "no v4l2 loopback device" in text:
        if loopback.module_loaded():
            return (
                "The virtual camera is in use.",
                f"Close the program that sends to it, or set it up anew: {loopback.UNLOAD_COMMAND} && {loopback.SETUP_COMMAND}",
            )
        return (
            "The driver of the virtual camera is not loaded.",
            f"Run: {loopback.SETUP_COMMAND} - if that finds no module, first: {loopback.INSTALL_COMMAND}",
        )
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


def _label(device: str) -> str:
    card = loopback.virtual_devices().get(device)
    return f"{card} ({device})" if card else device


def device_in(label: str) -> str | None:
    """The device that a virtual camera's label names; None for one without a path, as on Windows and macOS."""
    found = re.search(r"/dev/video\d+(?=\)?$)", label)
    return found[0] if found else None


def _joined(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())

"""Cameras through OpenCV."""

from __future__ import annotations

import logging
import math
import os
import platform
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from gpen_live.errors import SourceError, reason_of
from gpen_live.frame import Array, Image, Size
from gpen_live.messages import Message, message
from gpen_live.sources.base import Source
from gpen_live.sources.devices import CameraInfo, captures, list_cameras

DEFAULT_SIZE = Size(1280, 720)
DEFAULT_FPS = 30.0

_OPEN_TIMEOUT_S = 15.0  # MSMF and cameras that wake up take seconds
_FIRST_FRAME_TIMEOUT_S = 5.0
_FRAME_TIMEOUT_S = 0.8  # four periods of the slowest webcams (5 a second, in the dark)
_SETTLING_TIMEOUT_S = 2.0  # for a camera whose rate isn't known yet
_LONGEST_TIMEOUT_S = 5.0
_MISSED_PERIODS = 4  # a camera that is slower still is given so many of its own
_CLOSE_TIMEOUT_S = 1.0
_RETRY_PAUSE_S = 0.01
_DEVICES = Path("/dev")
_MEASURED_FRAMES = 30
_SETTLING_FRAMES = 5  # exposure and buffers settle: not typical

_log = logging.getLogger(__name__)

OpenDevice = Callable[[int, Size, float], "cv2.VideoCapture | None"]

cv2.setLogLevel(2)  # errors only: what its warnings say about cameras, SourceError says better


class CameraSource(Source):
    """A camera. A late reader gets the newest picture.

    A thread of its own opens, reads and releases the device: drivers block for as long as they like, above all those of cameras
    that deliver nothing, and only a thread that waits elsewhere can say so in time. One that a driver never gives back ends with
    the program.

    Args:
        index: number of the camera, as in `sources.devices.list_cameras`.
        size, fps: asked of the camera, with MJPG, which full frame rates over USB 2 need; it gives the nearest that it has. The
            attributes are then the size of its first picture and the rate over 30 pictures (until then the one asked for).
        device: opens what stands in for the device, as `open_capture` does; the system is asked nothing about it.

    `namesakes` are the numbers of all cameras that had its name when it was opened, its own among them; empty: it was not listed.

    Raises:
        SourceError: it does not exist, is in use, may not be used, or delivers nothing.
    """

    def __init__(
        self, index: int, *, size: Size | None = None, fps: float | None = None, device: OpenDevice | None = None
    ) -> None:
        self.index = index
        self._open_device = device or open_capture
        cameras = list_cameras() if device is None else []
        self.label = next((camera.name for camera in cameras if camera.index == index), f"Camera {index}")
        self.namesakes = frozenset(camera.index for camera in cameras if camera.name == self.label)
        self.fps = fps or DEFAULT_FPS
        if device is None and (problem := _obstacle(index, cameras)):
            raise problem
        self._changed = threading.Condition()
        self._picture: Image | None = None
        self._opened: bool | None = None
        self._failed: Exception | None = None
        self._patience_s = _SETTLING_TIMEOUT_S
        self._stop = threading.Event()
        wish = (size or DEFAULT_SIZE, self.fps)
        self._thread = threading.Thread(target=self._run, args=wish, name=f"camera-{index}", daemon=True)
        self._thread.start()
        try:
            self.size = Size.of(self._first_picture(cameras))
        except SourceError:
            self.close()
            raise

    def read(self) -> Image:
        """The next picture, waiting for it for less than a second, unless the camera is known to be a slow one."""
        with self._changed:
            self._changed.wait_for(lambda: self._picture is not None or self._failed, self._patience_s)
            picture, self._picture = self._picture, None
            self._check()
        if picture is None:
            raise SourceError("camera.stopped", name=self.label)
        return picture

    def close(self) -> None:
        """Releases the camera; waits a second at most for a driver that blocks."""
        self._stop.set()
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _first_picture(self, cameras: list[CameraInfo]) -> Image:
        with self._changed:
            self._changed.wait_for(lambda: self._opened is not None or self._failed, _OPEN_TIMEOUT_S)
            self._check()
            if not self._opened:
                raise _unopened(self.label, self.index, cameras)
            self._changed.wait_for(lambda: self._picture is not None or self._failed, _FIRST_FRAME_TIMEOUT_S)
            self._check()
            if self._picture is None:
                raise SourceError("camera.silent", name=self.label)
            return self._picture

    def _check(self) -> None:
        """Raises what ended the camera's thread, if anything did."""
        if self._failed is not None:
            raise SourceError("camera.failed", name=self.label, reason=reason_of(self._failed)) from self._failed

    def _run(self, size: Size, fps: float) -> None:
        try:
            self._deliver(size, fps)
        except Exception as error:  # noqa: BLE001  whatever a driver does, who waits for a picture must hear of it
            _log.exception("the thread of a camera failed")
            with self._changed:
                self._failed = error
                self._changed.notify_all()

    def _deliver(self, size: Size, fps: float) -> None:
        capture = self._open_device(self.index, size, fps)
        with self._changed:
            self._opened = capture is not None
            self._changed.notify_all()
        if capture is None:
            return
        times: deque[float] = deque(maxlen=_MEASURED_FRAMES + 1)
        pauses: deque[float] = deque(maxlen=_SETTLING_FRAMES)
        last = time.perf_counter()
        count = 0
        try:
            while not self._stop.is_set():
                picture = _picture_of(capture)
                if picture is None:
                    self._stop.wait(_RETRY_PAUSE_S)
                    continue
                with self._changed:
                    self._picture = picture
                    self._changed.notify_all()
                count += 1
                at = time.perf_counter()
                pauses.append(at - last)
                last = at
                if count > _SETTLING_FRAMES:
                    self._patience_s = min(max(_FRAME_TIMEOUT_S, _MISSED_PERIODS * max(pauses)), _LONGEST_TIMEOUT_S)
                    times.append(at)
                if len(times) == _MEASURED_FRAMES + 1:
                    self.fps = _MEASURED_FRAMES / (times[-1] - times[0])
                    times.clear()
        finally:
            capture.release()


def open_capture(index: int, size: Size, fps: float) -> cv2.VideoCapture | None:
    """Opens a camera through the backend that serves best on this system; None when it does not open."""
    wish = [cv2.CAP_PROP_FRAME_WIDTH, size.width, cv2.CAP_PROP_FRAME_HEIGHT, size.height, cv2.CAP_PROP_FPS, round(fps)]
    system = platform.system()
    if system == "Windows":
        # DirectShow first: Media Foundation opens slowly and numbers the cameras otherwise.
        return _open_directshow(index, size, fps) or _opened(cv2.VideoCapture(index, cv2.CAP_MSMF, wish))
    if system == "Darwin":
        return _opened(cv2.VideoCapture(index, cv2.CAP_AVFOUNDATION, wish))
    return _open_v4l2(index, wish)


def _open_directshow(index: int, size: Size, fps: float) -> cv2.VideoCapture | None:
    # In this order, as each wish restarts the camera with those before it: a size alone takes the first format that has it, and
    # 1080p arrives uncompressed at 5 fps. Some drivers heed the format only at opening, others only once they are open.
    wish = {
        cv2.CAP_PROP_FPS: round(fps),
        cv2.CAP_PROP_FOURCC: _fourcc("MJPG"),
        cv2.CAP_PROP_FRAME_WIDTH: size.width,
        cv2.CAP_PROP_FRAME_HEIGHT: size.height,
    }
    capture = _opened(cv2.VideoCapture(index, cv2.CAP_DSHOW, [each for pair in wish.items() for each in pair]))
    if capture is None or _heeded(capture, wish):
        return capture
    for prop, value in wish.items():
        capture.set(prop, value)
    if not _heeded(capture, wish):
        rate, code, width, height = (capture.get(prop) for prop in wish)
        name = (int(code) % 2**32).to_bytes(4, "little").decode("ascii", "replace") if math.isfinite(code) else "?"
        _log.warning("camera %d gives %gx%g %s at %g fps", index, width, height, name, rate)
    return capture


def _heeded(capture: cv2.VideoCapture, wish: dict[int, int]) -> bool:
    """Whether a camera has the rate and the format that it was asked for; of sizes it has what it has."""
    return all(abs(capture.get(prop) - wish[prop]) < 1 for prop in (cv2.CAP_PROP_FPS, cv2.CAP_PROP_FOURCC))


def _open_v4l2(index: int, wish: list[int]) -> cv2.VideoCapture | None:
    capture = _opened(cv2.VideoCapture(index, cv2.CAP_V4L2))
    if capture is None:
        return None
    # Left alone, OpenCV may take 24-bit RGB of a driver with padded rows, and misreads it.
    for code in ("MJPG", "YUYV"):
        capture.set(cv2.CAP_PROP_FOURCC, _fourcc(code))
        if int(capture.get(cv2.CAP_PROP_FOURCC)) == _fourcc(code):
            break
    for prop, value in zip(wish[::2], wish[1::2], strict=True):
        capture.set(prop, value)
    return capture


def _opened(capture: cv2.VideoCapture) -> cv2.VideoCapture | None:
    if capture.isOpened():
        return capture
    capture.release()
    return None


def _fourcc(code: str) -> int:
    return int.from_bytes(code.encode("ascii"), "little")


def _picture_of(capture: cv2.VideoCapture) -> Image | None:
    try:
        return _as_bgr(capture.read()[1])
    except cv2.error:  # a picture that can't be decoded; the next one may
        return None


def _as_bgr(picture: Array | None) -> Image | None:
    """The picture as H x W x 3; None for whatever is no picture (a driver's empty or misshapen buffer)."""
    if not isinstance(picture, np.ndarray) or picture.size == 0 or picture.dtype != np.uint8:
        return None
    if picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 1):
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR).astype(np.uint8, copy=False)
    return picture if picture.ndim == 3 and picture.shape[2] == 3 else None


def _obstacle(index: int, cameras: list[CameraInfo]) -> SourceError | None:
    """What is known to be wrong before the camera is opened."""
    if platform.system() == "Linux":
        device = _DEVICES / f"video{index}"
        if not device.exists():
            return _missing(index, cameras)
        if not os.access(device, os.R_OK | os.W_OK):
            return SourceError("camera.no_permission", index=index, device=device)
        if not captures(str(device)):
            return SourceError("camera.not_a_camera", device=device, choices=_choices(cameras))
        return None
    if cameras and all(camera.index != index for camera in cameras):
        return _missing(index, cameras)
    return None


def _missing(index: int, cameras: list[CameraInfo]) -> SourceError:
    return SourceError("camera.missing", index=index, choices=_choices(cameras))


def _choices(cameras: list[CameraInfo]) -> Message:
    if not cameras:
        return message("camera.no_choice")
    return message("camera.choices", cameras=", ".join(f"{camera.spec} ({camera.name})" for camera in cameras))


def _unopened(label: str, index: int, cameras: list[CameraInfo]) -> SourceError:
    if not cameras:
        return _missing(index, cameras)
    match platform.system():
        case "Windows":
            return SourceError("camera.busy_windows", name=label, index=index)
        case "Darwin":
            return SourceError("camera.busy_macos", name=label, index=index)
        case _:
            return SourceError("camera.busy", name=label, index=index)

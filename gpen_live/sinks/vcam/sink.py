"""The app's side of the virtual camera: starts its process, hands it frames, and ends it when it does not answer."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import gpen_live
from gpen_live.errors import SinkError
from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.messages import Message, message, unpack
from gpen_live.sinks import readers
from gpen_live.sinks.base import Sink, even
from gpen_live.sinks.vcam.devices import Wish
from gpen_live.sinks.vcam.process import TAKEN, Order
from gpen_live.sinks.vcam.ring import Ring

PATIENCE_S = 1.0
_OPEN_S = 15.0  # a machine that is busy starting everything else
_END_S = 1.5
_GRACE_S = 0.1


class VirtualCameraSink(Sink):
    """Sends to a virtual camera, which programs such as OBS, browsers and video calls list among the cameras.

    Args:
        device: see `devices.Wish`.
        size: of the frames; odd sides are rounded up (see `sinks.base.even`).
        fps: about how many frames per second will be sent.

    Raises:
        SinkError: it is not installed, in use, or may not be used; says what to do on this system.
    """

    def __init__(self, device: str | None = None, *, size: Size, fps: float) -> None:
        self.wants = native_format(platform.system())
        self.label = device or "The virtual camera"
        frame = even(size)
        wish = Wish(device, frame.width, frame.height, fps, self.wants.name)
        try:
            self._ring = Ring((frame.height * 3 // 2, frame.width))
            memory = self._ring.memory
            self._process: subprocess.Popen[bytes] | None = _start(memory.descriptors)
            memory.release_descriptors()
        except OSError as error:
            raise SinkError("vcam.unstartable", reason=error.strerror or error) from error
        readers.OWN.add(self._process.pid)
        self._answers: SimpleQueue[bytes] = SimpleQueue()
        self._closing = threading.Lock()
        threading.Thread(target=_listen, args=(self._process, self._answers), name="gpen-live-vcam", daemon=True).start()
        try:
            self._order(Order(wish, memory.handle, self._ring.places).line())
            self.label = json.loads(self._answer(_OPEN_S, message("vcam.not_opening", name=self.label)))["label"]
        except BaseException:
            self._end(0)
            raise

    def buffer(self) -> Array | None:
        return self._ring.take()

    def send(self, pixels: Array, at: float) -> None:
        """Sends one frame in the pixel format `wants`, H*3/2 x W; one that was made in a `buffer` is not copied."""
        if self._process is None:
            raise SinkError("vcam.closed", name=self.label)
        if pixels.shape != self._ring.shape:
            raise SinkError("vcam.frame_shape", name=self.label, shape=pixels.shape)
        place = self._ring.place_of(pixels)
        self._order(b"%d\n" % (self._ring.put(pixels) if place is None else place))
        if self._answer(PATIENCE_S, message("vcam.not_taking", name=self.label)) != TAKEN:
            raise SinkError("vcam.nonsense", name=self.label)

    def close(self) -> None:
        """Ends the process: in order where it answers, in any case within seconds."""
        self._end(_END_S)

    def _order(self, line: bytes) -> None:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        with suppress(OSError, ValueError):  # its answer, or that there is none, says why
            process.stdin.write(line)
            process.stdin.flush()

    def _answer(self, patience: float, silence: Message) -> bytes:
        """The next answer that is no error; `silence` is what it means that there is none."""
        line = self._next(patience)
        if line is None:
            self._end(0)
            raise SinkError(silence)
        if not line:
            raise SinkError("vcam.ended", name=self.label)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SinkError(unpack(answer["error"]))
        return line

    def _next(self, patience: float) -> bytes | None:
        for seconds in (patience, _GRACE_S):  # when the app itself was stopped for a while, the answer is there, but not read yet
            with suppress(Empty):
                return self._answers.get(timeout=seconds)
        return None

    def _end(self, patience: float) -> None:
        with self._closing:
            process, self._process = self._process, None
            if process is None:
                return
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
            if not _ended(process, patience):
                process.kill()
                _ended(process, _END_S)  # one that waits inside the kernel ends when that lets it
            readers.OWN.discard(process.pid)


def native_format(system: str) -> PixelFormat:
    """The pixel format that costs the backend least.

    OBS on Windows carries NV12. v4l2loopback carries any, and I420 is the one that all readers know; on macOS OBS carries UYVY,
    to which I420 is one step and NV12 two.
    """
    return PixelFormat.NV12 if system == "Windows" else PixelFormat.I420


def _start(inherited: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """The process, from this installation and no other, on its own: what ends the app in a terminal is not sent to it."""
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    return subprocess.Popen(
        [sys.executable, "-m", "gpen_live.sinks.vcam.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(gpen_live.__file__).parents[1],
        pass_fds=inherited,
        start_new_session=sys.platform != "win32",
        creationflags=flags,
    )


def _listen(process: subprocess.Popen[bytes], answers: SimpleQueue[bytes]) -> None:
    """In a thread: hands on its answers, and an empty one at their end."""
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            answers.put(line)
    answers.put(b"")


def _ended(process: subprocess.Popen[bytes], patience: float) -> bool:
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        return False
    return True

"""Other programs beside the app, each a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from gpen_live.frame import Size

_PATIENCE_S = 120.0  # to start takes seconds on an emulated processor


@dataclass(frozen=True)
class View:
    """A picture that a viewer saw: see `numbered.Seen`."""

    number: int
    whole: bool
    difference: float
    size: Size


class Program:
    """A process and the lines that it has printed so far; terminated at the end of its `with`."""

    def __init__(self, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", f"tests.real_camera.guest.{module}", *map(str, arguments)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Terminates it, if it has not ended."""
        self._process.terminate()
        self._process.wait()
        self._reader.join()

    def kill(self) -> None:
        """Ends it at once, without its knowledge."""
        self._process.kill()
        self._process.wait()

    def wait_for_lines(self, count: int) -> list[str]:
        """Its first `count` lines, once they are there."""
        wait_until(lambda: len(self.lines) >= count or self._process.poll() is not None)
        assert len(self.lines) >= count, f"it ended with {self._process.returncode} after {self.lines}"
        return self.lines[:count]

    def code(self) -> int:
        """How it ended, once it has."""
        wait_until(lambda: self._process.poll() is not None, what=lambda: f"it goes on after {self.lines}")
        self._reader.join()
        return self._process.wait()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line)


def film(
    device: str, size: Size, fourcc: str = "YU12", fps: float = 5, first: int = 0, *, streams: bool = True, face: bool = False
) -> Program:
    """Shows numbered pictures on a loopback, which is a camera from then on: see `film.py`."""
    how = [*([] if streams else ["forgotten"]), *(["face"] if face else [])]
    program = Program("film", device, size, fourcc, fps, first, *how)
    program.wait_for_lines(1)
    return program


def viewer(device: str, count: int, pause: float = 0.0) -> Program:
    """Looks at `count` pictures of a camera: see `viewer.py`."""
    return Program("viewer", device, count, pause)


def holder(device: str) -> Program:
    """Has vivid to itself."""
    program = Program("holder", device)
    program.wait_for_lines(1)
    return program


def views(lines: list[str]) -> list[View]:
    """What a viewer saw, from its lines."""
    return [_view(json.loads(line)) for line in lines]


def _view(seen: dict[str, Any]) -> View:
    return View(seen["number"], seen["whole"], seen["difference"], Size(*seen["size"]))


def wait_until(
    condition: Callable[[], bool], seconds: float = _PATIENCE_S, what: Callable[[], str] = lambda: "it never came true"
) -> float:
    """Waits until `condition()` holds and returns the seconds that this took; fails after `seconds` and says `what()`."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, what()
        time.sleep(0.01)
    return time.monotonic() - begun

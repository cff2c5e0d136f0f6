"""A virtual camera's driver below the C library (see fake_v4l2loopback.c), for processes that are started with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


class Taken(NamedTuple):
    """A frame that the driver took: by which process, when (CLOCK_MONOTONIC), how many bytes, and its first four."""

    process: int
    came: float
    done: float
    size: int
    first: tuple[int, ...]


class FakeDriver:
    """A device in a folder; `environment` makes a process see it."""

    def __init__(self, folder: Path) -> None:
        if not sys.platform.startswith("linux") or shutil.which("gcc") is None:
            pytest.skip("the driver is made by gcc, for Linux")
        self.device = folder / "video10"
        self.device.touch()
        library = folder / "driver.so"
        command = ["gcc", "-shared", "-fPIC", "-O1", "-w", "-o", str(library), str(HERE / "fake_v4l2loopback.c"), "-ldl"]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
        self.environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "FAKE_LOOPBACK": str(self.device),
            "PYTHONPATH": str(ROOT),
            "GPEN_LIVE_HOME": str(folder),
        }

    @property
    def spec(self) -> str:
        return f"vcam:{self.device}"

    def set(self, mode: str = "") -> None:
        """What it does from now on; "": it is well."""
        draft = self.device.with_suffix(".draft")
        draft.write_text(mode)
        draft.replace(f"{self.device}.mode")

    def taken(self) -> list[Taken]:
        log = Path(f"{self.device}.log")
        rows = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        return [Taken(int(r[0]), float(r[1]), float(r[2]), int(r[3]), tuple(map(int, r[4:]))) for r in rows if len(r) == 8]

    def run(self, code: str, *arguments: str, timeout: float = 60) -> str:
        """Runs Python code with the driver; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", code, self.spec, *arguments],
            env=self.environment,
            cwd=self.device.parent,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

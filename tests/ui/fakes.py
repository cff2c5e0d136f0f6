"""Stand-ins with the interfaces of the pipeline, the models and the cameras; they remember what they were asked."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gpen_live.errors import WeightsError
from gpen_live.frame import Image, Size
from gpen_live.live.config import LiveConfig
from gpen_live.live.slot import Slot
from gpen_live.live.status import Health, PartStatus, Quantiles, Rates, Snapshot
from gpen_live.ui.models import Model

RAW = (200, 40, 40)
FINISHED = (40, 40, 200)
"""Colours of the fake frames, in BGR."""

RUNNING = Snapshot(
    source=PartStatus(Health.OK, "Demo camera"),
    model=PartStatus(Health.OK, "lite-256"),
    sink=PartStatus(Health.OFF),
    model_name="lite-256",
    precision="fp32",
    device="cpu (2 threads)",
    size=Size(640, 360),
    stages={name: Quantiles(5, 7, 8, 9) for name in ("detect", "warp", "network", "blend", "convert", "send")}
    | {"end_to_end": Quantiles(42, 55, 60, 70)},
    rates=Rates(30, 30, 30),
    faces=1,
)


@dataclass(frozen=True)
class FakePicture:
    image: Image
    raw: Image


def flat(colour: tuple[int, int, int]) -> Image:
    return np.full((360, 640, 3), colour, np.uint8)


class FakePipeline:
    def __init__(self) -> None:
        self.preview: Slot[FakePicture] = Slot()
        self.state = RUNNING
        self.config: LiveConfig | None = None
        self.changes: list[dict[str, Any]] = []
        self.retried: list[str] = []
        self.started = 0
        self.stopped = 0
        self.refuses: list[Exception] = []
        self.hangs = threading.Event()
        self.hangs.set()

    def made_with(self, config: LiveConfig) -> FakePipeline:
        self.config = config
        return self

    def start(self) -> None:
        if self.refuses:
            raise self.refuses.pop(0)
        self.started += 1
        self.give()

    def give(self) -> None:
        """One more finished frame."""
        self.preview.put(FakePicture(flat(FINISHED), flat(RAW)))

    def change(self, **fields: Any) -> None:
        assert self.config is not None
        self.config = dataclasses.replace(self.config, **fields)
        self.changes.append(fields)

    def retry(self, part: str) -> None:
        self.retried.append(part)

    def snapshot(self) -> Snapshot:
        return self.state

    def stop(self) -> None:
        self.hangs.wait(60)
        self.stopped += 1


@dataclass(frozen=True)
class FakeCamera:
    name: str
    spec: str


@dataclass
class FakeCatalogue:
    """Fetches in steps that the test allows, one per `step.release()`."""

    installed: set[str] = field(default_factory=lambda: {"lite-256"})
    partial: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)
    checked: list[Path] = field(default_factory=list)
    step: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    refusal: str = ""

    def models(self) -> Sequence[Model]:
        return [
            Model(
                name=name,
                title=name.title(),
                size=256,
                bytes=80_000_000,
                licence="Apache-2.0" if name == "lite-256" else "non-commercial use only",
                licence_text=f"The terms of {name}.",
                installed=name in self.installed,
                partial=name in self.partial,
            )
            for name in ("lite-256", "gpen-256", "gpen-512")
        ]

    def fetch(self, name: str, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> Path:
        self.fetched.append(name)
        for part in range(1, 5):
            assert self.step.acquire(timeout=30)
            if self.refusal:
                raise WeightsError(self.refusal)
            if cancelled():
                self.partial.add(name)
                raise WeightsError("The download was cancelled.")
            progress(part * 20_000_000, 80_000_000)
        self.installed.add(name)
        self.partial.discard(name)
        return Path(name)

    def check(self, name: str, path: Path) -> None:
        self.checked.append(path)
        if self.refusal:
            raise WeightsError(self.refusal)

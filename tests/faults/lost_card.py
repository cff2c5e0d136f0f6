"""Breaks a real NVIDIA card under a running pipeline, in a process of its own: `python -m tests.faults.lost_card lost|full`.

lost: a kernel's assertion fails, after which CUDA refuses everything to this process. full: the allocator gets nothing any more.
Exits with 0 if frames went on, enhanced on the processor in the end, and the process could end as it should.
"""

from __future__ import annotations

import sys
import time

import torch

from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.inference.device import CPU, Device, describe_device
from gpen_live.inference.enhancer import Enhancer
from gpen_live.live.config import LiveConfig
from gpen_live.live.models.loader import LoadedModel, ModelRequest
from gpen_live.live.pipeline import LivePipeline, Outside
from gpen_live.look import Look, Mode
from gpen_live.models.registry import get
from gpen_live.sinks.base import Sink
from gpen_live.sources.base import Source
from tests.faults.fakes import Known, Network, on_processor
from tests.live.fakes import FakeSource, wait_for

CARD = Device("cuda")
LARGE = Size(1920, 1080)  # a whole frame of it fits into no memory that was kept


class Nowhere(Sink):
    """Holds on to nothing: what it gets is freed at once."""

    label, wants = "Nowhere", PixelFormat.I420

    def send(self, pixels: Array, at: float) -> None:
        pass

    def close(self) -> None:
        pass


class Brighter(torch.nn.Module):
    """As `Network`, on the card."""

    stride = 16

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures + 0.2


def load(wanted: ModelRequest) -> LoadedModel:
    if wanted.device == "cpu":
        return LoadedModel(wanted, CPU, describe_device(CPU), Known(CPU), on_processor(Network(), wanted.model))
    return LoadedModel(wanted, CARD, describe_device(CARD), Known(CARD), Enhancer(Brighter(), get(wanted.model), CARD))


def open_source(spec: str, **_: object) -> Source:
    return FakeSource(fps=60.0, size=LARGE)


def open_sink(spec: str, **_: object) -> Sink:
    return Nowhere()


def break_card() -> None:
    try:
        torch.zeros(4, device=CARD.torch())[torch.full((1,), 1_000_000, device=CARD.torch())].sum().item()
    except RuntimeError as error:
        print(f"the card: {str(error).splitlines()[0]}")


def main(fault: str) -> None:
    outside = Outside(open_source=open_source, open_sink=open_sink, load=load)
    pipeline = LivePipeline(LiveConfig(model="lite-512", fps=60.0, budget_ms=0.0), outside=outside)
    pipeline.start(wait_for_model=True)
    wait_for(lambda: pipeline.snapshot().counts.enhanced > 60, 120)
    print(f"on {pipeline.snapshot().device}: {pipeline.snapshot().counts}")
    began = time.monotonic()
    if fault == "lost":
        break_card()
    else:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(1e-9, CARD.torch())
        pipeline.change(look=Look(mode=Mode.FULL))  # needs memory that it did not need before
    wait_for(lambda: pipeline.snapshot().device.startswith("cpu"), 60)
    enhanced = pipeline.snapshot().counts.enhanced
    wait_for(lambda: pipeline.snapshot().counts.enhanced > enhanced, 60)
    print(f"enhanced on {pipeline.snapshot().device} after {time.monotonic() - began:.2f} s: {pipeline.snapshot().model.text}")
    wait_for(lambda: pipeline.snapshot().counts.enhanced > enhanced + 180, 60)  # old frames are let go of everywhere
    for note in pipeline.board.notes():
        print(f"note: {note}")
    pipeline.stop()
    counts = pipeline.meters.counts()
    print(f"report: {pipeline.report()['memory_mb']}, {counts}")
    assert counts.out_of_order == 0
    print("well")


if __name__ == "__main__":
    main(sys.argv[1])

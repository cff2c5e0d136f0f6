"""All measurements of one run, network by network, into one `Bench`."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from gpen_live import __version__
from gpen_live.beauty.stage import open_stage
from gpen_live.bench.clip import FEEDS, read_frames
from gpen_live.bench.flow import SLOW_FPS, time_flow
from gpen_live.bench.footprint import take_footprint
from gpen_live.bench.network import time_network
from gpen_live.bench.path import OFF, time_path
from gpen_live.bench.plan import Guess, Step, gflops
from gpen_live.bench.results import Bench
from gpen_live.bench.timing import FULL, QUICK, Budget, Going
from gpen_live.bench.upstream import time_rival
from gpen_live.bench.weights import weights_for
from gpen_live.engine.engine import Engine
from gpen_live.errors import GpenLiveError
from gpen_live.frame import Image, Size
from gpen_live.inference.device import choose_device, describe_device
from gpen_live.inference.enhancer import Enhancer
from gpen_live.inference.host import HostEnhancer
from gpen_live.inference.loading import load_detector, load_enhancer
from gpen_live.look import Beauty, Mode
from gpen_live.messages import Message
from gpen_live.models.registry import ModelSpec, get

if TYPE_CHECKING:
    from gpen_live.engine.result import Stage
    from gpen_live.faces.detect import Detector

ALL: Final = ("lite-256", "lite-512", "gpen-256", "gpen-512", "gpen-1024", "gpen-2048")
FEW: Final = ("lite-256", "gpen-256", "gpen-512")
PARTS: Final = ("networks", "stages", "flow", "memory")
_FRAMES = 60
_SIZE: Final = Size(1280, 720)

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What to measure.

    Args:
        models: names of the registry. modes: of the frame path. parts: of `PARTS`.
        device: as `choose_device` takes it. size: of the frames. source: "demo" or a file that they come from.
        quick: shorter budgets. upstream: a checkout of yangxy/GPEN to compare with.
        beauty, beauty_name: also time the frame path with this drawn on the faces, in turns with none.
    """

    models: Sequence[str]
    modes: Sequence[Mode] = (Mode.ROI, Mode.FULL)
    parts: Sequence[str] = PARTS
    device: str = "auto"
    size: Size = _SIZE
    source: str = "demo"
    quick: bool = False
    upstream: Path | None = None
    beauty: Beauty = field(default_factory=Beauty)
    beauty_name: str = OFF


class Measurement:
    """One run: `steps` are what there is to do, `bench` is what has been found so far.

    Args:
        folder: for weights of networks that have none of their own here, deleted once they have been measured.

    Raises:
        UsageError, DeviceError: as `choose_device`.
    """

    def __init__(self, options: Options, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._budget: Budget = QUICK if options.quick else FULL
        unusable: list[Message] = []
        self._device = choose_device(options.device, unusable)
        self._guess = Guess(gflops(self._device), self._device.type != "cpu", options.size)
        self._detector: Detector | None = None
        self._enhancer: HostEnhancer | Enhancer | None = None
        self._engine: Engine | None = None
        self._frames: list[Image] = []
        self._own_weights = False
        self.bench = Bench(
            version=__version__,
            device=describe_device(self._device),
            frame_size=str(options.size),
            source=Path(options.source).name,
            quick=options.quick,
        )
        self.bench.failures += [note.text for note in unusable]
        self.steps = [Step("frames and detector", 3.0 + _FRAMES * 0.02, self._prepare)]
        for name in options.models:
            self.steps += self._steps_of(get(name))

    def _steps_of(self, spec: ModelSpec) -> list[Step]:
        """Of one network; once a step has failed, the later ones are left out."""
        options, guess, budget = self._options, self._guess, self._budget
        failed: list[str] = []

        def step(title: str, seconds: float, work: Callable[[Going], None]) -> Step:
            return Step(f"{spec.name}: {title}", seconds, lambda going: None if failed else self._try(spec, work, going, failed))

        steps: list[Step] = []
        if {"networks", "stages", "flow"} & set(options.parts):
            thorough = not options.quick
            steps.append(step("loading", guess.load_s(spec, thorough=thorough) + 1, lambda _: self._load(spec)))
        if "networks" in options.parts:
            seconds = budget.estimate(guess.run_s(spec)) + (3.0 if guess.gpu else 0.0)  # the profiler's start
            steps.append(step("network", seconds, self._network))
        if "stages" in options.parts:
            for mode in options.modes:
                seconds = budget.estimate(guess.frame_s(spec, full=mode is Mode.FULL)) * (2 if options.beauty.uses() else 1)
                title = "faces" if mode is Mode.ROI else "full frame"
                steps.append(step(title, seconds, partial(self._path, mode)))
        if "flow" in options.parts:
            full = options.modes[0] is Mode.FULL
            feeds = 1 if guess.frame_s(spec, full=full) > 1 / SLOW_FPS else len(FEEDS)
            seconds = feeds * guess.flow_s(spec, budget, full=full)
            steps.append(step("serial and pipelined", seconds, self._flow))
        if steps:
            steps.append(Step(f"{spec.name}: done", 0.2, lambda _: self._release()))
        if "memory" in options.parts:
            steps.append(step("memory and start", guess.process_s(spec), lambda going: self._footprint(spec, going)))
        if options.upstream is not None and not spec.shipped:
            steps.append(step("against upstream", guess.rival_s(spec, budget), lambda going: self._rival(spec, going)))
        return [*steps, Step(f"{spec.name}: done", 0.1, lambda _: self._forget(spec))]

    def _try(self, spec: ModelSpec, work: Callable[[Going], None], going: Going, failed: list[str]) -> None:
        """A network that fails (no memory for it, a damaged file) is told about; the others go on."""
        try:
            work(going)
        except (GpenLiveError, RuntimeError, MemoryError) as error:
            known = isinstance(error, GpenLiveError)
            reason = str(error) if known else f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            failed.append(reason)
            self.bench.failures.append(f"{spec.name}: {reason}")
            self._release()

    def _prepare(self, going: Going) -> None:
        if {"stages", "flow"} & set(self._options.parts):
            self._frames = read_frames(self._options.source, self._options.size, _FRAMES, going)
            self._detector = load_detector(self._device)

    def _load(self, spec: ModelSpec) -> None:
        path, self._own_weights = weights_for(spec, self._folder)
        self._enhancer = load_enhancer(spec.name, path, self._device, thorough=not self._options.quick, fit=lambda share: None)
        if self._detector is not None:
            self._engine = Engine(self._device, self._detector, self._enhancer, stages=self._stages())

    def _stages(self) -> tuple[Stage, ...]:
        """What draws beauty, if any is to be measured."""
        if not self._options.beauty.uses():
            return ()
        stage = open_stage(self._device)
        if stage is None:
            raise GpenLiveError("live.beauty_missing", device=self._device)
        return (stage,)

    def _network(self, going: Going) -> None:
        assert self._enhancer is not None
        _keep(self.bench.networks, time_network(self._enhancer, self._budget, going, own_weights=self._own_weights))

    def _path(self, mode: Mode, going: Going) -> None:
        options, beauties = self._options, {OFF: Beauty()}
        if options.beauty.uses():
            beauties[options.beauty_name] = options.beauty
        self.bench.paths += time_path(self._loaded, mode, self._frames, self._budget, going, beauties)

    def _flow(self, going: Going) -> None:
        for feed in FEEDS:
            mode = self._options.modes[0]
            found = time_flow(self._loaded, mode, self._frames, feed, self._budget, going)
            _keep(self.bench.flows, found)
            if found is None or found.serial_fps < SLOW_FPS:  # how frames come in is nothing beside such a network
                return

    def _footprint(self, spec: ModelSpec, going: Going) -> None:
        path, _ = weights_for(spec, self._folder)
        _keep(self.bench.footprints, take_footprint(spec.name, path, str(self._device), self._options.size, going))

    def _rival(self, spec: ModelSpec, going: Going) -> None:
        assert self._options.upstream is not None
        path, own = weights_for(spec, self._folder)
        folder, device = self._options.upstream, str(self._device)
        _keep(self.bench.rivals, time_rival(folder, spec.name, path, device, self._budget, going, own_weights=own))

    @property
    def _loaded(self) -> Engine:
        assert self._engine is not None
        return self._engine

    def _release(self) -> None:
        """Lets go of the network, and of the GPU's memory that PyTorch keeps for the next one."""
        self._enhancer = self._engine = None
        gc.collect()
        if self._device.type == "cuda":
            import torch

            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._device.torch())

    def _forget(self, spec: ModelSpec) -> None:
        """Deletes the untrained weights: hundreds of megabytes."""
        for path in self._folder.glob(f"{spec.name}-*"):
            path.unlink()


def _keep(found: list[T], one: T | None) -> None:
    if one is not None:
        found.append(one)

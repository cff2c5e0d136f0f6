"""The faults: what may happen to a camera, a network and an output, brought about on purpose around the real ones."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

import cv2
import numpy as np

from gpen_live.errors import SinkError, SourceError
from gpen_live.frame import Array, PixelFormat, Size
from gpen_live.inference.host import HostEnhancer
from gpen_live.live.pacing.clock import now
from gpen_live.live.pipeline import Outside
from gpen_live.media.fit import fit
from gpen_live.sinks import open_sink
from gpen_live.sinks.base import Sink
from gpen_live.soak.watch import Watch
from gpen_live.sources import camera_index, open_source
from gpen_live.sources.base import Source
from gpen_live.sources.camera import CameraSource, open_capture

if TYPE_CHECKING:
    import torch

    from gpen_live.faces.detect import Detector
    from gpen_live.inference.autotune_cpu import HostNetwork, Pictures
    from gpen_live.inference.device import Device
    from gpen_live.inference.torch_network import Network
    from gpen_live.live.models.loader import LoadedModel


class FaultKind(str, Enum):
    """What can happen; the values are what people read."""

    CAMERA_GONE = "camera gone and back"
    CAMERA_HANGS = "camera hangs"
    GARBAGE = "camera delivers garbage"
    OTHER_SIZE = "camera changes its size"
    NETWORK_RAISES = "network raises"
    NETWORK_NAN = "network gives NaN"
    NETWORK_SLOW = "network takes 5 s once"
    SINK_GONE = "output gone and back"
    SINK_SLOW = "output takes 1 s once"
    OTHER_MODEL = "another model and back"
    OTHER_MODE = "other mode and back"
    OTHER_SETTINGS = "settings changed and back"


@dataclass(frozen=True)
class Fault:
    """How a kind of fault goes.

    Args:
        seconds: how long it lasts.
        limit_s: within which all must be well again, counted from its end; of a camera that hangs, which has no end, from its
            beginning: it must be seen and opened anew.
        pause: meanwhile nothing may go out. still: meanwhile the last frame may stay on. Everything else must go on.
        shortens: it can be gone through in a hurry.
        after: the kind that it always comes next to.
    """

    kind: FaultKind
    seconds: float
    limit_s: float
    pause: bool = False
    still: bool = False
    shortens: bool = True
    after: FaultKind | None = None

    def lasts(self, haste: float) -> float:
        """Seconds, in a hurry; but what is gone or broken for a moment only may not be noticed."""
        return self.seconds / haste if self.shortens else self.seconds


FAULTS: Final = (
    Fault(FaultKind.CAMERA_GONE, 3.0, 2.0, still=True, shortens=False),
    Fault(FaultKind.CAMERA_HANGS, 0.0, 3.0, still=True),
    Fault(FaultKind.GARBAGE, 0.5, 1.0, still=True),
    Fault(FaultKind.OTHER_SIZE, 2.0, 1.0),
    Fault(FaultKind.NETWORK_RAISES, 1.0, 2.0, shortens=False),
    Fault(FaultKind.NETWORK_NAN, 1.0, 2.0, shortens=False),
    Fault(FaultKind.NETWORK_SLOW, 5.0, 2.0),
    Fault(FaultKind.SINK_GONE, 2.0, 3.0, pause=True, still=True),
    Fault(FaultKind.SINK_SLOW, 1.0, 3.0, pause=True, still=True),
    # A network keeps what it prepared for whole frames until it is replaced: memory is comparable again after that.
    Fault(FaultKind.OTHER_MODEL, 5.0, 60.0, after=FaultKind.OTHER_MODE),
    Fault(FaultKind.OTHER_MODE, 2.0, 2.0),
    Fault(FaultKind.OTHER_SETTINGS, 2.0, 2.0),
)
HANG_S = 6.0  # then the driver gives up by itself
_VIRTUAL_CAMERA, _CAMERA = "vcam", "camera:0"


class Faults:
    """Switches that the soak sets and that source, sink and network look at; each is one word, set by one thread.

    `camera_gone`, `garbage`, `other_size`, `network_raises` and `sink_gone` last while they are set; `camera_hangs` and the slow
    ones happen once.
    """

    def __init__(self) -> None:
        self.camera_gone = False
        self.garbage = False
        self.other_size = False
        self.network_raises = False
        self.sink_gone = False
        self.hung_at = 0.0
        """When a camera began to hang."""
        self._once: dict[FaultKind, float] = {}
        self._poison: torch.Tensor | None = None
        self._nan = False

    def once(self, kind: FaultKind, seconds: float) -> None:
        """Holds up, for so long, whoever comes next to where `kind` happens."""
        self._once[kind] = seconds

    def met(self, kind: FaultKind) -> float:
        """Seconds to be held up for; 0 mostly."""
        return self._once.pop(kind, 0.0)

    @property
    def network_nan(self) -> bool:
        return self._nan

    @network_nan.setter
    def network_nan(self, value: bool) -> None:
        self._nan = value
        if self._poison is not None:
            self._poison.fill_(float("nan") if value else 0.0)

    def meet_network(self) -> None:
        """Where the network runs: slow, or raising."""
        time.sleep(self.met(FaultKind.NETWORK_SLOW))
        if self.network_raises:
            raise RuntimeError("a fault of the soak")

    def disturb(self, loaded: LoadedModel) -> LoadedModel:
        """A model whose network meets these faults."""
        enhancer = loaded.enhancer
        if isinstance(enhancer, HostEnhancer):
            enhancer.surround(self._around_host)
        else:
            enhancer.surround(lambda network: self._around(network, loaded.device))
        return dataclasses.replace(loaded, detector=cast("Detector", _DisturbedDetector(loaded.detector, self)))

    def _around_host(self, network: HostNetwork) -> HostNetwork:
        def disturbed(pictures: Pictures, previous: Pictures | None) -> Pictures:
            self.meet_network()
            out = network(pictures, previous)
            return out + np.float32("nan") if self._nan else out

        return disturbed

    def _around(self, network: Network, device: Device) -> Network:
        import torch

        from gpen_live.inference.device import synchronize

        # Added to every picture: what a graphics card has recorded repeats no decision, but it reads this again each time.
        poison = self._poison = torch.full((), float("nan") if self._nan else 0.0, device=device.torch())
        synchronize(device)  # other streams read it

        def disturbed(pictures: torch.Tensor, previous: torch.Tensor | None) -> torch.Tensor:
            self.meet_network()
            return network(pictures, previous) + poison

        return disturbed


class _DisturbedDetector:
    """A detector that meets faults where the graphics card's frame path reads its findings.

    There the network is repeated as it was recorded, and no call of it is met: this is the host's one part in each frame.
    """

    def __init__(self, detector: Detector, faults: Faults) -> None:
        self._detector, self._faults = detector, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)

    def read(self, *args: Any, **named: Any) -> Any:
        self._faults.meet_network()
        return self._detector.read(*args, **named)


class DisturbedDevice:
    """In place of a camera's cv2.VideoCapture: pictures from anywhere, with numbers, which meets faults.

    Args:
        picture: the next one, or None. release: lets go of where they come from.
        size: of the output, so that nothing is scaled or framed after the numbers are drawn.
    """

    def __init__(
        self, picture: Callable[[], Array | None], release: Callable[[], None], size: Size, faults: Faults, watch: Watch
    ) -> None:
        self._picture, self.release = picture, release
        self._size, self._faults, self._watch = size, faults, watch
        self._garbage = _garbage()

    def read(self) -> tuple[bool, Any]:
        hang_s = self._faults.met(FaultKind.CAMERA_HANGS)
        if hang_s:
            self._faults.hung_at = now()
            time.sleep(hang_s)
        if self._faults.camera_gone:
            return False, None
        picture = self._picture()
        at = now()
        if picture is None or self._faults.camera_gone:
            return False, None
        if self._faults.garbage:
            return True, next(self._garbage)
        try:
            image = fit(picture, self._size).copy()  # a source may show us its own memory
        except ValueError:  # the device's own fault, not one of ours
            return True, picture
        if self._faults.other_size:
            image = np.asarray(cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2)), np.uint8)
        self._watch.captured(image, at)
        return True, image


class DisturbedSink(Sink):
    """A sink whose frames are looked at, and which meets faults."""

    def __init__(self, sink: Sink, faults: Faults, watch: Watch) -> None:
        self._sink, self._faults, self._watch = sink, faults, watch
        self.label, self.wants = sink.label, sink.wants

    def buffer(self) -> Array | None:
        return self._sink.buffer()

    def send(self, pixels: Array, at: float) -> None:
        if self._faults.sink_gone:
            raise SinkError("soak.output_gone")
        time.sleep(self._faults.met(FaultKind.SINK_SLOW))
        self._sink.send(pixels, at)
        self._watch.sent(_brightness(pixels, self.wants), now())

    def close(self) -> None:
        self._sink.close()


def disguised(source: str, sink: str) -> tuple[str, str]:
    """What the pipeline is told to open: a camera, which is tried again when it is gone, and a virtual one.

    The real names are kept where they are such, or a recording.
    """
    return source if camera_index(source) is not None else _CAMERA, sink if sink != "none" else _VIRTUAL_CAMERA


def outside(faults: Faults, watch: Watch, *, source: str, sink: str) -> Outside:
    """The pipeline's world: the real `source`, `sink` and models, with numbers and faults around them.

    Whatever the source is, it is a camera to the pipeline: faults happen below the code for cameras, where a driver would have
    them.
    """
    index = camera_index(source)

    def open_disturbed_source(spec: str, *, size: Size | None, fps: float | None, realtime: bool, loop: bool) -> Source:
        if faults.camera_gone:
            raise SourceError("soak.camera_gone")
        film = open_source(source, size=size, fps=fps, realtime=realtime, loop=loop) if index is None else None

        def device(number: int, wish: Size, rate: float) -> cv2.VideoCapture | None:
            if film is not None:
                made = DisturbedDevice(film.read, film.close, wish, faults, watch)
            elif (capture := open_capture(number, wish, rate)) is not None:
                made = DisturbedDevice(lambda: capture.read()[1], capture.release, wish, faults, watch)
            else:
                return None
            return cast("cv2.VideoCapture", made)

        return CameraSource(index or 0, size=size, fps=fps, device=device)

    def open_disturbed_sink(spec: str, *, size: Size, fps: float) -> Sink:
        if faults.sink_gone:
            raise SinkError("soak.output_gone")
        return DisturbedSink(open_sink("none" if sink == "none" else spec, size=size, fps=fps), faults, watch)

    return Outside(open_source=open_disturbed_source, open_sink=open_disturbed_sink, handed_over=faults.disturb)


def _brightness(pixels: Array, pixel_format: PixelFormat) -> Array:
    """H x W; of BGR its green, which is most of it."""
    return pixels[:, :, 1] if pixel_format is PixelFormat.BGR else pixels[: 2 * pixels.shape[0] // 3]


def _garbage() -> Iterator[Any]:
    """What no driver should hand over, in turn."""
    return itertools.cycle(
        [
            np.zeros((90, 160, 3), np.float32),
            np.zeros((0, 160, 3), np.uint8),
            np.zeros((90, 160, 2), np.uint8),
            np.zeros(7, np.uint8),
            "no picture",
            np.zeros((90, 160, 3), np.complex64),
        ]
    )

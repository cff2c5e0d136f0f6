"""Memory and start-up of one network, in a process that holds nothing else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gpen_live.bench import child
from gpen_live.bench.results import Footprint
from gpen_live.bench.timing import Going
from gpen_live.frame import Image, Size
from gpen_live.sources.base import Source

LIMIT_S = 240.0
_FRAMES, _ENHANCED = 10, 3
"""At most, and with a face that has come into view: then memory is at its most."""


def take_footprint(model: str, weights: Path, device: str, size: Size, going: Going) -> Footprint | None:
    """Starts a process that loads and uses `model`; None when it was interrupted.

    Raises:
        GpenLiveError: it failed.
    """
    request = {"model": model, "weights": str(weights), "device": device, "width": size.width, "height": size.height}
    found = child.call(__name__, request, going, LIMIT_S)
    return None if found is None else Footprint(model=model, **found)


def _work(request: child.Json) -> child.Json:
    import psutil

    from gpen_live.bench.path import enhance, nv12
    from gpen_live.engine.engine import Engine
    from gpen_live.inference.device import choose_device
    from gpen_live.inference.loading import load_detector, load_enhancer
    from gpen_live.live.status.report import peak_gpu_mb, peak_ram_mb
    from gpen_live.look import Mode
    from gpen_live.sources import open_source

    def age_s() -> float:
        return time.time() - float(psutil.Process().create_time())

    def open_demo() -> tuple[Source, Image | None]:
        source = open_source("demo", size=Size(request["width"], request["height"]), fps=30.0, realtime=False)
        return source, source.read()

    device = choose_device(request["device"])
    import_s, before_mb = age_s(), peak_ram_mb()
    start = time.perf_counter()
    opening = ThreadPoolExecutor(1).submit(open_demo)  # beside the loading, as the live pipeline does
    enhancer = load_enhancer(request["model"], Path(request["weights"]), device)
    load_s = time.perf_counter() - start - enhancer.warm_up_s
    engine = Engine(device, load_detector(device), enhancer)
    source, frame = opening.result()
    first_s, enhanced = 0.0, 0
    for number in range(_FRAMES):
        if enhanced == _ENHANCED:
            break
        assert frame is not None
        done = enhance(engine, Mode.ROI, frame, number / 30)
        nv12(done)
        if not done.raw_reason:
            enhanced += 1
            first_s = first_s or age_s()
        frame = source.read()
    return {
        "import_s": round(import_s, 3),
        "load_s": round(load_s, 3),
        "warm_up_s": round(enhancer.warm_up_s, 3),
        "first_frame_s": round(first_s, 3),
        "ram_before_mb": round(before_mb, 1),
        "ram_peak_mb": round(peak_ram_mb(), 1),
        "gpu_peak_mb": round(peak_gpu_mb(), 1),
    }


if __name__ == "__main__":
    child.answer(_work)

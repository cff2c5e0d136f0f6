"""Upstream's network (yangxy/GPEN, a checkout that the user has) against ours: in turns, on the same crops and weights.

Its code is foreign and runs because the user asked for it, in a process of its own. It is used as it comes, in float32; of its
custom operations those in plain PyTorch, which it brings for machines without CUDA's compiler and which run on the GPU as well.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpen_live.bench import child
from gpen_live.bench.results import Rival
from gpen_live.bench.timing import Budget, Going, quantiles
from gpen_live.errors import GpenLiveError, UsageError
from gpen_live.live.status.snapshot import Quantiles

if TYPE_CHECKING:
    import torch

    Call = Callable[[torch.Tensor], torch.Tensor]

_FILE = Path("face_model") / "gpen_model.py"
_LIMIT_S = 600.0
_WORST_MEAN = 2.0
"""Levels of 0..255: half precisions differ by less on average, another network by far more."""


def check_against(word: str) -> Path:
    """The folder in "upstream=DIR".

    Raises:
        UsageError: another form. GpenLiveError: the folder is no checkout of GPEN.
    """
    name, equals, folder = word.partition("=")
    if name != "upstream" or not equals or not folder:
        raise UsageError("upstream.word", word=word)
    path = Path(folder).expanduser()
    if not (path / _FILE).is_file():
        raise GpenLiveError("upstream.no_checkout", folder=path, file=_FILE.as_posix())
    return path


def time_rival(
    folder: Path, model: str, weights: Path, device: str, budget: Budget, going: Going, *, own_weights: bool
) -> Rival | None:
    """Both networks in one process of their own; None when it was interrupted.

    Raises:
        GpenLiveError: upstream's code can't be imported, or one of the networks failed.
    """
    request = {"folder": str(folder), "model": model, "weights": str(weights), "device": device, "budget": asdict(budget)}
    found = child.call(__name__, request, going, _LIMIT_S)
    if found is None:
        return None
    ours, theirs = (Quantiles(**found.pop(key)) for key in ("ours_ms", "upstream_ms"))
    return Rival(model=model, ours_ms=ours, upstream_ms=theirs, own_weights=own_weights, **found)


def _work(request: child.Json) -> child.Json:
    import torch

    from gpen_live.bench.network import crops
    from gpen_live.inference.device import choose_device, synchronize
    from gpen_live.inference.loading import load_enhancer
    from gpen_live.inference.tensors import on_tensors

    device = choose_device(request["device"])
    threads = torch.get_num_threads()
    foreign = load_upstream(Path(request["folder"]), request["model"], Path(request["weights"]), device.torch())
    enhancer = load_enhancer(request["model"], Path(request["weights"]), device)
    ours = on_tensors(enhancer)
    with torch.inference_mode():
        pictures = crops(enhancer.size, device)
        turns: tuple[tuple[Call, Callable[[], None]], ...] = (
            (ours, enhancer.use_threads),
            (foreign, lambda: torch.set_num_threads(threads)),
        )
        taken = take_turns(turns, pictures, Budget(**request["budget"]), lambda: synchronize(device))
        enhancer.use_threads()
        differences = torch.stack(
            [(ours(picture).clone() - foreign(picture).clamp(-1, 1)).abs() * 127.5 for picture in pictures[:2]]
        )
    our_ms, their_ms = (quantiles(each) for each in taken)
    mean = float(differences.mean())
    return {
        "pairs": len(taken[0]),
        "ours_ms": asdict(our_ms),
        "upstream_ms": asdict(their_ms),
        "ratio": round(their_ms.p50 / our_ms.p50, 2),
        "runtime": enhancer.runtime,
        "precision": enhancer.precision,
        "mean_levels": round(mean, 4),
        "largest_levels": round(float(differences.max()), 3),
        "same": mean < _WORST_MEAN,
    }


def take_turns(
    turns: tuple[tuple[Call, Callable[[], None]], ...], pictures: list[torch.Tensor], budget: Budget, wait: Callable[[], None]
) -> list[list[float]]:
    """Milliseconds of each run of each network; both see the same picture, and each round another one goes first.

    Args:
        turns: a network, and what is done before it without being timed.
        wait: for the device.
    """
    taken: list[list[float]] = [[] for _ in turns]
    number, warm = 0, False
    begin = time.perf_counter()
    end = begin + budget.seconds
    while budget.left(len(taken[0]), end):
        picture = pictures[number % len(pictures)]
        for each in range(len(turns))[:: 1 if number % 2 else -1]:
            network, prepare = turns[each]
            prepare()
            wait()
            start = time.perf_counter()
            network(picture)
            wait()
            if warm:
                taken[each].append((time.perf_counter() - start) * 1e3)
        number += 1
        if not warm:
            warm = budget.warm(number, time.perf_counter() - begin)
            end = time.perf_counter() + budget.seconds
    return taken


def load_upstream(folder: Path, model: str, weights: Path, device: torch.device) -> Call:
    """Upstream's network on `device` with the weights in a file, in float32.

    Raises:
        GpenLiveError: its code can't be imported, is not what it was, or does not take the weights.
    """
    from gpen_live.models.files import read_arrays
    from gpen_live.nets.gpen_variants import VARIANTS
    from gpen_live.nets.torch_graph import tensors

    builder = _import(folder)
    settings = VARIANTS[model]
    try:
        network: Any = builder(
            settings["size"], 512, 8, channel_multiplier=settings["channel_multiplier"], narrow=settings["narrow"], device="cpu"
        )
        missing, unknown = network.load_state_dict(tensors(read_arrays(weights)[0]), strict=False)
    except (TypeError, RuntimeError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise GpenLiveError("upstream.unbuildable", model=model, reason=reason) from error
    missing = [name for name in missing if not name.endswith("kernel")]  # constants, which published files hold as well
    if missing or unknown:
        raise GpenLiveError("upstream.parameters", model=model, name=(missing + unknown)[0])
    network.eval().requires_grad_(False).to(device)

    def run(pictures: torch.Tensor) -> torch.Tensor:
        out = network(pictures)
        picture: torch.Tensor = out[0] if isinstance(out, tuple) else out
        return picture

    return run


def _import(folder: Path) -> Callable[..., Any]:
    """Upstream's `FullGenerator`; its import would compile for CUDA, so it is told for that moment that there is none."""
    import torch

    sys.path.insert(0, str((folder / _FILE).parent.resolve()))
    there, torch.cuda.is_available = torch.cuda.is_available, lambda: False
    try:
        module = importlib.import_module(_FILE.stem)
    except Exception as error:  # foreign code, whatever it is
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise GpenLiveError("upstream.import", file=_FILE.as_posix(), reason=reason) from error
    finally:
        torch.cuda.is_available = there
        sys.path.pop(0)
    if not hasattr(module, "FullGenerator"):
        raise GpenLiveError("upstream.no_generator", path=folder / _FILE)
    builder: Callable[..., Any] = module.FullGenerator
    return builder


if __name__ == "__main__":
    child.answer(_work)

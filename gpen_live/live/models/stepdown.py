"""What takes the place of a model that its device can't carry any more: a smaller network, or the light one on the processor."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gpen_live.errors import GpenLiveError, WeightsError
from gpen_live.inference.failures import Failure, failure_of
from gpen_live.messages import Message, message
from gpen_live.models.registry import DEFAULT, ModelSpec, enhancers, get, locate


@dataclass(frozen=True)
class ModelRequest:
    """What determines a loaded model. `attempt` counts the user's retries."""

    model: str
    weights: Path | None
    device: str
    attempt: int = 0


@dataclass(frozen=True)
class Fallback:
    """What to load instead, the message that says why, and whether trying again what was wanted can help."""

    wanted: ModelRequest
    reason: Message
    again: bool


def step_down(error: BaseException, wanted: ModelRequest, here: Callable[[ModelSpec], Path] = locate) -> Fallback | None:
    """The next step down after `error` in loading or running `wanted`; None where the error says nothing about the device.

    Memory: the next smaller network whose weights are here (`here` raises WeightsError where not), on the same device; after the
    smallest, the processor. A lost device: the processor, with the light network.
    """
    failure = failure_of(error)
    if failure is None or (failure is Failure.LOST and wanted.device == "cpu"):
        return None
    if failure is Failure.LOST:
        return Fallback(on_processor(wanted), message("model.device_lost", model=DEFAULT), again=False)
    smaller = _smaller(wanted.model, here)
    if smaller is not None:
        less = dataclasses.replace(wanted, model=smaller, weights=None)
        return Fallback(less, message("model.smaller", cause=_full(wanted), smaller=smaller), again=True)
    if wanted.device == "cpu":
        return None
    reason = message("model.on_processor", cause=_full(wanted))
    return Fallback(dataclasses.replace(wanted, device="cpu"), reason, again=True)


def on_processor(wanted: ModelRequest) -> ModelRequest:
    """The light network on the processor, in place of `wanted`."""
    return dataclasses.replace(wanted, model=DEFAULT, weights=None, device="cpu")


def explained(error: Exception, wanted: ModelRequest) -> Exception:
    """An error in loading `wanted`, with a message of ours where it is the device's."""
    if isinstance(error, GpenLiveError) or failure_of(error) is not Failure.FULL:
        return error
    return GpenLiveError(_full(wanted))


def _full(wanted: ModelRequest) -> Message:
    return message("model.memory_full" if wanted.device == "cpu" else "model.memory_full_device", model=wanted.model)


def _smaller(model: str, here: Callable[[ModelSpec], Path]) -> str | None:
    own = get(model).weight
    for spec in sorted(enhancers(), key=lambda one: one.weight, reverse=True):
        if spec.float_model is not None or spec.weight >= own:
            continue
        try:
            here(spec)
        except WeightsError:
            continue
        return spec.name
    return None

"""The device runs out of memory or is lost: something smaller takes its place, says so, and stays until asked."""

from __future__ import annotations

import dataclasses
import gc
import logging
import weakref
from pathlib import Path

import pytest
import torch

from gpen_live.errors import DeviceError, WeightsError
from gpen_live.inference.autotune_cpu import Pictures
from gpen_live.inference.enhancer import NetworkError
from gpen_live.inference.failures import Failure, failure_of
from gpen_live.live import worker
from gpen_live.live.models.loader import LoadedModel
from gpen_live.live.models.stepdown import ModelRequest, step_down
from gpen_live.live.status.snapshot import Health
from gpen_live.look import Look
from gpen_live.messages import message
from gpen_live.models.registry import ModelSpec
from tests.faults.conftest import Start
from tests.faults.fakes import Network, World, goes_on, is_well, notes_with, ordered
from tests.live.fakes import wait_for
from tests.messages.says import mentions


def full() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.78 GiB")


def lost() -> Exception:
    return RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously reported")


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (full(), Failure.FULL),
        (RuntimeError("Triton Error [CUDA]: out of memory"), Failure.FULL),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8.9 GB)"), Failure.FULL),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), Failure.FULL),
        (MemoryError(), Failure.FULL),
        (lost(), Failure.LOST),
        (RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"), Failure.LOST),
        (RuntimeError("CUDA error: device-side assert triggered"), Failure.LOST),
        (RuntimeError("CUDA error: the launch timed out and was terminated"), Failure.LOST),
        (RuntimeError("CUDA error: unknown error"), Failure.LOST),
        (RuntimeError("out of resource: shared memory, Required: 262144, Hardware limit: 101376"), None),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), None),
        (ValueError("a picture of 2 channels"), None),
    ],
)
def test_what_errors_say_about_the_device(error: Exception, failure: Failure | None) -> None:
    assert failure_of(error) is failure
    with pytest.raises(NetworkError) as wrapped:
        raise NetworkError("network_failed") from error
    assert failure_of(wrapped.value) is failure, "also where a plain sentence was made of it"


def test_down_the_ladder() -> None:
    def here(spec: ModelSpec) -> Path:
        if spec.name == "gpen-512":
            raise WeightsError("never_downloaded")
        return Path(spec.filename)

    wanted, path = ModelRequest("gpen-2048", Path("own.pth"), "cuda:1"), []
    while (step := step_down(full(), wanted, here)) is not None:
        assert step.again
        assert step.reason.id in ("model.smaller", "model.on_processor")
        assert wanted.model in step.reason.what
        assert step.wanted.weights is None
        wanted = step.wanted
        path.append((wanted.model, wanted.device))
    assert path == [
        *(("gpen-1024", "cuda:1"), ("gpen-256", "cuda:1"), ("lite-512", "cuda:1"), ("lite-256", "cuda:1")),
        ("lite-256", "cpu"),
    ]
    down = step_down(lost(), ModelRequest("gpen-2048", None, "auto"), here)
    assert down is not None
    assert (down.wanted.model, down.wanted.device, down.again) == ("lite-256", "cpu", False)
    assert step_down(lost(), down.wanted, here) is None
    assert step_down(ValueError("no"), ModelRequest("gpen-2048", None, "auto"), here) is None


def failing_once(network: Network, error: Exception) -> None:
    def fault(_: Pictures) -> Pictures:
        network.fault = None
        raise error

    network.fault = fault


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' log keeps errors, and with them what they were raised in."""
    monkeypatch.setattr(worker, "_log", logging.Logger("forgetful"))


@pytest.mark.usefixtures("forgetful")
def test_a_network_that_was_given_up_has_left_its_memory_when_the_next_one_is_loaded(start: Start) -> None:
    world, alive = World(), []
    large = weakref.ref(world.network)
    outside = world.outside

    def load(wanted: ModelRequest) -> LoadedModel:
        alive.append(large() is not None)
        assert outside.load is not None
        return outside.load(wanted)

    pipeline = start(dataclasses.replace(outside, load=load), model="lite-512")
    wait_for(world.is_enhanced)
    network, world.network = world.network, Network()
    failing_once(network, full())
    del network
    wait_for(lambda: pipeline.snapshot().model_name == "lite-256")
    assert alive == [True, False]


def test_memory_that_runs_out_steps_down_and_up_again_only_when_asked(start: Start) -> None:
    world = World()
    pipeline = start(world.outside, model="lite-512", device="cuda")
    wait_for(world.is_enhanced)
    enhanced = pipeline.snapshot().counts.enhanced
    failing_once(world.network, full())
    wait_for(lambda: pipeline.snapshot().model_name == "lite-256")
    wait_for(lambda: pipeline.snapshot().counts.enhanced > enhanced + 5)
    wait_for(world.is_enhanced)
    assert (world.loads[-1].model, world.loads[-1].device) == ("lite-256", "cuda")
    status = pipeline.snapshot().model
    assert status.health is Health.WARNING
    full_device = message("model.memory_full_device", model="lite-512")
    assert status.message == message("model.smaller", cause=full_device, smaller="lite-256")
    assert pipeline.snapshot().model_name == "lite-256"
    pipeline.change(look=Look(strength=0.9))
    goes_on(world.sink, 60)
    assert len(world.loads) == 2, "not by itself"
    assert pipeline.snapshot().model.message == status.message
    pipeline.retry("model")
    wait_for(lambda: pipeline.snapshot().model_name == "lite-512")
    wait_for(lambda: is_well(pipeline, "model"))
    assert notes_with(pipeline, "model.smaller") == 1
    assert ordered(world.numbers())
    assert pipeline.error() is None


def test_after_another_failure_the_board_still_says_what_runs_in_whose_place(start: Start) -> None:
    world = World()
    pipeline = start(world.outside, model="lite-512", device="auto")
    wait_for(world.is_enhanced)
    failing_once(world.network, full())
    wait_for(lambda: pipeline.snapshot().model.again)
    failing_once(world.network, RuntimeError("a hiccup"))
    wait_for(lambda: notes_with(pipeline, "live.raw_goes_out"))
    wait_for(lambda: mentions(pipeline.snapshot().model.message, "model.smaller", smaller="lite-256"))


@pytest.mark.usefixtures("forgetful")
def test_a_lost_device_is_left_alone_and_the_processor_goes_on(start: Start) -> None:
    world = World()
    device = world.network
    pipeline = start(world.outside, model="lite-512")
    wait_for(world.is_enhanced)
    kept = weakref.ref(device)
    world.network = Network()  # that of the processor
    failing_once(device, lost())
    wait_for(lambda: len(world.loads) == 2)
    wait_for(lambda: world.network.calls > 5)
    wait_for(world.is_enhanced)
    assert (world.loads[-1].model, world.loads[-1].device) == ("lite-256", "cpu")
    status = pipeline.snapshot().model
    assert status.health is Health.WARNING
    assert status.message == message("model.device_lost", model="lite-256")
    assert not status.again
    calls = device.calls
    del device
    for wish in ({"model": "gpen-256"}, {"device": "cuda"}, {"device": "auto", "model": "lite-512"}):
        loads = len(world.loads)
        pipeline.change(**wish)
        wait_for(lambda loads=loads: len(world.loads) > loads)
        assert world.loads[-1].device == "cpu"
    pipeline.retry("model")
    wait_for(lambda: pipeline.snapshot().model.message == message("model.still_lost", model="lite-512"))
    wait_for(world.is_enhanced)
    gc.collect()
    network = kept()
    assert network is not None, "what is the lost device's must not even be freed"
    assert network.calls == calls
    assert ordered(world.numbers())


def test_a_model_that_never_fitted_is_replaced_at_the_start(start: Start) -> None:
    world = World()
    refused = DeviceError("first_operation", reason="CUDA error: out of memory")
    world.load_faults = [full(), refused]
    pipeline = start(world.outside, model="lite-512")
    wait_for(world.is_enhanced)
    assert [(wanted.model, wanted.device) for wanted in world.loads] == [
        *(("lite-512", "auto"), ("lite-256", "auto")),
        ("lite-256", "cpu"),
    ]
    assert mentions(pipeline.snapshot().model.message, "model.on_processor")
    assert pipeline.error() is None


def test_a_device_that_was_asked_for_by_name_is_used_or_refused(start: Start) -> None:
    world = World()
    world.load_faults = [lost()]
    pipeline = start(world.outside, device="cuda")
    wait_for(lambda: pipeline.error() is not None)
    wait_for(world.is_raw)
    assert len(world.loads) == 1


def test_a_model_that_does_not_fit_leaves_the_one_that_runs(start: Start) -> None:
    world = World()
    pipeline = start(world.outside)
    wait_for(world.is_enhanced)
    world.load_faults = [full()]
    pipeline.change(model="lite-512")
    wait_for(lambda: pipeline.snapshot().model.health is Health.FAILED)
    assert pipeline.snapshot().model.message == message("model.memory_full_device", model="lite-512")
    goes_on(world.sink)
    wait_for(world.is_enhanced)
    assert len(world.loads) == 2

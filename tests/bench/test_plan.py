"""Budgets, the announced time, and ending early."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from gpen_live.bench import plan, proof
from gpen_live.bench.plan import Guess, Step
from gpen_live.bench.timing import FULL, QUICK, Budget, Timed, quantiles, repeat
from gpen_live.frame import Size
from gpen_live.inference.device import CPU
from gpen_live.models.registry import get

TINY = Budget(seconds=0.05, least=3, most=20, warm_ups=2)


def always() -> bool:
    return True


def after(count: int) -> Callable[[], bool]:
    """True so often, then False."""
    asked = iter(range(count))
    return lambda: next(asked, None) is not None


def test_work_repeats_within_its_budget_with_inputs_in_turn() -> None:
    seen: list[int] = []
    timed = repeat(seen.append, CPU, TINY, always)
    assert len(timed.ms) == TINY.most
    assert seen == [0, 1, *range(20)]
    slow = repeat(lambda _: time.sleep(0.03), CPU, TINY, always)
    assert len(slow.ms) == TINY.least
    assert all(ms >= 29 for ms in slow.ms)
    assert slow.wall_s >= 0.09
    assert slow.cpu_s < slow.wall_s


def test_slow_work_is_warmed_up_once() -> None:
    runs: list[int] = []

    def work(i: int) -> None:
        runs.append(i)
        time.sleep(0.02)

    repeat(work, CPU, replace(TINY, warm_ups=9), always)
    assert len(runs) == 1 + TINY.least


def test_an_interrupt_keeps_the_runs_so_far() -> None:
    timed = repeat(lambda _: None, CPU, TINY, after(2 + 4))
    assert len(timed.ms) == 4
    assert repeat(lambda _: None, CPU, TINY, lambda: False).ms == []


def test_quantiles_are_of_the_samples() -> None:
    found = quantiles([float(i) for i in range(1, 102)])
    assert (found.p50, found.p95, found.p99, found.max) == (51.0, 96.0, 100.0, 101.0)


def test_what_is_announced_is_the_sum_of_the_steps() -> None:
    steps = [Step("a", 1.5, lambda _: None), Step("b", 2.5, lambda _: None)]
    assert plan.total(steps) == 4.0
    assert plan.in_words(42.4) == "42 seconds"
    assert plan.in_words(250) == "4 minutes"


def test_the_bar_reaches_its_end_and_never_goes_back() -> None:
    told: list[tuple[float, str]] = []

    def going(done: float, what: str) -> bool:
        told.append((done, what))
        return True

    def asks(more: Callable[[], bool]) -> None:
        time.sleep(0.02)
        assert more()
        assert more()

    assert plan.run([Step("a", 0.01, asks), Step("b", 2.0, asks)], going)
    assert [what for _, what in told] == ["a"] * 3 + ["b"] * 3 + [""]
    done = [seconds for seconds, _ in told]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(2.01)
    assert max(seconds for seconds, what in told if what == "a") == pytest.approx(0.01)


def test_an_interrupted_plan_does_no_further_step() -> None:
    did: list[str] = []
    answers = iter([True, False])
    steps = [Step("a", 1.0, lambda _: did.append("a")), Step("b", 1.0, lambda _: did.append("b"))]
    assert not plan.run(steps, lambda _done, _what: next(answers))
    assert did == ["a"]


def test_guesses_grow_with_the_work_and_shrink_with_the_budget() -> None:
    guess = Guess(100.0, gpu=False, size=Size(1280, 720))
    assert guess.run_s(get("gpen-512")) > guess.run_s(get("gpen-256")) > guess.run_s(get("lite-256"))
    lite, gpen = get("lite-256"), get("gpen-512")
    assert guess.frame_s(lite, full=True) > 2 * guess.frame_s(lite, full=False)
    assert guess.frame_s(gpen, full=True) == guess.frame_s(gpen, full=False)
    assert replace(guess, size=Size(1920, 1080)).frame_s(lite, full=False) > guess.frame_s(lite, full=False)
    for spec in (lite, gpen):
        assert guess.load_s(spec, thorough=True) >= guess.load_s(spec, thorough=False)
        assert guess.flow_s(spec, FULL, full=False) >= guess.flow_s(spec, QUICK, full=False)
        assert guess.rival_s(spec, FULL) > guess.rival_s(spec, QUICK)
    assert replace(guess, gflops=1e5, gpu=True).process_s(gpen) < guess.process_s(gpen)


def test_an_estimate_is_what_the_budget_allows() -> None:
    budget = Budget(seconds=4.0, least=5, most=100, warm_ups=3)
    assert budget.estimate(0.1) == pytest.approx(4.3)
    assert budget.estimate(2.0) == pytest.approx(12.0), "five runs and one to warm up"
    assert budget.estimate(0.001) == pytest.approx(0.103)


def test_the_device_is_probed() -> None:
    assert plan.gflops(CPU) > 0.1


def test_the_processors_own_time_proves_it() -> None:
    good = proof.on_processor(wall_ms=10.0, cpu_ms=19.0)
    assert good.holds
    assert "CPU time per run 19.0 of 10.0 ms: 1.9 of" in good.sentence
    elsewhere = proof.on_processor(wall_ms=10.0, cpu_ms=1.0)
    assert not elsewhere.holds
    assert "too little" in elsewhere.sentence


def test_work_that_waits_for_something_else_is_no_proof() -> None:
    def busy(_: int) -> torch.Tensor:
        end = time.thread_time() + 0.01
        while time.thread_time() < end:
            pass
        return torch.zeros(1)

    def idle(_: int) -> torch.Tensor:
        time.sleep(0.02)
        return torch.zeros(1)

    assert not proof.prove(idle, CPU, repeat(idle, CPU, TINY, always)).holds
    timed = repeat(busy, CPU, TINY, always)
    assert proof.prove(busy, CPU, timed).cpu_ms >= 9


def test_an_output_elsewhere_is_no_proof() -> None:
    found = proof.prove(lambda _: torch.zeros(1, device="meta"), CPU, Timed([1.0], 0.001, 0.001))
    assert not found.holds
    assert "lies on meta, not on cpu" in found.sentence


def test_a_gpu_must_have_been_busy_and_hold_something() -> None:
    good = proof.on_gpu(2.0, 0.5, 1.5, 300.0, "cuda:0")
    assert good.holds
    assert "1.50 of 2.00 ms" in good.sentence
    assert not proof.on_gpu(2.0, 2.0, 0.0, 300.0, "cuda:0").holds
    assert not proof.on_gpu(2.0, 0.5, 1.5, 0.0, "cuda:0").holds
    unseen = proof.on_gpu(2.0, 0.5, None, 300.0, "mps")
    assert unseen.holds
    assert "No profiler" in unseen.sentence

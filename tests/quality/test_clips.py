"""Degradations film what they say, reproducibly; competitors do what they should."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from gpen_live.facedata.degrade import LADDER, ladder
from gpen_live.quality.clips import DEGRADATIONS, Degradation, as_bytes
from gpen_live.quality.competitors import COMPETITORS, best_strength, bicubic, unsharp
from gpen_live.quality.metrics import change, psnr
from tests.quality.pictures import Bytes, Picture, portrait

SEED = 12345
FAULTS = [name for name in DEGRADATIONS if name != "clean"]


def scene(size: int = 128) -> Picture:
    return portrait(size).astype(np.float32) / 255


def films(name: str, level: float, frames: int = 2) -> list[Picture]:
    one = DEGRADATIONS[name]
    return one.film([scene()] * max(frames, one.shortest), level, SEED)


@pytest.mark.parametrize("name", FAULTS)
def test_films_are_reproducible_pictures_in_steps(name: str) -> None:
    first, again = films(name, 1), films(name, 1)
    assert len(first) == max(2, DEGRADATIONS[name].shortest)
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a, b)
        assert a.shape == (128, 128, 3)
        assert a.dtype == np.float32
        assert a.min() >= 0
        assert a.max() <= 1
        assert np.abs(a * 255 - np.rint(a * 255)).max() < 1e-3


@pytest.mark.parametrize("name", FAULTS)
def test_faults_grow_with_the_level(name: str) -> None:
    one: Degradation = DEGRADATIONS[name]
    mild, hard = (psnr(films(name, level)[-1], one.truth(scene(), level, SEED)) for level in (0.25, 1.0))
    if name == "white-balance":  # the fault is the truth's: what is on top stays the same
        assert mild == pytest.approx(hard, abs=1)
    else:
        assert hard < mild - 1
    assert mild < 45


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "h264"])
def test_frames_of_a_still_scene_differ_by_their_noise(name: str) -> None:
    before, after = films(name, 0.5)
    assert 0.5 < change(before, after) < 20


def test_the_last_frames_are_the_same_however_long_the_clip() -> None:
    short, long = films("low-light", 0.5, 2), films("low-light", 0.5, 5)
    assert np.array_equal(short[0], long[-2])
    assert np.array_equal(short[1], long[-1])


def test_clean_is_the_scene() -> None:
    assert change(films("clean", 0)[-1], scene()) < 1e-3


def test_mixed_is_the_reference_ladder() -> None:
    assert DEGRADATIONS["mixed"].levels == LADDER
    chance = np.random.default_rng((SEED, 1, 500))
    generator = torch.Generator().manual_seed(int(chance.integers(2**62)))
    expected = ladder(torch.from_numpy(scene()).permute(2, 0, 1)[None], 0.5, generator)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(films("mixed", 0.5)[-1], expected)
    assert np.array_equal(films("mixed", 0)[-1], as_bytes(scene()).astype(np.float32) / np.float32(255))


def test_h264_is_a_real_clip_that_remembers() -> None:
    """A low rate leaves less, and a still scene's noise is not coded anew in every frame."""
    clip = films("h264", 1)
    noisy = change(films("defocus", 0)[0], films("defocus", 0)[1])  # the hiss alone
    assert len(clip) == 8
    assert change(clip[-2], clip[-1]) < noisy / 2
    assert abs(float(clip[-1].mean() - scene().mean())) < 0.01  # the same colours


def test_wrong_white_balance_is_in_the_truth() -> None:
    one = DEGRADATIONS["white-balance"]
    truths = [one.truth(scene(), 1, seed) for seed in range(8)]
    shifts = [truth.mean((0, 1)) - scene().mean((0, 1)) for truth in truths]
    assert all(abs(shift[1]) < 1e-3 for shift in shifts)
    assert all(abs(shift[0]) > 0.02 and shift[0] * shift[2] < 0 for shift in shifts)
    assert len({shift[0] > 0 for shift in shifts}) == 2  # warm and cool
    seen = one.film([scene()] * 2, 1, 3)[-1]
    assert abs(float((seen - truths[3]).mean())) < 0.01


def test_halos_overshoot() -> None:
    edge = np.zeros((64, 64, 3), np.float32) + 0.3
    edge[:, 32:] = 0.7
    seen = DEGRADATIONS["halos"].film([edge], 1, SEED)[-1]
    assert seen[:, 33].mean() > 0.8
    assert seen[:, 30].mean() < 0.2


# Competitors


def noisy() -> Bytes:
    noise = np.random.default_rng(0).normal(0, 12, portrait(128).shape)
    return np.clip(portrait(128) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", COMPETITORS)
def test_competitors_give_pictures_and_leave_the_input_alone(name: str) -> None:
    picture = noisy()
    kept = picture.copy()
    for strength in COMPETITORS[name].strengths:
        out = COMPETITORS[name].work(picture, strength)
        assert out.shape == picture.shape
        assert out.dtype == np.uint8
    assert np.array_equal(picture, kept)
    grey = np.full((32, 32, 3), 77, np.uint8)
    assert np.abs(COMPETITORS[name].work(grey, strength).astype(int) - 77).max() <= 1


@pytest.mark.parametrize("name", [name for name in COMPETITORS if name != "unsharp"])
def test_denoisers_denoise_at_their_best_strength(name: str) -> None:
    one, picture, truth = COMPETITORS[name], noisy(), portrait(128)
    strength = best_strength(one, [picture], [truth])
    error = [np.square(x.astype(float) - truth).mean() for x in (picture, one.work(picture, strength))]
    assert error[1] < 0.7 * error[0]
    assert best_strength(one, [truth], [truth]) <= strength


def test_unsharp_mask_sharpens_what_is_soft() -> None:
    truth = portrait(128)
    soft = np.asarray(cv2.GaussianBlur(truth, (0, 0), 1.2), np.uint8)
    sharp = unsharp(soft, 1)
    assert np.square(sharp.astype(float) - truth).mean() < np.square(soft.astype(float) - truth).mean()


def test_bicubic_keeps_odd_sides() -> None:
    assert bicubic(noisy()[:61, :47], 2).shape == (61, 47, 3)

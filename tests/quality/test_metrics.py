"""Each measure against a known answer."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from gpen_live.quality import metrics
from gpen_live.quality.identity import arcface_crop
from gpen_live.quality.skin import TONES, UNKNOWN, skin, tone, typology_angle
from tests.quality.pictures import Bytes, Picture, portrait


def texture(height: int = 96, width: int = 96) -> Picture:
    """Smooth random colours."""
    coarse = np.random.default_rng(0).random((height // 8, width // 8, 3), np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32).clip(0, 1)


def as_bytes(x: Picture) -> Bytes:
    return np.asarray(np.rint(x * 255), np.uint8)


def test_psnr_of_a_known_error_and_its_cap() -> None:
    x = np.full((16, 16, 3), 0.5, np.float32)
    assert metrics.psnr(x + np.float32(0.1), x) == pytest.approx(20, abs=1e-3)
    assert metrics.psnr(x, x) == pytest.approx(60)


def test_change_counts_in_levels() -> None:
    x = np.zeros((16, 16, 3), np.float32)
    assert metrics.change(x + np.float32(3 / 255), x) == pytest.approx(3, abs=1e-4)


def test_known_motion_is_taken_back() -> None:
    canvas = texture(120, 120)
    up, left = metrics.MOTION
    before, after = canvas[:96, :96], canvas[up : 96 + up, left : 96 + left]
    assert metrics.change_in_motion(before, after) == pytest.approx(0, abs=1e-6)
    assert metrics.change_in_motion(after, before) > 1
    assert metrics.change(before, after) > 1


def test_ssim_of_the_same_and_of_a_blurred_picture() -> None:
    x = as_bytes(texture())
    assert metrics.ssim(x, x) == pytest.approx(1)
    assert metrics.ssim(cv2.GaussianBlur(x, (0, 0), 6).astype(np.uint8), x) < 0.9


def test_niqe_prefers_a_photo_to_its_blurred_self_and_refuses_small_ones() -> None:
    photo = portrait()
    assert metrics.niqe(photo) < metrics.niqe(np.asarray(cv2.GaussianBlur(photo, (0, 0), 3), np.uint8))
    assert math.isnan(metrics.niqe(photo[:100, :100]))


def test_colour_error_looks_at_the_mask_alone() -> None:
    truth = as_bytes(texture())
    other = truth.copy()
    other[:48] = 255 - other[:48]
    mask = np.zeros((96, 96), np.bool_)
    mask[60:80, 20:70] = True
    assert metrics.colour_error(other, truth, mask) == 0
    red, redder = np.full((8, 8, 3), (150, 100, 90), np.uint8), np.full((8, 8, 3), (170, 100, 90), np.uint8)
    expected = float(deltaE_ciede2000(rgb2lab(red), rgb2lab(redder))[0, 0])
    assert metrics.colour_error(redder, red, np.ones((8, 8), np.bool_)) == pytest.approx(expected)
    assert math.isnan(metrics.colour_error(truth, truth, np.zeros((96, 96), np.bool_)))


def test_metrics_are_told_apart() -> None:
    keys = [metric.key for metric in metrics.METRICS]
    assert len(set(keys)) == len(keys)
    assert all(metric.means.endswith(".") for metric in metrics.METRICS)


# Skin


def test_skin_is_found_on_a_face_and_nowhere_else() -> None:
    face = portrait()
    mask = skin(face)
    assert 0.005 < mask.mean() < 0.1
    rows, columns = np.nonzero(mask)
    assert rows.min() > 0.25 * 256
    assert rows.max() < 0.75 * 256
    assert 0.3 * 256 < columns.min() < columns.max() < 0.7 * 256
    assert not skin(np.asarray(cv2.cvtColor(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)).any()
    assert not skin(np.full((64, 64, 3), (30, 90, 200), np.uint8)).any()


@pytest.mark.parametrize("size", [96, 512])
def test_skin_is_the_same_at_any_size(size: int) -> None:
    face = np.asarray(cv2.resize(portrait(), (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    assert skin(face).mean() == pytest.approx(skin(portrait()).mean(), rel=0.2)
    angle = typology_angle(portrait(), skin(portrait()))
    assert typology_angle(face, skin(face)) == pytest.approx(angle, abs=3)


@pytest.mark.parametrize(
    ("lightness", "yellow", "name"),
    [(75, 15, "very light"), (65, 15, "light"), (60, 15, "intermediate"), (55, 15, "tan"), (48, 15, "brown"), (30, 15, "dark")],
)
def test_typology_angle_and_its_bins(lightness: float, yellow: float, name: str) -> None:
    lab = np.full((8, 8, 3), (lightness, 10, yellow), np.float32)
    rgb = np.rint(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB) * 255).astype(np.uint8)
    angle = typology_angle(rgb, np.ones((8, 8), np.bool_))
    assert angle == pytest.approx(math.degrees(math.atan2(lightness - 50, yellow)), abs=2.5)
    assert tone(angle) == name


def test_edges_of_the_bins() -> None:
    assert [tone(edge) for edge in (56, 55, 41, 28, 10, -30, -90)] == [
        "very light",
        *(name for name, _ in TONES[1:]),
        "dark",
    ]
    assert tone(math.nan) == UNKNOWN


# Identity


@pytest.mark.parametrize("size", [128, 256, 512])
def test_arcface_crop_puts_the_eyes_where_the_network_wants_them(size: int) -> None:
    """Bright dots on GPEN's template come out on ArcFace's, at any size of the crop."""
    from gpen_live.faces.align import GPEN_TEMPLATE

    crop = np.zeros((size, size, 3), np.uint8)
    for x, y in GPEN_TEMPLATE[:2] * size:
        cv2.circle(crop, (round(x * 16), round(y * 16)), round(0.02 * size * 16), (255, 255, 255), -1, cv2.LINE_AA, 4)
    out = arcface_crop(crop)[..., 0].astype(np.float64)
    assert out.shape == (112, 112)
    for half, expected in ((out[:, :56], (38.3, 51.7)), (out[:, 56:], (73.5, 51.5))):
        rows, columns = np.mgrid[0:112, 0:56]
        centre = (half * columns).sum() / half.sum() + (0 if expected[0] < 56 else 56), (half * rows).sum() / half.sum()
        assert centre == pytest.approx(expected, abs=1.5)

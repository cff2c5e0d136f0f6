"""Each measure sees what it is for: what a bad look does fails it, and what a good one does does not."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from gpen_live.quality.beauty import bands, blemishes, flicker, lines, occluders, regions, rival, tone
from gpen_live.quality.beauty.measure import Subject
from gpen_live.quality.skin import Mask, skin
from tests.quality.beauty.pictures import CENTRE, SIDE, astronaut_face, drawn, face, points

Bytes = npt.NDArray[np.uint8]

DARK = (92, 62, 48)


def blurred(picture: Bytes, sigma: float, where: Mask | None = None) -> Bytes:
    soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma * SIDE / 256), np.uint8)
    return soft if where is None else np.where(where[..., None], soft, picture)


def skin_of(picture: Bytes) -> Mask:
    return regions.regions(picture, points(), SIDE)["skin"]


def test_a_blur_takes_the_fine_band_and_smoothing_the_middle_one() -> None:
    picture = drawn()
    where = skin_of(picture)
    fine, middle = bands.energies(picture, where, SIDE)
    plastic = bands.energies(blurred(picture, 4, where), where, SIDE)
    assert plastic[0] < 0.2 * fine
    assert plastic[1] < 0.7 * middle
    soft, softer = (cv2.GaussianBlur(picture.astype(np.float32), (0, 0), s * SIDE / 256) for s in (1.2, 6))
    kept = np.where(where[..., None], picture - 0.7 * (soft - softer), picture)
    smooth = bands.energies(np.asarray(np.rint(kept), np.uint8), where, SIDE)
    assert smooth[0] > 0.75 * fine
    assert smooth[1] < 0.5 * middle


def test_bands_are_of_the_wavelengths_that_they_name() -> None:
    x = np.arange(256)

    def wave(length: float) -> tuple[float, float]:
        row = 128 + 40 * np.sin(2 * np.pi * x / length)
        picture = np.asarray(np.rint(np.broadcast_to(row[None, :, None], (256, 256, 3))), np.uint8)
        fine, middle = bands.energies(picture, np.ones((256, 256), np.bool_), 256)
        return fine / 800, middle / 800

    assert wave(3) == pytest.approx((1, 0), abs=0.02)
    assert wave(12) == pytest.approx((0, 1), abs=0.02)
    assert wave(64) == pytest.approx((0, 0), abs=0.02)


def test_what_lies_beside_the_skin_does_not_count_as_texture() -> None:
    picture = drawn()
    where = skin_of(picture)
    changed = picture.copy()
    changed[~where] = 255 - changed[~where]
    assert bands.energies(changed, where, SIDE) == pytest.approx(bands.energies(picture, where, SIDE), rel=1e-6)
    assert math.isnan(bands.energies(picture, np.zeros_like(where), SIDE)[0])


def test_the_rival_leaves_dark_skin_alone_and_can_be_set() -> None:
    chance = np.random.default_rng(0)
    grain = cv2.GaussianBlur(chance.standard_normal((256, 256)), (0, 0), 3)
    picture = np.asarray(np.array([200, 150, 130]) + (30 * grain)[..., None], np.uint8)
    everywhere = np.ones((256, 256), np.bool_)
    middle = bands.energies(picture, everywhere, 256)[1]

    def left(strength: float) -> float:
        return bands.energies(rival.gpupixel(picture, strength), everywhere, 256)[1] / middle

    strength = rival.set_to(0.6, left)
    assert left(strength) == pytest.approx(0.6, abs=0.02)
    assert rival.set_to(0.0, left) > strength
    dark = np.asarray(picture * 0.35, np.uint8)
    assert np.array_equal(rival.gpupixel(dark, 1.0), dark)


@pytest.mark.parametrize("colour", [(205, 160, 135), DARK])
def test_painted_spots_are_seen_and_healing_is_too(colour: tuple[int, int, int]) -> None:
    picture = drawn(colour)
    painted, spots = blemishes.paint(picture, skin_of(picture), SIDE, 5)
    assert {spot.kind for spot in spots} == {"papule", "scratch", "mole"}
    assert all(spot.stands_out > 3 for spot in spots)
    untouched = blemishes.judge(painted, picture, spots)
    assert not any(left.gone for left in untouched)
    assert all(left.kept and left.now == pytest.approx(left.was, abs=0.6) for left in untouched)
    assert all(left.gone and not left.kept for left in blemishes.judge(picture, picture, spots))
    filled = blemishes.judge(blemishes.told_where(painted, picture), picture, spots)
    assert all(one.now < 0.8 * left.now for one, left in zip(filled, untouched, strict=True))
    again, _ = blemishes.paint(picture, skin_of(picture), SIDE, 5)
    assert np.array_equal(painted, again)
    assert not np.array_equal(painted, blemishes.paint(picture, skin_of(picture), SIDE, 6)[0])
    changed = (painted != picture).any(axis=2)
    assert not (changed & ~regions.grown(skin_of(picture), 6)).any()


def test_each_region_holds_what_it_is_called() -> None:
    picture = drawn()
    found = regions.regions(picture, points(), SIDE)
    assert set(found) == {*regions.REGIONS, "skin"}
    assert all(mask.sum() > 20 for mask in found.values())
    assert np.stack(list(found.values())).sum(axis=0).max() == 1
    wanted = {"eyes": 235, "brows": 45, "lips": 170, "hair": 50, "background": 215}
    assert {name: int(np.median(picture[found[name]][:, 0])) for name in wanted} == wanted
    spilt = picture.copy()
    spilt[found["hair"]] += 3
    assert regions.strength(picture, spilt, found["hair"]) == (3, 3)
    assert regions.strength(picture, spilt, found["background"]) == (0, 0)
    assert regions.strength(picture, spilt, np.zeros_like(found["hair"])) == (0, 0)


def test_a_lighter_or_redder_skin_is_noticed() -> None:
    picture = drawn()
    where = skin_of(picture)
    before = tone.tone_of(picture, where)
    assert tone.shift(before, tone.tone_of(picture + np.uint8(4), where))[0] > 1
    redder = tone.shift(before, tone.tone_of(np.asarray(picture * [1.04, 0.98, 1.0], np.uint8), where))
    assert redder[1] < -1.5
    assert math.isnan(tone.tone_of(picture, np.zeros_like(where)).lightness)
    assert math.isnan(tone.tone_of(np.full_like(picture, 90), where).hue)


def test_the_group_that_gets_less_is_found() -> None:
    labels = ["light"] * 6 + ["dark"] * 6 + ["rare"]
    lightness = np.array([0.0] * 6 + [2.0] * 5 + [np.nan] + [0.0])
    gain = np.array([0.5] * 6 + [0.1] * 6 + [0.5])
    light, dark, rare = tone.by_group(labels, lightness, np.zeros(13), gain)
    assert (light.faces, dark.faces, rare.faces) == (6, 5, 1)
    assert (light.counts, rare.counts) == (True, False)
    assert (light.lightness, dark.lightness, dark.most_lightness) == (0, 2, 2)
    assert dark.share < 0.5 < light.share


def test_jitter_raises_what_motion_alone_does_not() -> None:
    picture = astronaut_face().canvas
    box = (64, 64, 320, 320)
    for moving in (False, True):
        frames = flicker.film(picture, 1, moving=moving)
        calm = flicker.restlessness(frames, box, moving=moving)
        assert calm == pytest.approx(flicker.NOISE * 2 / math.sqrt(math.pi), rel=0.1)
        shaken = [np.roll(frame, number % 2, axis=1) for number, frame in enumerate(frames)]
        assert flicker.restlessness(shaken, box, moving=moving) > 1.3 * calm
        smoother = [np.asarray(cv2.GaussianBlur(frame, (0, 0), 1), np.uint8) for frame in frames]
        assert flicker.restlessness(smoother, box, moving=moving) < 0.6 * calm


def test_a_still_picture_that_twinkles_is_noticed() -> None:
    picture = drawn()
    assert flicker.twinkle([picture] * 16) == 0
    spot = picture.copy()
    spot[60:70, 60:70] += 4
    assert flicker.twinkle([picture, spot] * 8) == 4
    assert flicker.twinkle([picture, spot] * 3 + [picture] * 10) == 0  # before it has come to rest


@pytest.mark.parametrize("thing", list(occluders.THINGS))
def test_a_look_on_what_passes_is_noticed_and_one_that_stays_away_too(thing: str) -> None:
    picture = drawn()
    film = occluders.film(picture, thing, SIDE, CENTRE, seed=2)
    assert not film.covers[0].any()
    assert not film.covers[-1].any()
    assert max(float(cover[48:144, 48:144].mean()) for cover in film.covers) > 0.015
    painted = regions.grown(skin_of(picture), 3)[..., None] * np.array([-18, 0, -6])

    def made_up(frame: Bytes, cover: npt.NDArray[np.float32], amount: float = 1.0) -> Bytes:
        return np.asarray(np.rint(np.clip(frame + amount * painted * (1 - cover[..., None]), 0, 255)), np.uint8)

    nothing = np.zeros_like(film.covers[0])
    alone = occluders.bare(picture, 2)
    alone_drawn = [made_up(frame, nothing) for frame in alone]
    careless = [made_up(frame, nothing) for frame in film.frames]
    assert occluders.spill(film, careless, alone, alone_drawn, SIDE).on_it == pytest.approx(1, abs=0.1)
    careful = [made_up(frame, cover) for frame, cover in zip(film.frames, film.covers, strict=True)]
    found = occluders.spill(film, careful, alone, alone_drawn, SIDE)
    assert found.on_it < 0.05
    assert found.back_after == 0
    pairs = zip(film.frames, film.covers, strict=True)
    late = [made_up(frame, cover, float(n < 14 or n >= film.free_again + 3)) for n, (frame, cover) in enumerate(pairs)]
    assert occluders.spill(film, late, alone, alone_drawn, SIDE).back_after == 3
    gone = [*careful[: film.free_again], *film.frames[film.free_again :]]
    assert occluders.spill(film, gone, alone, alone_drawn, SIDE).back_after == math.inf


def test_bent_lines_are_measured_in_pixels() -> None:
    subject = Subject(face(), filmed=False)
    background = subject.regions["background"]
    before, places = lines.drawn(subject.face.canvas, background, SIDE)
    assert lines.bent(before, before, places, background, subject.width) == lines.Bent(0, 0)
    y, x = np.mgrid[0 : before.shape[0], 0 : before.shape[1]].astype(np.float32)
    for by in (0.6, 1.5):
        pulled = np.asarray(cv2.remap(before, x + np.float32(by), y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
        found = lines.bent(before, pulled, places, background, subject.width)
        assert (found.anywhere, found.beyond) == pytest.approx((by, by), abs=0.15)
    near = np.exp(-np.square((x - subject.width[0]) / 8)).astype(np.float32) * 1.5
    found = lines.bent(
        before, np.asarray(cv2.remap(before, x + near, y, cv2.INTER_LINEAR), np.uint8), places, background, subject.width
    )
    assert found.beyond < 0.5 < found.anywhere


def test_a_photo_s_skin_is_painted_too() -> None:
    found = astronaut_face()
    where = np.zeros(found.canvas.shape[:2], np.bool_)
    where[64:-64, 64:-64] = skin(found.crop)
    painted, spots = blemishes.paint(found.canvas, where, 256, found.seed)
    assert len(spots) >= 4
    assert not any(left.gone for left in blemishes.judge(painted, found.canvas, spots))

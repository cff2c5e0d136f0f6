"""The look on the host, on painted faces: each control does what it says, where it says, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from gpen_live.beauty.constants import FADE_S, MAP
from gpen_live.beauty.fields import canonical, carried, grid, sampled
from gpen_live.beauty.host import HostBeauty, Remembered, draw
from gpen_live.beauty.sight import Sight
from gpen_live.beauty.values import AT, DIALS, Values, wished
from gpen_live.engine.result import Change, FaceCrop
from gpen_live.faces.mesh import CANONICAL, CHEEKS, JAW, LEFT_EYE, LIPS_OUTER, MIRROR, Mesh
from gpen_live.faces.state import LastResult
from gpen_live.look import CONTROLS, Beauty, Look
from tests.beauty.painted import DARK_SKIN, LIGHT_SKIN, Painted, painted

Floats = npt.NDArray[np.float32]

SKIN = ("smooth", "even", "blemish", "under_eye", "shine")
ALL = tuple(one.name for one in CONTROLS if one.number and one.name != "lips_gloss")
TONES = pytest.mark.parametrize("tone", [LIGHT_SKIN, DARK_SKIN], ids=["light", "dark"])


def look(**dials: Any) -> Beauty:
    return Beauty(**dials)


def change_of(face: Painted, beauty: Beauty, known: Remembered | None = None) -> Change:
    nothing = np.zeros(face.seen.shape, np.float32)
    return draw(face.seen, nothing, Sight(face.points, face.layers), wished(beauty), known or Remembered(), 0.0)


def added(face: Painted, **dials: Any) -> Floats:
    """What a control adds, S x S x 3."""
    return np.asarray(change_of(face, look(**dials)).added, np.float32)


def with_layer(face: Painted, index: int, value: float) -> Painted:
    """The lower half of the face has so much of a layer."""
    layers = face.layers.copy()
    layers[index, MAP // 2 :] = value
    return replace(face, layers=layers)


def luma(picture: npt.NDArray[Any]) -> Floats:
    return np.asarray(picture @ np.array([0.114, 0.587, 0.299]), np.float32)


def test_at_zero_nothing_is_drawn_not_even_called() -> None:
    def never(*_: Any) -> Any:
        raise AssertionError

    stage = HostBeauty(never, never)
    assert not stage.active(crop(Beauty()))
    assert not stage.active(crop(Beauty(smooth=1.0, amount=0.0)))
    assert not stage.active(crop(Beauty(lips_gloss=1.0, lips_color="#ff0000")))


@pytest.mark.parametrize("name", [*SKIN, "eyes", "teeth", "lips", "brows", "liner", "blush"])
def test_what_is_drawn_stays_off_the_wall(name: str) -> None:
    face = with_layer(with_layer(painted(smiling=True), 3, 0.5), 4, 0.5)
    drawn = added(face, **{name: 1.0})
    assert np.abs(drawn[face.where("wall")]).max() < 0.5
    assert np.abs(drawn).max() > 2


@TONES
@pytest.mark.parametrize("name", SKIN)
def test_skin_controls_stay_on_skin(name: str, tone: tuple[int, int, int]) -> None:
    face = with_layer(with_layer(painted(tone=tone), 3, 0.5), 4, 0.5)
    drawn = np.abs(added(face, **{name: 1.0}))
    for region in ("eyes", "brows", "lips", "wall"):
        assert drawn[face.where(region)].max() <= 1, region


@TONES
def test_smooth_damps_blotches_and_keeps_pores_and_lightness(tone: tuple[int, int, int]) -> None:
    face = painted(tone=tone)
    skin = cv2.erode(face.where("skin").astype(np.uint8), np.ones((15, 15))) > 0
    before, after = luma(face.seen), luma(face.seen + added(face, smooth=1.0))

    def energy(picture: Floats, fine: float, coarse: float) -> float:
        band = cv2.GaussianBlur(picture, (0, 0), fine) - cv2.GaussianBlur(picture, (0, 0), coarse)
        return float((band[skin] ** 2).mean())

    assert energy(after, 1.2, 4.5) < 0.4 * energy(before, 1.2, 4.5)
    assert energy(after, 0.3, 0.8) > 0.7 * energy(before, 0.3, 0.8)
    assert abs(float(after[skin].mean() - before[skin].mean())) < 0.5


@pytest.mark.parametrize("name", ALL)
def test_a_control_does_more_the_further_it_is_turned(name: str) -> None:
    face = with_layer(with_layer(painted(smiling=True), 3, 0.5), 4, 0.5)

    def size(amount: float) -> float:
        change = change_of(face, look(**{name: amount}))
        return float(np.abs(change.added if change.displacement is None else change.displacement).sum())

    assert 0 < size(0.25) < size(0.5) < size(1.0)


@TONES
def test_even_takes_colour_to_the_mean_and_leaves_lightness(tone: tuple[int, int, int]) -> None:
    face = painted(tone=tone)
    skin = cv2.erode(face.where("skin").astype(np.uint8), np.ones((9, 9))) > 0
    after = face.seen + added(face, even=1.0)

    def redness(picture: npt.NDArray[Any]) -> Floats:
        soft = cv2.GaussianBlur(np.asarray(picture, np.float32), (0, 0), 5)
        return np.asarray(np.log(soft[:, :, 2] / soft[:, :, 1])[skin], np.float32)

    assert redness(after).std() < 0.7 * redness(face.seen).std()
    assert abs(float(redness(after).mean() - redness(face.seen).mean())) < 0.01
    assert np.abs(luma(after - face.seen)[skin]).max() < 2


def test_blemishes_heal_and_moles_stay_until_asked() -> None:
    face = painted()

    def contrast(picture: npt.NDArray[Any], cheek: int) -> float:
        x, y = ((CANONICAL[cheek, :2] + (0, 0.02)) * 256).round().astype(int)
        spot, around = luma(picture)[y - 1 : y + 2, x - 1 : x + 2], luma(picture)[y - 12 : y + 13, x - 12 : x + 13]
        return float(np.median(around) - spot.mean())

    left, right = CHEEKS
    healed, all_gone = face.seen + added(face, blemish=1.0), face.seen + added(face, blemish=1.0, keep_moles=False)
    assert contrast(face.seen, left) > 25
    assert abs(contrast(healed, left)) < 6
    assert contrast(healed, right) > 0.9 * contrast(face.seen, right)
    assert abs(contrast(all_gone, right)) < 9


def test_shadows_get_lighter_and_shine_duller_without_a_change_of_the_mean() -> None:
    face = painted()
    x, y = (CANONICAL[CHEEKS[0], :2] * MAP).astype(int)
    for layer, name, sign in ((3, "under_eye", 1), (4, "shine", -1)):
        there, seen = face.layers.copy(), face.seen.astype(np.float32)
        there[layer, y - 5 : y + 5, x - 5 : x + 5] = 0.5
        seen[2 * y - 10 : 2 * y + 10, 2 * x - 10 : 2 * x + 10] *= 1 - 0.2 * sign
        drawn = luma(added(replace(face, seen=seen.clip(0, 255).astype(np.uint8), layers=there), **{name: 1.0}))
        assert sign * drawn[2 * y - 4 : 2 * y + 4, 2 * x - 4 : 2 * x + 4].mean() > 10
        assert abs(float(drawn[face.where("skin")].mean())) < 0.5


def test_shadows_never_become_lighter_than_the_face() -> None:
    face = with_layer(painted(), 3, 1.0)
    layers = face.layers.copy()
    layers[3] = layers[0] * (np.indices((MAP, MAP))[1] < MAP // 2)  # said of skin that is no darker than the rest
    drawn = luma(added(replace(face, layers=layers), under_eye=1.0))
    assert drawn[face.where("skin")].max() < 25


def test_the_iris_keeps_its_hue_and_the_white_gets_whiter() -> None:
    face = painted()
    after = face.seen + added(face, eyes=1.0)
    iris, white = face.where("irises"), face.where("eyes") & ~face.where("irises")
    before_iris, after_iris = face.seen[iris].mean(axis=0), after[iris].mean(axis=0)
    np.testing.assert_allclose(after_iris / after_iris.sum(), before_iris / before_iris.sum(), atol=0.01)
    assert luma(after - face.seen)[white].mean() > 1


def test_teeth_get_less_yellow_and_never_lighter_than_the_sclera() -> None:
    face = painted(smiling=True)
    teeth = cv2.erode(face.where("mouth").astype(np.uint8), np.ones((5, 5))) > 0
    known = Remembered()
    after = face.seen + change_of(face, Beauty(teeth=1.0), known).added

    def yellow(pixels: npt.NDArray[Any]) -> float:
        return float((pixels[:, 1].astype(float) - pixels[:, 0]).mean())

    assert (after[teeth][:, 1] - after[teeth][:, 0]).mean() < 0.6 * (
        face.seen[teeth][:, 1] - face.seen[teeth][:, 0].astype(float)
    ).mean()
    assert known.sclera is not None
    assert luma(face.seen)[teeth].mean() < luma(after)[teeth].mean() <= 255 * known.sclera + 1
    np.testing.assert_array_equal(added(painted(), teeth=1.0), 0)  # a closed mouth shows none


@TONES
def test_a_lamp_in_front_lights_face_and_neck_and_burns_nothing_out(tone: tuple[int, int, int]) -> None:
    face = painted(tone=tone)
    lit = luma(added(face, brighten=1.0))
    assert lit[face.where("skin")].min() > 0
    assert lit[face.where("lips")].min() > 0
    white = replace(face, seen=np.full_like(face.seen, 252))
    assert (white.seen + added(white, brighten=1.0)).max() < 256


def test_a_lamp_at_the_side_is_mirrored_with_its_sign() -> None:
    face = painted()
    flat = replace(face, seen=np.full_like(face.seen, 120))
    right, left = luma(added(flat, light=1.0)), luma(added(flat, light=-1.0))
    assert np.abs(right - left[:, ::-1]).mean() < 0.05 * np.abs(right).mean()
    assert right[110:180, 150:175].mean() > 5 > 0 > right[110:180, 82:106].mean()


def test_warmth_leaves_lightness() -> None:
    face = painted()
    drawn = added(face, warmth=1.0)
    skin = face.where("skin")
    assert drawn[skin][:, 2].mean() > 5 > -5 > drawn[skin][:, 0].mean()
    assert np.abs(luma(drawn)[skin]).max() < 3


@TONES
def test_lipstick_takes_its_colour_and_keeps_to_the_lips(tone: tuple[int, int, int]) -> None:
    face = painted(tone=tone)
    drawn = added(face, lips=1.0, lips_color="#2040c0")
    lips = face.where("lips")
    blue, _, red = drawn[lips].mean(axis=0)
    assert blue > 20 > -20 > red
    far = cv2.dilate(lips.astype(np.uint8), np.ones((15, 15))) == 0
    assert np.abs(drawn[far]).max() < 0.5


def test_lipstick_stays_off_a_cup_before_the_mouth() -> None:
    face, known = painted(), Remembered()
    change_of(face, Beauty(lips=1.0), known)
    seen = face.seen.copy()
    seen[160:] = (160, 110, 40)  # a blue cup
    with_cup = replace(face, seen=seen)
    there = np.abs(change_of(with_cup, Beauty(lips=1.0), known).added[face.where("lips")]).mean()
    assert there < 0.02 * np.abs(added(face, lips=1.0)[face.where("lips")]).mean()


def test_make_up_stays_off_a_hand_before_it() -> None:
    face, known = painted(), Remembered()
    everything = look(lips=1.0, brows=1.0, liner=1.0)
    usual = np.abs(change_of(face, everything, known).added)
    layers = face.layers.copy()
    layers[0, :, : MAP // 2] = 0  # no matter what colour it has
    covered = np.abs(change_of(replace(face, layers=layers), everything, known).added)
    assert covered[:, :116].sum() < 0.02 * usual[:, :116].sum()
    assert covered[:, 140:].sum() > 0.9 * usual[:, 140:].sum()


def test_a_beard_does_not_take_the_lipstick_away() -> None:
    face = painted()
    layers = face.layers.copy()
    layers[0, MAP // 2 :] *= 0.3
    lips = face.where("lips")
    bearded = np.abs(change_of(replace(face, layers=layers), look(lips=1.0)).added)[lips].mean()
    assert bearded > 0.9 * np.abs(added(face, lips=1.0))[lips].mean()


def test_gloss_adds_a_highlight() -> None:
    face = painted()
    matt, glossy = luma(added(face, lips=1.0)), luma(added(face, lips=1.0, lips_gloss=1.0))
    assert (glossy - matt)[face.where("lips")].max() > 10


def test_blush_stays_off_an_occluder() -> None:
    face = painted()
    hidden = replace(face, layers=face.layers * (np.arange(MAP) > MAP // 2))
    drawn = np.abs(added(hidden, blush=1.0))
    assert drawn[:, :120].max() == 0
    assert drawn[:, 136:].max() > 5


def test_shape_is_still_at_the_border_and_beside_the_face() -> None:
    face = painted()
    moved = change_of(face, Beauty(slim=1.0, jaw=1.0, nose=1.0, eye_size=1.0)).displacement
    assert moved is not None
    rim = np.ones(moved.shape[:2], bool)
    rim[2:-2, 2:-2] = False
    assert np.abs(moved[rim]).max() < 0.1
    jaw = CANONICAL[list(JAW), 0]
    beyond = int((jaw.max() + (jaw.max() - jaw.min()) / 4) * 256) + 1
    assert np.abs(moved[:, beyond:]).max() < 0.25
    assert np.linalg.norm(moved, axis=2).max() > 2
    assert np.abs(np.diff(moved, axis=1)).max() < 0.5  # nothing folds over


def test_slim_draws_the_cheeks_in_and_back_out() -> None:
    face = painted()
    left, right = (int(CANONICAL[point, 0] * 256) for point in (JAW[4], JAW[-5]))
    row = int(CANONICAL[JAW[4], 1] * 256)
    slim = change_of(face, Beauty(slim=0.5)).displacement
    assert slim is not None
    assert slim[row, left, 0] < -0.5 < 0.5 < slim[row, right, 0]
    wide = change_of(face, Beauty(slim=-0.5)).displacement
    assert wide is not None
    np.testing.assert_allclose(wide, -slim, atol=1e-5)


def test_what_is_added_moves_with_the_shape() -> None:
    face = painted()
    plain = change_of(face, Beauty(lips=1.0))
    both = change_of(face, Beauty(lips=1.0, jaw=1.0))
    assert both.displacement is not None
    line = np.arange(256, dtype=np.float32)
    x, y = both.displacement[:, :, 0] + line, both.displacement[:, :, 1] + line[:, None]
    np.testing.assert_allclose(both.added, cv2.remap(plain.added, x, y, cv2.INTER_LINEAR), atol=1e-3)


@pytest.mark.parametrize("name", ["smooth", "even", "blemish", "brighten", "eyes", "lips", "brows", "blush", "slim"])
def test_the_side_of_the_crop_makes_no_difference(name: str) -> None:
    small, large = (change_of(painted(side), look(**{name: 1.0})) for side in (256, 512))
    if small.displacement is None:
        shrunk = cv2.resize(large.added, (256, 256), interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk - small.added).mean() < 0.15 * np.abs(small.added).mean() + 0.02
    else:
        assert large.displacement is not None
        shrunk = cv2.resize(large.displacement, (256, 256), interpolation=cv2.INTER_AREA) / 2
        np.testing.assert_allclose(shrunk, small.displacement, atol=0.02)


def test_what_the_network_changed_is_built_upon() -> None:
    face = painted()
    more = np.full(face.seen.shape, 7.25, np.float32)
    drawn = draw(face.seen, more, Sight(face.points, face.layers), wished(Beauty(lips=1.0)), Remembered(), 0.0).added
    np.testing.assert_allclose(drawn[face.where("wall")], 7.25, atol=1e-4)


def test_canonical_fields_are_mirrored() -> None:
    masks, shifts = canonical().masks, canonical().shifts
    np.testing.assert_allclose(masks[:, :, :2], masks[:, ::-1, :2], atol=0.03)
    np.testing.assert_allclose(masks[:, :, 2], -masks[:, ::-1, 2], atol=0.03)
    np.testing.assert_allclose(shifts[..., 0], -shifts[:, :, ::-1, 0], atol=1e-4)
    np.testing.assert_allclose(shifts[..., 1], shifts[:, :, ::-1, 1], atol=1e-4)


def test_masks_follow_the_face() -> None:
    np.testing.assert_allclose(carried(CANONICAL), grid(len(carried(CANONICAL))), atol=1e-6)
    points = CANONICAL.copy()
    points[:, :2] = 0.5 + 1.06 * (points[:, :2] - 0.5) + (0.02, -0.01)
    points[list(LIPS_OUTER), 1] += 0.01
    found = sampled(carried(points), points[None, :, :2])[0]
    assert np.linalg.norm(found - CANONICAL[:, :2], axis=1).mean() < 0.003
    assert len(MIRROR) == len(CANONICAL)


def test_values_fade_over_their_time_and_start_as_wished() -> None:
    values = Values()
    on, off = wished(Beauty(smooth=1.0)), wished(Beauty())
    assert values(on, 0.0, 1.0, 1.0)[AT["smooth"]] == 1
    steps = [float(values(off, FADE_S * part / 5, 1.0, 1.0)[AT["smooth"]]) for part in range(1, 7)]
    np.testing.assert_allclose(steps, [0.8, 0.6, 0.4, 0.2, 0, 0], atol=1e-5)
    assert values.nothing
    assert values(on, FADE_S * 6 / 5 + 10, 1.0, 1.0)[AT["smooth"]] == 1  # after a pause nobody sees it fade


def test_profile_fades_what_lies_on_the_mesh_and_no_face_fades_all() -> None:
    values = Values()
    wish = wished(Beauty(smooth=1.0, lips=1.0, slim=-1.0))
    values(wish, 0.0, 1.0, 1.0)
    aside = values(wish, FADE_S, 1.0, 0.0)
    assert (aside[AT["smooth"]], aside[AT["lips"]], aside[AT["slim"]]) == (1, 0, 0)
    assert not values(wish, 2 * FADE_S, 0.0, 0.0)[: len(ALL)].any()
    assert not values.nothing


def test_dials_hold_every_control() -> None:
    assert len(set(DIALS)) == len(DIALS)
    dials = wished(Beauty(amount=0.5, smooth=0.5, light=-1.0, lips_color="#ff0000", keep_moles=False))
    assert (dials[AT["smooth"]], dials[AT["light"]], dials[AT["keep_moles"]]) == (0.25, -0.5, 0)
    assert [dials[AT[f"lips_color_{one}"]] for one in "bgr"] == [0, 0, 1]


class Known:
    """A face's mesh and layers, as the networks would find them."""

    def __init__(self, face: Painted) -> None:
        self.face, self.calls, self.score = face, 0, 1.0

    def mesh(self, _: Any) -> Mesh:
        self.calls += 1
        return Mesh(self.face.points, self.score)

    def layers(self, _: Any, __: Any) -> Floats:
        return self.face.layers


def crop(beauty: Beauty, at: float = 0.0, **more: Any) -> FaceCrop:
    return FaceCrop(np.eye(2, 3), 1.0, Look(beauty=beauty), LastResult(), at=at, **more)


def test_the_stage_remembers_fades_out_and_ends() -> None:
    face = painted(512)
    known, kept = Known(face), dict[str, Any]()
    stage, nothing = HostBeauty(known.mesh, known.layers), Change(np.zeros(face.seen.shape, np.float32))
    whole = np.abs(stage(face.seen, nothing, crop(Beauty(smooth=1.0), kept=kept)).added).sum()
    again = np.abs(stage(face.seen, nothing, crop(Beauty(smooth=1.0), 0.03, kept=kept, refresh=False)).added).sum()
    assert (again, known.calls) == (whole, 1)
    fading = np.abs(stage(face.seen, nothing, crop(Beauty(), 0.1, kept=kept)).added).sum()
    assert 0 < fading < whole
    gone = stage(face.seen, nothing, crop(Beauty(), 0.3, kept=kept))
    assert gone is nothing
    assert not stage.active(crop(Beauty(), 0.33, kept=kept))


def test_what_is_no_face_gets_nothing() -> None:
    face = painted()
    known = Known(face)
    known.score = 0.1
    stage, nothing = HostBeauty(known.mesh, known.layers), Change(np.zeros(face.seen.shape, np.float32))
    everything = crop(look(**dict.fromkeys(ALL, 1.0)))
    change = stage(face.seen, nothing, everything)
    np.testing.assert_array_equal(change.added, 0)
    assert change.displacement is None


@pytest.mark.parametrize("level", [-400.0, -20.0, 400.0])
def test_a_change_beyond_black_and_white_stays_a_number(level: float) -> None:
    """As where the network rests, and its last change lies on a mouth that has opened since."""
    face = painted(smiling=True)
    before = np.full(face.seen.shape, level, np.float32)
    everything = wished(look(**dict.fromkeys(ALL, 1.0)))
    with np.errstate(invalid="raise", divide="raise"):
        change = draw(face.seen, before, Sight(face.points, face.layers), everything, Remembered(), 0.0)
    assert np.isfinite(change.added).all()


def test_closed_eyes_are_left_alone() -> None:
    face = painted()
    points = face.points.copy()
    points[list(LEFT_EYE), 1] = points[list(LEFT_EYE), 1].mean()
    drawn = added(replace(face, points=points), eyes=1.0)
    assert np.abs(drawn[:, :128]).max() == 0

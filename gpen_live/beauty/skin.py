"""The skin: smoothed, evened and healed in maps of the crop, on bare skin alone.

Everything is relative to the skin around: contrast, ratios of colours. So dark skin gains as much as light skin does, and the
mean colour of a face's skin stays as it is. Means are taken over skin alone (normalised convolution: Knutsson and Westin, CVPR
1993), so that nothing of hair, eyes or background bleeds into it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gpen_live.beauty import constants as c
from gpen_live.beauty.maps import Floats, blurred, luma, resized, step, times
from gpen_live.beauty.values import AT, Vector

_TINY = np.float32(1e-4)


@dataclass(frozen=True)
class SkinMaps:
    """What becomes of the skin: (picture + delta - heal * what is finer than the maps) * exp(log * skin).

    Args:
        delta: MAP x MAP x 3, levels; None for nothing. heal: MAP x MAP, 0..1; None where there is nothing to heal.
        log: FIELD x FIELD x 3; None for nothing.
    """

    delta: Floats | None
    heal: Floats | None
    log: Floats | None


@dataclass(frozen=True)
class _Around:
    """Of the skin around each place, FIELD x FIELD: how much there is, its own colour, the mean near and far (x 3), contrast."""

    share: Floats
    own: Floats
    near: Floats
    wide: Floats
    contrast: Floats


def skin_maps(small: Floats, skin: Floats, layers: Floats, dials: Vector) -> SkinMaps:
    """How the skin is to change.

    Args:
        small: the picture, MAP x MAP x 3, levels, BGR. skin: how far each place is bare skin, MAP x MAP, 0..1.
        layers: of the retouch network, 5 x MAP x MAP. dials: see `gpen_live.beauty.values`.
    """
    smooth, even, blemish = dials[AT["smooth"]], dials[AT["even"]], dials[AT["blemish"]]
    under_eye, shine = dials[AT["under_eye"]], dials[AT["shine"]]
    traces = _traces(layers, dials[AT["keep_moles"]]) * skin if blemish > 0 else None
    spots = None if traces is None else step(traces, *c.SPOT_SURE)
    around = _around(small, skin if spots is None else skin * (1 - spots))
    shadow = resized(layers[3], c.FIELD) if under_eye > 0 else None

    toward = _texture(around.contrast) * (smooth * np.float32(c.SMOOTH_MOST))
    if shadow is not None:
        toward = np.maximum(toward, shadow * (under_eye * np.float32(c.UNDER_EYE_SMOOTH)))
    log = np.zeros_like(around.near)
    if even > 0:
        log += _evening(around, even * np.float32(c.EVEN_MOST))
    if shadow is not None:
        log += cv2.merge([_lift(around, shadow * (under_eye * np.float32(c.UNDER_EYE_MOST * c.LAYER_LOG)))] * 3)
    if shine > 0:
        log += _dulling(around.near, resized(layers[4], c.FIELD) * (shine * np.float32(c.SHINE_MOST)))
    log += _balance(around, around.share * step(resized(layers[0], c.FIELD), *c.SURELY_SKIN), toward, log)

    delta = None
    if toward.any():
        apart = np.asarray(cv2.subtract(resized(around.near, c.MAP), small), np.float32)
        delta = times(apart, resized(toward, c.MAP) * skin * _alike(apart, small))
    if traces is None or spots is None or not spots.any():
        return SkinMaps(delta, None, log)
    x0, y0, x1, y1 = _box(spots)
    healed = np.zeros_like(small)
    part = (slice(y0, y1), slice(x0, x1))
    healed[part] = _healed(small[part], skin[part] * (1 - spots[part]), (traces * spots)[part]) * blemish
    heal = spots * blemish
    delta = healed if delta is None else healed + times(delta, 1 - heal)
    return SkinMaps(delta, heal, log)


def _box(spots: Floats) -> tuple[int, int, int, int]:
    """The part of the maps in which spots lie, and as far around as they are healed from: x0, y0, x1, y1, even."""
    far = round(c.HEAL_AROUND * c.MAP / 2) * 2
    ends = []
    for axis in (0, 1):
        found = np.flatnonzero(spots.any(axis=axis))
        ends.append((max(int(found[0]) // 2 * 2 - far, 0), min(int(found[-1]) // 2 * 2 + 2 + far, c.MAP)))
    (x0, x1), (y0, y1) = ends
    return x0, y0, x1, y1


def _healed(small: Floats, weight: Floats, traces: Floats) -> Floats:
    """What takes the traces of spots off the skin, in levels; for any part of the maps.

    What should be there goes on from the skin around, slope and all: its mean at the rim, and some more of how that differs from
    the mean further out. From what differs, the part that has the trace's own form is taken away: pores and shading stay.
    """
    height, width = traces.shape
    weighted = times(cv2.cvtColor(small, cv2.COLOR_BGR2BGRA), weight)
    coarse = resized(weighted, width // 2, height // 2)
    rim = blurred(weighted, c.HEAL_RIM * c.MAP)
    near = np.zeros_like(coarse)
    for times_as_far, share in ((2, 1e-2), (4, 1e-4)):  # where no skin is so near, that from further out stands in
        near += blurred(coarse, times_as_far * c.HEAL_RIM * c.FIELD) * np.float32(share)
    rim = _normalised(rim + resized(near, width, height))
    further = resized(_normalised(blurred(coarse, c.HEAL_FAR * c.FIELD)), width, height)
    apart = rim + (rim - further) * np.float32(c.HEAL_SLOPE) - small
    fit = cv2.merge((times(apart, traces), traces * traces))
    fit = blurred(np.asarray(fit, np.float32), c.HEAL_FIT * c.MAP)
    return times(cv2.cvtColor(fit, cv2.COLOR_BGRA2BGR), traces / (fit[:, :, 3] + np.float32(c.HEAL_LEAST)))


def _traces(layers: Floats, keep_moles: np.float32) -> Floats:
    """How strong the spots are that are to be healed."""
    traces = layers[1] * (1 - keep_moles * layers[2])
    return np.asarray(traces if keep_moles == 1 else np.maximum(traces, layers[2] * (1 - keep_moles)), np.float32)


def _around(small: Floats, weight: Floats) -> _Around:
    level = luma(small)
    weighted = times(cv2.cvtColor(small, cv2.COLOR_BGR2BGRA), weight)  # alpha is 1: the fourth is the weight itself
    own = resized(weighted, c.FIELD)
    wide = blurred(resized(own, c.WIDE), c.EVEN_SIGMA * c.WIDE)
    wide = resized(wide, c.FIELD)
    # Where no skin is near, that far around stands in: the middle of what is healed.
    near = blurred(own, c.SMOOTH_SIGMA * c.FIELD) + wide * _TINY
    squares = blurred(resized(level * level * weight, c.FIELD), c.SMOOTH_SIGMA * c.FIELD)
    share = own[:, :, 3]
    near_colour = _normalised(near)
    own_colour = _normalised(own + cv2.cvtColor(near_colour, cv2.COLOR_BGR2BGRA) * _TINY)
    mean = luma(near_colour)
    # Not over the mean's square: shine is the same on dark skin, so its contrast is larger than what pigment makes of it.
    contrast = np.maximum(squares / (near[:, :, 3] + _TINY) - mean * mean, 0) / (np.float32(128) * (mean + np.float32(c.SHINY)))
    return _Around(share, own_colour, near_colour, _normalised(wide), contrast)


def _normalised(weighted: Floats) -> Floats:
    """The colour of a weighted sum, n x n x 4."""
    inverse = 1 / (weighted[:, :, 3] + _TINY * _TINY)
    return times(cv2.cvtColor(weighted, cv2.COLOR_BGRA2BGR), inverse)


def _texture(contrast: Floats) -> Floats:
    """How far what differs from the mean is texture rather than form, 0..1."""
    kept = np.float32(c.SMOOTH_KEPT**2)
    return np.asarray(kept / (contrast + kept), np.float32)


def _alike(apart: Floats, small: Floats) -> Floats:
    """How far what differs by so much from the skin around is still skin: not a rim of glasses where the matte is in doubt."""
    odd = luma(apart)
    odd = odd * odd * (np.float32(128 / c.SMOOTH_ODD**2) / (luma(small) + np.float32(c.SHINY)))
    return np.asarray(1 / (1 + odd * odd), np.float32)


def _evening(around: _Around, amount: np.float32) -> Floats:
    """Log gains that take the colour (blue and red over green) towards that of the skin far around, luma kept."""
    near, wide = cv2.log(around.near + 1), cv2.log(around.wide + 1)
    apart = wide - near
    green = apart[:, :, 1]
    log = np.clip(apart - cv2.merge((green, green, green)), *np.log(c.EVEN_LIMITS, dtype=np.float32)) * amount
    shift = luma(log * around.near) / (luma(around.near) + 1)
    return np.asarray(log - cv2.merge((shift, shift, shift)), np.float32)


def _lift(around: _Around, log: Floats) -> Floats:
    """How much lighter shadows become: never lighter than the skin of the face around."""
    room = np.log((luma(around.wide) + 1) / (luma(around.near) + 1))
    return np.minimum(log, np.maximum(room, 0))


def _dulling(near: Floats, amount: Floats) -> Floats:
    """Log gains that take a highlight away: white light that came on top, of the same amount in all channels.

    Half of it is taken so, half as a gain: taken away in full, what is lit too much for the camera would turn grey or green.
    """
    level = luma(near) + 1
    lost = np.float32(0.5) * (1 - np.exp(amount * np.float32(-c.LAYER_LOG)))
    left = 1 - times(1 + times(1 / (near + 1), level), lost)
    return np.asarray(cv2.log(np.maximum(left, np.float32(0.3))), np.float32)


def _balance(around: _Around, surely: Floats, toward: Floats, log: Floats) -> Floats:
    """The log gain, x 3, which keeps the mean colour of the face's skin, `surely` so."""
    after = (around.own + times(around.near - around.own, toward)) * cv2.exp(log)
    share = surely.ravel()
    was, became = share @ around.own.reshape(-1, 3), share @ after.reshape(-1, 3)
    return np.asarray(np.log((was + 1) / (became + 1)), np.float32)

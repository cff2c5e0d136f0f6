"""The look's kernels for what is low in frequency: skin and light, in maps of fixed size, and into the crop.

See `gpen_live.kernels.beauty_parts`. Imports triton: import this module late.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpen_live.kernels.beauty_parts import B, R, bilinear, colours_at, luma_of, now_at, skin_tone, smoothstep, tinted


@triton.jit(do_not_specialize=["size"])
def gather(
    seen: tl.tensor,
    added: tl.tensor,
    layers: tl.tensor,
    told: tl.tensor,
    dials: tl.tensor,
    covers: tl.tensor,
    reach: tl.tensor,
    small: tl.tensor,
    skin: tl.tensor,
    own: tl.tensor,
    sums: tl.tensor,
    size: tl.tensor,
    TOLD: tl.constexpr,
    DIALS: tl.constexpr,
    KEEP: tl.constexpr,
    BLEMISH: tl.constexpr,
    SPOT_LOW: tl.constexpr,
    SPOT_HIGH: tl.constexpr,
    SURE_LOW: tl.constexpr,
    SURE_HIGH: tl.constexpr,
    FIELD: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The picture in coarse maps, with its skin.

    seen: N x 3 x size x size, [-1, 1]. added: levels. layers: R x 5 x MAP x MAP. covers: see `cover`. reach: MAP x MAP.
    Out come small, N x 3 x MAP x MAP; skin, N x 7 x MAP x MAP: bare skin, how far spots are healed, the matte where skin is
    expected, where it is, the matte for light, the spots' traces, skin without them; own, N x 7 x FIELD x FIELD: colours
    and squared luma times that skin, the skin, luma, the strongest light; sums, N x blocks x 4: of skin and its colours.
    """
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < FIELD * FIELD
    MAP: tl.constexpr = 2 * FIELD
    factor = size // MAP
    mine = layers + tl.load(told + face * TOLD).to(tl.int32) * 5 * MAP * MAP
    keep = tl.load(dials + face * DIALS + KEEP)
    wanted = tl.load(dials + face * DIALS + BLEMISH)
    plane = size * size
    own_r, own_g, own_b = i * 0.0, i * 0.0, i * 0.0
    mean_r, mean_g, mean_b = i * 0.0, i * 0.0, i * 0.0
    squares, weights, total = i * 0.0, i * 0.0, i * 0.0
    sum_r, sum_g, sum_b = i * 0.0, i * 0.0, i * 0.0
    for corner in tl.static_range(4):
        y, x = i // FIELD * 2 + corner // 2, i % FIELD * 2 + corner % 2
        at = y * MAP + x
        r, g, b = i * 0.0, i * 0.0, i * 0.0
        for dy in range(factor):
            for dx in range(factor):
                pixel = face * 3 * plane + (y * factor + dy) * size + x * factor + dx
                r += now_at(seen, added, pixel, inside)
                g += now_at(seen, added, plane + pixel, inside)
                b += (
                    tl.load(seen + 2 * plane + pixel, inside, 0.0) * 127.5
                    + 127.5
                    + tl.load(added + 2 * plane + pixel, inside, 0.0)
                )
        area = (factor * factor).to(tl.float32)
        r, g, b = r / area, g / area, b / area
        to = small + face * 3 * MAP * MAP + at
        tl.store(to, r, inside)
        tl.store(to + MAP * MAP, g, inside)
        tl.store(to + 2 * MAP * MAP, b, inside)
        covered, covered_more = i * 0.0, i * 0.0
        for near in tl.static_range(9):
            near_y, near_x = y + near // 3 - 1, x + near % 3 - 1
            near_y = tl.where(near_y < 0, 1, tl.where(near_y == MAP, MAP - 2, near_y))
            near_x = tl.where(near_x < 0, 1, tl.where(near_x == MAP, MAP - 2, near_x))
            covers_there = covers + face * 3 * MAP * MAP + near_y * MAP + near_x
            covered += tl.load(covers_there, inside, 0.0)
            covered_more += tl.load(covers_there + MAP * MAP, inside, 0.0)
        within = (1 - covered / 9) * tl.load(reach + at, inside, 0.0)
        matte = tl.load(mine + at, inside, 0.0)
        expected = (1 - covered_more / 9) * tl.load(covers + (face * 3 + 2) * MAP * MAP + at, inside, 0.0)
        bare = smoothstep(matte, SURE_LOW, SURE_HIGH) * within
        mole = tl.load(mine + 2 * MAP * MAP + at, inside, 0.0)
        traces = tl.maximum(tl.load(mine + MAP * MAP + at, inside, 0.0) * (1 - keep * mole), mole * (1 - keep)) * bare
        traces = tl.where(wanted > 0, traces, 0.0)
        spots = smoothstep(traces, SPOT_LOW, SPOT_HIGH)
        weight = bare * (1 - spots)
        to = skin + face * 7 * MAP * MAP + at
        tl.store(to, bare, inside)
        tl.store(to + MAP * MAP, spots * wanted, inside)
        tl.store(to + 2 * MAP * MAP, matte * expected, inside)
        tl.store(to + 3 * MAP * MAP, expected, inside)
        tl.store(to + 4 * MAP * MAP, matte * within, inside)
        tl.store(to + 5 * MAP * MAP, traces * spots, inside)
        tl.store(to + 6 * MAP * MAP, weight, inside)
        level = luma_of(r, g, b)
        own_r += r * weight
        own_g += g * weight
        own_b += b * weight
        mean_r += r / 4
        mean_g += g / 4
        mean_b += b / 4
        squares += level * level * weight
        weights += weight
        total += bare
        sum_r += bare * r
        sum_g += bare * g
        sum_b += bare * b
    level = luma_of(mean_r, mean_g, mean_b)
    to = own + face * 7 * FIELD * FIELD + i
    tl.store(to, own_r / 4, inside)
    tl.store(to + FIELD * FIELD, own_g / 4, inside)
    tl.store(to + 2 * FIELD * FIELD, own_b / 4, inside)
    tl.store(to + 3 * FIELD * FIELD, squares / 4, inside)
    tl.store(to + 4 * FIELD * FIELD, weights / 4, inside)
    tl.store(to + 5 * FIELD * FIELD, level, inside)
    tl.store(to + 6 * FIELD * FIELD, (level + tl.maximum(tl.maximum(mean_r, mean_g), mean_b)) / 2, inside)
    to = sums + (face * tl.num_programs(0) + tl.program_id(0)) * 4
    tl.store(to, tl.sum(tl.where(inside, total, 0.0), axis=0))
    tl.store(to + 1, tl.sum(tl.where(inside, sum_r, 0.0), axis=0))
    tl.store(to + 2, tl.sum(tl.where(inside, sum_g, 0.0), axis=0))
    tl.store(to + 3, tl.sum(tl.where(inside, sum_b, 0.0), axis=0))


@triton.jit
def _around(maps, matrix, SIDE: tl.constexpr):
    """Matrix @ maps @ matrix.T, float32."""
    line = tl.arange(0, SIDE)[:, None] * SIDE + tl.arange(0, SIDE)[None, :]
    a = tl.load(matrix + line)
    half = tl.dot(a, tl.load(maps + line), input_precision="ieee")
    return tl.dot(half, tl.trans(a), input_precision="ieee")


@triton.jit
def spread(own: tl.tensor, matrices: tl.tensor, out: tl.tensor, FIELD: tl.constexpr) -> None:
    """N x 27 x FIELD x FIELD: means of what `gather` says: the skin around at five distances (5 maps each), and the light (2).

    The distances are for smoothing, evening, two for a spot's rim, and what lies further out. Axis 0 is these maps. matrices: 6 x
    FIELD x FIELD, for each.
    """
    number, face = tl.program_id(0), tl.program_id(1)
    kind = number // 5
    maps = own + (face * 7 + tl.where(kind == 5, number - 20, number % 5)) * FIELD * FIELD
    value = _around(maps, matrices + kind * FIELD * FIELD, FIELD)
    line = tl.arange(0, FIELD)[:, None] * FIELD + tl.arange(0, FIELD)[None, :]
    tl.store(out + (face * 27 + number) * FIELD * FIELD + line, value)


@triton.jit
def uncover(
    skin: tl.tensor, weights: tl.tensor, out: tl.tensor, MAP: tl.constexpr, REACH: tl.constexpr, BLOCK: tl.constexpr
) -> None:
    """How much of the skin around each place is seen, N x MAP x MAP. weights: 2 REACH + 1, of neighbours. skin: see `gather`."""
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    y, x = i // MAP, i % MAP
    mine = skin + (face * 7 + 2) * MAP * MAP
    is_there, expected = i * 0.0, i * 0.0
    for dy in range(-REACH, REACH + 1):
        near_y = tl.minimum(tl.maximum(y + dy, 0), MAP - 1) * MAP
        across_there, across_expected = i * 0.0, i * 0.0
        for dx in range(-REACH, REACH + 1):
            at = near_y + tl.minimum(tl.maximum(x + dx, 0), MAP - 1)
            weight = tl.load(weights + REACH + dx)
            across_there += weight * tl.load(mine + at)
            across_expected += weight * tl.load(mine + MAP * MAP + at)
        weight = tl.load(weights + REACH + dy)
        is_there += weight * across_there
        expected += weight * across_expected
    tl.store(out + face * MAP * MAP + i, (is_there + 1e-4) / (expected + 1e-4))


@triton.jit
def _halved(corner, side):
    """The mean of 2 x 2 pixels."""
    return (tl.load(corner) + tl.load(corner + 1) + tl.load(corner + side) + tl.load(corner + side + 1)) / 4


@triton.jit
def _half_lambert(x, y, z, a, b, c, grey):
    """1 where the surface looks at the lamp, 0 where the light is `grey`."""
    half = (x * a + y * b + z * c + 1) / 2
    return (half * half - grey) / (1 - grey)


@triton.jit
def decide(
    own: tl.tensor,
    around: tl.tensor,
    layers: tl.tensor,
    masks: tl.tensor,
    points: tl.tensor,
    turning: tl.tensor,
    tone: tl.tensor,
    told: tl.tensor,
    dials: tl.tensor,
    out: tl.tensor,
    sums: tl.tensor,
    POINTS: tl.constexpr,
    TOLD: tl.constexpr,
    DIALS: tl.constexpr,
    MASKS: tl.constexpr,
    FIELD: tl.constexpr,
    SMOOTH: tl.constexpr,
    EVEN: tl.constexpr,
    UNDER_EYE: tl.constexpr,
    SHINE: tl.constexpr,
    BRIGHTEN: tl.constexpr,
    LIGHT: tl.constexpr,
    WARMTH: tl.constexpr,
    BLUSH: tl.constexpr,
    BLUSH_COLOR: tl.constexpr,
    KEPT: tl.constexpr,
    SHINY: tl.constexpr,
    SURELY_LOW: tl.constexpr,
    SURELY_HIGH: tl.constexpr,
    SMOOTH_MOST: tl.constexpr,
    EVEN_MOST: tl.constexpr,
    EVEN_LOW: tl.constexpr,
    EVEN_HIGH: tl.constexpr,
    UNDER_EYE_MOST: tl.constexpr,
    UNDER_EYE_SMOOTH: tl.constexpr,
    SHINE_MOST: tl.constexpr,
    LAYER_LOG: tl.constexpr,
    BRIGHTEN_MOST: tl.constexpr,
    BRIGHTEN_X: tl.constexpr,
    BRIGHTEN_Y: tl.constexpr,
    BRIGHTEN_Z: tl.constexpr,
    LIGHT_MOST: tl.constexpr,
    LIGHT_X: tl.constexpr,
    LIGHT_Y: tl.constexpr,
    LIGHT_Z: tl.constexpr,
    LIGHT_BACK: tl.constexpr,
    LIGHT_GREY: tl.constexpr,
    BRIGHTEN_GREY: tl.constexpr,
    LAMP_ON_DARK: tl.constexpr,
    WARM_MOST: tl.constexpr,
    BLUSH_MOST: tl.constexpr,
    BLUSH_DARK: tl.constexpr,
    BLUSH_PALE: tl.constexpr,
    VIVID: tl.constexpr,
    PALEST: tl.constexpr,
    POINT_BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """What becomes of skin and light, N x 13 x FIELD x FIELD: the mean near, how far towards it, log gains of skin, lamps, blush.

    tone: of `gather`, of BLOCKS blocks. sums: N x blocks x 6: the skin's colours before and after, which gains are to keep alike.
    """
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane: tl.constexpr = FIELD * FIELD
    MAP: tl.constexpr = 2 * FIELD
    dial = dials + face * DIALS
    row = tl.load(told + face * TOLD).to(tl.int32)
    from_own = own + face * 7 * plane + i
    from_near = around + face * 27 * plane + i
    tiny = 1e-4
    wide_w = tl.load(from_near + 9 * plane)
    near_w = tl.load(from_near + 4 * plane) + wide_w * tiny
    square = tl.load(from_near + 3 * plane) / (near_w + tiny)
    near_w += tiny * tiny
    near_r = (tl.load(from_near) + tl.load(from_near + 5 * plane) * tiny) / near_w
    near_g = (tl.load(from_near + plane) + tl.load(from_near + 6 * plane) * tiny) / near_w
    near_b = (tl.load(from_near + 2 * plane) + tl.load(from_near + 7 * plane) * tiny) / near_w
    wide_w += tiny * tiny
    wide_r = tl.load(from_near + 5 * plane) / wide_w
    wide_g = tl.load(from_near + 6 * plane) / wide_w
    wide_b = tl.load(from_near + 7 * plane) / wide_w
    room = tl.log(luma_of(wide_r, wide_g, wide_b) + 1)
    wide_r, wide_g, wide_b = tl.log(wide_r + 1), tl.log(wide_g + 1), tl.log(wide_b + 1)
    share = tl.load(from_own + 4 * plane)
    own_r = (tl.load(from_own) + near_r * tiny) / (share + (tiny + tiny * tiny))
    own_g = (tl.load(from_own + plane) + near_g * tiny) / (share + (tiny + tiny * tiny))
    own_b = (tl.load(from_own + 2 * plane) + near_b * tiny) / (share + (tiny + tiny * tiny))
    layer = layers + row * 5 * MAP * MAP + i // FIELD * 2 * MAP + i % FIELD * 2
    share *= smoothstep(_halved(layer, MAP), SURELY_LOW, SURELY_HIGH)
    mean = luma_of(near_r, near_g, near_b)
    contrast = tl.maximum(square - mean * mean, 0.0) / (128 * (mean + SHINY))
    shadow = _halved(layer + 3 * MAP * MAP, MAP)
    shine = _halved(layer + 4 * MAP * MAP, MAP)
    under_eye = tl.load(dial + UNDER_EYE)
    toward = KEPT * KEPT / (contrast + KEPT * KEPT) * (tl.load(dial + SMOOTH) * SMOOTH_MOST)
    toward = tl.maximum(toward, shadow * (under_eye * UNDER_EYE_SMOOTH))
    even = tl.load(dial + EVEN) * EVEN_MOST
    nr, ng, nb = near_r + 1, near_g + 1, near_b + 1
    apart = wide_g - tl.log(ng)
    log_r = tl.minimum(tl.maximum(wide_r - tl.log(nr) - apart, EVEN_LOW), EVEN_HIGH) * even
    log_b = tl.minimum(tl.maximum(wide_b - tl.log(nb) - apart, EVEN_LOW), EVEN_HIGH) * even
    same = luma_of(log_r * near_r, 0.0, log_b * near_b) / (mean + 1)
    lift = tl.minimum(shadow * (under_eye * (UNDER_EYE_MOST * LAYER_LOG)), tl.maximum(room - tl.log(mean + 1), 0.0))
    lost = 0.5 * (1 - tl.exp(shine * (tl.load(dial + SHINE) * SHINE_MOST) * -LAYER_LOG))
    luma = mean + 1
    log_r += lift - same + tl.log(tl.maximum(1 - lost * (1 + luma / nr), 0.3))
    log_g = lift - same + tl.log(tl.maximum(1 - lost * (1 + luma / ng), 0.3))
    log_b += lift - same + tl.log(tl.maximum(1 - lost * (1 + luma / nb), 0.3))
    to = sums + (face * tl.num_programs(0) + tl.program_id(0)) * 6
    tl.store(to, tl.sum(share * own_r, axis=0))
    tl.store(to + 1, tl.sum(share * own_g, axis=0))
    tl.store(to + 2, tl.sum(share * own_b, axis=0))
    tl.store(to + 3, tl.sum(share * ((own_r + toward * (near_r - own_r)) * tl.exp(log_r)), axis=0))
    tl.store(to + 4, tl.sum(share * ((own_g + toward * (near_g - own_g)) * tl.exp(log_g)), axis=0))
    tl.store(to + 5, tl.sum(share * ((own_b + toward * (near_b - own_b)) * tl.exp(log_b)), axis=0))

    # The head's turn: landmarks times a fixed matrix. Depth grows away from the viewer, a normal's z towards him.
    point = tl.arange(0, POINT_BLOCK)
    real = point < POINTS
    normal_x = tl.load(masks + (face * MASKS + 2) * plane + i)
    normal_y = tl.load(masks + (face * MASKS + 3) * plane + i)
    normal_z = tl.sqrt(tl.maximum(1 - normal_x * normal_x - normal_y * normal_y, 0.0))
    x, y, z = i * 0.0, i * 0.0, i * 0.0
    for axis in tl.static_range(3):
        place = tl.load(points + (row * POINTS + point) * 3 + axis, real, 0.0)
        turned = i * 0.0
        for other in tl.static_range(3):
            turn = tl.sum(place * tl.load(turning + point * 3 + other, real, 0.0), axis=0)
            sign = -1.0 if (axis == 2) != (other == 2) else 1.0
            turned += sign * turn * (normal_x if other == 0 else (normal_y if other == 1 else normal_z))
        if axis == 0:
            x = turned
        elif axis == 1:
            y = turned
        else:
            z = turned
    length = tl.sqrt(x * x + y * y + z * z + 1e-6)
    x, y, z = x / length, y / length, z / length
    light = tl.load(dial + LIGHT)
    aside = (light > 0).to(tl.float32) * (2 * LIGHT_X) - LIGHT_X
    side = _half_lambert(x, y, z, aside, LIGHT_Y, LIGHT_Z, LIGHT_GREY)
    side = tl.where(side > 0, side, side * LIGHT_BACK)
    lamp = _half_lambert(x, y, z, BRIGHTEN_X, BRIGHTEN_Y, BRIGHTEN_Z, BRIGHTEN_GREY) * (tl.load(dial + BRIGHTEN) * BRIGHTEN_MOST)
    lamp += side * (tl.abs(light) * LIGHT_MOST)
    bright = tl.load(from_near + 25 * plane) / 255
    strong = tl.load(from_near + 26 * plane) / 255
    lamp *= (1 - strong * strong) * (LAMP_ON_DARK + (1 - LAMP_ON_DARK) * tl.minimum(2 * strong, 1.0))
    warm = tl.load(dial + WARMTH) * WARM_MOST
    more = warm * (R - B)
    _, _, _, colourful = skin_tone(tone, face, BLOCKS)
    blue, green, red = tl.load(dial + BLUSH_COLOR), tl.load(dial + BLUSH_COLOR + 1), tl.load(dial + BLUSH_COLOR + 2)
    grey = luma_of(red, green, blue)
    blue = tl.maximum(tinted(blue, grey, colourful, VIVID, PALEST), 0.01)
    green = tl.maximum(tinted(green, grey, colourful, VIVID, PALEST), 0.01)
    red = tl.maximum(tinted(red, grey, colourful, VIVID, PALEST), 0.01)
    most = tl.maximum(tl.maximum(red, green), blue)
    least = tl.minimum(tl.minimum(red, green), blue)
    unit = tl.load(masks + (face * MASKS + 1) * plane + i) * (1 + BLUSH_DARK * (1 - bright))
    unit *= tl.load(dial + BLUSH) * BLUSH_MOST / tl.maximum(tl.log(most / least), BLUSH_PALE)
    to = out + face * 13 * plane + i
    tl.store(to, near_r)
    tl.store(to + plane, near_g)
    tl.store(to + 2 * plane, near_b)
    tl.store(to + 3 * plane, toward)
    tl.store(to + 4 * plane, log_r)
    tl.store(to + 5 * plane, log_g)
    tl.store(to + 6 * plane, log_b)
    tl.store(to + 7 * plane, lamp + warm - more)
    tl.store(to + 8 * plane, lamp - more)
    tl.store(to + 9 * plane, lamp - warm - more)
    tl.store(to + 10 * plane, -unit * tl.log(most / red))
    tl.store(to + 11 * plane, -unit * tl.log(most / green))
    tl.store(to + 12 * plane, -unit * tl.log(most / blue))


@triton.jit
def heal(
    small: tl.tensor,
    skin: tl.tensor,
    around: tl.tensor,
    weights: tl.tensor,
    out: tl.tensor,
    FIELD: tl.constexpr,
    RIM: tl.constexpr,
    SLOPE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """N x 4 x MAP x MAP: how the skin differs from what the skin around lets expect, times the spots' traces; their squares.

    around: see `spread`. weights: 2 RIM + 1, of neighbours, for a spot's rim.
    """
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i >= 0
    MAP: tl.constexpr = 2 * FIELD
    plane: tl.constexpr = FIELD * FIELD
    x, y = (i % MAP + 0.5) / 2 - 0.5, (i // MAP + 0.5) / 2 - 0.5
    line, column = i // MAP, i % MAP
    picture, weight = small + face * 3 * MAP * MAP, skin + (face * 7 + 6) * MAP * MAP
    r, g, b, w = i * 0.0, i * 0.0, i * 0.0, i * 0.0
    for dy in range(-RIM, RIM + 1):
        near = tl.minimum(tl.maximum(line + dy, 0), MAP - 1) * MAP
        share_y = tl.load(weights + RIM + dy)
        for dx in range(-RIM, RIM + 1):
            at = near + tl.minimum(tl.maximum(column + dx, 0), MAP - 1)
            share = share_y * tl.load(weights + RIM + dx) * tl.load(weight + at)
            r += share * tl.load(picture + at)
            g += share * tl.load(picture + MAP * MAP + at)
            b += share * tl.load(picture + 2 * MAP * MAP + at)
            w += share
    mine = around + face * 27 * plane
    w += bilinear(mine + 14 * plane, x, y, FIELD, inside) * 1e-2 + bilinear(mine + 19 * plane, x, y, FIELD, inside) * 1e-4
    w += 1e-8
    traces = tl.load(skin + (face * 7 + 5) * MAP * MAP + i)
    to = out + face * 4 * MAP * MAP + i
    for channel in tl.static_range(3):
        rim = r if channel == 0 else (g if channel == 1 else b)
        rim += bilinear(mine + (10 + channel) * plane, x, y, FIELD, inside) * 1e-2
        rim += bilinear(mine + (15 + channel) * plane, x, y, FIELD, inside) * 1e-4
        rim = rim / w
        further = _ratio(mine + (20 + channel) * plane, mine + 24 * plane, x, y, FIELD)
        apart = rim + (rim - further) * SLOPE - tl.load(picture + channel * MAP * MAP + i)
        tl.store(to + channel * MAP * MAP, apart * traces)
    tl.store(to + 3 * MAP * MAP, traces * traces)


@triton.jit
def _ratio(one, other, x, y, side):
    """One map over another, pixel by pixel, and then bilinear."""
    x = tl.minimum(tl.maximum(x, 0.0), side - 1.0)
    y = tl.minimum(tl.maximum(y, 0.0), side - 1.0)
    x0, y0 = x.to(tl.int32), y.to(tl.int32)
    x1, y1 = tl.minimum(x0 + 1, side - 1), tl.minimum(y0 + 1, side - 1)
    right, down = x - x0, y - y0
    a = tl.load(one + y0 * side + x0) / (tl.load(other + y0 * side + x0) + 1e-8)
    b = tl.load(one + y0 * side + x1) / (tl.load(other + y0 * side + x1) + 1e-8)
    c = tl.load(one + y1 * side + x0) / (tl.load(other + y1 * side + x0) + 1e-8)
    d = tl.load(one + y1 * side + x1) / (tl.load(other + y1 * side + x1) + 1e-8)
    return (a * (1 - right) + b * right) * (1 - down) + (c * (1 - right) + d * right) * down


@triton.jit
def _fit(source, weights, i, MAP: tl.constexpr, FIT: tl.constexpr):
    """A map's weighted mean over neighbours."""
    total = i * 0.0
    for dy in range(-FIT, FIT + 1):
        near = tl.minimum(tl.maximum(i // MAP + dy, 0), MAP - 1) * MAP
        across = i * 0.0
        for dx in range(-FIT, FIT + 1):
            at = near + tl.minimum(tl.maximum(i % MAP + dx, 0), MAP - 1)
            across += tl.load(weights + FIT + dx) * tl.load(source + at)
        total += tl.load(weights + FIT + dy) * across
    return total


@triton.jit
def blend(
    fields: tl.tensor,
    masks: tl.tensor,
    small: tl.tensor,
    skin: tl.tensor,
    sums: tl.tensor,
    spots: tl.tensor,
    weights: tl.tensor,
    dials: tl.tensor,
    out: tl.tensor,
    DIALS: tl.constexpr,
    BLEMISH: tl.constexpr,
    FIT: tl.constexpr,
    FIELD: tl.constexpr,
    MASKS: tl.constexpr,
    BLOCKS: tl.constexpr,
    SHINY: tl.constexpr,
    ODD: tl.constexpr,
    LEAST: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """N x 6 x MAP x MAP: what is added to the picture (levels), then its gains.

    fields, sums: see `decide`, of BLOCKS blocks. spots: see `heal`; weights: 2 FIT + 1, of neighbours.
    """
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i >= 0
    MAP: tl.constexpr = 2 * FIELD
    plane: tl.constexpr = FIELD * FIELD
    x, y = (i % MAP + 0.5) / 2 - 0.5, (i // MAP + 0.5) / 2 - 0.5
    mine = fields + face * 13 * plane
    mine_of_skin = skin + face * 7 * MAP * MAP + i
    bare, heal = tl.load(mine_of_skin), tl.load(mine_of_skin + MAP * MAP)
    lit = tl.maximum(bilinear(masks + face * MASKS * plane, x, y, FIELD, inside), tl.load(mine_of_skin + 4 * MAP * MAP))
    r, g, b = colours_at(small + face * 3 * MAP * MAP, i, MAP * MAP, inside)
    near_r, near_g = bilinear(mine, x, y, FIELD, inside), bilinear(mine + plane, x, y, FIELD, inside)
    odd = luma_of(near_r - r, near_g - g, bilinear(mine + 2 * plane, x, y, FIELD, inside) - b)
    odd = odd * odd * (128 / (ODD * ODD)) / (luma_of(r, g, b) + SHINY)  # a rim of glasses where the matte is in doubt
    toward = bilinear(mine + 3 * plane, x, y, FIELD, inside) * bare / (1 + odd * odd)
    traces = tl.load(mine_of_skin + 5 * MAP * MAP)
    strength = _fit(spots + (face * 4 + 3) * MAP * MAP, weights, i, MAP, FIT) + LEAST
    wanted = tl.load(dials + face * DIALS + BLEMISH) * traces / strength
    block = tl.arange(0, BLOCKS)
    for channel in tl.static_range(3):
        was = tl.sum(tl.load(sums + (face * BLOCKS + block) * 6 + channel), axis=0)
        became = tl.sum(tl.load(sums + (face * BLOCKS + block) * 6 + 3 + channel), axis=0)
        log = (bilinear(mine + (4 + channel) * plane, x, y, FIELD, inside) + tl.log((was + 1) / (became + 1))) * bare
        log += bilinear(mine + (7 + channel) * plane, x, y, FIELD, inside) * lit
        log += bilinear(mine + (10 + channel) * plane, x, y, FIELD, inside) * bare
        near = bilinear(mine + channel * plane, x, y, FIELD, inside)
        there = tl.load(small + (face * 3 + channel) * MAP * MAP + i)
        healed = _fit(spots + (face * 4 + channel) * MAP * MAP, weights, i, MAP, FIT) * wanted
        tl.store(out + (face * 6 + channel) * MAP * MAP + i, healed + (near - there) * toward * (1 - heal))
        tl.store(out + (face * 6 + 3 + channel) * MAP * MAP + i, tl.exp(log))


@triton.jit(do_not_specialize=["size"])
def paint(
    seen: tl.tensor,
    added: tl.tensor,
    maps: tl.tensor,
    small: tl.tensor,
    skin: tl.tensor,
    out: tl.tensor,
    size: tl.tensor,
    MAP: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The picture with what `blend` says: N x 3 x size x size, levels."""
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < size * size
    scale = MAP / size.to(tl.float32)
    x, y = (i % size + 0.5) * scale - 0.5, (i // size + 0.5) * scale - 0.5
    heal = bilinear(skin + (face * 7 + 1) * MAP * MAP, x, y, MAP, inside)
    for channel in tl.static_range(3):
        at = (face * 3 + channel) * size * size + i
        now = now_at(seen, added, at, inside)
        delta = bilinear(maps + (face * 6 + channel) * MAP * MAP, x, y, MAP, inside)
        gain = bilinear(maps + (face * 6 + 3 + channel) * MAP * MAP, x, y, MAP, inside)
        coarse = bilinear(small + (face * 3 + channel) * MAP * MAP, x, y, MAP, inside)
        tl.store(out + at, tl.maximum((now + delta - heal * (now - coarse)) * gain, 0.0), inside)

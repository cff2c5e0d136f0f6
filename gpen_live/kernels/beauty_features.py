"""The look's kernels for what has an outline: eyes, teeth, lips, brows and liner; and the shape, last.

See `gpen_live.kernels.beauty_parts`. Imports triton: import this module late.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpen_live.kernels.beauty_parts import bilinear, colours_at, luma_of, now_at, skin_tone, smoothstep, tinted


@triton.jit
def _eye(points, PUPIL, EDGES, IRIS, OPEN_LOW, OPEN_HIGH):
    """An eye's centre, the iris' radius, and how far it is open. EDGES: its edge's landmarks, IRIS: four of the iris."""
    x, y = tl.load(points + 3 * PUPIL), tl.load(points + 3 * PUPIL + 1)
    radius = x * 0
    for k in tl.static_range(4):
        point = tl.load(IRIS + k)
        dx, dy = tl.load(points + 3 * point) - x, tl.load(points + 3 * point + 1) - y
        radius += tl.sqrt(dx * dx + dy * dy) / 4
    lower, upper = x * 0, x * 0
    for k in tl.static_range(7):
        lower += tl.load(points + 3 * tl.load(EDGES + 1 + k) + 1) / 7
        upper += tl.load(points + 3 * tl.load(EDGES + 9 + k) + 1) / 7
    outer, inner = tl.load(EDGES), tl.load(EDGES + 8)
    dx = tl.load(points + 3 * inner) - tl.load(points + 3 * outer)
    dy = tl.load(points + 3 * inner + 1) - tl.load(points + 3 * outer + 1)
    wide = tl.maximum(tl.sqrt(dx * dx + dy * dy), 1e-6)
    return x, y, tl.maximum(radius, 1e-4), smoothstep(tl.abs(upper - lower) / wide, OPEN_LOW, OPEN_HIGH)


@triton.jit
def _white_of(far, colour, colourful, EDGE_LOW, EDGE_HIGH, LESS_LOW, LESS_HIGH, COLOURFUL):
    """How far what lies in an eye is its white: far from the pupil, in radii of the iris, and pale."""
    limit = tl.maximum(colourful, COLOURFUL)
    return smoothstep(far, EDGE_LOW, EDGE_HIGH) * (1 - smoothstep(colour, LESS_LOW * limit, LESS_HIGH * limit))


@triton.jit(do_not_specialize=["size", "stride", "reach"])
def measure(
    drawn: tl.tensor,
    filled: tl.tensor,
    uncovered: tl.tensor,
    boxes: tl.tensor,
    points: tl.tensor,
    eyes: tl.tensor,
    sums: tl.tensor,
    told: tl.tensor,
    colours: tl.tensor,
    out: tl.tensor,
    size: tl.tensor,
    stride: tl.tensor,
    reach: tl.tensor,
    POINTS: tl.constexpr,
    TOLD: tl.constexpr,
    NEW: tl.constexpr,
    LIPS: tl.constexpr,
    SCLERA: tl.constexpr,
    OUTLINES: tl.constexpr,
    LIPS_OUTLINE: tl.constexpr,
    PLANES: tl.constexpr,
    LID: tl.constexpr,
    OUTER: tl.constexpr,
    INNER: tl.constexpr,
    MAP: tl.constexpr,
    BLOCKS: tl.constexpr,
    LEFT_PUPIL: tl.constexpr,
    RIGHT_PUPIL: tl.constexpr,
    OPEN_LOW: tl.constexpr,
    OPEN_HIGH: tl.constexpr,
    IRIS_LOW: tl.constexpr,
    IRIS_HIGH: tl.constexpr,
    WHITE_LOW: tl.constexpr,
    WHITE_HIGH: tl.constexpr,
    DISC_LOW: tl.constexpr,
    DISC_HIGH: tl.constexpr,
    COLOURFUL: tl.constexpr,
    COVER_LOW: tl.constexpr,
    COVER_HIGH: tl.constexpr,
    LIP_COLOUR: tl.constexpr,
    SEEN_LOW: tl.constexpr,
    SEEN_HIGH: tl.constexpr,
    BARE_LOW: tl.constexpr,
    BARE_HIGH: tl.constexpr,
    DOUBT_LOW: tl.constexpr,
    DOUBT_HIGH: tl.constexpr,
    APART_LOW: tl.constexpr,
    APART_HIGH: tl.constexpr,
    ALONG_LOW: tl.constexpr,
    ALONG_HIGH: tl.constexpr,
    LIP_BEARD: tl.constexpr,
    FOUND: tl.constexpr,
    UNSEEN: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """What eyes (axis 0: 0) and lips (1) look like; what is known of the face is brought up to the frame.

    N x 8 come out: the irises' mean luma (2), how light teeth may be; the lips' log of blue and of red over green, the skin
    around them, their mean linear luma. Every `stride`-th pixel counts, along both sides. eyes: 2 x 20 landmarks: an eye's
    edge, the iris. colours: R x 6.
    """
    face = tl.program_id(1)
    number = tl.load(told + face * TOLD).to(tl.int32)
    new = tl.load(told + face * TOLD + NEW) > 0
    known = colours + number * 6
    mine = points + number * POINTS * 3
    plane = size * size
    planes, picture = filled + face * PLANES * plane, drawn + face * 3 * plane
    hides = uncovered + face * MAP * MAP
    lane = tl.arange(0, BLOCK)
    scale = MAP / size.to(tl.float32)
    skin_luma, skin_blue, skin_red, colourful = skin_tone(sums, face, BLOCKS)
    to = out + face * 8
    if tl.program_id(0) == 0:
        white_total, white_light = 0.0, 0.0
        for eye in tl.static_range(2):
            box = boxes + (face * OUTLINES + eye) * 4
            x0, y0 = _pixel(tl.load(box), size), _pixel(tl.load(box + 1), size)
            wide = (_pixel(tl.load(box + 2), size) - x0) // stride + 1
            high = (_pixel(tl.load(box + 3), size) - y0) // stride + 1
            pupil = LEFT_PUPIL if eye == 0 else RIGHT_PUPIL
            centre_x, centre_y, radius, is_open = _eye(mine, pupil, eyes + 20 * eye, eyes + 20 * eye + 16, OPEN_LOW, OPEN_HIGH)
            iris_sum, iris_light = lane * 0.0, lane * 0.0
            bright_sum, bright_light = lane * 0.0, lane * 0.0
            for first in range(0, wide * high, BLOCK):
                k = first + lane
                column, line = x0 + k % wide * stride, y0 + k // wide * stride
                inside = (k < wide * high) & (column < size) & (line < size)
                at = line * size + column
                red, green, blue = colours_at(picture, at, plane, inside)
                level = luma_of(red, green, blue) / 255
                seen = bilinear(hides, (column + 0.5) * scale - 0.5, (line + 0.5) * scale - 0.5, MAP, inside)
                lid = tl.load(planes + LID * plane + at, inside, 0.0) * smoothstep(seen, COVER_LOW, COVER_HIGH) * is_open
                dx, dy = (column + 0.5) / size - centre_x, (line + 0.5) / size - centre_y
                far = tl.sqrt(dx * dx + dy * dy) / radius
                most, least = tl.maximum(tl.maximum(red, green), blue), tl.minimum(tl.minimum(red, green), blue)
                vivid = (most - least) / (most + 1)
                white = lid * _white_of(far, vivid, colourful, IRIS_LOW, IRIS_HIGH, WHITE_LOW, WHITE_HIGH, COLOURFUL)
                white = tl.where(inside, white * level * level, 0.0)
                iris = tl.where(inside, lid * (1 - smoothstep(far, DISC_LOW, DISC_HIGH)), 0.0)
                iris_sum += iris
                iris_light += iris * level
                bright_sum += white
                bright_light += white * level
            area = (stride * stride).to(tl.float32)
            tl.store(to + eye, tl.sum(iris_light, axis=0) * area / (tl.sum(iris_sum, axis=0) * area + 1e-3))
            white_total += tl.sum(bright_sum, axis=0) * area
            white_light += tl.sum(bright_light, axis=0) * area
        had = ~new & (tl.load(known + 5) > 0)
        before = tl.load(known + 3)
        now = white_light / tl.maximum(white_total, 1e-6)
        found = white_total > 0.05
        share = tl.load(told + face * TOLD + SCLERA)
        now = tl.where(had, before + share * (now - before), now)
        limit = tl.where(had, before, tl.minimum(UNSEEN / 255 * skin_luma, 1.0))
        tl.store(to + 2, tl.where(found, now, limit))
        tl.store(known + 3, tl.where(found, now, before))
        tl.store(known + 5, tl.where(found | had, 1.0, 0.0))
    else:
        box = boxes + (face * OUTLINES + LIPS_OUTLINE) * 4
        x0, y0 = _pixel(tl.load(box), size), _pixel(tl.load(box + 1), size)
        wide = (_pixel(tl.load(box + 2), size) - x0) // stride + 1
        high = (_pixel(tl.load(box + 3), size) - y0) // stride + 1
        total_v, around_v, blue_v, red_v = lane * 0.0, lane * 0.0, lane * 0.0, lane * 0.0
        for first in range(0, wide * high, BLOCK):
            k = first + lane
            column, line = x0 + k % wide * stride, y0 + k // wide * stride
            inside = (k < wide * high) & (column < size) & (line < size)
            at = line * size + column
            red, green, blue = colours_at(picture, at, plane, inside)
            lips = tl.load(planes + OUTER * plane + at, inside, 0.0) - tl.load(planes + INNER * size * size + at, inside, 0.0)
            lips = tl.where(inside, tl.maximum(lips, 0.0), 0.0)
            seen = bilinear(hides, (column + 0.5) * scale - 0.5, (line + 0.5) * scale - 0.5, MAP, inside)
            total_v += lips
            around_v += lips * seen
            more_blue, more_red = _ratios(picture, line, column, size, reach, inside)
            blue_v += lips * more_blue
            red_v += lips * more_red
        total = tl.sum(total_v, axis=0)
        some = tl.maximum(total, 1e-6)
        around = tl.sum(around_v, axis=0) / some
        had = ~new & (tl.load(known + 4) > 0)
        share = tl.where(had, tl.load(told + face * TOLD + LIPS), 1.0)
        lip_blue = tl.where(had, tl.load(known), tl.sum(blue_v, axis=0) / some)
        lip_red = tl.where(had, tl.load(known + 1), tl.sum(red_v, axis=0) / some)
        before = tl.where(had, tl.load(known + 2), around)
        most = tl.maximum(around, before + share * (around - before) / LIP_BEARD)
        near_v, light_v, blue_v, red_v = lane * 0.0, lane * 0.0, lane * 0.0, lane * 0.0
        for first in range(0, wide * high, BLOCK):
            k = first + lane
            column, line = x0 + k % wide * stride, y0 + k // wide * stride
            inside = (k < wide * high) & (column < size) & (line < size)
            at = line * size + column
            red, green, blue = colours_at(picture, at, plane, inside)
            lips = tl.load(planes + OUTER * plane + at, inside, 0.0) - tl.load(planes + INNER * size * size + at, inside, 0.0)
            seen = bilinear(hides, (column + 0.5) * scale - 0.5, (line + 0.5) * scale - 0.5, MAP, inside)
            more_blue, more_red = _ratios(picture, line, column, size, reach, inside)
            near = _near_lips(
                lips, seen, more_blue, more_red, lip_blue, lip_red, skin_blue, skin_red, most, SEEN_LOW, SEEN_HIGH, LIP_COLOUR,
                BARE_LOW, BARE_HIGH, DOUBT_LOW, DOUBT_HIGH, APART_LOW, APART_HIGH, ALONG_LOW, ALONG_HIGH,
            )  # fmt: skip
            near = tl.where(inside, near, 0.0)
            near_v += near
            blue_v += near * more_blue
            red_v += near * more_red
            light_v += near * luma_of(_linear(red), _linear(green), _linear(blue))
        held = tl.sum(near_v, axis=0)
        part = held / some
        step = tl.where(part > FOUND, share * part, 0.0)
        next_blue = lip_blue + step * (tl.sum(blue_v, axis=0) / tl.maximum(held, 1e-6) - lip_blue)
        next_red = lip_red + step * (tl.sum(red_v, axis=0) / tl.maximum(held, 1e-6) - lip_red)
        area = (stride * stride).to(tl.float32)
        tl.store(to + 3, lip_blue)
        tl.store(to + 4, lip_red)
        tl.store(to + 5, most)
        tl.store(to + 6, tl.sum(light_v, axis=0) * area / (held * area + 1e-3) + 1e-4)
        any_lips = total > 0
        tl.store(known, tl.where(any_lips, next_blue, tl.load(known)))
        tl.store(known + 1, tl.where(any_lips, next_red, tl.load(known + 1)))
        tl.store(known + 2, tl.where(any_lips, most, tl.load(known + 2)))
        tl.store(known + 4, tl.where(any_lips | had, 1.0, 0.0))


@triton.jit
def _pixel(fraction, size):
    """The pixel at a place, within the picture."""
    return tl.minimum(tl.maximum((fraction * size).to(tl.int32), 0), size - 1)


@triton.jit
def _power(value, exponent):
    return tl.exp(tl.log(value) * exponent)


@triton.jit
def _linear(level):
    return _power(tl.minimum(tl.maximum(level / 255, 1e-3), 1.0), 2.2)


@triton.jit
def _near_lips(
    lips, seen, more_blue, more_red, lip_blue, lip_red, skin_blue, skin_red, most, SEEN_LOW, SEEN_HIGH, LIP_COLOUR,
    BARE_LOW, BARE_HIGH, DOUBT_LOW, DOUBT_HIGH, APART_LOW, APART_HIGH, ALONG_LOW, ALONG_HIGH,
):  # fmt: skip
    """How far a pixel is lips of the colour that they always have, with nothing before them; see `gpen_live.beauty.makeup`."""
    blue, red = more_blue - lip_blue, more_red - lip_red
    alike = tl.exp(-(blue * blue + red * red) / (LIP_COLOUR * LIP_COLOUR))
    around = seen / (most + smoothstep(most, BARE_LOW, BARE_HIGH) * tl.maximum(1 - most, 0.0) + 0.02)
    to_blue, to_red = lip_blue - skin_blue, lip_red - skin_red
    far = to_blue * to_blue + to_red * to_red
    along = ((more_blue - skin_blue) * to_blue + (more_red - skin_red) * to_red) / tl.maximum(far, 1e-12)
    as_skin = smoothstep(tl.sqrt(far), APART_LOW, APART_HIGH) * (1 - smoothstep(along, ALONG_LOW, ALONG_HIGH))
    doubt = 1 - smoothstep(around, DOUBT_LOW, DOUBT_HIGH)
    return tl.maximum(lips, 0.0) * smoothstep(around, SEEN_LOW, SEEN_HIGH) * (1 - doubt * as_skin) * alike


@triton.jit
def _ratios(picture, line, column, size, reach, inside):
    """Log of blue and of red over green, of the mean of the pixels up to `reach` around: without noise."""
    red, green, blue = column * 0.0, column * 0.0, column * 0.0
    for dy in range(-reach, reach + 1):
        near = tl.minimum(tl.maximum(line + dy, 0), size - 1) * size
        for dx in range(-reach, reach + 1):
            r, g, b = colours_at(picture, near + tl.minimum(tl.maximum(column + dx, 0), size - 1), size * size, inside)
            red += r
            green += g
            blue += b
    count = ((2 * reach + 1) * (2 * reach + 1)).to(tl.float32)
    green = tl.log(green / count + 4)
    return tl.log(blue / count + 4) - green, tl.log(red / count + 4) - green


@triton.jit
def _distance(points, first, second):
    x = tl.load(points + 3 * second) - tl.load(points + 3 * first)
    y = tl.load(points + 3 * second + 1) - tl.load(points + 3 * first + 1)
    return tl.sqrt(x * x + y * y)


@triton.jit
def _streak(x, y, points, OUTER_POINT, INNER_POINT, WIDE):
    """Where a glossy lip shines."""
    inner_x, inner_y = tl.load(points + 3 * INNER_POINT), tl.load(points + 3 * INNER_POINT + 1)
    outer_x, outer_y = tl.load(points + 3 * OUTER_POINT), tl.load(points + 3 * OUTER_POINT + 1)
    high = tl.maximum(0.2 * tl.abs(outer_y - inner_y), 0.003)
    dx, dy = (x - (0.55 * inner_x + 0.45 * outer_x)) / WIDE, (y - (0.55 * inner_y + 0.45 * outer_y)) / high
    return tl.exp(-dx * dx - dy * dy)


@triton.jit(do_not_specialize=["size", "reach"])
def adorn(
    drawn: tl.tensor,
    seen: tl.tensor,
    added: tl.tensor,
    filled: tl.tensor,
    uncovered: tl.tensor,
    points: tl.tensor,
    eyes: tl.tensor,
    mouth: tl.tensor,
    sums: tl.tensor,
    told: tl.tensor,
    dials: tl.tensor,
    measured: tl.tensor,
    out: tl.tensor,
    size: tl.tensor,
    reach: tl.tensor,
    POINTS: tl.constexpr,
    TOLD: tl.constexpr,
    DIALS: tl.constexpr,
    PLANES: tl.constexpr,
    LID: tl.constexpr,
    OUTER: tl.constexpr,
    INNER: tl.constexpr,
    BROW: tl.constexpr,
    LINER: tl.constexpr,
    MAP: tl.constexpr,
    BLOCKS: tl.constexpr,
    LEFT_PUPIL: tl.constexpr,
    RIGHT_PUPIL: tl.constexpr,
    OPEN_LOW: tl.constexpr,
    OPEN_HIGH: tl.constexpr,
    IRIS_LOW: tl.constexpr,
    IRIS_HIGH: tl.constexpr,
    WHITE_LOW: tl.constexpr,
    WHITE_HIGH: tl.constexpr,
    DISC_LOW: tl.constexpr,
    DISC_HIGH: tl.constexpr,
    COLOURFUL: tl.constexpr,
    COVER_LOW: tl.constexpr,
    COVER_HIGH: tl.constexpr,
    LIP_COLOUR: tl.constexpr,
    SEEN_LOW: tl.constexpr,
    SEEN_HIGH: tl.constexpr,
    BARE_LOW: tl.constexpr,
    BARE_HIGH: tl.constexpr,
    DOUBT_LOW: tl.constexpr,
    DOUBT_HIGH: tl.constexpr,
    APART_LOW: tl.constexpr,
    APART_HIGH: tl.constexpr,
    ALONG_LOW: tl.constexpr,
    ALONG_HIGH: tl.constexpr,
    EYES: tl.constexpr,
    TEETH: tl.constexpr,
    LIPS: tl.constexpr,
    GLOSS: tl.constexpr,
    LIPS_COLOR: tl.constexpr,
    BROWS: tl.constexpr,
    LINES: tl.constexpr,
    WHITE_LIGHTER: tl.constexpr,
    WHITE_PALER: tl.constexpr,
    IRIS_CONTRAST: tl.constexpr,
    IRIS_LIFT: tl.constexpr,
    GAIN_LOW: tl.constexpr,
    GAIN_HIGH: tl.constexpr,
    CATCH_LOW: tl.constexpr,
    CATCH_HIGH: tl.constexpr,
    CATCH_MOST: tl.constexpr,
    MOUTH_LOW: tl.constexpr,
    MOUTH_HIGH: tl.constexpr,
    TOOTH_LOW: tl.constexpr,
    TOOTH_HIGH: tl.constexpr,
    RED_LOW: tl.constexpr,
    RED_HIGH: tl.constexpr,
    TOOTH_YELLOW: tl.constexpr,
    TOOTH_LIGHTER: tl.constexpr,
    VIVID: tl.constexpr,
    PALEST: tl.constexpr,
    LIP_COVER: tl.constexpr,
    LIP_OWN: tl.constexpr,
    LIP_ALBEDO: tl.constexpr,
    LIP_MATT: tl.constexpr,
    LIP_GLOSS: tl.constexpr,
    LIP_GLOSSY: tl.constexpr,
    STREAK: tl.constexpr,
    DETAIL_LOW: tl.constexpr,
    DETAIL_HIGH: tl.constexpr,
    BROW_FILL: tl.constexpr,
    BROW_HAIR: tl.constexpr,
    BROW_LEVEL: tl.constexpr,
    BROW_MOST: tl.constexpr,
    BROW_R: tl.constexpr,
    BROW_G: tl.constexpr,
    BROW_B: tl.constexpr,
    LINER_DENSITY: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Draws eyes, teeth, lips, brows and liner on the picture of `paint`, and gives what is then added to `seen` in all: `out`.

    filled: see `fill`. eyes: 2 x 20 landmarks. mouth: four of the inner lips: left, right, lower, upper. measured: see `measure`.
    """
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = size * size
    inside = i < plane
    line, column = i // size, i % size
    red, green, blue = colours_at(drawn + face * 3 * plane, i, plane, inside)
    planes = filled + face * PLANES * plane
    lid = tl.load(planes + LID * plane + i, inside, 0.0)
    outer = tl.load(planes + OUTER * plane + i, inside, 0.0)
    inner = tl.load(planes + INNER * plane + i, inside, 0.0)
    brow = tl.load(planes + BROW * plane + i, inside, 0.0)
    liner = tl.load(planes + LINER * plane + i, inside, 0.0)
    if tl.max(lid + outer + inner + brow + liner, axis=0) > 1e-6:
        mine = points + tl.load(told + face * TOLD).to(tl.int32) * POINTS * 3
        dial, told_of = dials + face * DIALS, measured + face * 8
        x, y = (column + 0.5) / size, (line + 0.5) / size
        scale = MAP / size.to(tl.float32)
        hides = uncovered + face * MAP * MAP
        around = bilinear(hides, (column + 0.5) * scale - 0.5, (line + 0.5) * scale - 0.5, MAP, inside)
        bare = smoothstep(around, COVER_LOW, COVER_HIGH)
        skin_luma, skin_blue, skin_red, colourful = skin_tone(sums, face, BLOCKS)

        left_x, left_y, left_radius, left_open = _eye(mine, LEFT_PUPIL, eyes, eyes + 16, OPEN_LOW, OPEN_HIGH)
        right_x, right_y, right_radius, right_open = _eye(mine, RIGHT_PUPIL, eyes + 20, eyes + 36, OPEN_LOW, OPEN_HIGH)
        dx, dy = x - left_x, y - left_y
        far_left = dx * dx + dy * dy
        dx, dy = x - right_x, y - right_y
        far_right = dx * dx + dy * dy
        is_left = far_left < far_right
        far = tl.sqrt(tl.minimum(far_left, far_right)) / tl.where(is_left, left_radius, right_radius)
        mean = tl.where(is_left, tl.load(told_of), tl.load(told_of + 1))
        amount = tl.load(dial + EYES)
        level = luma_of(red, green, blue) / 255
        lid *= bare * tl.where(is_left, left_open, right_open)
        most, least = tl.maximum(tl.maximum(red, green), blue), tl.minimum(tl.minimum(red, green), blue)
        vivid = (most - least) / (most + 1)
        white = lid * _white_of(far, vivid, colourful, IRIS_LOW, IRIS_HIGH, WHITE_LOW, WHITE_HIGH, COLOURFUL) * amount
        iris = lid * (1 - smoothstep(far, DISC_LOW, DISC_HIGH)) * amount
        contrast = IRIS_CONTRAST * (level - mean) / (level + 0.08) + IRIS_LIFT
        gain = 1 + white * WHITE_LIGHTER * (1 - level) + iris * tl.minimum(tl.maximum(contrast, GAIN_LOW), GAIN_HIGH)
        paler = white * WHITE_PALER
        catch = iris * smoothstep(level - mean, CATCH_LOW, CATCH_HIGH) * CATCH_MOST
        grey = level * 255
        red = (red + paler * (grey - red)) * gain
        green = (green + paler * (grey - green)) * gain
        blue = (blue + paler * (grey - blue)) * gain
        red += catch * tl.maximum(255 - red, 0.0)
        green += catch * tl.maximum(255 - green, 0.0)
        blue += catch * tl.maximum(255 - blue, 0.0)

        left, right, lower, upper = tl.load(mouth), tl.load(mouth + 1), tl.load(mouth + 2), tl.load(mouth + 3)
        wide = tl.maximum(_distance(mine, left, right), 1e-6)
        is_open = smoothstep(_distance(mine, lower, upper) / wide, MOUTH_LOW, MOUTH_HIGH)
        level = luma_of(red, green, blue)
        teeth = inner * smoothstep(level / (skin_luma + 1), TOOTH_LOW, TOOTH_HIGH)
        teeth *= (1 - smoothstep(tl.log((red + 1) / (green + 1)) - skin_red, RED_LOW, RED_HIGH)) * (
            is_open * tl.load(dial + TEETH)
        )
        level = level / 255
        room = tl.maximum(tl.load(told_of + 2) - level, 0.0)
        lighter = 1 + teeth * (tl.minimum(TOOTH_LIGHTER * level * (1 - level), room) / (level + 0.01))
        blue += teeth * TOOTH_YELLOW * tl.maximum(tl.minimum(red, green) - blue, 0.0)
        red, green, blue = red * lighter, green * lighter, blue * lighter

        lip_blue, lip_red, around_most = tl.load(told_of + 3), tl.load(told_of + 4), tl.load(told_of + 5)
        more_blue, more_red = _ratios(drawn + face * 3 * plane, line, column, size, reach, inside)
        near = _near_lips(
            outer - inner, around, more_blue, more_red, lip_blue, lip_red, skin_blue, skin_red, around_most, SEEN_LOW,
            SEEN_HIGH, LIP_COLOUR, BARE_LOW, BARE_HIGH, DOUBT_LOW, DOUBT_HIGH, APART_LOW, APART_HIGH, ALONG_LOW, ALONG_HIGH,
        )  # fmt: skip
        ink_b, ink_g, ink_r = tl.load(dial + LIPS_COLOR), tl.load(dial + LIPS_COLOR + 1), tl.load(dial + LIPS_COLOR + 2)
        grey = luma_of(ink_r, ink_g, ink_b)
        ink_r = tinted(ink_r, grey, colourful, VIVID, PALEST)
        ink_g = tinted(ink_g, grey, colourful, VIVID, PALEST)
        ink_b = tinted(ink_b, grey, colourful, VIVID, PALEST)
        gloss = tl.load(dial + GLOSS)
        linear_r, linear_g, linear_b = _linear(red), _linear(green), _linear(blue)
        mean = tl.load(told_of + 6)
        detail = luma_of(linear_r, linear_g, linear_b) / mean
        falling = _power(skin_luma / 255, 2.2) / LIP_ALBEDO
        own = luma_of(ink_r, ink_g, ink_b) + 1e-4
        aim = _power(mean, LIP_OWN) * _power(tl.minimum(own * falling, 1.0), 1 - LIP_OWN)
        ink = _power(detail, LIP_MATT + (LIP_GLOSSY - LIP_MATT) * gloss) * (aim / own)
        shine = (_streak(x, y, mine, 17, 14, 0.03) + _streak(x, y, mine, 0, 13, 0.016)) * STREAK
        shine = (shine + smoothstep(detail, DETAIL_LOW, DETAIL_HIGH)) * gloss * LIP_GLOSS * tl.minimum(falling, 1.0)
        opaque = near * (tl.load(dial + LIPS) * LIP_COVER)
        red = _inked(red, linear_r, ink * ink_r + shine, opaque)
        green = _inked(green, linear_g, ink * ink_g + shine, opaque)
        blue = _inked(blue, linear_b, ink * ink_b + shine, opaque)

        hair = tl.minimum(tl.maximum(BROW_LEVEL - luma_of(red, green, blue) / (skin_luma + 1), 0.0), BROW_MOST)
        dark = brow * (BROW_FILL + BROW_HAIR * hair) * bare * tl.load(dial + BROWS)
        dense = liner * bare * (tl.load(dial + LINES) * LINER_DENSITY)
        red *= tl.exp(-dark * BROW_R) * tl.exp(-dense)
        green *= tl.exp(-dark * BROW_G) * tl.exp(-dense)
        blue *= tl.exp(-dark * BROW_B) * tl.exp(-dense)
    at = face * 3 * plane + i
    _store_change(seen, added, out, at, red, inside)
    _store_change(seen, added, out, at + plane, green, inside)
    _store_change(seen, added, out, at + 2 * plane, blue, inside)


@triton.jit
def _inked(level, linear, ink, opaque):
    painted = linear + opaque * (tl.minimum(tl.maximum(ink, 0.0), 1.0) - linear)
    painted = _power(painted, 1 / 2.2) * 255
    return level + tl.where(opaque > 0, painted - tl.minimum(tl.maximum(level, 0.255), 255.0), 0.0)


@triton.jit
def _store_change(seen, added, out, at, drawn, inside):
    """Where nothing was drawn, what was added before stays to the bit."""
    tl.store(out + at, tl.load(added + at, inside, 0.0) + (drawn - now_at(seen, added, at, inside)), inside)


@triton.jit(do_not_specialize=["size"])
def move(
    added: tl.tensor, grid: tl.tensor, out: tl.tensor, moved: tl.tensor, size: tl.tensor, WIDE: tl.constexpr, BLOCK: tl.constexpr
) -> None:
    """The displacement that the grid says (N x 2 x size x size, pixels), and what is added where that shows it."""
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = size * size
    inside = i < plane
    scale = WIDE / size.to(tl.float32)
    column, line = i % size, i // size
    at_x, at_y = (column + 0.5) * scale - 0.5, (line + 0.5) * scale - 0.5
    mine = grid + face * 2 * WIDE * WIDE
    x = bilinear(mine, at_x, at_y, WIDE, inside) * size
    y = bilinear(mine + WIDE * WIDE, at_x, at_y, WIDE, inside) * size
    tl.store(moved + face * 2 * plane + i, x, inside)
    tl.store(moved + (face * 2 + 1) * plane + i, y, inside)
    for channel in tl.static_range(3):
        source = added + (face * 3 + channel) * plane
        tl.store(out + (face * 3 + channel) * plane + i, bilinear(source, x + column, y + line, size, inside), inside)

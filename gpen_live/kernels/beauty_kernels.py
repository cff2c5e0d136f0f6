"""The look's kernels: what `gpen_live.beauty.torch_draw` does with three hundred operations, in a dozen.

Maps are planes (N x K x n x n, float32), colours red, green, blue in levels. Axis 0 of a launch is blocks of pixels, axis 1 is
faces. Numbers that a kernel takes as constants, in capitals, are those of `gpen_live.beauty.constants`. `told` are N x TOLD:
the first says in which row lies what is known of a face. `dials` are N x DIALS. Sums over a picture are sums of its blocks'
sums, in one order: the same picture gives the same bits. Imports Triton: import it late, and only where Triton is there.
"""

from __future__ import annotations

import triton
import triton.language as tl

TAU = tl.constexpr(6.283185307179586)
R, G, B = tl.constexpr(0.299), tl.constexpr(0.587), tl.constexpr(0.114)


@triton.jit
def _step(value, least, most):
    t = tl.minimum(tl.maximum((value - least) / (most - least), 0.0), 1.0)
    return t * t * (3 - 2 * t)


@triton.jit
def _luma(red, green, blue):
    return red * R + green * G + blue * B


@triton.jit
def _bilinear(source, x, y, side, inside):
    """A map of `side` where pixel coordinates say, which lie in it."""
    x = tl.minimum(tl.maximum(x, 0.0), side - 1.0)
    y = tl.minimum(tl.maximum(y, 0.0), side - 1.0)
    x0, y0 = x.to(tl.int32), y.to(tl.int32)
    x1, y1 = tl.minimum(x0 + 1, side - 1), tl.minimum(y0 + 1, side - 1)
    right, down = x - x0, y - y0
    near = tl.load(source + y0 * side + x0, inside, 0.0) * (1 - right) + tl.load(source + y0 * side + x1, inside, 0.0) * right
    far = tl.load(source + y1 * side + x0, inside, 0.0) * (1 - right) + tl.load(source + y1 * side + x1, inside, 0.0) * right
    return near * (1 - down) + far * down


@triton.jit
def outline(
    points: tl.tensor,
    told: tl.tensor,
    indices: tl.tensor,
    lifts: tl.tensor,
    tips: tl.tensor,
    margins: tl.tensor,
    out: tl.tensor,
    boxes: tl.tensor,
    POINTS: tl.constexpr,
    TOLD: tl.constexpr,
    OUTLINES: tl.constexpr,
    WING: tl.constexpr,
    RISE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The outlines of features, N x OUTLINES x BLOCK x 2, and the boxes around them, N x OUTLINES x 4 (x0, y0, x1, y1).

    Axis 0 is outlines. indices: OUTLINES x BLOCK landmarks, the first one again behind the last. lifts: by how much a point lies
    below its landmark. tips: OUTLINES x 2, an outline's point that is the tip of a wing, -1 without, and the landmark that it
    points away from. margins: of the boxes.
    """
    number, face = tl.program_id(0), tl.program_id(1)
    row = tl.load(told + face * TOLD).to(tl.int32)
    mine = points + row * POINTS * 3
    slot = tl.arange(0, BLOCK)
    index = tl.load(indices + number * BLOCK + slot)
    x, y = tl.load(mine + index * 3), tl.load(mine + index * 3 + 1)
    y += tl.load(lifts + number * BLOCK + slot)
    tip, other = tl.load(tips + 2 * number), tl.load(tips + 2 * number + 1)
    away_x, away_y = x - tl.load(mine + other * 3), y - tl.load(mine + other * 3 + 1)
    length = tl.sqrt(away_x * away_x + away_y * away_y) + 1e-6
    x = tl.where(slot == tip, x + WING * away_x / length, x)
    y = tl.where(slot == tip, y + WING * (away_y / length - RISE), y)
    to = out + ((face * OUTLINES + number) * BLOCK + slot) * 2
    tl.store(to, x)
    tl.store(to + 1, y)
    margin = tl.load(margins + number)
    box = boxes + (face * OUTLINES + number) * 4
    tl.store(box, tl.min(x, axis=0) - margin)
    tl.store(box + 1, tl.min(y, axis=0) - margin)
    tl.store(box + 2, tl.max(x, axis=0) + margin)
    tl.store(box + 3, tl.max(y, axis=0) + margin)


@triton.jit
def cover(
    outlines: tl.tensor,
    counts: tl.tensor,
    out: tl.tensor,
    OUTLINES: tl.constexpr,
    MOST: tl.constexpr,
    MAP: tl.constexpr,
    GROWN: tl.constexpr,
    GROWN_MORE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """N x 3 x MAP x MAP: how far eyes, lips and brows, grown by so many pixels, cover one, and 1 within the last outline.

    outlines: N x OUTLINES x MOST x 2, of which `counts` are used.
    """
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x, y = (i % MAP + 0.5) / MAP, (i // MAP + 0.5) / MAP
    deepest = x * 0 - 1
    last = x * 0
    for step in tl.static_range(6):
        number = OUTLINES - 1 if step == 5 else (step if step < 3 else step + 1)  # not the mouth's inner edge
        mine = outlines + (face * OUTLINES + number) * MOST * 2
        nearest = x * 0 + 4
        crossed = (x * 0).to(tl.int32)
        for edge in range(tl.load(counts + number)):
            ax, ay = tl.load(mine + 2 * edge) - x, tl.load(mine + 2 * edge + 1) - y
            bx, by = tl.load(mine + 2 * edge + 2) - x, tl.load(mine + 2 * edge + 3) - y
            ex, ey = bx - ax, by - ay
            along = -(ax * ex + ay * ey) / tl.maximum(ex * ex + ey * ey, 1e-12)
            along = tl.minimum(tl.maximum(along, 0.0), 1.0)
            dx, dy = ax + along * ex, ay + along * ey
            nearest = tl.minimum(nearest, dx * dx + dy * dy)
            crosses = ((ay > 0) != (by > 0)) & (ax - ay * ex / tl.where(ey == 0, 1.0, ey) > 0)
            crossed += crosses.to(tl.int32)
        depth = tl.sqrt(nearest)
        depth = tl.where(crossed % 2 == 1, depth, -depth)
        if step < 5:
            deepest = tl.maximum(deepest, depth)
        else:
            last = tl.where(depth * MAP > -0.5, 1.0, 0.0)
    to = out + face * 3 * MAP * MAP + i
    tl.store(to, tl.minimum(tl.maximum(deepest * MAP + GROWN, 0.0), 1.0))
    tl.store(to + MAP * MAP, tl.minimum(tl.maximum(deepest * MAP + GROWN_MORE, 0.0), 1.0))
    tl.store(to + 2 * MAP * MAP, last)


@triton.jit(do_not_specialize=["size"])
def fill(
    outlines: tl.tensor,
    counts: tl.tensor,
    boxes: tl.tensor,
    softness: tl.tensor,
    planes: tl.tensor,
    out: tl.tensor,
    size: tl.tensor,
    OUTLINES: tl.constexpr,
    FILLED: tl.constexpr,
    PLANES: tl.constexpr,
    MOST: tl.constexpr,
    GROWN: tl.constexpr,
    TILE: tl.constexpr,
) -> None:
    """How far each pixel lies within outlines, softly: N x PLANES x size x size; outline k adds to plane `planes[k]`.

    The integral of a Gaussian of deviation `softness` over the polygon, by the divergence theorem along its edges, with four
    nodes (Gauss and Legendre) on each. Axis 0 is tiles of TILE x TILE pixels.
    """
    face = tl.program_id(1)
    tiles = tl.cdiv(size, TILE)
    i = tl.arange(0, TILE * TILE)
    column = tl.program_id(0) % tiles * TILE + i % TILE
    line = tl.program_id(0) // tiles * TILE + i // TILE
    inside = (column < size) & (line < size)
    x, y = (column + 0.5) / size, (line + 0.5) / size
    tile_x = (tl.program_id(0) % tiles * TILE).to(tl.float32) / size
    tile_y = (tl.program_id(0) // tiles * TILE).to(tl.float32) / size
    reach = TILE / size
    for plane in tl.static_range(PLANES):
        total = x * 0
        for number in tl.static_range(FILLED):
            if tl.load(planes + number) == plane:
                box = boxes + (face * OUTLINES + number) * 4
                apart = (tile_x > tl.load(box + 2)) | (tile_x + reach < tl.load(box))
                apart = apart | (tile_y > tl.load(box + 3)) | (tile_y + reach < tl.load(box + 1))
                if not apart:
                    soft = tl.load(softness + number)
                    sigma = tl.sqrt(soft * soft + 1 / (12.0 * size * size))
                    mine = outlines + (face * OUTLINES + number) * MOST * 2
                    within, near = x * 0, x * 0
                    for edge in range(tl.load(counts + number)):
                        ax, ay = (tl.load(mine + 2 * edge) - x) / sigma, (tl.load(mine + 2 * edge + 1) - y) / sigma
                        ex = tl.load(mine + 2 * edge + 2) / sigma - tl.load(mine + 2 * edge) / sigma
                        ey = tl.load(mine + 2 * edge + 3) / sigma - tl.load(mine + 2 * edge + 1) / sigma
                        field, close = x * 0, x * 0
                        for node in tl.static_range(4):
                            far = 0.4305681557970263 if node < 2 else 0.16999052179242816  # of a node from the edge's middle
                            place = 0.5 + (far if node % 2 else -far)
                            weight = 0.17392742256872692 if node < 2 else 0.3260725774312731
                            px, py = ax + place * ex, ay + place * ey
                            square = tl.maximum(px * px + py * py, 1e-4)
                            less = tl.exp(square * -0.5)
                            field += weight * (1 - less) / square
                            close += weight * less
                        within += (ax * ey - ay * ex) * field
                        near += tl.sqrt(ex * ex + ey * ey) * close
                    total += (tl.abs(within) + near * (GROWN / sigma)) / TAU
        tl.store(out + ((face * PLANES + plane) * size + line) * size + column, total, inside)


@triton.jit
def shifted(
    points: tl.tensor,
    told: tl.tensor,
    guides: tl.tensor,
    places: tl.tensor,
    carry: tl.tensor,
    out: tl.tensor,
    POINTS: tl.constexpr,
    TOLD: tl.constexpr,
    GUIDES: tl.constexpr,
    NODES: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """How far landmarks move the nodes of the grid: N x 2 x NODES. guides: the landmarks; places: 2 x GUIDES, canonical ones."""
    face = tl.program_id(1)
    node = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mine = points + tl.load(told + face * TOLD).to(tl.int32) * POINTS * 3
    x, y = tl.zeros((BLOCK,), tl.float32), tl.zeros((BLOCK,), tl.float32)
    for k in range(GUIDES):
        guide = tl.load(guides + k)
        share = tl.load(carry + k * NODES + node, node < NODES, 0.0)
        x += (tl.load(mine + 3 * guide) - tl.load(places + k)) * share
        y += (tl.load(mine + 3 * guide + 1) - tl.load(places + GUIDES + k)) * share
    tl.store(out + face * 2 * NODES + node, x, node < NODES)
    tl.store(out + face * 2 * NODES + NODES + node, y, node < NODES)


@triton.jit
def carried(shift: tl.tensor, out: tl.tensor, WIDE: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr) -> None:
    """Where on the canonical face each node lies, N x 2 x WIDE x WIDE fractions; see `gpen_live.beauty.fields.carried`."""
    face = tl.program_id(1)
    node = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = node < WIDE * WIDE
    x, y = (node % WIDE + 0.5) / WIDE, (node // WIDE + 0.5) / WIDE
    mine = shift + face * 2 * WIDE * WIDE
    there_x = x - tl.load(mine + node, inside, 0.0)
    there_y = y - tl.load(mine + WIDE * WIDE + node, inside, 0.0)
    for _ in tl.static_range(STEPS):
        at_x, at_y = there_x * WIDE - 0.5, there_y * WIDE - 0.5
        there_x = x - _bilinear(mine, at_x, at_y, WIDE, inside)
        there_y = y - _bilinear(mine + WIDE * WIDE, at_x, at_y, WIDE, inside)
    to = out + face * 2 * WIDE * WIDE + node
    tl.store(to, there_x, inside)
    tl.store(to + WIDE * WIDE, there_y, inside)


@triton.jit
def masked(
    there: tl.tensor, masks: tl.tensor, out: tl.tensor, FIELD: tl.constexpr, WIDE: tl.constexpr, MASKS: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """The canonical masks (MASKS x FIELD x FIELD) as they lie on faces: N x MASKS x FIELD x FIELD. there: see `carried`."""
    face = tl.program_id(1)
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < FIELD * FIELD
    x, y = (i % FIELD + 0.5) * (WIDE / FIELD) - 0.5, (i // FIELD + 0.5) * (WIDE / FIELD) - 0.5
    mine = there + face * 2 * WIDE * WIDE
    at_x = _bilinear(mine, x, y, WIDE, inside) * FIELD - 0.5
    at_y = _bilinear(mine + WIDE * WIDE, x, y, WIDE, inside) * FIELD - 0.5
    for k in tl.static_range(MASKS):
        value = _bilinear(masks + k * FIELD * FIELD, at_x, at_y, FIELD, inside)
        tl.store(out + (face * MASKS + k) * FIELD * FIELD + i, value, inside)


@triton.jit
def shaped(
    there: tl.tensor, shifts: tl.tensor, dials: tl.tensor, out: tl.tensor, WIDE: tl.constexpr, SHIFTS: tl.constexpr,
    DIALS: tl.constexpr, FIRST: tl.constexpr, BLOCK: tl.constexpr,
) -> None:  # fmt: skip
    """Where each node looks, relative to it: N x 2 x WIDE x WIDE fractions. shifts: SHIFTS x 2 x WIDE x WIDE, for dials of 1."""
    face = tl.program_id(1)
    node = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = node < WIDE * WIDE
    mine = there + face * 2 * WIDE * WIDE
    at_x = tl.load(mine + node, inside, 0.0) * WIDE - 0.5
    at_y = tl.load(mine + WIDE * WIDE + node, inside, 0.0) * WIDE - 0.5
    x, y = at_x * 0, at_x * 0
    for k in tl.static_range(SHIFTS):
        dial = tl.load(dials + face * DIALS + FIRST + k)
        x += dial * _bilinear(shifts + 2 * k * WIDE * WIDE, at_x, at_y, WIDE, inside)
        y += dial * _bilinear(shifts + (2 * k + 1) * WIDE * WIDE, at_x, at_y, WIDE, inside)
    to = out + face * 2 * WIDE * WIDE + node
    tl.store(to, x, inside)
    tl.store(to + WIDE * WIDE, y, inside)


@triton.jit
def _now(seen, added, at, inside):
    """The picture so far; a change of the frame before may take more than there is."""
    return tl.maximum(tl.load(seen + at, inside, 0.0) * 127.5 + 127.5 + tl.load(added + at, inside, 0.0), 0.0)


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
                r += _now(seen, added, pixel, inside)
                g += _now(seen, added, plane + pixel, inside)
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
        bare = _step(matte, SURE_LOW, SURE_HIGH) * within
        mole = tl.load(mine + 2 * MAP * MAP + at, inside, 0.0)
        traces = tl.maximum(tl.load(mine + MAP * MAP + at, inside, 0.0) * (1 - keep * mole), mole * (1 - keep)) * bare
        traces = tl.where(wanted > 0, traces, 0.0)
        spots = _step(traces, SPOT_LOW, SPOT_HIGH)
        weight = bare * (1 - spots)
        to = skin + face * 7 * MAP * MAP + at
        tl.store(to, bare, inside)
        tl.store(to + MAP * MAP, spots * wanted, inside)
        tl.store(to + 2 * MAP * MAP, matte * expected, inside)
        tl.store(to + 3 * MAP * MAP, expected, inside)
        tl.store(to + 4 * MAP * MAP, matte * within, inside)
        tl.store(to + 5 * MAP * MAP, traces * spots, inside)
        tl.store(to + 6 * MAP * MAP, weight, inside)
        level = _luma(r, g, b)
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
    level = _luma(mean_r, mean_g, mean_b)
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
def _tinted(level, grey, colourful, VIVID, PALEST):
    """A channel of a pigment as it shows in this picture: a pale camera makes it pale too."""
    return grey + tl.minimum(tl.maximum(colourful / VIVID, PALEST), 1.0) * (level - grey)


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
    room = tl.log(_luma(wide_r, wide_g, wide_b) + 1)
    wide_r, wide_g, wide_b = tl.log(wide_r + 1), tl.log(wide_g + 1), tl.log(wide_b + 1)
    share = tl.load(from_own + 4 * plane)
    own_r = (tl.load(from_own) + near_r * tiny) / (share + (tiny + tiny * tiny))
    own_g = (tl.load(from_own + plane) + near_g * tiny) / (share + (tiny + tiny * tiny))
    own_b = (tl.load(from_own + 2 * plane) + near_b * tiny) / (share + (tiny + tiny * tiny))
    layer = layers + row * 5 * MAP * MAP + i // FIELD * 2 * MAP + i % FIELD * 2
    share *= _step(_halved(layer, MAP), SURELY_LOW, SURELY_HIGH)
    mean = _luma(near_r, near_g, near_b)
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
    same = _luma(log_r * near_r, 0.0, log_b * near_b) / (mean + 1)
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
    _, _, _, colourful = _skin_tone(tone, face, BLOCKS)
    blue, green, red = tl.load(dial + BLUSH_COLOR), tl.load(dial + BLUSH_COLOR + 1), tl.load(dial + BLUSH_COLOR + 2)
    grey = _luma(red, green, blue)
    blue = tl.maximum(_tinted(blue, grey, colourful, VIVID, PALEST), 0.01)
    green = tl.maximum(_tinted(green, grey, colourful, VIVID, PALEST), 0.01)
    red = tl.maximum(_tinted(red, grey, colourful, VIVID, PALEST), 0.01)
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
    w += _bilinear(mine + 14 * plane, x, y, FIELD, inside) * 1e-2 + _bilinear(mine + 19 * plane, x, y, FIELD, inside) * 1e-4
    w += 1e-8
    traces = tl.load(skin + (face * 7 + 5) * MAP * MAP + i)
    to = out + face * 4 * MAP * MAP + i
    for channel in tl.static_range(3):
        rim = r if channel == 0 else (g if channel == 1 else b)
        rim += _bilinear(mine + (10 + channel) * plane, x, y, FIELD, inside) * 1e-2
        rim += _bilinear(mine + (15 + channel) * plane, x, y, FIELD, inside) * 1e-4
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
    lit = tl.maximum(_bilinear(masks + face * MASKS * plane, x, y, FIELD, inside), tl.load(mine_of_skin + 4 * MAP * MAP))
    r, g, b = _pixels(small + face * 3 * MAP * MAP, i, MAP * MAP, inside)
    near_r, near_g = _bilinear(mine, x, y, FIELD, inside), _bilinear(mine + plane, x, y, FIELD, inside)
    odd = _luma(near_r - r, near_g - g, _bilinear(mine + 2 * plane, x, y, FIELD, inside) - b)
    odd = odd * odd * (128 / (ODD * ODD)) / (_luma(r, g, b) + SHINY)  # a rim of glasses where the matte is in doubt
    toward = _bilinear(mine + 3 * plane, x, y, FIELD, inside) * bare / (1 + odd * odd)
    traces = tl.load(mine_of_skin + 5 * MAP * MAP)
    strength = _fit(spots + (face * 4 + 3) * MAP * MAP, weights, i, MAP, FIT) + LEAST
    wanted = tl.load(dials + face * DIALS + BLEMISH) * traces / strength
    block = tl.arange(0, BLOCKS)
    for channel in tl.static_range(3):
        was = tl.sum(tl.load(sums + (face * BLOCKS + block) * 6 + channel), axis=0)
        became = tl.sum(tl.load(sums + (face * BLOCKS + block) * 6 + 3 + channel), axis=0)
        log = (_bilinear(mine + (4 + channel) * plane, x, y, FIELD, inside) + tl.log((was + 1) / (became + 1))) * bare
        log += _bilinear(mine + (7 + channel) * plane, x, y, FIELD, inside) * lit
        log += _bilinear(mine + (10 + channel) * plane, x, y, FIELD, inside) * bare
        near = _bilinear(mine + channel * plane, x, y, FIELD, inside)
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
    heal = _bilinear(skin + (face * 7 + 1) * MAP * MAP, x, y, MAP, inside)
    for channel in tl.static_range(3):
        at = (face * 3 + channel) * size * size + i
        now = _now(seen, added, at, inside)
        delta = _bilinear(maps + (face * 6 + channel) * MAP * MAP, x, y, MAP, inside)
        gain = _bilinear(maps + (face * 6 + 3 + channel) * MAP * MAP, x, y, MAP, inside)
        coarse = _bilinear(small + (face * 3 + channel) * MAP * MAP, x, y, MAP, inside)
        tl.store(out + at, tl.maximum((now + delta - heal * (now - coarse)) * gain, 0.0), inside)


@triton.jit
def _skin_tone(sums, face, BLOCKS: tl.constexpr):
    """The skin's mean luma, log of blue and of red over green, and colourfulness."""
    block = tl.arange(0, BLOCKS)
    weight = tl.sum(tl.load(sums + (face * BLOCKS + block) * 4), axis=0) + 1e-3
    red = tl.sum(tl.load(sums + (face * BLOCKS + block) * 4 + 1), axis=0) / weight
    green = tl.sum(tl.load(sums + (face * BLOCKS + block) * 4 + 2), axis=0) / weight
    blue = tl.sum(tl.load(sums + (face * BLOCKS + block) * 4 + 3), axis=0) / weight
    most, least = tl.maximum(tl.maximum(red, green), blue), tl.minimum(tl.minimum(red, green), blue)
    return (
        _luma(red, green, blue),
        tl.log((blue + 4) / (green + 4)),
        tl.log((red + 4) / (green + 4)),
        (most - least) / (most + 1),
    )


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
    return x, y, tl.maximum(radius, 1e-4), _step(tl.abs(upper - lower) / wide, OPEN_LOW, OPEN_HIGH)


@triton.jit
def _white_of(far, colour, colourful, EDGE_LOW, EDGE_HIGH, LESS_LOW, LESS_HIGH, COLOURFUL):
    """How far what lies in an eye is its white: far from the pupil, in radii of the iris, and pale."""
    limit = tl.maximum(colourful, COLOURFUL)
    return _step(far, EDGE_LOW, EDGE_HIGH) * (1 - _step(colour, LESS_LOW * limit, LESS_HIGH * limit))


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
    skin_luma, skin_blue, skin_red, colourful = _skin_tone(sums, face, BLOCKS)
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
                red, green, blue = _pixels(picture, at, plane, inside)
                level = _luma(red, green, blue) / 255
                seen = _bilinear(hides, (column + 0.5) * scale - 0.5, (line + 0.5) * scale - 0.5, MAP, inside)
                lid = tl.load(planes + LID * plane + at, inside, 0.0) * _step(seen, COVER_LOW, COVER_HIGH) * is_open
                dx, dy = (column + 0.5) / size - centre_x, (line + 0.5) / size - centre_y
                far = tl.sqrt(dx * dx + dy * dy) / radius
                most, least = tl.maximum(tl.maximum(red, green), blue), tl.minimum(tl.minimum(red, green), blue)
                vivid = (most - least) / (most + 1)
                white = lid * _white_of(
                    far, (most - least) / (most + 1), colourful, IRIS_LOW, IRIS_HIGH, WHITE_LOW, WHITE_HIGH, COLOURFUL
                )
                white = tl.where(inside, white * level * level, 0.0)
                iris = tl.where(inside, lid * (1 - _step(far, DISC_LOW, DISC_HIGH)), 0.0)
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
            red, green, blue = _pixels(picture, at, plane, inside)
            lips = tl.load(planes + OUTER * plane + at, inside, 0.0) - tl.load(planes + INNER * size * size + at, inside, 0.0)
            lips = tl.where(inside, tl.maximum(lips, 0.0), 0.0)
            seen = _bilinear(hides, (column + 0.5) * scale - 0.5, (line + 0.5) * scale - 0.5, MAP, inside)
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
            red, green, blue = _pixels(picture, at, plane, inside)
            lips = tl.load(planes + OUTER * plane + at, inside, 0.0) - tl.load(planes + INNER * size * size + at, inside, 0.0)
            seen = _bilinear(hides, (column + 0.5) * scale - 0.5, (line + 0.5) * scale - 0.5, MAP, inside)
            more_blue, more_red = _ratios(picture, line, column, size, reach, inside)
            near = _near_lips(
                lips, seen, more_blue, more_red, lip_blue, lip_red, skin_blue, skin_red, most, SEEN_LOW, SEEN_HIGH, LIP_COLOUR,
                BARE_LOW, BARE_HIGH, DOUBT_LOW, DOUBT_HIGH, APART_LOW, APART_HIGH, ALONG_LOW, ALONG_HIGH,
            )  # fmt: skip
            near = tl.where(inside, near, 0.0)
            near_v += near
            blue_v += near * more_blue
            red_v += near * more_red
            light_v += near * _luma(_linear(red), _linear(green), _linear(blue))
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
def _pixels(picture, at, plane, inside):
    red = tl.load(picture + at, inside, 0.0)
    return red, tl.load(picture + plane + at, inside, 0.0), tl.load(picture + 2 * plane + at, inside, 0.0)


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
    around = seen / (most + _step(most, BARE_LOW, BARE_HIGH) * tl.maximum(1 - most, 0.0) + 0.02)
    to_blue, to_red = lip_blue - skin_blue, lip_red - skin_red
    far = to_blue * to_blue + to_red * to_red
    along = ((more_blue - skin_blue) * to_blue + (more_red - skin_red) * to_red) / tl.maximum(far, 1e-12)
    as_skin = _step(tl.sqrt(far), APART_LOW, APART_HIGH) * (1 - _step(along, ALONG_LOW, ALONG_HIGH))
    doubt = 1 - _step(around, DOUBT_LOW, DOUBT_HIGH)
    return tl.maximum(lips, 0.0) * _step(around, SEEN_LOW, SEEN_HIGH) * (1 - doubt * as_skin) * alike


@triton.jit
def _ratios(picture, line, column, size, reach, inside):
    """Log of blue and of red over green, of the mean of the pixels up to `reach` around: without noise."""
    red, green, blue = column * 0.0, column * 0.0, column * 0.0
    for dy in range(-reach, reach + 1):
        near = tl.minimum(tl.maximum(line + dy, 0), size - 1) * size
        for dx in range(-reach, reach + 1):
            r, g, b = _pixels(picture, near + tl.minimum(tl.maximum(column + dx, 0), size - 1), size * size, inside)
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
    red, green, blue = _pixels(drawn + face * 3 * plane, i, plane, inside)
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
        around = _bilinear(hides, (column + 0.5) * scale - 0.5, (line + 0.5) * scale - 0.5, MAP, inside)
        bare = _step(around, COVER_LOW, COVER_HIGH)
        skin_luma, skin_blue, skin_red, colourful = _skin_tone(sums, face, BLOCKS)

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
        level = _luma(red, green, blue) / 255
        lid *= bare * tl.where(is_left, left_open, right_open)
        most, least = tl.maximum(tl.maximum(red, green), blue), tl.minimum(tl.minimum(red, green), blue)
        vivid = (most - least) / (most + 1)
        white = lid * _white_of(far, vivid, colourful, IRIS_LOW, IRIS_HIGH, WHITE_LOW, WHITE_HIGH, COLOURFUL) * amount
        iris = lid * (1 - _step(far, DISC_LOW, DISC_HIGH)) * amount
        contrast = IRIS_CONTRAST * (level - mean) / (level + 0.08) + IRIS_LIFT
        gain = 1 + white * WHITE_LIGHTER * (1 - level) + iris * tl.minimum(tl.maximum(contrast, GAIN_LOW), GAIN_HIGH)
        paler = white * WHITE_PALER
        catch = iris * _step(level - mean, CATCH_LOW, CATCH_HIGH) * CATCH_MOST
        grey = level * 255
        red = (red + paler * (grey - red)) * gain
        green = (green + paler * (grey - green)) * gain
        blue = (blue + paler * (grey - blue)) * gain
        red += catch * tl.maximum(255 - red, 0.0)
        green += catch * tl.maximum(255 - green, 0.0)
        blue += catch * tl.maximum(255 - blue, 0.0)

        left, right, lower, upper = tl.load(mouth), tl.load(mouth + 1), tl.load(mouth + 2), tl.load(mouth + 3)
        wide = tl.maximum(_distance(mine, left, right), 1e-6)
        is_open = _step(_distance(mine, lower, upper) / wide, MOUTH_LOW, MOUTH_HIGH)
        level = _luma(red, green, blue)
        teeth = inner * _step(level / (skin_luma + 1), TOOTH_LOW, TOOTH_HIGH)
        teeth *= (1 - _step(tl.log((red + 1) / (green + 1)) - skin_red, RED_LOW, RED_HIGH)) * (is_open * tl.load(dial + TEETH))
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
        grey = _luma(ink_r, ink_g, ink_b)
        ink_r = _tinted(ink_r, grey, colourful, VIVID, PALEST)
        ink_g = _tinted(ink_g, grey, colourful, VIVID, PALEST)
        ink_b = _tinted(ink_b, grey, colourful, VIVID, PALEST)
        gloss = tl.load(dial + GLOSS)
        linear_r, linear_g, linear_b = _linear(red), _linear(green), _linear(blue)
        mean = tl.load(told_of + 6)
        detail = _luma(linear_r, linear_g, linear_b) / mean
        falling = _power(skin_luma / 255, 2.2) / LIP_ALBEDO
        own = _luma(ink_r, ink_g, ink_b) + 1e-4
        aim = _power(mean, LIP_OWN) * _power(tl.minimum(own * falling, 1.0), 1 - LIP_OWN)
        ink = _power(detail, LIP_MATT + (LIP_GLOSSY - LIP_MATT) * gloss) * (aim / own)
        shine = (_streak(x, y, mine, 17, 14, 0.03) + _streak(x, y, mine, 0, 13, 0.016)) * STREAK
        shine = (shine + _step(detail, DETAIL_LOW, DETAIL_HIGH)) * gloss * LIP_GLOSS * tl.minimum(falling, 1.0)
        opaque = near * (tl.load(dial + LIPS) * LIP_COVER)
        red = _inked(red, linear_r, ink * ink_r + shine, opaque)
        green = _inked(green, linear_g, ink * ink_g + shine, opaque)
        blue = _inked(blue, linear_b, ink * ink_b + shine, opaque)

        hair = tl.minimum(tl.maximum(BROW_LEVEL - _luma(red, green, blue) / (skin_luma + 1), 0.0), BROW_MOST)
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
    tl.store(out + at, tl.load(added + at, inside, 0.0) + (drawn - _now(seen, added, at, inside)), inside)


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
    x = _bilinear(mine, at_x, at_y, WIDE, inside) * size
    y = _bilinear(mine + WIDE * WIDE, at_x, at_y, WIDE, inside) * size
    tl.store(moved + face * 2 * plane + i, x, inside)
    tl.store(moved + (face * 2 + 1) * plane + i, y, inside)
    for channel in tl.static_range(3):
        source = added + (face * 3 + channel) * plane
        tl.store(out + (face * 3 + channel) * plane + i, _bilinear(source, x + column, y + line, size, inside), inside)

"""The look's kernels for what a face's points alone say: outlines, masks, the grid of the shape.

See `gpen_live.kernels.beauty_parts`. Imports triton: import this module late.
"""

from __future__ import annotations

import triton
import triton.language as tl

from gpen_live.kernels.beauty_parts import bilinear

TAU = tl.constexpr(6.283185307179586)


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
        there_x = x - bilinear(mine, at_x, at_y, WIDE, inside)
        there_y = y - bilinear(mine + WIDE * WIDE, at_x, at_y, WIDE, inside)
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
    at_x = bilinear(mine, x, y, WIDE, inside) * FIELD - 0.5
    at_y = bilinear(mine + WIDE * WIDE, x, y, WIDE, inside) * FIELD - 0.5
    for k in tl.static_range(MASKS):
        value = bilinear(masks + k * FIELD * FIELD, at_x, at_y, FIELD, inside)
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
        x += dial * bilinear(shifts + 2 * k * WIDE * WIDE, at_x, at_y, WIDE, inside)
        y += dial * bilinear(shifts + (2 * k + 1) * WIDE * WIDE, at_x, at_y, WIDE, inside)
    to = out + face * 2 * WIDE * WIDE + node
    tl.store(to, x, inside)
    tl.store(to + WIDE * WIDE, y, inside)

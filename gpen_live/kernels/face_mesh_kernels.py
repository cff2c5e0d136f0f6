"""The face mesh's own kernels: what its networks see, the crops between them, and the points as they go on over time.

Axis 0 or the last one of a launch is faces. Numbers that a kernel takes as constants, in capitals, come from
`gpen_live.nets.face_mesh` and `gpen_live.faces.mesh`. Imports Triton: import it late, and only where Triton is there.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["size", "left", "top", "side", "box"])
def shrink(
    crops: tl.tensor,
    out: tl.tensor,
    size: tl.tensor,
    left: tl.tensor,
    top: tl.tensor,
    side: tl.tensor,
    box: tl.tensor,
    SIDE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """What the mesh's network sees of crops (N x 3 x size x size, RGB in [-1, 1]): N x 3 x SIDE x SIDE in [0, 1].

    Of the window that begins at `left`, `top`, means of boxes, and between their centres bilinear; see `faces.mesh.window`.
    """
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < SIDE * SIDE
    plane = tl.program_id(1).to(tl.int64)
    count = side // box
    scale = count.to(tl.float32) / SIDE
    y = tl.minimum(tl.maximum((i // SIDE + 0.5) * scale - 0.5, 0.0), count - 1.0)
    x = tl.minimum(tl.maximum((i % SIDE + 0.5) * scale - 0.5, 0.0), count - 1.0)
    y0, x0 = y.to(tl.int32), x.to(tl.int32)
    y1, x1 = tl.minimum(y0 + 1, count - 1), tl.minimum(x0 + 1, count - 1)
    down, right = y - y0, x - x0
    source = crops + plane * size * size
    total = x * 0
    for dy in range(box):
        upper, lower = (top + y0 * box + dy) * size + left, (top + y1 * box + dy) * size + left
        for dx in range(box):
            near, far = x0 * box + dx, x1 * box + dx
            a, b = tl.load(source + upper + near, inside, 0.0), tl.load(source + upper + far, inside, 0.0)
            c, d = tl.load(source + lower + near, inside, 0.0), tl.load(source + lower + far, inside, 0.0)
            total += (a * (1 - right) + b * right) * (1 - down) + (c * (1 - right) + d * right) * down
    tl.store(out + plane * SIDE * SIDE + i, total / (2.0 * box * box) + 0.5, inside)


@triton.jit
def cut(
    numbers: tl.tensor,
    features: tl.tensor,
    boxes: tl.tensor,
    corners: tl.tensor,
    out: tl.tensor,
    transforms: tl.tensor,
    NUMBERS: tl.constexpr,
    CHANNELS: tl.constexpr,
    MAP: tl.constexpr,
    STEP: tl.constexpr,
    MARGIN: tl.constexpr,
    SIDE: tl.constexpr,
    BOX: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The parts' crops of the base's features (N x CHANNELS x MAP x MAP): N x 5 CHANNELS x SIDE x SIDE; see `nets.face_mesh`.

    Axis 0 is the three crops times blocks of channels. numbers: N x NUMBERS, of the base. boxes: 3 x BOX points of each crop.
    corners: 3 x 2 points. transforms: N x 3 x 6 comes out.
    """
    crop = tl.program_id(0) // (CHANNELS // BLOCK)
    face = tl.program_id(1)
    points = numbers + face * NUMBERS
    first, second = tl.load(corners + 2 * crop), tl.load(corners + 2 * crop + 1)
    across_x = tl.load(points + 3 * second) - tl.load(points + 3 * first)
    across_y = tl.load(points + 3 * second + 1) - tl.load(points + 3 * first + 1)
    length = tl.maximum(tl.sqrt(across_x * across_x + across_y * across_y), 1e-6)
    cosine, sine = across_x / length, across_y / length
    index = tl.load(boxes + crop * BOX + tl.arange(0, BOX))
    x, y = tl.load(points + 3 * index), tl.load(points + 3 * index + 1)
    level_x, level_y = x * cosine + y * sine, y * cosine - x * sine
    low_x, high_x = tl.min(level_x, axis=0), tl.max(level_x, axis=0)
    low_y, high_y = tl.min(level_y, axis=0), tl.max(level_y, axis=0)
    wide, high = MARGIN * (high_x - low_x), MARGIN * (high_y - low_y)
    middle_x, middle_y = (low_x + high_x) / 2, (low_y + high_y) / 2
    a, b = cosine * wide, -sine * high
    d, e = sine * wide, cosine * high
    c = cosine * middle_x - sine * middle_y - (a + b) / 2
    f = sine * middle_x + cosine * middle_y - (d + e) / 2
    block = tl.program_id(0) % (CHANNELS // BLOCK)
    if block == 0:
        to = transforms + (face * 3 + crop) * 6
        tl.store(to, a)
        tl.store(to + 1, b)
        tl.store(to + 2, c)
        tl.store(to + 3, d)
        tl.store(to + 4, e)
        tl.store(to + 5, f)
    pixel = tl.arange(0, SIDE * SIDE)
    u, v = (pixel % SIDE + 0.5) / SIDE, (pixel // SIDE + 0.5) / SIDE
    at_x = (a * u + b * v + c) / STEP - 0.5
    at_y = (d * u + e * v + f) / STEP - 0.5
    inside = (at_x >= 0) & (at_x <= MAP - 1) & (at_y >= 0) & (at_y <= MAP - 1)
    x0 = tl.minimum(tl.maximum(tl.floor(at_x), 0.0), MAP - 2.0)
    y0 = tl.minimum(tl.maximum(tl.floor(at_y), 0.0), MAP - 2.0)
    right, down = (at_x - x0)[None, :], (at_y - y0)[None, :]
    corner = (y0.to(tl.int32) * MAP + x0.to(tl.int32))[None, :]
    channel = block * BLOCK + tl.arange(0, BLOCK)[:, None]
    source = features + (face * CHANNELS + channel) * (MAP * MAP) + corner
    near = tl.load(source) * (1 - right) + tl.load(source + 1) * right
    far = tl.load(source + MAP) * (1 - right) + tl.load(source + MAP + 1) * right
    sample = tl.where(inside[None, :], near * (1 - down) + far * down, 0.0)
    to = out + ((face * 5 + crop) * CHANNELS + channel) * (SIDE * SIDE) + pixel[None, :]
    tl.store(to, sample)
    if crop > 0:  # an iris is looked for in its eye's crop
        tl.store(to + 2 * CHANNELS * SIDE * SIDE, sample)


@triton.jit
def _gain(cutoff, step):
    return 1 / (1 + 1 / (6.283185307179586 * cutoff * step))


@triton.jit
def _at(values, index, place):
    return tl.sum(tl.where(index == place, values, 0.0), axis=0)


@triton.jit(do_not_specialize=["scale", "left", "top", "rows"])
def settle(
    numbers: tl.tensor,
    transforms: tl.tensor,
    found: tl.tensor,
    slots: tl.tensor,
    crops: tl.tensor,
    parts: tl.tensor,
    edges: tl.tensor,
    told: tl.tensor,
    points: tl.tensor,
    measured: tl.tensor,
    velocity: tl.tensor,
    certain: tl.tensor,
    dials: tl.tensor,
    fading: tl.tensor,
    scale: tl.tensor,
    left: tl.tensor,
    top: tl.tensor,
    NUMBERS: tl.constexpr,
    FOUND: tl.constexpr,
    UNIT: tl.constexpr,
    BASE: tl.constexpr,
    POINTS: tl.constexpr,
    EDGE: tl.constexpr,
    GROUPS: tl.constexpr,
    TOLD: tl.constexpr,
    ROW: tl.constexpr,
    STEP: tl.constexpr,
    FADE: tl.constexpr,
    FIRST_DIAL: tl.constexpr,
    DIALS: tl.constexpr,
    MIN_CUTOFF: tl.constexpr,
    BETA: tl.constexpr,
    SPEED_CUTOFF: tl.constexpr,
    EAR_LEFT: tl.constexpr,
    EAR_RIGHT: tl.constexpr,
    NOSE: tl.constexpr,
    HIDDEN: tl.constexpr,
    SEEN: tl.constexpr,
    FOUND_LOW: tl.constexpr,
    FOUND_HIGH: tl.constexpr,
    BLOCK: tl.constexpr,
    DIAL_BLOCK: tl.constexpr,
) -> None:
    """The points of both networks together, smoothed over time, in a face's rows, and its dials as far as a face is there.

    Args:
        numbers: N x NUMBERS, of the base. transforms: N x 3 x 6. found: N x FOUND, of the parts, whose unit is UNIT of a crop.
        slots: for each point its place in `found`, -1 without. crops: which crop it is found in. parts: what it moves with.
        edges: 2 x EDGE, the eyes' edges, for the depth of the irises.
        told: N x TOLD, see `gpen_live.beauty.torch`. points, measured, velocity: R x POINTS x 3. certain: R x 4.
        dials: N x DIALS comes out. fading: DIALS, with 1 of those that fade with the face's score, plus 2 with frontality.
        scale: a pixel of the network's picture as a fraction of the crop's side. left, top: of the picture, likewise.
    """
    face = tl.program_id(0)
    index = tl.arange(0, BLOCK)
    real = index < POINTS
    mine = told + face * TOLD
    row = tl.load(mine + ROW).to(tl.int32)
    step = tl.load(mine + STEP)
    fade = tl.load(mine + FADE)

    base = numbers + face * NUMBERS + 3 * index
    in_base = index < BASE
    x, y, z = tl.load(base, in_base, 0.0), tl.load(base + 1, in_base, 0.0), tl.load(base + 2, in_base, 0.0)
    slot = tl.load(slots + index, real, -1)
    anew = slot >= 0
    u = tl.load(found + face * FOUND + 2 * slot, anew, 0.0) * UNIT
    v = tl.load(found + face * FOUND + 2 * slot + 1, anew, 0.0) * UNIT
    to = transforms + (face * 3 + tl.load(crops + index, real, 0)) * 6
    x = tl.where(anew, tl.load(to) * u + tl.load(to + 1) * v + tl.load(to + 2), x)
    y = tl.where(anew, tl.load(to + 3) * u + tl.load(to + 4) * v + tl.load(to + 5), y)
    deep = x * 0
    for k in tl.static_range(EDGE):
        edge = tl.load(edges + (index - BASE) // 5 * EDGE + k, real & (index >= BASE), 0)
        deep += tl.load(numbers + face * NUMBERS + 3 * edge + 2)
    z = tl.where(index >= BASE, deep / EDGE, z)
    x, y, z = x * scale + left, y * scale + top, z * scale

    at = (row * POINTS + index) * 3
    # What can't be told leaves the points where they were, and fades.
    is_told = tl.min(tl.where(real & ~(tl.abs(x) + tl.abs(y) + tl.abs(z) < 1e9), 0, 1), axis=0) > 0
    x = tl.where(is_told, x, tl.load(points + at, real, 0.0))
    y = tl.where(is_told, y, tl.load(points + at + 1, real, 0.0))
    z = tl.where(is_told, z, tl.load(points + at + 2, real, 0.0))
    fresh = step <= 0
    step = tl.maximum(step, 1e-3)
    follow = _gain(SPEED_CUTOFF, step)
    vx, vy, vz = tl.load(velocity + at, real, 0.0), tl.load(velocity + at + 1, real, 0.0), tl.load(velocity + at + 2, real, 0.0)
    vx += follow * ((x - tl.load(measured + at, real, 0.0)) / step - vx)
    vy += follow * ((y - tl.load(measured + at + 1, real, 0.0)) / step - vy)
    vz += follow * ((z - tl.load(measured + at + 2, real, 0.0)) / step - vz)
    part = tl.load(parts + index, real, -1)
    square = vx * vx + vy * vy
    gain = x * 0
    for group in tl.static_range(GROUPS):
        of_group = part == group
        mean = tl.sum(tl.where(of_group, square, 0.0), axis=0) / tl.sum(tl.where(of_group, 1.0, 0.0), axis=0)
        gain = tl.where(of_group, _gain(MIN_CUTOFF + BETA * tl.sqrt(mean), step), gain)
    px, py, pz = tl.load(points + at, real, 0.0), tl.load(points + at + 1, real, 0.0), tl.load(points + at + 2, real, 0.0)
    px = tl.where(fresh, x, px + gain * (x - px))
    py = tl.where(fresh, y, py + gain * (y - py))
    pz = tl.where(fresh, z, pz + gain * (z - pz))
    tl.store(points + at, px, real)
    tl.store(points + at + 1, py, real)
    tl.store(points + at + 2, pz, real)
    tl.store(measured + at, x, real)
    tl.store(measured + at + 1, y, real)
    tl.store(measured + at + 2, z, real)
    tl.store(velocity + at, tl.where(fresh, 0.0, vx), real)
    tl.store(velocity + at + 1, tl.where(fresh, 0.0, vy), real)
    tl.store(velocity + at + 2, tl.where(fresh, 0.0, vz), real)

    ax = _at(px, index, EAR_RIGHT) - _at(px, index, EAR_LEFT)
    ay = _at(py, index, EAR_RIGHT) - _at(py, index, EAR_LEFT)
    nx, ny = _at(px, index, NOSE) - _at(px, index, EAR_LEFT), _at(py, index, NOSE) - _at(py, index, EAR_LEFT)
    share = (nx * ax + ny * ay) / tl.maximum(ax * ax + ay * ay, 1e-12)
    frontal = (tl.minimum(share, 1 - share) - HIDDEN) / (SEEN - HIDDEN)
    frontal = tl.minimum(tl.maximum(frontal, 0.0), 1.0)
    score = 1 / (1 + tl.exp(-tl.load(numbers + face * NUMBERS + NUMBERS - 1)))
    there = tl.minimum(tl.maximum((score - FOUND_LOW) / (FOUND_HIGH - FOUND_LOW), 0.0), 1.0)
    there = tl.where(is_told, there * there * (3 - 2 * there), 0.0)
    of_row = certain + row * 4
    there_before, frontal_before = tl.load(of_row + 2), tl.load(of_row + 3)
    there_faded = there_before + tl.minimum(tl.maximum(there - there_before, -fade), fade)
    frontal_faded = frontal_before + tl.minimum(tl.maximum(frontal - frontal_before, -fade), fade)
    tl.store(of_row, there)
    tl.store(of_row + 1, frontal)
    tl.store(of_row + 2, there_faded)
    tl.store(of_row + 3, frontal_faded)
    dial = tl.arange(0, DIAL_BLOCK)
    how = tl.load(fading + dial, dial < DIALS, 0)
    value = tl.load(mine + FIRST_DIAL + dial, dial < DIALS, 0.0)
    value = tl.where((how & 1) != 0, value * there_faded, value)
    value = tl.where((how & 2) != 0, value * frontal_faded, value)
    tl.store(dials + face * DIALS + dial, value, dial < DIALS)

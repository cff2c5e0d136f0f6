"""Draws what lies on skin and before faces, for training the retouch network: spots, moles, hands, cups, glasses, hair.

Everything is drawn on the processor once, on canvases in which a face lies as on GPEN's template with a margin (`MARGIN` pixels
around a crop of 256), and put together at random on the device (`gpen_live.training.retouch_paint`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from gpen_live.facedata.pack import MARGIN, PACKED, SIZE
from gpen_live.faces.align import GPEN_TEMPLATE

Map = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Draw = Callable[[np.random.Generator], Map]

SPRITE = 192
"""Side of the picture of something that is held before a face."""
_EYES = GPEN_TEMPLATE[:2] * SIZE + MARGIN
_APART = float(_EYES[1, 0] - _EYES[0, 0])


@dataclass(frozen=True)
class Bank:
    """All drawings, as bytes: N x H x W x channels.

    Args:
        blemishes: haemoglobin, melanin, height (128 is level) and loss of colour of spots, scratches and scars; on canvases.
        moles: melanin; on canvases.
        freckles: melanin; on canvases.
        hands: shading and coverage; sprites.
        things: RGB and coverage; sprites.
        worn: RGB, coverage: glasses, strands of hair, headsets; on canvases.
    """

    blemishes: Bytes
    moles: Bytes
    freckles: Bytes
    hands: Bytes
    things: Bytes
    worn: Bytes


def draw(count: int, seed: int = 0, *, workers: int = 1) -> Bank:
    """A bank with `count` drawings of each kind; always the same for one seed."""
    kinds: dict[str, Draw] = {
        "blemishes": _blemishes,
        "moles": _moles,
        "freckles": _freckles,
        "hands": _hand,
        "things": _thing,
        "worn": _worn,
    }
    jobs = [partial(_bytes, kinds[each.name], (seed, index, i)) for index, each in enumerate(fields(Bank)) for i in range(count)]
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            drawn = list(pool.map(_called, jobs, chunksize=8))
    else:
        drawn = [job() for job in jobs]
    return Bank(*(np.stack(drawn[start : start + count]) for start in range(0, len(drawn), count)))


def _called(job: Callable[[], Bytes]) -> Bytes:
    cv2.setNumThreads(1)
    return job()


def _bytes(draw_one: Draw, seed: tuple[int, ...]) -> Bytes:
    drawn = draw_one(np.random.default_rng(seed))
    return (drawn * 255 + 0.5).clip(0, 255).astype(np.uint8)


# --- on the skin ----------------------------------------------------------------------------------


def _place(random: np.random.Generator) -> tuple[float, float]:
    """Somewhere on a face, rarely on the neck or beside."""
    x = random.normal(PACKED / 2, 0.19 * SIZE)
    y = random.normal(PACKED / 2 + 0.08 * SIZE, 0.2 * SIZE)
    return float(x), float(y)


def _spot(random: np.random.Generator, at: tuple[float, float], radius: float, *, edge: float) -> tuple[tuple[slice, slice], Map]:
    """An irregular round spot: where it lies and its profile, 1 within; `edge`: width of its rim in radii."""
    reach = int(np.ceil(radius * (1.6 + 2 * edge))) + 2
    x, y = (float(np.clip(each, 4, PACKED - 5)) for each in at)
    left, top = round(x) - reach, round(y) - reach
    rows, columns = np.mgrid[top : top + 2 * reach + 1, left : left + 2 * reach + 1].astype(np.float32)
    angle = random.uniform(0, np.pi)
    stretch = random.uniform(0.75, 1.0)
    u = (columns - x) * np.cos(angle) + (rows - y) * np.sin(angle)
    v = (-(columns - x) * np.sin(angle) + (rows - y) * np.cos(angle)) / stretch
    turn = np.arctan2(v, u)
    ragged = 1 + sum(random.normal(0, 0.1) * np.cos(k * turn + random.uniform(0, 2 * np.pi)) for k in (1, 2, 3))
    away = np.hypot(u, v) / (radius * ragged)
    profile = np.clip((1 + edge / 2 - away) / max(edge, 0.6 / radius), 0, 1)
    profile = profile * profile * (3 - 2 * profile)
    rows_in = slice(max(0, top), max(0, min(PACKED, top + 2 * reach + 1)))
    columns_in = slice(max(0, left), max(0, min(PACKED, left + 2 * reach + 1)))
    inner = profile[rows_in.start - top : rows_in.stop - top, columns_in.start - left : columns_in.stop - left]
    return (rows_in, columns_in), inner.astype(np.float32)


def _blemishes(random: np.random.Generator) -> Map:
    out = np.zeros((PACKED, PACKED, 4), np.float32)

    def put(channel: int, at: tuple[float, float], radius: float, edge: float, amount: float) -> None:
        where, profile = _spot(random, at, radius, edge=edge)
        part = out[(*where, channel)]
        if amount < 0:
            np.minimum(part, amount * profile, out=part)
        else:
            np.maximum(part, amount * profile, out=part)

    for _ in range(int(random.choice([2, 5, 10, 18, 30]) * random.uniform(0.5, 1.3))):
        at, radius = _place(random), float(np.clip(np.exp(random.normal(0.95, 0.45)), 1.1, 8.0))
        strength = random.uniform(0.25, 1.0)
        kind = random.choice(["papule", "pustule", "flat", "scab", "comedo", "pit"], p=[0.36, 0.14, 0.24, 0.1, 0.1, 0.06])
        if kind in ("papule", "pustule", "flat"):
            put(0, at, radius * random.uniform(1.0, 1.6), random.uniform(0.6, 1.4), strength)
        if kind in ("papule", "pustule"):
            put(2, at, radius, 1.0, random.uniform(0.3, 1.0))
        if kind == "pustule":
            put(3, at, 0.5 * radius, 0.6, random.uniform(0.4, 1.0))
        if kind in ("flat", "papule") and random.random() < 0.6:  # what stays behind is brown, on dark skin above all
            put(1, at, radius, random.uniform(0.7, 1.3), random.uniform(0.15, 0.7) * strength)
        if kind == "scab":
            put(0, at, radius, 0.7, strength)
            put(1, at, 0.7 * radius, 0.5, random.uniform(0.3, 0.8))
        if kind == "comedo":
            put(1, at, random.uniform(0.8, 1.3), 0.5, random.uniform(0.3, 0.7))
            put(0, at, 1.8, 1.0, 0.3 * strength)
        if kind == "pit":
            put(2, at, 0.6 * radius, 0.8, -random.uniform(0.3, 0.8))
    for _ in range(int(random.poisson(0.7))):
        stroke = _stroke(random, _place(random), random.uniform(8, 60), random.uniform(0.8, 2.6), bend=0.25)
        amount = random.uniform(0.3, 1.0)
        out[..., 0] = np.maximum(out[..., 0], stroke * amount)
        if random.random() < 0.5:
            out[..., 3] = np.maximum(out[..., 3], stroke * random.uniform(0.0, 0.6))
        if random.random() < 0.4:
            out[..., 1] = np.maximum(out[..., 1], stroke * random.uniform(0.0, 0.5))
    out[..., 2] = 0.5 + 0.5 * out[..., 2]
    return out


def _stroke(random: np.random.Generator, at: tuple[float, float], length: float, width: float, *, bend: float) -> Map:
    """A bent line, strongest in its middle."""
    angle, turn, steps = random.uniform(0, 2 * np.pi), random.normal(0, bend), 12
    points = [np.array(at)]
    for step in range(steps):
        direction = angle + turn * (step / steps - 0.5) * 3
        points.append(points[-1] + length / steps * np.array([np.cos(direction), np.sin(direction)]))
    out = np.zeros((PACKED, PACKED), np.float32)
    for index, (a, b) in enumerate(zip(points[:-1], points[1:], strict=True)):
        taper = 0.35 + 0.65 * np.sin(np.pi * (index + 0.5) / steps)
        ends = [tuple(round(float(v) * 16) for v in p) for p in (a, b)]
        cv2.line(out, ends[0], ends[1], (float(taper),), max(1, round(width)), cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(out, (0, 0), 0.35 + 0.25 * width), np.float32)


def _moles(random: np.random.Generator) -> Map:
    out = np.zeros((PACKED, PACKED, 1), np.float32)
    for _ in range(int(random.integers(1, 13))):
        radius = float(np.clip(np.exp(random.normal(0.55, 0.45)), 0.8, 5.5))
        where, profile = _spot(random, _place(random), radius, edge=random.uniform(0.25, 0.7))
        amount = random.uniform(0.3, 1.0)
        out[(*where, 0)] = np.maximum(out[(*where, 0)], amount * profile)
    return out


def _freckles(random: np.random.Generator) -> Map:
    out = np.zeros((PACKED, PACKED, 1), np.float32)
    spread = random.uniform(0.1, 0.2) * SIZE
    middle = np.array([PACKED / 2, PACKED / 2 + 0.07 * SIZE])
    level = random.uniform(0.25, 0.9)
    for _ in range(int(random.integers(20, 320))):
        at = middle + random.normal(0, 1, 2) * (1.35 * spread, spread)
        where, profile = _spot(random, (float(at[0]), float(at[1])), random.uniform(0.7, 2.0), edge=random.uniform(0.5, 1.0))
        out[(*where, 0)] = np.maximum(out[(*where, 0)], level * random.uniform(0.3, 1.0) * profile)
    return out


# --- before the face ------------------------------------------------------------------------------


def _hand(random: np.random.Generator) -> Map:
    """Fingers side by side, mostly with a palm, as cylinders in one light: shading (0.5 is none) and coverage."""
    shade, cover = np.full((SPRITE, SPRITE), 0.5, np.float32), np.zeros((SPRITE, SPRITE), np.float32)
    rows, columns = np.mgrid[:SPRITE, :SPRITE].astype(np.float32)
    fingers, width = int(random.integers(1, 6)), random.uniform(16, 28)
    light, depth = random.uniform(-1, 1), random.uniform(0.12, 0.4)
    palm = random.random() < 0.7
    knuckles = SPRITE * random.uniform(0.5, 0.75)
    if palm:
        half = fingers * width * 0.56
        ends = np.array([[SPRITE / 2 - half, knuckles - 8], [SPRITE / 2 + half, knuckles - 8], [SPRITE / 2 + 0.8 * half, SPRITE]])
        ends = np.vstack([ends, [[SPRITE / 2 - 0.8 * half, SPRITE]]])
        cv2.fillPoly(cover, [np.round(ends * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
        cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), 2.0), np.float32)
        shade += cover * (0.15 * light * (columns / SPRITE - 0.5))
    for index in random.permutation(fingers):
        across = SPRITE / 2 + (index - (fingers - 1) / 2) * width * random.uniform(0.98, 1.12)
        tip = random.uniform(8, 0.4 * SPRITE)
        lean = (index - (fingers - 1) / 2) * random.uniform(0, 0.12) + random.normal(0, 0.04)
        foot = np.array([across, knuckles + 10 if palm else SPRITE + 20])
        head = np.array([across + lean * (foot[1] - tip), tip])
        along = head - foot
        t = ((columns - foot[0]) * along[0] + (rows - foot[1]) * along[1]) / (along @ along)
        t = t.clip(0, 1)
        dx, dy = columns - (foot[0] + t * along[0]), rows - (foot[1] + t * along[1])
        radius = width / 2 * (1.04 - 0.18 * t)
        away = np.hypot(dx, dy) / radius
        covered = np.clip((1 - away) * radius, 0, 1)
        side = np.sign(dx) * away
        tone = 0.5 + depth * (light * 0.6 * side - 0.7 * away**3) + 0.06 * np.sin(t * random.uniform(6, 14))
        if random.random() < 0.3:  # a nail
            nail = np.clip(1.3 - np.hypot(dx / (0.55 * radius), (rows - tip - 1) / (0.7 * radius)), 0, 1)
            tone += 0.12 * nail
        rim = np.clip(1 - np.abs(away - 1.05) * 6, 0, 1) * cover * (1 - covered)
        shade = shade * (1 - covered) + tone * covered - 0.25 * rim
        cover = np.maximum(cover, covered)
    texture = cv2.GaussianBlur(random.standard_normal((SPRITE, SPRITE)).astype(np.float32), (0, 0), random.uniform(0.6, 1.5))
    shade += 0.02 * texture
    return np.stack([shade.clip(0, 1), cover.clip(0, 1)], axis=-1)


def _colour(random: np.random.Generator) -> npt.NDArray[np.float64]:
    if random.random() < 0.4:
        return np.asarray(np.full(3, random.uniform(0.02, 0.95)) + random.normal(0, 0.02, 3), np.float64)
    if random.random() < 0.35:  # as skin, wood, card
        return np.asarray(np.array([0.85, 0.62, 0.48]) ** random.uniform(0.6, 2.5) * random.uniform(0.7, 1.1), np.float64)
    return random.uniform(0.02, 0.98, 3)


def _thing(random: np.random.Generator) -> Map:
    """A cup, a microphone, a phone, a sheet of paper: one shape or two, shaded, with a pattern."""
    out = np.zeros((SPRITE, SPRITE, 4), np.float32)
    rows, columns = np.mgrid[:SPRITE, :SPRITE].astype(np.float32)
    for _ in range(int(random.integers(1, 3))):
        half = random.uniform(20, 80, 2)
        middle = SPRITE / 2 + random.normal(0, 16, 2)
        power = random.choice([2.0, 3.0, 6.0, 20.0])
        level = ((np.abs(columns - middle[0]) / half[0]) ** power + (np.abs(rows - middle[1]) / half[1]) ** power) ** (1 / power)
        cover = np.clip((1 - level) * half.min(), 0, 1)
        side = (columns - middle[0]) / half[0]
        shade = 1 + random.uniform(-0.35, 0.35) * side - random.uniform(0, 0.5) * side**2 + random.uniform(-0.2, 0.2) * level
        colour = _colour(random)[None, None] * shade[..., None]
        if random.random() < 0.3:  # a grille, stripes, print
            period = random.uniform(2.5, 14)
            wave = np.sin(columns * 2 * np.pi / period) * (np.sin(rows * 2 * np.pi / period) if random.random() < 0.5 else 1)
            colour = (
                colour + (_colour(random) - colour) * ((wave > random.uniform(-0.3, 0.7)) * random.uniform(0.2, 1))[..., None]
            )
        if random.random() < 0.5:
            shine = np.exp(-(((side - random.uniform(-0.7, 0.7)) / random.uniform(0.04, 0.2)) ** 2))
            colour = colour + (random.uniform(0.2, 0.8) * shine)[..., None]
        colour = colour + 0.02 * random.standard_normal(colour.shape)
        out[..., :3] = out[..., :3] * (1 - cover[..., None]) + colour.clip(0, 1) * cover[..., None]
        out[..., 3] = np.maximum(out[..., 3], cover)
    return out


def _worn(random: np.random.Generator) -> Map:
    kind = random.choice(["glasses", "strands", "headset"], p=[0.5, 0.38, 0.12])
    return {"glasses": _glasses, "strands": _strands, "headset": _headset}[str(kind)](random)


def _over(out: Map, colour: npt.ArrayLike, cover: Map) -> None:
    """Lays a colour over what is there (`out` keeps colours unpremultiplied)."""
    alpha = cover[..., None]
    total = out[..., 3:] + alpha - out[..., 3:] * alpha
    mixed = out[..., :3] * out[..., 3:] * (1 - alpha) + np.asarray(colour, np.float32) * alpha
    out[..., :3] = np.where(total > 1e-3, mixed / np.maximum(total, 1e-3), out[..., :3])
    out[..., 3:] = total


def _line(points: npt.NDArray[np.float64], width: float, *, closed: bool = False, fine: int = 2) -> Map:
    canvas = np.zeros((PACKED * fine, PACKED * fine), np.float32)
    at = np.round((points + 0.5) * fine * 16).astype(np.int32)
    cv2.polylines(canvas, [at.reshape(-1, 1, 2)], closed, (1.0,), max(1, round(width * fine)), cv2.LINE_AA, 4)
    return canvas if fine == 1 else np.asarray(cv2.resize(canvas, (PACKED, PACKED), interpolation=cv2.INTER_AREA), np.float32)


def _glasses(random: np.random.Generator) -> Map:
    out = np.zeros((PACKED, PACKED, 4), np.float32)
    half = np.array([random.uniform(0.36, 0.46), random.uniform(0.22, 0.42)]) * _APART
    power, width = random.choice([2.0, 2.6, 4.0]), float(np.exp(random.uniform(np.log(0.8), np.log(5.0))))
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    drop = random.uniform(-0.03, 0.12) * _APART
    tilt, colour = random.normal(0, 0.03), _colour(random) * random.choice([0.25, 0.6, 1.0])
    lenses = []
    for side, eye in zip((-1, 1), _EYES, strict=True):
        x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / power) * half[0]
        y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / power) * half[1] * (1 + 0.15 * np.sign(np.sin(turn)))
        lens = np.stack([x, y], axis=1) + eye + np.array([side * random.uniform(0.0, 0.05) * _APART, drop])
        lenses.append(lens + np.array([0, tilt * side * _APART]))
    filled = np.zeros((PACKED, PACKED), np.float32)
    for lens in lenses:
        cv2.fillPoly(filled, [np.round(lens * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    tint = random.uniform(0.7, 0.97) if random.random() < 0.15 else random.uniform(0, 0.12) * (random.random() < 0.5)
    _over(out, _colour(random) * 0.3, filled * np.float32(tint))
    if random.random() < 0.35:
        rows, columns = np.mgrid[:PACKED, :PACKED].astype(np.float32)
        slant = (columns + rows * random.uniform(-1, 1) - random.uniform(60, 260)) / random.uniform(4, 30)
        _over(out, [0.95, 0.97, 1.0], filled * np.exp(-(slant**2)) * np.float32(random.uniform(0.1, 0.8)))
    left, right = lenses
    bridge = np.array([left[np.argmax(left[:, 0])], (left[np.argmax(left[:, 0])] + right[np.argmin(right[:, 0])]) / 2])
    bridge = np.vstack([bridge, right[np.argmin(right[:, 0])]])
    bridge[1, 1] -= random.uniform(0, 5)
    rimless = random.random() < 0.12
    frame = np.maximum.reduce([_line(lens, width * (0.4 if rimless else 1), closed=True) for lens in lenses])
    frame = np.maximum(frame, _line(bridge, max(1.0, width * random.uniform(0.5, 1.0))))
    for side, lens in zip((-1, 1), lenses, strict=True):
        outer = lens[np.argmin(lens[:, 0]) if side < 0 else np.argmax(lens[:, 0])]
        ear = outer + np.array([side * random.uniform(0.3, 0.5), random.uniform(-0.1, 0.15)]) * _APART
        frame = np.maximum(frame, _line(np.array([outer, ear]), max(0.8, width * random.uniform(0.4, 1.0))))
    shadow = cv2.GaussianBlur(np.roll(frame, 3, axis=0), (0, 0), 1.5)
    _over(out, [0.05, 0.03, 0.02], np.asarray(shadow, np.float32) * np.float32(random.uniform(0, 0.15)))
    _over(out, colour.clip(0, 1), frame)
    return out


def _strands(random: np.random.Generator) -> Map:
    """Hair that falls into the face, as single hairs and locks."""
    out = np.zeros((PACKED, PACKED, 4), np.float32)
    tones = ([0.06, 0.05, 0.04], [0.2, 0.12, 0.07], [0.4, 0.27, 0.15], [0.75, 0.6, 0.4], [0.7, 0.7, 0.7], [0.5, 0.2, 0.1])
    tone = np.array(tones[int(random.choice(len(tones), p=[0.35, 0.25, 0.15, 0.1, 0.1, 0.05]))]) * random.uniform(0.6, 1.2)
    for _ in range(int(random.integers(1, 5))):
        root = np.array([PACKED / 2 + random.normal(0, 0.22 * SIZE), MARGIN + random.uniform(0.05, 0.3) * SIZE])
        bent = random.normal(0, 0.5, 2)
        way, length = np.pi / 2 + random.normal(0, 0.5), random.uniform(0.15, 0.6) * SIZE
        for _ in range(int(random.choice([1, 4, 12, 40]))):
            steps = np.linspace(0, 1, 14)
            directions = way + bent[0] * (steps - 0.3) + bent[1] * (steps**2 - 0.3) + random.normal(0, 0.06)
            pieces = np.stack([np.cos(directions), np.sin(directions)], axis=1) * length * random.uniform(0.7, 1.1) / len(steps)
            points = root + random.normal(0, 2.5, 2) + np.cumsum(pieces, axis=0)
            cover = _line(points, 1, fine=1) * np.float32(random.uniform(0.4, 1.0))
            _over(out, (tone * random.uniform(0.7, 1.4)).clip(0, 1), cover)
    return out


def _headset(random: np.random.Generator) -> Map:
    """A boom from one ear with a foam ball before the mouth, or a cable."""
    out = np.zeros((PACKED, PACKED, 4), np.float32)
    side, colour = random.choice([-1, 1]), _colour(random) * random.choice([0.2, 0.5, 1.0])
    ear = np.array([PACKED / 2 + side * random.uniform(0.24, 0.32) * SIZE, PACKED / 2 + random.uniform(0.0, 0.1) * SIZE])
    mouth = (
        GPEN_TEMPLATE[3:].mean(0) * SIZE
        + MARGIN
        + [side * random.uniform(-0.02, 0.16) * SIZE, random.uniform(-0.03, 0.09) * SIZE]
    )
    bend = (ear + mouth) / 2 + [side * random.uniform(0.0, 0.1) * SIZE, random.uniform(0, 0.12) * SIZE]
    t = np.linspace(0, 1, 20)[:, None]
    _over(out, colour.clip(0, 1), _line((1 - t) ** 2 * ear + 2 * t * (1 - t) * bend + t**2 * mouth, random.uniform(1.2, 5)))
    ball = np.zeros((PACKED, PACKED), np.float32)
    size = tuple(round(float(each) * 16) for each in random.uniform(4, 16, 2))
    cv2.ellipse(
        ball, tuple(round(float(each) * 16) for each in mouth), size, random.uniform(0, 90), 0, 360, (1.0,), -1, cv2.LINE_AA, 4
    )
    _over(out, (_colour(random) * 0.5).clip(0, 1), ball)
    return out

"""The measurement of looks: what each does to each face, one face after the other, so that it can be stopped at any time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from gpen_live.look import Beauty
from gpen_live.quality.beauty import bands, blemishes, flicker, lines, occluders, regions, rival, tone
from gpen_live.quality.beauty.looks import HEALED, MADE_UP, SKIN, SMOOTH, only
from gpen_live.quality.beauty.runner import Runner
from gpen_live.quality.identity import Identity
from gpen_live.quality.photos import Face
from gpen_live.quality.skin import Mask, skin, typology_angle
from gpen_live.quality.skin import tone as bin_of

Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]

MARGIN = 64
"""Pixels around a crop of 256 that the faces need: room for hair, walls and what passes."""
SMOOTH_ROW, SKIN_ROW, HEALED_ROW, MADE_UP_ROW = "smooth = 1", "skin = 1", "blemish = 1", "make-up = 1"
TOLD_ROW = "inpainting, told where"
RIVAL_ROW = "GPUPixel beside "
"""What stands before the name of the row that the rival is set to."""


@dataclass(frozen=True)
class Subject:
    """A face, and what of it does not depend on a look."""

    face: Face
    filmed: bool

    @property
    def side(self) -> int:
        return self.face.canvas.shape[0] - 2 * self.face.margin

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The crop in the canvas: x0, y0, x1, y1."""
        end = self.face.margin + self.side
        return self.face.margin, self.face.margin, end, end

    @cached_property
    def regions(self) -> Mapping[str, Mask]:
        """By hand-set points; empty where there are none."""
        return {} if self.face.points is None else regions.regions(self.face.canvas, self.face.points, self.side)

    @cached_property
    def skin(self) -> Mask:
        """The skin: by hand-set points, else by place and colour."""
        if self.regions:
            return self.regions["skin"]
        whole = np.zeros(self.face.canvas.shape[:2], np.bool_)
        x0, y0, x1, y1 = self.box
        whole[y0:y1, x0:x1] = skin(self.face.crop)
        return whole

    @cached_property
    def tone(self) -> str:
        """The bin of the skin's typology angle."""
        crop = self.face.crop
        return bin_of(typology_angle(crop, skin(crop)))

    @cached_property
    def width(self) -> tuple[float, float]:
        """X of the face's left and right edge at its widest, by hand-set points."""
        points = self.face.points
        assert points is not None
        edge = points[[*range(109, 115), *range(125, 134)], 0]
        return float(edge.min()), float(edge.max())


@dataclass
class Results:
    """What has been measured.

    Args:
        values: (measure, row) -> a value for each face, NaN where it was not measured.
        spots: row -> what is left of each painted spot, with the face's number.
        done: faces that have been measured.
        unseen: names of faces that the product did not find.
    """

    faces: int
    values: dict[tuple[str, str], Values] = field(default_factory=dict)
    spots: dict[str, list[tuple[int, blemishes.Left]]] = field(default_factory=dict)
    done: int = 0
    unseen: list[str] = field(default_factory=list)

    def keep(self, measure: str, row: str, face: int, value: float) -> None:
        self.values.setdefault((measure, row), np.full(self.faces, np.nan))[face] = value

    def of(self, measure: str, row: str) -> Values:
        """NaN throughout where it was never measured."""
        return self.values.get((measure, row), np.full(self.faces, np.nan))

    def rows(self, measure: str) -> list[str]:
        """The rows of a measure, in the order in which they were first measured."""
        return [row for name, row in self.values if name == measure]


class BeautyMeasurement:
    """Measures looks on faces; what is there so far can be read at any time.

    Args:
        faces: with MARGIN around crops of 256.
        looks: by the name of their row.
        runner: draws them.
        filmed: how many faces are filmed, evenly spread from light skin to dark: flicker, and what passes before them.
        identity: the network of that measure; None leaves it out.
    """

    def __init__(
        self,
        faces: Sequence[Face],
        looks: Mapping[str, Beauty],
        runner: Runner,
        *,
        filmed: int,
        identity: Identity | None = None,
    ) -> None:
        angles = [typology_angle(face.crop, skin(face.crop)) for face in faces]
        order = sorted(range(len(faces)), key=lambda index: (math.isnan(angles[index]), -angles[index]))
        places = np.linspace(0, len(faces) - 1, min(filmed, len(faces))).round().astype(int).tolist()
        chosen = {order[place] for place in places}
        self.subjects = [Subject(face, index in chosen) for index, face in enumerate(faces)]
        self.looks = dict(looks)
        self.results = Results(len(faces))
        self.has_identity = identity is not None
        self._runner, self._identity = runner, identity
        self._frames = 0

    @property
    def complete(self) -> bool:
        return self.results.done == len(self.subjects)

    @property
    def steps(self) -> int:
        """Parts of the work, of about the same length."""
        return sum(_FILMS_COUNT if subject.filmed else 1 for subject in self.subjects)

    def estimate(self) -> float:
        """Seconds that the run will take, from one photo."""
        self._runner.photo(self.subjects[0].face.canvas, SKIN)  # the first one is slowed by what is made once
        start = time.monotonic()
        self._runner.photo(self.subjects[0].face.canvas, SKIN)
        return (time.monotonic() - start) * (_PHOTOS + 3 * len(self.looks)) * self.steps

    def run(self, progress: Callable[[int, str], None], stop: Callable[[], bool]) -> None:
        """Measures everything, or until `stop` says so: then what is under way is given up, the rest stays.

        Args:
            progress: called with the parts just finished and what is measured next.
        """
        for index, subject in enumerate(self.subjects):
            for part in self._parts(index, subject):
                progress(0, f"{subject.face.name}: {part.__name__.strip('_').replace('_', ' ')}")
                if stop():
                    return
                part(index, subject)
            self.results.done += 1
            progress(_FILMS_COUNT if subject.filmed else 1, subject.face.name)

    def _parts(self, index: int, subject: Subject) -> Iterator[Callable[[int, Subject], None]]:
        plain = self._runner.photo(subject.face.canvas, SKIN)
        if plain is None:
            self.results.unseen.append(subject.face.name)
            return
        yield self._skin
        yield self._blemishes
        yield self._whole
        if subject.regions:
            yield self._lines
        if subject.filmed:
            yield self._flicker
            yield self._passing

    def _photo(self, picture: Bytes, beauty: Beauty) -> Bytes:
        drawn = self._runner.photo(picture, beauty)
        return picture if drawn is None else drawn

    def _skin(self, index: int, subject: Subject) -> None:
        """Texture, tone, and what lies outside: all from the same pictures."""
        before, where, keep = subject.face.canvas, subject.skin, self.results.keep
        fine, middle = own = bands.energies(before, where, subject.side)
        colour = tone.tone_of(before, where)
        rows = {name: only(look, "skin") for name, look in self.looks.items()} | {SMOOTH_ROW: SMOOTH, SKIN_ROW: SKIN}
        for row, beauty in rows.items():
            after = self._photo(before, beauty)
            left = bands.energies(after, where, subject.side)
            keep("fine", row, index, left[0] / fine)
            keep("middle", row, index, left[1] / middle)
            lightness, hue = tone.shift(colour, tone.tone_of(after, where))
            keep("lightness", row, index, lightness)
            keep("hue", row, index, hue)
            for region in regions.REGIONS if subject.regions else ():
                mean, most = regions.strength(before, after, subject.regions[region])
                keep(f"{region} mean", row, index, mean)
                keep(f"{region} most", row, index, most)
            if row != SKIN_ROW:
                self._rival(row, index, subject, own, left[1] / middle)

    def _rival(self, row: str, index: int, subject: Subject, own: tuple[float, float], middle_left: float) -> None:
        before, where = subject.face.canvas, subject.skin
        fine, middle = own
        if math.isnan(fine):
            return

        def left(strength: float) -> float:
            return bands.energies(rival.gpupixel(before, strength), where, subject.side)[1] / middle

        after = rival.gpupixel(before, rival.set_to(middle_left, left))
        theirs = bands.energies(after, where, subject.side)
        name = RIVAL_ROW + row
        self.results.keep("fine", name, index, theirs[0] / fine)
        self.results.keep("middle", name, index, theirs[1] / middle)
        for region in regions.REGIONS if subject.regions else ():
            mean, most = regions.strength(before, after, subject.regions[region])
            self.results.keep(f"{region} mean", name, index, mean)
            self.results.keep(f"{region} most", name, index, most)

    def _blemishes(self, index: int, subject: Subject) -> None:
        without = subject.face.canvas
        painted, spots = blemishes.paint(without, subject.skin, subject.side, subject.face.seed)
        rows = {HEALED_ROW: HEALED} | {name: Beauty(blemish=look.scaled.blemish) for name, look in self.looks.items()}
        for row, beauty in rows.items():
            left = blemishes.judge(self._photo(painted, beauty), without, spots)
            self.results.spots.setdefault(row, []).extend((index, one) for one in left)
            faded = [1 - one.now / one.was for one in left if one.kind != "mole"]
            if faded:
                self.results.keep("faded", row, index, float(np.mean(faded)))
        filled = blemishes.judge(blemishes.told_where(painted, without), without, spots)
        self.results.spots.setdefault(TOLD_ROW, []).extend((index, one) for one in filled)

    def _whole(self, index: int, subject: Subject) -> None:
        """The look with all of its groups: whether it is still the same person, of the same skin."""
        x0, y0, x1, y1 = subject.box
        before = subject.face.canvas
        who = self._identity.embed(subject.face.crop) if self._identity else None
        colour = tone.tone_of(before, subject.skin)
        for row, beauty in self.looks.items():
            after = self._photo(before, beauty)
            lightness, hue = tone.shift(colour, tone.tone_of(after, subject.skin))
            self.results.keep("whole lightness", row, index, lightness)
            self.results.keep("whole hue", row, index, hue)
            if self._identity is not None and who is not None:
                self.results.keep("identity", row, index, float(self._identity.embed(after[y0:y1, x0:x1]) @ who))

    def _lines(self, index: int, subject: Subject) -> None:
        """The look's `slim` alone, and all of its shape."""
        background = subject.regions["background"]
        before, places = lines.drawn(subject.face.canvas, background, subject.side)
        for row, beauty in self.looks.items():
            for what, shape in (("slim", Beauty(slim=beauty.scaled.slim)), ("shape", only(beauty, "shape"))):
                if shape.uses("shape"):
                    found = lines.bent(before, self._photo(before, shape), places, background, subject.width)
                    self.results.keep(f"{what} anywhere", row, index, found.anywhere)
                    self.results.keep(f"{what} beyond", row, index, found.beyond)

    def _flicker(self, index: int, subject: Subject) -> None:
        """As viewers see it: the network at its full strength, with the look and without it."""
        for moving in (False, True):
            frames = flicker.film(subject.face.canvas, subject.face.seed, moving=moving)
            bare = self._restless(frames, Beauty(), subject, moving=moving)
            for row, beauty in self.looks.items():
                if bare > 0:
                    ratio = self._restless(frames, beauty, subject, moving=moving) / bare
                    self.results.keep("moving" if moving else "still", row, index, ratio)

        for row, beauty in {**self.looks, SKIN_ROW: SKIN}.items():
            alike = [subject.face.canvas] * flicker.FRAMES
            self.results.keep("twinkle", row, index, flicker.twinkle(self._runner.film(alike, beauty)))

    def _restless(self, frames: Sequence[Bytes], beauty: Beauty, subject: Subject, *, moving: bool) -> float:
        return flicker.restlessness(self._runner.film(frames, beauty, strength=1.0), subject.box, moving=moving)

    def _passing(self, index: int, subject: Subject) -> None:
        canvas, side = subject.face.canvas, subject.side
        x0, y0, x1, y1 = subject.box
        seed = subject.face.seed
        for row, beauty in ((SMOOTH_ROW, SMOOTH), (MADE_UP_ROW, MADE_UP)):
            bare = occluders.bare(canvas, seed)
            usual = self._runner.film(bare, beauty)
            for thing in occluders.THINGS:
                film = occluders.film(canvas, thing, side, ((x0 + x1) / 2, (y0 + y1) / 2), seed)
                found = occluders.spill(film, self._runner.film(film.frames, beauty), bare, usual, side)
                self.results.keep(f"{thing} spilt", row, index, found.on_it)
                self.results.keep(f"{thing} back", row, index, found.back_after)


_PHOTOS = 6  # looks that are always drawn on a face
_FILMS_COUNT = 8  # how much longer a face takes that is filmed

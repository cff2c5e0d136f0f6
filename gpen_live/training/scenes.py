"""Synthetic scenes with known faces: photos pasted into backgrounds by the batch, on the device that trains.

A scene is first planned (`SceneMaker.plan`: who, where, how large, how turned, what is in front) and then rendered, so that one
plan can be rendered twice with a sub-pixel shift. Coordinates are pixels with centres at integers, colours are BGR, 0..255.
"""

from __future__ import annotations

import csv
import math
import random
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from gpen_live.errors import GpenLiveError
from gpen_live.frame import Image

PHOTO_SIDE = 320
SCENE_SIDE = 512
LEVELS = 4
SLOTS = 4
"""Longest side of a photo and of a background in the banks, levels of reduction kept of each, and most faces in a scene."""

REGION = 3.0
"""Side of the square kept around a face, in heights of its box."""

MIRRORED = (1, 0, 2, 4, 3)
"""The order of the five landmarks in a mirrored picture."""

WITH_PEOPLE = tuple(f"kodak_{number:02d}" for number in (4, 5, 12, 14, 15, 17, 18, 24))
HELD_OUT_SCENES = ("kodak_01", "kodak_07", "kodak_13", "kodak_20", "kodak_23", "skimage_brick", "skimage_coffee")
"""Backgrounds that show people, never used where faces are labelled; and those kept for validation."""

MASK_PHOTO, MASK_EXTENDED, MASK_BUST, MASK_HEAD = range(4)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Photo:
    """A photo cut and reduced around its face; box (x0, y0, x1, y1) and landmarks (5 x 2) in its own pixels."""

    name: str
    image: Image
    box: Floats
    landmarks: Floats


def cut_photo(name: str, image: Image, box: Floats, landmarks: Floats, side: int = PHOTO_SIDE) -> Photo:
    """Keeps a square of REGION box heights around the face, as far as the photo goes, at most `side` pixels a side."""
    height, width = image.shape[:2]
    centre, half = (box[:2] + box[2:]) / 2, REGION / 2 * (box[3] - box[1])
    x0, y0 = (int(max(0, math.floor(value))) for value in centre - half)
    x1, y1 = int(min(width, math.ceil(centre[0] + half))), int(min(height, math.ceil(centre[1] + half)))
    part = image[y0:y1, x0:x1]
    ratio = min(1.0, side / max(part.shape[:2]))
    size = (max(1, round(part.shape[1] * ratio)), max(1, round(part.shape[0] * ratio)))
    scale = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
    if ratio < 1:
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    origin = np.array([x0, y0])
    moved_box = ((box.reshape(2, 2) - origin + 0.5) * scale - 0.5).reshape(4)
    return Photo(name, np.ascontiguousarray(part), moved_box, (landmarks - origin + 0.5) * scale - 0.5)


def read_photos(folder: Path, split: str, side: int = PHOTO_SIDE) -> list[Photo]:
    """Reads the photos of one split ("train" or "val") from `folder`/manifest.csv and `folder`/photos, cut to `side` pixels.

    Raises:
        GpenLiveError: the manifest or a photo can't be read, or the split is empty.
    """
    photos = [cut_photo(*entry, side) for entry in _manifest(folder, split)]
    if not photos:
        raise GpenLiveError(f"{folder / 'manifest.csv'} lists no photos of the split {split!r}.")
    return photos


LANDMARK_COLUMNS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def _manifest(folder: Path, split: str) -> list[tuple[str, Image, Floats, Floats]]:
    path = folder / "manifest.csv"
    if not path.is_file():
        raise GpenLiveError(f"There is no manifest.csv in {folder}.", "Name the folder that holds it and the folder photos.")
    entries = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] != split:
                continue
            box = np.array([float(row[f"box_{side}"]) for side in ("x0", "y0", "x1", "y1")])
            landmarks = np.array([[float(row[f"{point}_{axis}"]) for axis in "xy"] for point in LANDMARK_COLUMNS])
            entries.append((row["file"], read_image(folder / "photos" / row["file"]), box, landmarks))
    return entries


def read_scenes(folder: Path, split: str) -> list[Image]:
    """Reads the backgrounds of one split from a folder of pictures, people left out, at most SCENE_SIDE pixels a side.

    Raises:
        GpenLiveError: there are none.
    """
    scenes = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        wanted = path.stem not in WITH_PEOPLE and (path.stem in HELD_OUT_SCENES) == (split == "val")
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"} and wanted:
            scenes.append(reduce_scene(read_image(path)))
    if not scenes:
        raise GpenLiveError(f"There are no backgrounds for the split {split!r} in {folder}.")
    return scenes


WHITE = (255.0, 255.0, 255.0)


def drawn_scenes(count: int, seed: int) -> list[Image]:
    """Pictures of lettering and shapes, many in the colours of skin: what overlays and posters hold, and no face."""
    random_numbers = np.random.default_rng(seed)
    return [_drawn_scene(random_numbers) for _ in range(count)]


def _drawn_scene(draw: np.random.Generator) -> Image:
    width, height = SCENE_SIDE, SCENE_SIDE * 2 // 3
    fall = np.linspace(0, 1, height)[:, None, None]
    picture = draw.uniform(0, 255, 3) * (1 - fall) + draw.uniform(0, 255, 3) * fall + np.zeros((height, width, 3))
    for _ in range(int(draw.integers(3, 16))):
        inner, outer = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
        x, y = int(draw.integers(0, width)), int(draw.integers(0, height))
        line = int(draw.integers(2, 8))
        if draw.random() < 0.7:
            text = "".join(draw.choice(list("abcdeghkmnopqsuwxyzABCDEGHKMNOPQRSUWXYZ0235689&?!"), int(draw.integers(1, 9))))
            font = int(draw.choice([cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SIMPLEX]))
            size, stroke = float(draw.uniform(0.8, 4.5)), int(draw.integers(2, 18))
            place = (x - width // 3, y)
            cv2.putText(inner, text, place, font, size, WHITE, stroke, cv2.LINE_AA)
            cv2.putText(outer, text, place, font, size, WHITE, stroke + 2 * line, cv2.LINE_AA)
        else:
            axes = (int(draw.integers(6, 90)), int(draw.integers(6, 90)))
            turn = float(draw.uniform(0, 180))
            cv2.ellipse(inner, (x, y), axes, turn, 0, 360, WHITE, -1, cv2.LINE_AA)
            cv2.ellipse(outer, (x, y), (axes[0] + line, axes[1] + line), turn, 0, 360, WHITE, -1, cv2.LINE_AA)
        warm = np.sort(draw.uniform(30, 255, 3)) if draw.random() < 0.6 else draw.uniform(0, 255, 3)
        shade = warm * (1 + draw.uniform(-0.5, 0.5) * (fall * height - y) / 60).clip(0.3, 1.6)
        for cover, colour in ((outer, warm * draw.uniform(0.1, 0.9)), (inner, shade)):
            picture = picture + cover[..., None] / 255.0 * (colour - picture)
    return cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), float(draw.uniform(0.3, 2.0))).astype(np.uint8)


def reduce_scene(image: Image) -> Image:
    """A background with its longer side at most SCENE_SIDE."""
    ratio = SCENE_SIDE / max(image.shape[:2])
    if ratio >= 1:
        return image
    size = (max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def read_image(path: Path) -> Image:
    """A picture file as H x W x 3 BGR bytes.

    Raises:
        GpenLiveError: it is missing or no picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise GpenLiveError(f"The picture {path} is missing or can't be read.")
    return np.asarray(image, dtype=np.uint8)


class Bank:
    """Pictures on the device, each with half, quarter ... sizes beside it, so that reducing them does not alias.

    `atlas` is N x 3 x side x 1.5 side bytes: level 0 at the top left, the smaller ones one below the other to its right.
    `sizes` is N x 2: width and height of level 0.
    """

    def __init__(self, pictures: list[Image], side: int, device: torch.device) -> None:
        self.side = side
        atlas = np.zeros((len(pictures), side, side + side // 2, 3), dtype=np.uint8)
        for index, picture in enumerate(pictures):
            level = picture
            for number in range(LEVELS):
                x, y = self._origin(number)
                atlas[index, y : y + level.shape[0], x : x + level.shape[1]] = level
                half = (max(1, (level.shape[1] + 1) // 2), max(1, (level.shape[0] + 1) // 2))
                level = np.asarray(cv2.resize(level, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        self.atlas = torch.from_numpy(atlas).permute(0, 3, 1, 2).contiguous().to(device)
        self.sizes = torch.tensor([[p.shape[1], p.shape[0]] for p in pictures], dtype=torch.float32, device=device)
        self._origins = torch.tensor([self._origin(n) for n in range(LEVELS)], dtype=torch.float32, device=device)

    def __len__(self) -> int:
        return int(self.sizes.shape[0])

    def _origin(self, level: int) -> tuple[int, int]:
        return (0, 0) if level == 0 else (self.side, self.side - 2 * (self.side >> level))

    def sample(self, index: Tensor, points: Tensor, zoom: Tensor) -> Tensor:
        """Colours of the pictures `index` (B) at `points` (B x H x W x 2, pixels of level 0), B x 3 x H x W.

        `zoom` (B) is output pixels per picture pixel; it picks the level. Points outside take the nearest border's colour.
        """
        level = (-torch.log2(zoom.clamp(min=1e-3)) + 0.25).floor().clamp(0, LEVELS - 1)
        # A level of a picture with an odd side is rounded up: what scale it has is its size over that of level 0.
        base = self.sizes[index]
        size = base
        for number in range(1, LEVELS):
            size = torch.where((level >= number)[:, None], ((size + 1) / 2).floor(), size)
        ratio = (size / base)[:, None, None]
        inside = (points + 0.5) * ratio - 0.5
        inside = torch.minimum(inside.clamp(min=0.0), (size - 1)[:, None, None])
        inside = inside + self._origins[level.long()][:, None, None]
        extent = torch.tensor([self.atlas.shape[3], self.atlas.shape[2]], device=points.device)
        grid = (inside + 0.5) * 2 / extent - 1
        return F.grid_sample(self.atlas[index].float(), grid, mode="bilinear", align_corners=False)


class FaceBank(Bank):
    """Photos of one face each: `boxes` N x 4, `landmarks` N x 5 x 2 in pixels of level 0, `skin` N x 3 the face's mean colour."""

    def __init__(self, photos: list[Photo], device: torch.device) -> None:
        super().__init__([photo.image for photo in photos], PHOTO_SIDE, device)
        self.boxes = torch.tensor(np.array([photo.box for photo in photos]), dtype=torch.float32, device=device)
        self.landmarks = torch.tensor(np.array([photo.landmarks for photo in photos]), dtype=torch.float32, device=device)
        self.skin = torch.tensor(np.array([_skin(photo) for photo in photos]), dtype=torch.float32, device=device)


def _skin(photo: Photo) -> Floats:
    """Mean colour between eyes and mouth."""
    x0, x1 = sorted((photo.landmarks[0, 0], photo.landmarks[1, 0]))
    y0, y1 = photo.landmarks[:2, 1].mean(), photo.landmarks[3:, 1].mean()
    part = photo.image[max(0, int(y0)) : max(1, int(y1)) + 1, max(0, int(x0)) : max(1, int(x1)) + 1]
    return np.asarray(part.reshape(-1, 3).mean(axis=0) if part.size else np.full(3, 128.0), dtype=np.float64)


@dataclass(frozen=True)
class Plan:
    """What a batch of B scenes of `height` x `width` shows; every tensor leads with B, those of faces with B x SLOTS.

    `linear` (2 x 2) and `offset` (2) take pixels of a photo to pixels of the scene; `present` says which slots hold a picture,
    `erased` which of those have their face painted over (no face is labelled there).
    """

    height: int
    width: int
    photo: Tensor
    linear: Tensor
    offset: Tensor
    present: Tensor
    erased: Tensor
    mask: Tensor
    softness: Tensor
    tint: Tensor
    light: Tensor
    backdrops: Tensor
    backdrop_linear: Tensor
    backdrop_offset: Tensor
    backdrop_mix: Tensor
    backdrop_colour: Tensor
    texture_seed: int
    limbs: Tensor
    limb_colour: Tensor

    def face_boxes(self, bank: FaceBank) -> Tensor:
        """Boxes in the scene, B x SLOTS x 4: around the turned ellipse that the photo's box holds."""
        box = bank.boxes[self.photo]
        centre = self._move((box[..., :2] + box[..., 2:]) / 2)
        half = (self.linear**2 @ (((box[..., 2:] - box[..., :2]) / 2) ** 2)[..., None])[..., 0].sqrt()
        return torch.cat([centre - half, centre + half], dim=-1)

    def face_landmarks(self, bank: FaceBank) -> Tensor:
        """Landmarks in the scene, B x SLOTS x 5 x 2, left and right as seen in the scene."""
        points = bank.landmarks[self.photo]
        mirrored = _determinant(self.linear) < 0
        points = torch.where(mirrored[..., None, None], points[..., list(MIRRORED), :], points)
        return points @ self.linear.transpose(-1, -2) + self.offset[..., None, :]

    def shifted(self, by: Tensor) -> Plan:
        """The same scenes moved by `by` (B x 2) pixels."""
        moved = dict(vars(self))
        moved["offset"] = self.offset + by[:, None]
        moved["backdrop_offset"] = self.backdrop_offset - (self.backdrop_linear @ by[:, None, :, None])[..., 0]
        limbs = self.limbs.clone()
        limbs[..., 0:2] += by[:, None]
        limbs[..., 2:4] += by[:, None]
        moved["limbs"] = limbs
        return Plan(**moved)

    def _move(self, points: Tensor) -> Tensor:
        return (self.linear @ points[..., None])[..., 0] + self.offset


@dataclass(frozen=True)
class Scenes:
    """Rendered scenes, before any camera: `images` B x 3 x H x W, `boxes` B x SLOTS x 4, `landmarks` B x SLOTS x 5 x 2.

    `labelled` (B x SLOTS) marks faces to be found, `doubtful` those too hidden to be asked for or held against anyone;
    `visible` (B x SLOTS) is the share of each face, 0..1, that is in the frame and not covered.
    """

    images: Tensor
    boxes: Tensor
    landmarks: Tensor
    labelled: Tensor
    doubtful: Tensor
    visible: Tensor

    def pick(self, rows: Tensor) -> Scenes:
        """Some of the scenes."""
        return Scenes(*(getattr(self, field.name)[rows] for field in fields(self)))


def join(first: Scenes, second: Scenes) -> Scenes:
    """Scenes of one size, one batch after the other."""
    return Scenes(*(torch.cat([getattr(first, field.name), getattr(second, field.name)]) for field in fields(Scenes)))


class SceneMaker:
    """Plans and renders scenes on one device; the same seed gives the same scenes.

    Args:
        faces, backdrops: photos and backgrounds.
        seed: of the generator that all draws come from.
    """

    LIMBS = 4

    def __init__(self, faces: FaceBank, backdrops: Bank, seed: int) -> None:
        self.faces = faces
        self.backdrops = backdrops
        self.device = faces.sizes.device
        self.random = torch.Generator(device=self.device).manual_seed(seed)
        self._seeds = random.Random(seed)

    def _uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.rand(*shape, generator=self.random, device=self.device) * (high - low) + low

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.random, device=self.device)

    def _integers(self, high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=self.random, device=self.device)

    def plan(self, count: int, height: int, width: int) -> Plan:
        """Draws `count` scenes: 0 to SLOTS faces, 6 % to 95 % of the frame's height, rolled up to 45 degrees, half mirrored."""
        photo = self._integers(len(self.faces), count, SLOTS)
        linear = self._face_transforms(photo, height)
        offset, apart = self._places(photo, linear, height, width)
        limits = torch.tensor([0.2, 0.68, 0.84, 0.92, 1.01], device=self.device)
        wanted = torch.bucketize(self._uniform(count, 1), limits)
        present = (torch.arange(SLOTS, device=self.device) < wanted) & apart
        mask = torch.bucketize(self._uniform(count, SLOTS), torch.tensor([0.3, 0.5, 0.8], device=self.device))
        # A photo that fills the scene may only lie behind the others.
        behind = torch.arange(SLOTS, device=self.device) == 0
        mask = torch.where((mask == MASK_EXTENDED) & ~behind, MASK_BUST, mask)
        # Light falls off across a face: a direction and a strength.
        angle = self._uniform(count, SLOTS, high=2 * math.pi)
        strength = self._uniform(count, SLOTS, high=0.6) * (self._uniform(count, SLOTS) < 0.5)
        backdrop_linear, backdrop_offset = self._backdrop_transforms(count, height, width)
        limbs, limb_colour = self._limbs(photo, linear, offset, height, width)
        return Plan(
            height=height,
            width=width,
            photo=photo,
            linear=linear,
            offset=offset,
            present=present,
            erased=self._uniform(count, SLOTS) < 0.05,
            mask=mask,
            softness=self._uniform(count, SLOTS, low=math.log(0.7), high=math.log(10.0)).exp(),
            tint=(self._normal(count, SLOTS, 1) * 0.12 + self._normal(count, SLOTS, 3) * 0.06).exp(),
            light=torch.stack([angle.cos() * strength, angle.sin() * strength], dim=-1),
            backdrops=self._integers(len(self.backdrops), count, 2),
            backdrop_linear=backdrop_linear,
            backdrop_offset=backdrop_offset,
            # Which share of the picture is the first backdrop, the second, and texture drawn by the program.
            backdrop_mix=torch.stack(
                [self._uniform(count), self._uniform(count), self._uniform(count, high=2 * math.pi)], dim=-1
            ),
            backdrop_colour=self._backdrop_colours(count),
            texture_seed=self._seeds.randrange(2**31),
            limbs=limbs,
            limb_colour=limb_colour,
        )

    def render(self, plan: Plan) -> Scenes:
        """Draws the planned scenes."""
        points = _pixels(plan.height, plan.width, self.device)
        images = self._draw_backdrop(plan, points)
        boxes, landmarks = plan.face_boxes(self.faces), plan.face_landmarks(self.faces)
        colours, cover = self._draw_faces(plan, points)
        covers = list(cover.unbind(dim=1))
        for slot in range(SLOTS):
            images = images + covers[slot][:, None] * (colours[:, slot] - images)
        # Limbs and bars come in front of the faces, in one colour.
        hidden = _capsules(plan.limbs, points)
        images = images + hidden[:, None] * (plan.limb_colour[..., None, None] - images)
        covers.append(hidden)
        visible = self._visible(boxes, landmarks, covers)
        labelled = plan.present & ~plan.erased & (visible >= 0.5)
        doubtful = plan.present & ~plan.erased & (visible < 0.5) & (visible > 0.05)
        return Scenes(images.clamp(0, 255), boxes, landmarks, labelled, doubtful, visible)

    def _face_transforms(self, photo: Tensor, height: int) -> Tensor:
        count = photo.shape[0]
        low = torch.where(self._uniform(count, 1) < 0.7, math.log(0.12), math.log(0.06))
        high = torch.where(low > math.log(0.1), math.log(0.7), math.log(0.95))
        share = (low + self._uniform(count, SLOTS) * (high - low)).exp()
        # The one in front of a webcam, in half of the scenes.
        near = self._uniform(count) < 0.5
        share[:, 0] = torch.where(near, self._uniform(count, low=0.22, high=0.75), share[:, 0])
        box = self.faces.boxes[photo]
        scale = share * height / (box[..., 3] - box[..., 1])
        steep = self._uniform(count, SLOTS) < 0.25
        roll = torch.where(
            steep, self._uniform(count, SLOTS, low=-45, high=45), self._normal(count, SLOTS).mul(10).clamp(-45, 45)
        )
        roll = torch.deg2rad(roll)
        cos, sin = roll.cos(), roll.sin()
        turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
        # A little narrowing and shear stand for a turned head or a wide lens.
        mirror = torch.where(self._uniform(count, SLOTS) < 0.5, -1.0, 1.0)
        across, shear = self._uniform(count, SLOTS, low=0.88, high=1.1), self._normal(count, SLOTS) * 0.05
        zero, one = torch.zeros_like(scale), torch.ones_like(scale)
        shape = torch.stack([torch.stack([mirror * across, shear], -1), torch.stack([zero, one], -1)], -2)
        return turn @ shape * scale[..., None, None]

    def _places(self, photo: Tensor, linear: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Where the photos go, B x SLOTS x 2, and whether a slot's face is clear of those before it."""
        count, tries = photo.shape[0], 6
        box = self.faces.boxes[photo]
        middle = (box[..., :2] + box[..., 2:]) / 2
        half = (linear**2 @ (((box[..., 2:] - box[..., :2]) / 2) ** 2)[..., None])[..., 0].sqrt()
        frame = torch.tensor([width, height], device=self.device)
        # Mostly inside; one in ten may hang half out of the frame.
        margin = half * torch.where(self._uniform(count, SLOTS, 1) < 0.1, 0.1, 0.8)
        room = (frame - 2 * margin)[:, :, None]
        draws = self._uniform(count, SLOTS, tries, 2)
        places = torch.where(room > 0, margin[:, :, None] + draws * room, frame / 2 + (draws - 0.5) * 0.3 * frame)
        chosen, apart = [places[:, 0, 0]], [torch.ones(count, dtype=torch.bool, device=self.device)]
        rows = torch.arange(count, device=self.device)
        for slot in range(1, SLOTS):
            gap = torch.full((count, tries), 10.0, device=self.device)
            for other in range(slot):
                away = (places[:, slot] - chosen[other][:, None]).abs() / (half[:, slot] + half[:, other])[:, None]
                gap = torch.minimum(gap, away.amax(dim=-1))
            best = gap.argmax(dim=1)
            chosen.append(places[rows, slot, best])
            apart.append(gap[rows, best] > 0.8)
        centre = torch.stack(chosen, dim=1)
        return centre - (linear @ middle[..., None])[..., 0], torch.stack(apart, dim=1)

    def _backdrop_transforms(self, count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
        """From the scene's pixels to those of a background."""
        anyhow = self._uniform(count, 2) < 0.3
        angle = torch.where(anyhow, self._uniform(count, 2, high=2 * math.pi), self._normal(count, 2) * 0.15)
        scale = self._uniform(count, 2, low=math.log(0.15), high=math.log(1.8)).exp() * 320 / width
        flip = torch.where(self._uniform(count, 2) < 0.5, -1.0, 1.0)
        cos, sin = angle.cos() * scale, angle.sin() * scale
        linear = torch.stack([torch.stack([cos * flip, -sin], -1), torch.stack([sin * flip, cos], -1)], -2)
        centre = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=self.device)
        target = self._uniform(count, 2, 2, low=0.25, high=0.75) * SCENE_SIDE * torch.tensor([1.0, 0.67], device=self.device)
        return linear, target - (linear @ centre)

    def _backdrop_colours(self, count: int) -> Tensor:
        """How backgrounds are recoloured, B x 3 x 3: half not at all, the others with their channels mixed anew."""
        mixed = self._uniform(count, 3, 3)
        mixed = mixed**3 / (mixed**3).sum(dim=-1, keepdim=True) * self._uniform(count, 3, 1, low=0.6, high=1.3)
        kept = (self._uniform(count, 1, 1) < 0.5).float()
        return kept * torch.eye(3, device=self.device) + (1 - kept) * mixed

    def _limbs(self, photo: Tensor, linear: Tensor, offset: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Capsules (two ends, radius, softness; B x LIMBS x 6) in front of a face or anywhere, and their colours."""
        count = photo.shape[0]
        box = self.faces.boxes[photo[:, 0]]
        centre = (linear[:, 0] @ ((box[:, :2] + box[:, 2:]) / 2)[..., None])[..., 0] + offset[:, 0]
        size = (_determinant(linear[:, 0]).abs().sqrt() * (box[:, 3] - box[:, 1]))[:, None]
        near = self._uniform(count, 1) < 0.6
        anywhere = self._uniform(count, 2) * torch.tensor([width, height], device=self.device)
        start = torch.where(near, centre + self._normal(count, 2) * size * 0.4, anywhere)[:, None]
        start = start + self._normal(count, self.LIMBS, 2) * size[..., None] * 0.15
        angle = self._uniform(count, 1, high=2 * math.pi) + self._normal(count, self.LIMBS) * 0.25
        length = self._uniform(count, self.LIMBS, low=0.2, high=1.4) * size
        end = start + torch.stack([angle.cos(), angle.sin()], -1) * length[..., None]
        radius = self._uniform(count, self.LIMBS, low=0.03, high=0.16) * size
        shown = self._uniform(count, 1) < 0.25
        many = self._integers(self.LIMBS, count, 1) >= torch.arange(self.LIMBS, device=self.device)
        radius = torch.where(shown & many, radius, -10.0)
        softness = self._uniform(count, self.LIMBS, low=0.5, high=2.0)
        skin = self.faces.skin[photo[:, 0]] * (self._normal(count, 1) * 0.15).exp()
        colour = torch.where(self._uniform(count, 1) < 0.5, skin, self._uniform(count, 3, high=255.0))
        return torch.cat([start, end, radius[..., None], softness[..., None]], dim=-1), colour

    def _draw_backdrop(self, plan: Plan, points: Tensor) -> Tensor:
        layers = []
        for number in range(2):
            where = _apply(plan.backdrop_linear[:, number], points) + plan.backdrop_offset[:, number, None, None]
            zoom = 1 / _determinant(plan.backdrop_linear[:, number]).abs().sqrt()
            layers.append(self.backdrops.sample(plan.backdrops[:, number], where, zoom))
        first, second = layers
        # A third of the scenes are noise; of the others, a fifth are two pictures side by side and a tenth two in one.
        angle = plan.backdrop_mix[:, 2, None, None]
        away = (points[..., 0] - plan.width / 2) * angle.cos() + (points[..., 1] - plan.height / 2) * angle.sin()
        split = (away / 3).sigmoid() * (plan.backdrop_mix[:, 0, None, None] < 0.2)
        double = (plan.backdrop_mix[:, 0] > 0.9)[:, None, None] * 0.5
        picture = first + (split + double)[:, None] * (second - first)
        picture = torch.einsum("bdc,bchw->bdhw", plan.backdrop_colour, picture)
        drawn = (plan.backdrop_mix[:, 1] < 0.3).float()[:, None, None, None]
        return picture + drawn * (self._texture(plan) - picture)

    def _texture(self, plan: Plan) -> Tensor:
        """Walls, curtains, clutter: noise of three sizes and stripes on a plain colour."""
        count = plan.photo.shape[0]
        # Its own generator: two renderings of one plan show the same wall.
        source = torch.Generator(device=self.device).manual_seed(plan.texture_seed)
        base = torch.rand(count, 3, 1, 1, generator=source, device=self.device) * 255
        picture = base.expand(-1, -1, plan.height, plan.width)
        for rows in (3, 9, 36):
            noise = torch.randn(count, 3, rows, rows * 5 // 3, generator=source, device=self.device)
            colour = torch.rand(count, 1, 1, 1, generator=source, device=self.device)
            noise = noise.mean(dim=1, keepdim=True) + colour * (noise - noise.mean(dim=1, keepdim=True))
            amount = torch.rand(count, 1, 1, 1, generator=source, device=self.device) ** 2 * 70
            picture = picture + F.interpolate(noise, size=(plan.height, plan.width), mode="bicubic", align_corners=False) * amount
        return picture

    def _draw_faces(self, plan: Plan, points: Tensor) -> tuple[Tensor, Tensor]:
        """Each slot's colours (B x SLOTS x 3 x H x W) and how much it covers (B x SLOTS x H x W), all slots at once."""
        index, linear, offset = plan.photo.flatten(), plan.linear.flatten(0, 1), plan.offset.flatten(0, 1)
        zoom = _determinant(linear).abs().sqrt()
        where = _apply(_inverse(linear), points - offset[:, None, None])
        colours = self.faces.sample(index, where, zoom)
        box = self.faces.boxes[index]
        centre, half = (box[:, :2] + box[:, 2:]) / 2, (box[:, 2:] - box[:, :2]) / 2
        relative = (where - centre[:, None, None]) / half[:, None, None]
        erased = ((1.15 - relative.norm(dim=-1)) * 5).clamp(0, 1) * plan.erased.flatten()[:, None, None]
        colours = colours + erased[:, None] * (self.faces.skin[index][..., None, None] - colours)
        light = (relative * plan.light.flatten(0, 1)[:, None, None]).sum(dim=-1).clamp(-2, 2).exp()
        colours = colours * plan.tint.flatten(0, 1)[..., None, None] * light[:, None]
        inside = self._inside(plan.mask.flatten(), relative, where, self.faces.sizes[index], half) * zoom[:, None, None]
        softness = torch.minimum(plan.softness.flatten(), 0.3 * half.amin(dim=-1) * zoom)
        cover = (inside / softness[:, None, None]).clamp(0, 1) * plan.present.flatten()[:, None, None]
        return colours.view(-1, SLOTS, *colours.shape[1:]), cover.view(-1, SLOTS, *cover.shape[1:])

    @staticmethod
    def _inside(mask: Tensor, relative: Tensor, where: Tensor, size: Tensor, half: Tensor) -> Tensor:
        """How far inside the shape of a paste each pixel lies, in photo pixels (negative: outside)."""
        edge = torch.minimum(where + 0.5, size[:, None, None] - 0.5 - where).amin(dim=-1)
        unit = half.amin(dim=-1)[:, None, None]
        head = (
            (1 - ((relative - relative.new_tensor([0.0, -0.15])) / relative.new_tensor([1.35, 1.5])).norm(dim=-1)) * 1.35 * unit
        )
        slope = 0.7 + 1.1 * (relative[..., 1] - 0.8).clamp(min=0)
        bust = torch.minimum(slope - relative[..., 0].abs(), relative[..., 1] - 0.6) * unit
        # The photo's lower edge is no edge of a bust: the last row goes on.
        sides = torch.minimum((where + 0.5).amin(dim=-1), size[:, None, None, 0] - 0.5 - where[..., 0])
        shapes = torch.stack(
            [edge, torch.full_like(edge, 1e3), torch.minimum(torch.maximum(head, bust), sides), torch.minimum(head, edge)]
        )
        chosen: Tensor = shapes.gather(0, mask[None, :, None, None].expand(1, *edge.shape))[0]
        return chosen

    @staticmethod
    def _visible(boxes: Tensor, landmarks: Tensor, covers: list[Tensor]) -> Tensor:
        """The share of each face that is in the frame and not covered, from its landmarks and a grid over its box; B x SLOTS."""
        height, width = covers[0].shape[-2:]
        steps = torch.linspace(0.15, 0.85, 4, device=boxes.device)
        grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).reshape(-1, 2)
        spread = boxes[..., None, :2] + grid * (boxes[..., None, 2:] - boxes[..., None, :2])
        points = torch.cat([landmarks, spread], dim=2)
        frame = torch.tensor([width, height], device=boxes.device)
        shares = []
        for slot in range(boxes.shape[1]):
            clear = torch.ones_like(covers[0])
            for later in covers[slot + 1 :]:
                clear = clear * (1 - later)
            where = (points[:, slot, :, None] + 0.5) * 2 / frame - 1
            shares.append(F.grid_sample(clear[:, None], where, padding_mode="zeros", align_corners=False)[:, 0, :, 0].mean(dim=1))
        return torch.stack(shares, dim=1)


def _pixels(height: int, width: int, device: torch.device) -> Tensor:
    """Coordinates (x, y) of every pixel, 1 x height x width x 2."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x, y], dim=-1)[None].float()


def _determinant(matrix: Tensor) -> Tensor:
    """Of ... x 2 x 2; unlike the library's, it never waits for the device."""
    return matrix[..., 0, 0] * matrix[..., 1, 1] - matrix[..., 0, 1] * matrix[..., 1, 0]


def _inverse(matrix: Tensor) -> Tensor:
    """Of ... x 2 x 2; unlike the library's, it never waits for the device."""
    (a, b), (c, d) = matrix[..., 0, :].unbind(-1), matrix[..., 1, :].unbind(-1)
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    return adjugate / _determinant(matrix)[..., None, None]


def _apply(matrix: Tensor, points: Tensor) -> Tensor:
    """Matrices B x 2 x 2 on points B x H x W x 2; many times faster than a batched product of so small matrices."""
    x, y = points[..., 0], points[..., 1]
    m = matrix[:, None, None]
    return torch.stack([m[..., 0, 0] * x + m[..., 0, 1] * y, m[..., 1, 0] * x + m[..., 1, 1] * y], dim=-1)


def _capsules(limbs: Tensor, points: Tensor) -> Tensor:
    """Coverage (B x H x W) of capsules with soft edges; `limbs` is B x LIMBS x 6: two ends, radius, softness."""
    limb = limbs[:, :, None, None]
    start, along = limb[..., 0:2], limb[..., 2:4] - limb[..., 0:2]
    position = ((points - start) * along).sum(dim=-1) / along.square().sum(dim=-1).clamp(min=1e-6)
    distance = (points - start - position.clamp(0, 1)[..., None] * along).norm(dim=-1)
    cover: Tensor = ((limb[..., 4] - distance) / limb[..., 5] + 0.5).clamp(0, 1).amax(dim=1)
    return cover

"""The face mesh: its canonical face measured, its points judged on hand-set ones, its time taken.

    python -m gpen_live.training.face_mesh canonical --photos PHOTOS [--photos MORE] --out gpen_live/faces/mesh.npz
    python -m gpen_live.training.face_mesh london LONDON
    python -m gpen_live.training.face_mesh time

PHOTOS are folders with `manifest.csv` and `photos/` (see `gpen_live.facedata.pack`). The canonical face is the mean of frontal,
neutral faces with closed mouths in their aligned crops, made symmetric; a triangulation over it (Delaunay, of faces with
open mouths, so that the lips' edges lie apart) and the table of mirrored points go into the same file.

LONDON is the Face Research Lab London Set with WebMorph's 189 hand-set points (`points.npz`, `info.csv`, `photos/`). Printed are
mean distances from the hand-set points to the mesh's lines, in percent of the distance between the pupils, by self-reported
ethnicity.
"""

from __future__ import annotations

import csv
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.spatial import Delaunay

from gpen_live.facedata.pack import aligned
from gpen_live.faces import mesh
from gpen_live.faces.align import invert, to_template
from gpen_live.faces.detect import Detector
from gpen_live.frame import Image
from gpen_live.inference.device import CPU
from gpen_live.inference.face_mesh import FaceMesh
from gpen_live.inference.loading import load_detector
from gpen_live.inference.openvino.network import OpenVinoNetwork
from gpen_live.models.loading import load
from gpen_live.models.registry import get, locate
from gpen_live.nets.face_mesh import BASE_POINTS

Floats = npt.NDArray[np.float32]

SIZE = 256
_OPEN_MOUTH, _CLOSED_MOUTH = 0.15, 0.03
"""Between the lips' inner edges, in distances between the pupils."""
_OPEN_EYES = 0.1
_TURNED = 8.0
"""Degrees from the front, or for nodding from what is usual, up to which a face is frontal."""


@click.group()
def main() -> None:
    """The face mesh: its canonical face, how close its points are, and how fast it is."""


@main.command()
@click.option("--photos", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, multiple=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
def canonical(photos: tuple[Path, ...], out: Path) -> None:
    """Measure the canonical face, its triangles and its mirrored points."""
    cv2.setNumThreads(1)
    find, detector = FaceMesh.load(), load_detector(CPU)
    paths = (folder / "photos" / row["file"] for folder in photos for row in _rows(folder / "manifest.csv"))
    meshes = (_points_in_crop(_picture(path), find, detector) for path in paths)
    found = np.stack([points for points in meshes if points is not None])
    neutral, speaking = _neutral(found)
    points, mirror = symmetric(neutral.mean(axis=0))
    triangles = triangulated(symmetric(speaking.mean(axis=0))[0])
    click.echo(f"{len(neutral)} neutral faces and {len(speaking)} with open mouths of {len(found)}")
    np.savez_compressed(out, points=points, mirror=mirror.astype(np.int16), triangles=triangles.astype(np.int16))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _picture(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise click.ClickException(f"{path} can't be read")
    return np.asarray(image, np.uint8)


def _points_in_crop(image: Image, find: FaceMesh, detector: Detector) -> Floats | None:
    """The largest face's points in its crop; None if there is none, or it is unsure."""
    faces = detector.detect(image, max_faces=1)
    if not faces:
        return None
    found = find(aligned(image, faces[0].landmarks, SIZE, margin=0))
    return found.points if found.score > 0.95 else None


def _neutral(points: Floats) -> tuple[Floats, Floats]:
    """The frontal faces with closed mouths, those that smile least; and the frontal ones with open mouths."""

    def between(first: int, second: int) -> Floats:
        return np.asarray(np.linalg.norm(points[:, first, :2] - points[:, second, :2], axis=1) / eyes, np.float32)

    eyes = np.linalg.norm(points[:, mesh.LEFT_PUPIL, :2] - points[:, mesh.RIGHT_PUPIL, :2], axis=1)
    across, down = points[:, 454] - points[:, 234], points[:, mesh.CHIN] - points[:, mesh.FOREHEAD]
    yaw, pitch = (np.degrees(np.arctan2(each[:, 2], each[:, axis])) for each, axis in ((across, 0), (down, 1)))
    frontal = (np.abs(yaw) < _TURNED) & (np.abs(pitch - np.median(pitch)) < _TURNED)
    frontal &= (between(159, 145) + between(386, 374)) / 2 > _OPEN_EYES
    mouth, width = between(13, 14), between(*mesh.MOUTH_CORNERS)
    closed = frontal & (mouth < _CLOSED_MOUTH)
    return points[closed & (width <= np.median(width[closed]))], points[frontal & (mouth > _OPEN_MOUTH)]


def symmetric(points: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """The points made symmetric about x = 0.5, and for each the one on the other side (itself in the middle)."""
    middle = points[[mesh.FOREHEAD, mesh.CHIN, mesh.NOSE_TIP, 168, 13, 14], 0].mean()
    centred = points - np.array([middle - 0.5, 0, 0], np.float32)
    flipped = centred * np.array([-1, 1, 1], np.float32) + np.array([1, 0, 0], np.float32)
    apart = np.linalg.norm(centred[:, None] - flipped[None], axis=2)
    _, mirror = linear_sum_assignment(apart**2)
    if (mirror[mirror] != np.arange(len(points))).any():
        raise click.ClickException("the mean face is too uneven to be mirrored")
    return np.asarray((centred + flipped[mirror]) / 2, np.float32), mirror


def triangulated(points: Floats) -> npt.NDArray[np.intp]:
    """Triangles over the points without the irises, T x 3, turned so that their normals' z is negative."""
    flat = points[:BASE_POINTS, :2].astype(np.float64)
    found = Delaunay(flat).simplices
    a, b, c = (flat[found[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    found[area > 0] = found[area > 0][:, ::-1]
    return np.asarray(found[np.abs(area) > 1e-7], np.intp)


LINES: dict[str, tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]] = {
    "lips, outer edge": (((*range(87, 94), *range(104, 109)), mesh.LIPS_OUTER),),
    "lips, inner edge": ((tuple(range(94, 104)), mesh.LIPS_INNER),),
    "eyes": (((*range(18, 23), 28, 29, 30), mesh.LEFT_EYE), ((*range(23, 28), 31, 32, 33), mesh.RIGHT_EYE)),
    "irises": ((tuple(range(2, 10)), mesh.LEFT_IRIS), (tuple(range(10, 18)), mesh.RIGHT_IRIS)),
    "brows": (((*range(71, 77), 83, 84), mesh.LEFT_BROW), ((*range(77, 83), 85, 86), mesh.RIGHT_BROW)),
    "jaw": ((tuple(range(126, 133)), mesh.JAW),),
}
"""What is judged: hand-set points, and the mesh's line that they should lie on."""


@main.command()
@click.argument("london", type=click.Path(exists=True, file_okay=False, path_type=Path))
def london(london: Path) -> None:
    """Distances from hand-set points, by group."""
    held = np.load(london / "points.npz", allow_pickle=False)
    about = {row["file"]: row for row in _rows(london / "info.csv")}
    find, detector = FaceMesh.load(), load_detector(CPU)
    groups: dict[str, list[list[float]]] = defaultdict(list)
    for name, hand in zip(held["files"], held["points"], strict=True):
        row = about[str(name)]
        image = _picture(london / "photos" / Path(str(name)).name)
        distances = judged(image, hand, find, detector)
        for group in ("all", row["ethnicity"]):
            groups[group].append(distances)
    click.echo(table(groups))


def judged(image: Image, hand: Floats, find: FaceMesh, detector: Detector) -> list[float]:
    """Mean distance for each of `LINES`, in percent of the distance between the pupils."""
    matrix = to_template((face := detector.detect(image, max_faces=1)[0]).landmarks, SIZE)
    found = find(aligned(image, face.landmarks, SIZE, margin=0)).points
    back = invert(matrix)
    points = (found[:, :2] * SIZE - 0.5) @ back[:, :2].T + back[:, 2]
    eyes = float(np.linalg.norm(hand[0] - hand[1]))
    out = []
    for pairs in LINES.values():
        apart = [distances(hand[list(some)], points[list(line)], closed=line != mesh.JAW) for some, line in pairs]
        out.append(100 * float(np.concatenate(apart).mean()) / eyes)
    return out


def distances(points: npt.NDArray[Any], line: npt.NDArray[Any], *, closed: bool) -> npt.NDArray[np.float64]:
    """From each point (N x 2) to a line through others (M x 2)."""
    start, end = (line, np.roll(line, -1, axis=0)) if closed else (line[:-1], line[1:])
    way = end - start
    along = ((points[:, None] - start) * way).sum(axis=2) / np.maximum((way * way).sum(axis=1), 1e-12)
    nearest = start + np.clip(along, 0, 1)[..., None] * way
    return np.asarray(np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1), np.float64)


def table(groups: dict[str, list[list[float]]]) -> str:
    """As Markdown: a row for each group, the largest first."""
    lines = ["| | faces | " + " | ".join(LINES) + " |", "| --- " * (2 + len(LINES)) + "|"]
    for name, rows in sorted(groups.items(), key=lambda item: -len(item[1])):
        means = " | ".join(f"{mean:.1f}" for mean in np.mean(rows, axis=0))
        lines.append(f"| {name} | {len(rows)} | {means} |")
    return "\n".join(lines)


@main.command("time")
@click.option("--calls", type=click.IntRange(1), default=300, show_default=True)
def take_times(calls: int) -> None:
    """Time beside lite-256's, in turns, on one and on two threads: medians and minima."""
    spec = get("lite-256")
    lite = load(spec, locate(spec)).network
    assert lite is not None
    random = np.random.default_rng(0)
    crop = np.asarray(cv2.resize(random.integers(0, 256, (8, 8, 3), np.uint8), (SIZE, SIZE)), np.uint8)
    picture = np.zeros((1, 3, SIZE, SIZE), np.float32)
    click.echo("| threads | mesh, ms | lite-256, ms | ratio |\n| --- | --- | --- | --- |")
    for threads in (1, 2):
        find = FaceMesh.load(threads=threads)
        enhance = OpenVinoNetwork(lite, "fp32", size=SIZE, threads=threads, most_threads=threads)
        times = np.array([(_taken(lambda: find(crop)), _taken(lambda: enhance(picture))) for _ in range(calls)]) * 1000  # noqa: B023
        for kind, (ours, theirs) in (("median", np.median(times, axis=0)), ("minimum", times.min(axis=0))):
            click.echo(f"| {threads}, {kind} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} |")


def _taken(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()

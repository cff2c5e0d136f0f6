"""Where faces come from: a manifest, a packed file, a plain folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from gpen_live.errors import GpenLiveError
from gpen_live.facedata import pack
from gpen_live.faces.align import GPEN_TEMPLATE
from gpen_live.quality.photos import MARGIN, aligned, read_faces
from tests.messages.says import says
from tests.quality.pictures import EYES_NOSE_MOUTH, canvas, portrait


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "photos").mkdir()
    names = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
    lines = ["file,split,gpen_crop_px," + ",".join(f"{name}_{axis}" for name in names for axis in "xy")]
    marks = ",".join(str(value) for point in EYES_NOSE_MOUTH for value in point)
    for name, split, crop in (("nasa_a.png", "val", 300), ("nasa_b.png", "train", 300), ("esa_c.png", "val", 220)):
        cv2.imwrite(str(tmp_path / "photos" / name), np.asarray(astronaut())[..., ::-1])
        lines.append(f"{name},{split},{crop},{marks}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_a_manifest_gives_the_split_that_is_large_enough(photos: Path) -> None:
    (face,) = read_faces(photos, size=256)
    assert (face.name, face.source) == ("nasa_a", "nasa")
    assert np.array_equal(face.canvas, canvas())
    assert face.crop.shape == (256, 256, 3)
    assert [face.name for face in read_faces(photos, size=192, split="all")] == ["nasa_a", "nasa_b", "esa_c"]
    with pytest.raises(GpenLiveError, check=says("quality.no_faces", path=photos, size=512)):
        read_faces(photos, size=512)


def test_crops_of_256_pixels_are_those_of_training() -> None:
    image = np.asarray(astronaut(), np.uint8)
    assert np.array_equal(aligned(image, EYES_NOSE_MOUTH, 256), pack.aligned(image, EYES_NOSE_MOUTH))
    assert MARGIN == pack.MARGIN


def test_a_packed_file(photos: Path) -> None:
    pack.pack(photos, photos / "faces.npz", kernels=2)
    (face,) = read_faces(photos / "faces.npz", size=256)
    assert np.abs(face.crop.astype(int) - portrait()).mean() < 6  # WebP
    assert len(read_faces(photos / "faces.npz", size=256, split="all")) == 2
    with pytest.raises(GpenLiveError, check=says("quality.packed_size", held=256, size=512)):
        read_faces(photos / "faces.npz", size=512)
    (photos / "faces.npz").write_bytes(b"none")
    with pytest.raises(GpenLiveError, check=says("quality.packed", path=photos / "faces.npz")):
        read_faces(photos / "faces.npz", size=256)


@pytest.mark.parametrize("shape", [(64, 64), (300, 200), (512, 512)])
def test_a_plain_folder_takes_pictures_of_any_size(tmp_path: Path, shape: tuple[int, int]) -> None:
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((*shape, 3), 10 * number, np.uint8))
    faces = read_faces(tmp_path, size=128, most=3)
    assert [face.name for face in faces] == ["0", "2", "4"]
    assert {face.source for face in faces} == {tmp_path.name}
    assert all((face.crop == 10 * int(face.name)).all() and face.crop.shape == (128, 128, 3) for face in faces)
    assert len({face.seed for face in faces}) == 3


def test_what_is_missing_or_broken_is_named(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(GpenLiveError, check=says("quality.no_folder", path=tmp_path / "nowhere")):
        read_faces(tmp_path / "nowhere", size=256)
    (photos / "photos" / "nasa_a.png").write_text("none")
    with pytest.raises(GpenLiveError, check=says("quality.face_unreadable", path=photos / "photos" / "nasa_a.png")):
        read_faces(photos, size=256)
    (photos / "manifest.csv").write_text("file,split\na.png,val\n", encoding="utf-8")
    with pytest.raises(GpenLiveError, check=says("quality.manifest", path=photos / "manifest.csv")):
        read_faces(photos, size=256)


def test_a_folder_with_points_set_by_hand(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "001_neutral.png"), np.asarray(astronaut())[..., ::-1])
    points = np.zeros((1, 189, 2), np.float32)
    points[0, [0, 1, 87, 93]] = np.array(EYES_NOSE_MOUTH)[[0, 1, 3, 4]]
    np.savez(tmp_path / "points.npz", files=np.array(["001_neutral.png"]), points=points)
    info = "file,id,split,ethnicity\n001_neutral.png,1,val,west_asian\n001_smiling.png,1,val,west_asian\n"
    (tmp_path / "info.csv").write_text(info, encoding="utf-8")
    (face,) = read_faces(tmp_path, size=256, margin=40)
    assert (face.name, face.ethnicity, face.canvas.shape) == ("001_neutral", "west_asian", (336, 336, 3))
    assert face.points is not None
    eyes = face.points[[0, 1]] - 40
    assert eyes == pytest.approx(GPEN_TEMPLATE[:2] * 256, abs=6)
    assert np.abs(face.crop.astype(int) - portrait()).mean() < 12  # the template's nose is left out
    with pytest.raises(GpenLiveError, check=says("quality.no_faces", path=tmp_path, size=256)):
        read_faces(tmp_path, size=256, split="train")
    (tmp_path / "info.csv").write_text("file\n001_neutral.png\n", encoding="utf-8")
    with pytest.raises(GpenLiveError, check=says("quality.manifest", path=tmp_path / "info.csv")):
        read_faces(tmp_path, size=256)


def test_another_margin(photos: Path) -> None:
    pack.pack(photos, photos / "faces.npz", kernels=2)
    (plain,) = read_faces(photos / "faces.npz", size=256)
    for margin in (10, MARGIN, 50):
        (face,) = read_faces(photos / "faces.npz", size=256, margin=margin)
        assert face.canvas.shape == (256 + 2 * margin,) * 2 + (3,)
        assert np.array_equal(face.crop, plain.crop)
        assert read_faces(photos, size=256, margin=margin)[0].crop.shape == (256, 256, 3)

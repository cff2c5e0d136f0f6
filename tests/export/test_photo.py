"""One photo: reading and writing whatever comes, the demo portrait's face, and GPEN's own picture of an aligned crop."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
import torch
from PIL import Image as Pictures

from gpen_live.cli import main
from gpen_live.errors import GpenLiveError
from gpen_live.export.photo import read_photo
from gpen_live.media.picture_file import write_picture
from gpen_live.models.architectures import STRICT
from tests.messages.says import says
from tests.nets.test_gpen import load, recipe_picture


def test_a_photo_lying_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Pictures.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Pictures.new("RGB", (60, 20), (200, 10, 10)).save(path, exif=exif)
    assert read_photo(path).image.shape == (60, 20, 3)


def test_transparency_is_kept_where_the_format_has_it(tmp_path: Path) -> None:
    source, png, jpg = tmp_path / "in.png", tmp_path / "out.png", tmp_path / "out.jpg"
    pixels = np.full((20, 30, 4), 90, np.uint8)
    pixels[:, :15, 3] = 0
    cv2.imwrite(str(source), pixels)
    photo = read_photo(source)
    assert photo.alpha is not None
    write_picture(png, photo.image, photo.alpha)
    write_picture(jpg, photo.image, photo.alpha)
    assert np.array_equal(cv2.imread(str(png), cv2.IMREAD_UNCHANGED), pixels)
    assert cv2.imread(str(jpg), cv2.IMREAD_UNCHANGED).shape == (20, 30, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(24, 24), (40, 20)])
def test_transparency_is_turned_with_the_picture(tmp_path: Path, orientation: int, size: tuple[int, int]) -> None:
    """The transparent quarter is the red one, however the picture lies."""
    path = tmp_path / "in.png"
    width, height = size
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[:, :, 3] = 255
    pixels[: height // 2, : width // 2] = (255, 0, 0, 0)
    exif = Pictures.Exif()
    exif[0x0112] = orientation
    Pictures.fromarray(pixels, "RGBA").save(path, exif=exif)
    photo = read_photo(path)
    assert photo.alpha is not None
    assert photo.alpha.shape == photo.image.shape[:2]
    assert np.array_equal(photo.alpha == 0, photo.image[:, :, 2] == 255)


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "taken.png"
    folder.mkdir()
    with pytest.raises(GpenLiveError, check=says("file.unwritable", path=folder)):
        write_picture(folder, np.zeros((4, 4, 3), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]


def test_the_face_of_a_photo_is_enhanced_and_the_rest_left_alone(tmp_path: Path) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    image = np.ascontiguousarray(skimage.data.astronaut()[:, :, ::-1])
    rng = np.random.default_rng(0)
    soft = cv2.GaussianBlur(image, (0, 0), 1.2).astype(float) + rng.normal(scale=8, size=image.shape)
    cv2.imwrite(str(source), np.clip(soft, 0, 255).astype(np.uint8))
    assert main(["enhance", str(source), str(target), "--beauty", "off"]) == 0
    before, after = (cv2.imread(str(path)).astype(int) for path in (source, target))
    face, rest = (slice(80, 160), slice(190, 260)), (slice(300, None), slice(None))
    assert np.array_equal(after[rest], before[rest])
    assert np.abs(after[face] - image[face]).mean() < 0.85 * np.abs(before[face] - image[face]).mean(), "nearer to the truth"
    assert main(["enhance", str(source), str(target), "--beauty", "off", "--strength", "0"]) == 0
    assert np.array_equal(cv2.imread(str(target)), cv2.imread(str(source)))


def test_an_aligned_crop_through_official_weights_is_the_networks_picture(tmp_path: Path) -> None:
    """From PNG to PNG through a file with upstream's names: what the network itself gives, within rounding of levels and bf16."""
    net = load("gpen-256")
    weights, source, target = tmp_path / "GPEN-BFR-256.pth", tmp_path / "in.png", tmp_path / "out.png"
    torch.save(net.state_dict(), weights)
    crop = ((recipe_picture(256)[0] + 1) * 127.5).round().to(torch.uint8)
    cv2.imwrite(str(source), crop.flip(0).permute(1, 2, 0).numpy())
    words = [
        "enhance",
        str(source),
        str(target),
        "--aligned",
        *("--beauty", "off"),
        "--model",
        "gpen-256",
        "--weights",
        str(weights),
        "--device",
        "cpu",
    ]
    assert main(words) == 0
    with torch.inference_mode():
        expected = (net(crop[None] / 127.5 - 1)[0].clamp(-1, 1) + 1) * 127.5
    written = torch.from_numpy(cv2.imread(str(target))).flip(2).permute(2, 0, 1).float()
    difference = (written - expected).abs()
    assert difference.mean() < STRICT.mean + 0.25
    assert difference.max() < STRICT.most + 1


def test_beauty_is_drawn_on_the_face_of_a_photo_and_on_an_aligned_crop(tmp_path: Path) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    image = np.ascontiguousarray(skimage.data.astronaut()[:, :, ::-1])
    cv2.imwrite(str(source), image)
    words = ["enhance", str(source), str(target), "--strength", "0"]
    assert main([*words, "--beauty", "glam"]) == 0
    change = np.abs(cv2.imread(str(target)).astype(int) - image).max(axis=2)
    assert change[80:160, 190:260].mean() > 3
    assert not change[300:].any()
    crop = cv2.resize(image[:190, 130:320], (256, 256))
    cv2.imwrite(str(source), crop)
    assert main([*words, "--aligned", "--beauty", "off", "--beauty-set", "lips=1"]) == 0
    assert np.abs(cv2.imread(str(target)).astype(int) - crop).max() > 30

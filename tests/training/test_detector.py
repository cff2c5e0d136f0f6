"""The detector's training: scenes whose labels fit their pictures, losses, one step, and going on from a checkpoint."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gpen_live.errors import GpenLiveError
from gpen_live.faces.detect import Detection, make_anchors
from gpen_live.frame import Image
from gpen_live.inference import device as devices
from gpen_live.inference.torch_detector import TorchDetector, decode_boxes, decode_landmarks
from gpen_live.training import detector as training
from gpen_live.training.detector_camera import draw_cameras, jpeg, photograph
from gpen_live.training.detector_loss import (
    encode_boxes,
    encode_landmarks,
    face_residuals,
    match,
    multibox_loss,
    steadiness_loss,
)
from gpen_live.training.detector_pack import pack_photos
from gpen_live.training.detector_score import Truth, score
from gpen_live.training.scene_backgrounds import drawn_scenes, read_scenes
from gpen_live.training.scene_banks import Bank, FaceBank
from gpen_live.training.scene_photos import LANDMARK_COLUMNS, Photo, cut_photo, read_photos
from gpen_live.training.scene_plan import SLOTS, Scenes, join
from gpen_live.training.scenes import SceneMaker
from tests.messages.says import says

CPU = torch.device("cpu")

FACE_BOX = np.array([60.0, 70.0, 160.0, 200.0])
FACE_POINTS = np.array([[85.0, 115.0], [135.0, 115.0], [110.0, 145.0], [90.0, 170.0], [130.0, 170.0]])
DOTS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]])
"""A drawn face: a dark oval with a dot of its own colour on each landmark."""


def drawn_face() -> Image:
    picture = np.full((280, 220, 3), 200, np.uint8)
    cv2.ellipse(picture, (110, 135), (50, 65), 0, 0, 360, (20, 20, 20), -1)
    for (x, y), colour in zip(FACE_POINTS.astype(int), DOTS, strict=True):
        cv2.circle(picture, (int(x), int(y)), 9, [int(level) for level in colour], -1)
    return picture


def maker(seed: int = 1) -> SceneMaker:
    photo = cut_photo("drawn", drawn_face(), FACE_BOX, FACE_POINTS)
    walls: list[Image] = [np.full((128, 192, 3), level, np.uint8) for level in (90, 45)]
    return SceneMaker(FaceBank([photo], CPU), Bank(walls, 512, CPU), seed)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of drawn photos and one of backgrounds, as the trainer reads them."""
    folder = tmp_path_factory.mktemp("pictures")
    photos, scenes = folder / "photos", folder / "scenes"
    (photos / "photos").mkdir(parents=True)
    scenes.mkdir()
    columns = ["file", "split", "box_x0", "box_y0", "box_x1", "box_y1"]
    columns += [f"{point}_{axis}" for point in LANDMARK_COLUMNS for axis in "xy"]
    with (photos / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for number, split in enumerate(("train", "train", "val")):
            cv2.imwrite(str(photos / "photos" / f"{number}.png"), drawn_face())
            writer.writerow([f"{number}.png", split, *FACE_BOX, *FACE_POINTS.flatten()])
    for name in ("wall", "kodak_04", "kodak_01"):
        cv2.imwrite(str(scenes / f"{name}.png"), np.full((60, 90, 3), 120, np.uint8))
    return photos, scenes


def options(folders: tuple[Path, Path], out: Path, *, resume: bool = False, steps: int = 1) -> training.Options:
    return training.Options(
        *folders, out=out, pairs=1, steps=steps, seconds=600.0, device="cpu", check_every=1e9, resume=resume, check_count=2
    )


@pytest.fixture(scope="module")
def trained(folders: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights file of a run of one step."""
    out = tmp_path_factory.mktemp("run")
    training.Trainer(options(folders, out)).train()
    return out / "detector.safetensors"


def test_the_same_seed_gives_the_same_scenes() -> None:
    first, second, other = (one.render(one.plan(3, 96, 160)) for one in (maker(5), maker(5), maker(6)))
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.landmarks, second.landmarks)
    assert not torch.equal(first.landmarks, other.landmarks)


def test_labels_lie_on_what_is_drawn() -> None:
    """At every landmark of a large, clear face its dot's hue shows; mirrored faces have left and right exchanged."""
    one = maker(3)
    plan = one.plan(48, 192, 320)
    scenes = one.render(plan)
    mirrored = torch.linalg.det(plan.linear) < 0
    seen = {False: 0, True: 0}
    for b in range(48):
        for k in range(SLOTS):
            box = scenes.boxes[b, k]
            clear = scenes.labelled[b, k] and box[3] - box[1] > 60 and plan.present[b, k + 1 :].sum() == 0
            if not clear or plan.limbs[b, :, 4].max() > 0 or plan.light[b, k].norm() > 0.2:
                continue
            flipped = bool(mirrored[b, k])
            colours = DOTS[[1, 0, 2, 4, 3]] if flipped else DOTS
            for (x, y), colour in zip(scenes.landmarks[b, k].round().int().tolist(), colours, strict=True):
                if 2 <= x < 318 and 2 <= y < 190:
                    pixel = scenes.images[b, :, y, x].numpy()
                    assert pixel[colour == 255].min() > pixel[colour == 0].max() + 20
                    seen[flipped] += 1
    assert min(seen.values()) >= 10


def test_boxes_hold_the_turned_face() -> None:
    one = maker(4)
    plan = one.plan(8, 192, 320)
    boxes = plan.face_boxes(one.faces)
    turn = torch.linspace(0, 2 * torch.pi, 181)
    photo_box = one.faces.boxes[0]
    centre, half = (photo_box[:2] + photo_box[2:]) / 2, (photo_box[2:] - photo_box[:2]) / 2
    oval = centre + half * torch.stack([turn.cos(), turn.sin()], dim=1)
    moved = oval @ plan.linear.transpose(-1, -2) + plan.offset[:, :, None]
    torch.testing.assert_close(boxes[..., :2], moved.amin(dim=2), atol=0.05, rtol=1e-3)
    torch.testing.assert_close(boxes[..., 2:], moved.amax(dim=2), atol=0.05, rtol=1e-3)


def test_a_shifted_plan_moves_picture_and_labels() -> None:
    one = maker(8)
    plan = one.plan(12, 96, 160)
    by = torch.tensor([[7.0, 4.0]]).expand(12, 2)
    here, there = one.render(plan), one.render(plan.shifted(by))
    torch.testing.assert_close(there.landmarks, here.landmarks + by[:, None, None])
    torch.testing.assert_close(there.boxes, here.boxes + by.repeat(1, 2)[:, None])
    # A wall drawn by the program, and the line between two backgrounds, stay where they are.
    plain = (plan.backdrop_mix[:, 1] >= 0.3) & (plan.backdrop_mix[:, 0] >= 0.2)
    moved = there.images[plain][:, :, 4:, 7:] - here.images[plain][:, :, :-4, :-7]
    assert plain.any()
    assert moved.abs().mean() < 0.5


def test_erased_and_absent_faces_are_not_labelled() -> None:
    one = maker(2)
    plan = one.plan(64, 96, 160)
    scenes = one.render(plan)
    assert not scenes.labelled[~plan.present | plan.erased].any()
    assert not (scenes.labelled & scenes.doubtful).any()
    assert (scenes.labelled.sum(dim=1) == 0).any()
    assert (scenes.labelled.sum(dim=1) > 1).any()


def test_cutting_a_photo_keeps_its_labels() -> None:
    large = np.repeat(np.repeat(drawn_face(), 5, axis=0), 5, axis=1)
    points = (FACE_POINTS + 0.5) * 5 - 0.5
    photo: Photo = cut_photo("large", large, FACE_BOX * 5.0, points)
    assert max(photo.image.shape) <= 320
    for (x, y), colour in zip(photo.landmarks.round().astype(int), DOTS, strict=True):
        np.testing.assert_allclose(photo.image[y, x], colour, atol=2)


def test_a_bank_gives_the_same_colours_at_every_level() -> None:
    ramp = np.zeros((200, 300, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 250, 300)[None]
    ramp[..., 1] = np.linspace(0, 250, 200)[:, None]
    bank = Bank([ramp], 320, CPU)
    points = torch.tensor([[[[150.0, 100.0], [40.0, 160.0], [260.0, 30.0]]]])
    for zoom in (1.0, 0.45, 0.2, 0.05):
        colours = bank.sample(torch.tensor([0]), points, torch.tensor([zoom]))[0, :, 0]
        expected = torch.tensor(
            [[150.0 / 299 * 250, 40 / 299 * 250, 260 / 299 * 250], [100 / 199 * 250, 160 / 199 * 250, 30 / 199 * 250]]
        )
        torch.testing.assert_close(colours[:2], expected, atol=2.5, rtol=0)


def test_a_camera_keeps_size_and_range() -> None:
    random = torch.Generator().manual_seed(1)
    pictures = torch.rand(6, 3, 45, 61, generator=random) * 255
    taken = photograph(pictures, draw_cameras(6, random), random)
    assert taken.shape == pictures.shape
    assert taken.min() >= 0
    assert taken.max() <= 255
    assert torch.equal(taken, taken.round())


def test_jpeg_quantises_more_at_lower_quality() -> None:
    random = torch.Generator().manual_seed(2)
    pictures = (torch.rand(1, 3, 20, 28, generator=random) * 255).expand(4, -1, -1, -1)
    loss = (jpeg(pictures, torch.tensor([100.0, 95.0, 60.0, 20.0])) - pictures).abs().mean(dim=(1, 2, 3))
    assert loss[0] == 0
    assert 0 < loss[1] < loss[2] < loss[3]
    grey = torch.full((1, 3, 16, 16), 77.0)
    torch.testing.assert_close(jpeg(grey, torch.tensor([30.0])), grey, atol=4.0, rtol=0)


def one_scene() -> Scenes:
    boxes, landmarks = torch.zeros(1, SLOTS, 4), torch.zeros(1, SLOTS, 5, 2)
    boxes[0, 0], boxes[0, 1] = torch.tensor([40.0, 30.0, 100.0, 110.0]), torch.tensor([200.0, 20.0, 230.0, 60.0])
    landmarks[0, 0] = torch.tensor([[55.0, 60.0], [85.0, 60.0], [70.0, 75.0], [58.0, 92.0], [82.0, 92.0]])
    labelled, doubtful = torch.zeros(1, SLOTS, dtype=torch.bool), torch.zeros(1, SLOTS, dtype=torch.bool)
    labelled[0, 0] = doubtful[0, 1] = True
    return Scenes(torch.zeros(1, 3, 192, 320), boxes, landmarks, labelled, doubtful, labelled.float())


def test_encoding_is_undone_by_decoding() -> None:
    anchors = torch.from_numpy(make_anchors(192, 320)).float()
    targets = match(one_scene(), anchors)
    torch.testing.assert_close(
        decode_boxes(encode_boxes(targets.boxes, anchors), anchors)[targets.positive], targets.boxes[targets.positive]
    )
    landmarks = decode_landmarks(encode_landmarks(targets.landmarks, anchors), anchors)
    torch.testing.assert_close(landmarks[targets.positive], targets.landmarks[targets.positive])


def test_matching_finds_faces_and_leaves_doubtful_ones_alone() -> None:
    anchors = torch.from_numpy(make_anchors(192, 320)).float()
    targets = match(one_scene(), anchors)
    assert targets.positive.any()
    assert (targets.face[targets.positive] == 0).all()
    centres = anchors[targets.ignored[0], :2]
    assert len(centres)
    assert (centres[:, 0] > 190).all()


def test_the_loss_is_least_for_the_truth() -> None:
    anchors = torch.from_numpy(make_anchors(192, 320)).float()
    targets = match(one_scene(), anchors)
    sure = torch.where(targets.positive[..., None], torch.tensor([-9.0, 9.0]), torch.tensor([9.0, -9.0]))
    # Coding is meant for anchors near a face; far ones reach huge values, which no loss looks at.
    truth = (encode_boxes(targets.boxes, anchors), sure, encode_landmarks(targets.landmarks, anchors))
    terms = multibox_loss(truth, targets, anchors)
    assert all(float(value) < 1e-4 for value in terms.values())
    wrong = multibox_loss((truth[0] + 0.5, -sure, truth[2] + 0.5), targets, anchors)
    assert all(float(value) > 0.1 for value in wrong.values())
    residual = face_residuals(truth, targets, anchors, SLOTS)
    assert residual[1].tolist() == [[True, False, False, False]]
    off = face_residuals((truth[0], sure, truth[2] + 0.3), targets, anchors, SLOTS)
    terms = steadiness_loss(residual, off)
    assert float(steadiness_loss(residual, residual)["jitter"]) == 0.0
    assert float(terms["jitter"]) == pytest.approx(2 * float(terms["residual"]), rel=1e-3)
    assert float(terms["jitter"]) > 0.005


def test_scores_count_hits_misses_and_excuses() -> None:
    points = np.array([[3.0, 3.0], [7.0, 3.0], [5.0, 5.0], [3.5, 8.0], [6.5, 8.0]])
    truth = Truth(
        np.array([[0.0, 0, 10, 10], [50, 50, 60, 60]]), np.stack([points, points + 50]), np.array([[100.0, 0, 120, 20]])
    )
    found = [
        Detection((0.0, 0.0, 10.0, 11.0), 0.9, points + np.array([0.4, 0])),
        Detection((101.0, 0.0, 120.0, 20.0), 0.9, points),
        Detection((200.0, 0.0, 220.0, 20.0), 0.8, points),
    ]
    result = score([found], [truth])
    assert (result.faces, result.found, result.wrong) == (2, 1, 1)
    assert result.recall == result.precision == 0.5
    assert result.mean_error == pytest.approx(0.1)


def test_one_step_then_going_on(folders: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    trainer = training.Trainer(options(folders, out))
    before = {name: value.clone() for name, value in trainer.network.named_parameters()}
    trainer.train()
    changed = [name for name, value in trainer.network.named_parameters() if not torch.equal(value, before[name])]
    assert len(changed) > 100
    assert all(torch.isfinite(value).all() for value in load_file(out / "detector.safetensors").values())
    again = training.Trainer(options(folders, out, resume=True))
    assert (again.step, again.cycle) == (1, 1)
    for name, value in trainer.network.state_dict().items():
        torch.testing.assert_close(again.network.state_dict()[name], value)
    again.train()
    with (out / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2"]
    assert all(float(row["loss"]) > 0 for row in rows)
    loaded = TorchDetector.load(out / "detector.safetensors", devices.CPU)
    assert loaded.detect(np.zeros((20, 30, 3), np.uint8), threshold=1.1) == []


def test_a_run_starts_from_a_weights_file(folders: tuple[Path, Path], trained: Path, tmp_path: Path) -> None:
    trainer = training.Trainer(replace(options(folders, tmp_path), start=trained))
    for name, value in load_file(trained).items():
        torch.testing.assert_close(trainer.network.state_dict()[name], value)
        torch.testing.assert_close(trainer.average.module.state_dict()[name], value)
    assert trainer.learn()["loss"].isfinite()
    assert any(not torch.equal(trainer.network.state_dict()[name], value) for name, value in load_file(trained).items())


def test_weights_that_are_no_detector_are_named(tmp_path: Path) -> None:
    with pytest.raises(GpenLiveError, check=says("training.no_weights")):
        training.load_network_file(tmp_path / "none.safetensors", CPU)
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(GpenLiveError, check=says("training.wrong_weights", path=tmp_path / "other.pth")):
        training.load_network_file(tmp_path / "other.pth", CPU)


def test_a_teacher_adds_its_terms(folders: tuple[Path, Path], trained: Path, tmp_path: Path) -> None:
    taught = replace(options(folders, tmp_path), teacher=trained)
    terms = training.Trainer(taught).learn()
    assert {"teacher class", "teacher box", "teacher landmark"} <= set(terms)


def test_mistakes_are_learned_from_with_norms_frozen(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """A lesson holds as many scenes without faces as others; frozen statistics stay, weights don't."""
    mining = replace(options(folders, tmp_path / "run"), pairs=2, mine=3, frozen_norms=True)
    trainer = training.Trainer(mining)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    trainer.learn()
    assert trainer.lesson is not None
    for view in trainer.lesson.views:
        assert len(view.images) == 2 * round(2 * 192 * 320 / (view.images.shape[2] * view.images.shape[3]))
        assert not view.labelled[len(view.images) // 2 :].any()
    after = trainer.network.state_dict()
    assert torch.equal(after["body.stage1.0.1.running_mean"], before["body.stage1.0.1.running_mean"])
    assert not torch.equal(after["body.stage1.0.0.weight"], before["body.stage1.0.0.weight"])


def test_scenes_are_picked_and_joined_whole() -> None:
    one = maker(9)
    scenes = one.render(one.plan(4, 64, 96))
    back = join(scenes.pick(torch.tensor([2, 3])), scenes.pick(torch.tensor([0, 1])))
    for name in ("images", "boxes", "landmarks", "labelled", "doubtful", "visible"):
        assert torch.equal(getattr(back, name), getattr(scenes, name)[[2, 3, 0, 1]])


def test_drawn_scenes_come_from_their_seed() -> None:
    first, again, other = drawn_scenes(3, 1), drawn_scenes(3, 1), drawn_scenes(3, 2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert all(picture.std() > 3 for picture in first)


def test_every_second_camera_is_shared() -> None:
    random = torch.Generator().manual_seed(4)
    here, there = draw_cameras(4, random), draw_cameras(4, random)
    mixed = here.shared_with(there)
    assert torch.equal(mixed.kernel[::2], here.kernel[::2])
    assert torch.equal(mixed.kernel[1::2], there.kernel[1::2])
    assert torch.equal(mixed.gain[1::2], there.gain[1::2])


def test_what_is_missing_is_named(folders: tuple[Path, Path], tmp_path: Path) -> None:
    photos, scenes = folders
    with pytest.raises(GpenLiveError, check=says("training.no_manifest", folder=scenes)):
        read_photos(scenes, "train")
    with pytest.raises(GpenLiveError, check=says("training.no_photos", split="test")):
        read_photos(photos, "test")
    with pytest.raises(GpenLiveError, check=says("training.no_backgrounds", folder=photos)):
        read_scenes(photos, "train")
    with pytest.raises(GpenLiveError, check=says("training.no_checkpoint", folder=tmp_path / "none")):
        training.Trainer(options(folders, tmp_path / "none", resume=True))


def test_people_and_held_out_scenes_stay_out_of_training(folders: tuple[Path, Path]) -> None:
    assert len(read_scenes(folders[1], "train")) == 1
    assert len(read_scenes(folders[1], "val")) == 1


def test_a_pack_reads_as_its_source(folders: tuple[Path, Path], tmp_path: Path) -> None:
    assert pack_photos(folders[0], tmp_path / "pack") == 3
    for split in ("train", "val"):
        ours, theirs = read_photos(tmp_path / "pack", split), read_photos(folders[0], split)
        assert [photo.name for photo in ours] == [photo.name for photo in theirs]
        np.testing.assert_allclose(ours[0].landmarks, theirs[0].landmarks, atol=0.01)
        assert ours[0].image.shape == theirs[0].image.shape

"""Training of the light network: degradations, packing, and a few steps on generated pictures."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from click.testing import CliRunner
from torch import Generator, Tensor

from gpen_live.facedata import basicsr_compat
from gpen_live.facedata.arcface import MEAN, STD
from gpen_live.facedata.blur import blur_kernels
from gpen_live.facedata.degrade import degrade, gaussian_blur, grain, jitter, jpeg, ladder, random_webcams
from gpen_live.facedata.features import Features, feature_distance
from gpen_live.facedata.pack import MARGIN, PACKED, SIZE, Faces, aligned, pack, unpack
from gpen_live.faces.align import GPEN_TEMPLATE
from gpen_live.inference.openvino.network import library
from gpen_live.nets.torch_lite import Lite
from gpen_live.quality.identity import arcface_crop
from gpen_live.training.critic import Critic, critic_loss
from gpen_live.training.films import Films, Frame, carried
from gpen_live.training.identity import Identity
from gpen_live.training.lite import Recipe, Trainer, load_lite, main, train, unsteadiness
from gpen_live.training.validation import FRAMES, psnr, validate


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def pattern(size: int = 96, count: int = 2) -> Tensor:
    """Smooth pictures with edges, N,3,size,size in [0, 1]."""
    noise = torch.rand((count, 3, size // 8, size // 8), generator=seeded(3))
    return torch.nn.functional.interpolate(noise, (size, size), mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def faces() -> Faces:
    pictures = (pattern(PACKED, 6) * 255).byte().permute(0, 2, 3, 1).numpy()
    return Faces(pictures[:4], pictures[4:], blur_kernels(16))


@pytest.fixture(scope="module")
def bank(faces: Faces) -> Tensor:
    return torch.from_numpy(faces.kernels)


# Degradations


@pytest.mark.parametrize("level", [0.25, 0.5, 1.0])
def test_ladder_is_deterministic_and_in_range(level: float) -> None:
    x = pattern()
    out = ladder(x, level, seeded())
    assert torch.equal(out, ladder(x, level, seeded()))
    assert not torch.equal(out, ladder(x, level, seeded(1)))
    assert out.shape == x.shape
    assert out.min() >= 0
    assert out.max() <= 1
    assert torch.allclose(out * 255, (out * 255).round(), atol=1e-3)


def test_ladder_gets_worse_from_nothing() -> None:
    x = (pattern() * 255).round() / 255
    assert torch.allclose(ladder(x, 0, seeded()), x, atol=1e-6)
    quality = [psnr(ladder(x, level, seeded()), x).mean().item() for level in (0.25, 0.5, 0.75, 1.0)]
    assert quality == sorted(quality, reverse=True)


def test_webcams_are_deterministic_and_in_range(bank: Tensor) -> None:
    x = pattern(128, 8)
    outs = []
    for _ in range(2):
        generator = seeded(5)
        outs.append(degrade(x, random_webcams(8, len(bank), generator, clean_share=0), bank, generator))
    assert torch.equal(*outs)
    assert outs[0].min() >= 0
    assert outs[0].max() <= 1
    assert (outs[0] - x).abs().mean((1, 2, 3)).min() > 1e-3


def test_clean_webcam_changes_nothing(bank: Tensor) -> None:
    x = (pattern(128, 4) * 255).round() / 255
    generator = seeded()
    webcams = random_webcams(4, len(bank), generator, clean_share=1)
    assert torch.allclose(degrade(x, webcams, bank, generator), x, atol=1e-6)


def test_webcams_put_the_face_where_it_was(bank: Tensor) -> None:
    """Whatever the camera's grid, the crop's grid comes back: no displacement, measured by least squares on the gradients."""
    x = gaussian_blur(pattern(160, 8), torch.full((8,), 3.0))
    generator = seeded(2)
    drawn = random_webcams(8, len(bank), generator, clean_share=0)
    none = torch.zeros(8)
    webcams = replace(drawn, kernel_mix=none, fine=none, coarse=none, sharpen=none, quality=torch.full((8,), 98.0))
    assert (webcams.scale > 1.2).any()
    assert (webcams.angle.abs() > 0.1).any()
    assert set(webcams.early_upscale.tolist()) == {0, 1}
    change = (degrade(x, webcams, bank, generator) - x)[..., 24:-24, 24:-24]
    across = (x[..., 24:-24, 25:-23] - x[..., 24:-24, 23:-25]) / 2
    down = (x[..., 25:-23, 24:-24] - x[..., 23:-25, 24:-24]) / 2
    for picture in range(8):
        gradient = torch.stack([across[picture].flatten(), down[picture].flatten()], dim=1)
        shift = torch.linalg.lstsq(gradient, change[picture].flatten()[:, None]).solution
        assert shift.abs().max() < 0.05


@pytest.mark.parametrize("quality", [30, 60, 95])
def test_jpeg_is_opencvs(quality: int) -> None:
    x = (pattern(72, 1) * 255).round() / 255
    ours = (jpeg(x, torch.tensor([float(quality)]))[0] * 255).round().byte().permute(1, 2, 0).numpy()
    picture = np.ascontiguousarray((x[0] * 255).round().byte().permute(1, 2, 0).numpy()[..., ::-1])
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    theirs = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    assert cv2.PSNR(theirs, np.ascontiguousarray(ours[..., ::-1])) > 38


@pytest.mark.parametrize("sigma", [0.0, 0.7, 2.5])
def test_grain_has_unit_variance(sigma: float) -> None:
    noise = grain((2, 3, 128, 128), torch.full((2,), sigma), seeded())
    assert noise.std().item() == pytest.approx(1, abs=0.06)


def test_blur_keeps_the_mean_and_matches_opencv() -> None:
    x = pattern(64, 1)
    ours = gaussian_blur(x, torch.tensor([1.5]))[0].permute(1, 2, 0).numpy()
    theirs = cv2.GaussianBlur(x[0].permute(1, 2, 0).numpy(), (0, 0), 1.5, borderType=cv2.BORDER_REFLECT_101)
    assert np.abs(ours - theirs).max() < 5e-3


def test_jitter_stays_in_range() -> None:
    out = jitter(pattern(64, 6), seeded())
    assert out.min() >= 0
    assert out.max() <= 1
    assert torch.equal(out, jitter(pattern(64, 6), seeded()))


def test_kernels_are_a_bank_from_sharp_to_soft(faces: Faces) -> None:
    kernels = faces.kernels
    assert kernels.sum((1, 2)) == pytest.approx(np.ones(len(kernels)), abs=1e-4)
    assert kernels.min() >= -1e-6
    assert kernels[0].max() > kernels[-1].max()
    assert np.array_equal(kernels, blur_kernels(16))


def test_basicsr_stand_in() -> None:
    basicsr_compat.prepare()
    basicsr_compat.prepare()
    from basicsr.data.degradations import random_mixed_kernels

    assert callable(random_mixed_kernels)
    assert hasattr(sys.modules["torchvision.transforms.functional_tensor"], "rgb_to_grayscale")


def test_a_video_codec_keeps_as_much_as_jpeg_and_smooths_its_blocks() -> None:
    x = gaussian_blur(pattern(128, 2), torch.full((2,), 2.0))
    quality = torch.full((2,), 40.0)
    as_jpeg, as_video = (jpeg(x, quality, torch.full((2,), kind)) for kind in (0.0, 1.0))
    assert torch.equal(as_jpeg, jpeg(x, quality))
    assert (psnr(as_video, x) > 25).all()

    def seams(picture: Tensor) -> float:
        across = (picture[..., 1:] - picture[..., :-1]).abs().mean((0, 1, 2))
        return float(across[7::8].mean() / across.mean())

    assert seams(as_video) < seams(as_jpeg)


# Films and losses


def films(faces: Faces, bank: Tensor, count: int = 4, *, clean: float = 0.1) -> Films:
    pictures = torch.from_numpy(faces.train).permute(0, 3, 1, 2)
    return Films(pictures, bank, count, seeded(4), clean_share=clean, quiet_share=0.3, raw_share=0.25)


def test_films_go_on_and_their_motion_is_known(faces: Faces, bank: Tensor) -> None:
    """Where the frame before is of the same film, moving it along gives the new one."""
    running = films(faces, bank)
    last: Frame | None = None
    moved = 0
    for number in range(10):
        frame = running.next()
        assert frame.seen.shape == frame.truth.shape == (4, 3, SIZE, SIZE)
        assert frame.truth.abs().max() <= 1
        if last is None:
            assert not frame.follows.any()
        else:
            # A part may be covered, so the median: it is nearly the same where it follows.
            difference = (frame.truth - carried(last.truth, frame)).abs().flatten(1).median(1).values
            assert difference[frame.follows > 0].lt(0.06).all(), number
            moved += int((frame.shift.flatten(1).std(1) > 0).sum())
        last = frame
    assert moved


def test_some_frames_start_anew_and_only_where_they_may(faces: Faces, bank: Tensor) -> None:
    running = films(faces, bank, 8)
    running.next()
    assert running.next(starts=False).follows.all()
    assert not torch.stack([running.next().follows for _ in range(4)]).all()


def test_films_go_on_from_a_saved_state(faces: Faces, bank: Tensor) -> None:
    running = films(faces, bank)
    for _ in range(3):
        running.next()
    state = {name: value.clone() if isinstance(value, Tensor) else value for name, value in running.state().items()}
    random = running._generator.get_state()
    expected = running.next()
    other = films(faces, bank)
    other.restore(state)
    other._generator.set_state(random)
    frame = other.next()
    assert torch.equal(frame.seen, expected.seen)
    assert torch.equal(frame.shift, expected.shift)


def test_a_film_starts_without_a_memory(faces: Faces, bank: Tensor) -> None:
    running = films(faces, bank)
    frame = running.next()
    memory = running.remember(torch.full_like(frame.seen, 0.5), frame)
    kept = (memory == frame.seen).flatten(1).all(1) | (memory == 0.5).flatten(1).all(1)  # or of another film, rarely
    assert kept.all()
    assert torch.equal(memory, frame.seen) or (memory == 0.5).any()


def test_unsteadiness_is_what_the_face_does_not_do(faces: Faces, bank: Tensor) -> None:
    running = films(faces, bank, clean=1)
    frames = (running.next(), running.next(starts=False))
    truths = (frames[0].truth, frames[1].truth)
    assert unsteadiness(truths, frames).item() == pytest.approx(1e-3, abs=1e-4)  # Charbonnier's floor
    noisy = (truths[0], truths[1] + 0.1 * torch.randn(truths[1].shape, generator=seeded()))
    assert unsteadiness(noisy, frames).item() > 0.05


def test_the_critic_learns_which_is_which() -> None:
    torch.manual_seed(0)
    critic = Critic(8)
    optimiser = torch.optim.Adam(critic.parameters(), lr=2e-3)
    real = torch.rand((4, 3, 32, 32), generator=seeded()) * 2 - 1
    made = torch.zeros_like(real)
    before = critic_loss(critic(real), critic(made)).item()
    for _ in range(30):
        loss = critic_loss(critic(real), critic(made))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert loss.item() < 0.8 * before
    assert critic(real).shape == (4, 1, 8, 8)


def test_validation_shows_the_network_its_last_picture() -> None:
    seen: list[bool] = []

    def enhance(x: Tensor, previous: Tensor | None) -> Tensor:
        seen.append(previous is not None)
        return x if previous is None else (x + previous) / 2

    rungs = validate(enhance, pattern(64, 2), None)
    assert seen == ([False] + [True] * (FRAMES - 1)) * 5
    assert rungs[2].psnr_first == pytest.approx(rungs[2].psnr_in, abs=0.5)
    assert rungs[2].psnr_out > rungs[2].psnr_in
    assert rungs[2].flicker_out < 0.6 * rungs[2].flicker_in


def test_feature_distance() -> None:
    features = Features()
    x = pattern(32, 2) * 2 - 1
    a, b = features(x), features(x.flip(3))
    assert torch.equal(feature_distance(a, a), torch.zeros(2))
    assert feature_distance(a, b).min() > 0
    assert [t.shape[-1] for t in a] == [32, 16, 8]


def test_identity_runs_a_file_as_its_own_runtime_does(tmp_path: Path) -> None:
    """A small network of every operation that is known, written and read by OpenVINO."""
    openvino = library()
    ops = importlib.import_module("openvino.opset13")
    random = np.random.default_rng(0)

    def numbers(*shape: int) -> npt.NDArray[np.float32]:
        return random.normal(0, 0.3, shape).astype(np.float32)

    given = ops.parameter([1, 3, 112, 112], np.float32)
    x = ops.convolution(given, numbers(8, 3, 3, 3), [2, 2], [1, 0], [1, 1], [1, 1])
    x = ops.relu(ops.add(x, numbers(1, 8, 1, 1)))
    x = ops.group_convolution(x, numbers(8, 1, 1, 3, 3), [4, 4], [1, 1], [1, 1], [1, 1])
    x = ops.clamp(ops.multiply(x, numbers(1, 8, 1, 1)), 0.0, 6.0)
    x = ops.convolution(x, numbers(16, 8, 14, 14), [1, 1], [0, 0], [0, 0], [1, 1])
    model = openvino.Model([ops.reshape(x, np.array([1, 16]), False)], [given], "small")
    openvino.save_model(model, str(tmp_path / "small.xml"), compress_to_fp16=False)

    seen = pattern(256, 2) * 2 - 1
    ours = Identity(tmp_path / "small.xml")(seen)
    theirs = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert ours.shape == (2, 16)
    for picture, vector in zip(seen, ours, strict=True):
        crop = arcface_crop(((picture + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())
        shown = ((crop / 255.0 - MEAN) / STD).astype(np.float32).transpose(2, 0, 1)[None]
        expected = theirs([shown])[0][0]
        assert np.dot(vector, expected / np.linalg.norm(expected)) > 0.99


# Packing


def test_pack_aligns_and_splits(tmp_path: Path) -> None:
    """A generated photo whose landmarks are marked comes out with the marks on the template."""
    (tmp_path / "photos").mkdir()
    header = "file,split,licence,credit,width,height,gpen_crop_px," + ",".join(
        f"{name}_{axis}" for name in ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right") for axis in "xy"
    )
    points = GPEN_TEMPLATE * 600 + 100
    photo = np.zeros((900, 900, 3), np.uint8)
    for x, y in points:
        cv2.circle(photo, (round(x), round(y)), 12, (255, 255, 255), -1)
    marks = ",".join(f"{value:.2f}" for value in points.ravel())
    lines = [header]
    for name, split, crop in (("a.png", "train", 600), ("b.png", "val", 600), ("c.png", "train", 100)):
        cv2.imwrite(str(tmp_path / "photos" / name), photo)
        lines.append(f"{name},{split},CC0-1.0,nobody,900,900,{crop},{marks}")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    assert pack(tmp_path, tmp_path / "faces.npz", kernels=4) == 2  # the third is too small
    faces = unpack(tmp_path / "faces.npz")
    assert faces.train.shape == faces.val.shape == (1, PACKED, PACKED, 3)
    for x, y in GPEN_TEMPLATE * SIZE + MARGIN:
        patch = faces.train[0, round(y) - 6 : round(y) + 7, round(x) - 6 : round(x) + 7, 0].astype(float)
        rows, columns = np.mgrid[-6:7, -6:7]
        assert abs((patch * columns).sum() / patch.sum() + round(x) - x) < 0.35
        assert abs((patch * rows).sum() / patch.sum() + round(y) - y) < 0.35


def test_a_pack_for_a_larger_network(tmp_path: Path) -> None:
    faces = Faces(np.zeros((1, 640, 640, 3), np.uint8), np.zeros((1, 640, 640, 3), np.uint8), blur_kernels(4))
    assert faces.size == 512
    assert aligned(np.zeros((700, 700, 3), np.uint8), GPEN_TEMPLATE * 600 + 50, 512).shape == (640, 640, 3)


def test_aligned_enlarges_small_photos() -> None:
    photo: npt.NDArray[np.uint8] = np.full((120, 120, 3), 90, np.uint8)
    assert (aligned(photo, GPEN_TEMPLATE * 100 + 10) == 90).all()


# Runs


def small_net() -> Lite:
    return Lite(shuffle=4, channels=[4, 6], encoder=[1, 1], decoder=[1], kernel=3, memory=True)


def trainer(faces: Faces) -> Trainer:
    torch.manual_seed(0)
    return Trainer(small_net(), faces, Recipe(films=1, warm_up=1), None, torch.device("cpu"))


def test_run_resumes_where_it_stopped(faces: Faces, tmp_path: Path) -> None:
    """Two steps and two more are four steps, to the last bit."""
    whole = trainer(faces)
    for step in range(4):
        whole.step(step / 4)

    first = trainer(faces)
    for step in range(2):
        first.step(step / 4)
    first.save(tmp_path)
    second = trainer(faces)
    second.load(tmp_path)
    assert second.steps == 2
    for step in range(2, 4):
        second.step(step / 4)

    assert torch.equal(whole.memory, second.memory)
    for name, value in whole.net.state_dict().items():
        assert torch.equal(value, second.net.state_dict()[name]), name
    untouched = Lite.from_settings(whole.net.settings)
    assert whole.net.state_dict()["exit.weight"].abs().max() > untouched.state_dict()["exit.weight"].abs().max()


def test_run_writes_weights_curves_and_sheet(faces: Faces, tmp_path: Path) -> None:
    news = list(train(trainer(faces), tmp_path / "run", steps=2, seconds=None))
    assert len(news) == 1
    assert "| 0.5 |" in news[0]
    assert load_lite(tmp_path / "run" / "weights.safetensors").settings == small_net().settings
    assert len((tmp_path / "run" / "curves.csv").read_text(encoding="utf-8").splitlines()) == 6
    sheet = cv2.imread(str(tmp_path / "run" / "sheet.jpg"))
    assert sheet is not None
    assert sheet.shape == (10 * SIZE, 2 * SIZE, 3)
    assert not list(tmp_path.glob("run/*.part"))


def test_a_step_with_the_critic(faces: Faces) -> None:
    torch.manual_seed(0)
    one = Trainer(small_net(), faces, Recipe(films=1, critic_weight=0.1, critic_from=0.5), None, torch.device("cpu"))
    assert one.critic is not None
    raw = [parameter.clone() for parameter in one.critic.parameters()]
    one.step(0.1)
    assert all(torch.equal(a, b) for a, b in zip(raw, one.critic.parameters(), strict=True))
    one.step(0.6)
    assert not all(torch.equal(a, b) for a, b in zip(raw, one.critic.parameters(), strict=True))


def test_checkpoint_of_another_network_is_refused(faces: Faces, tmp_path: Path) -> None:
    trainer(faces).save(tmp_path)
    other = Trainer(
        Lite(shuffle=4, channels=[8, 8], encoder=[1, 1], decoder=[1]), faces, Recipe(films=1), None, torch.device("cpu")
    )
    with pytest.raises(ValueError, match="another architecture"):
        other.load(tmp_path)


def test_length_must_be_given(tmp_path: Path) -> None:
    (tmp_path / "faces.npz").write_bytes(b"")
    result = CliRunner().invoke(main, ["--photos", str(tmp_path / "faces.npz"), "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "--seconds or --steps" in result.output

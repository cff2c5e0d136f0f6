"""The light network: budgets, sizes, what it does untrained, and what the shipped weights do."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut
from torch import Generator, Tensor
from torch.utils.flop_counter import FlopCounterMode

from gpen_live.facedata.degrade import ladder
from gpen_live.faces.align import to_template
from gpen_live.nets.torch_lite import Lite, lite_256
from gpen_live.training.lite import load_lite
from gpen_live.training.validation import psnr

WEIGHTS = Path(__file__).parents[2] / "weights"
EYES_NOSE_MOUTH = [[205.0, 110.5], [246.5, 109.0], [226.0, 135.0], [209.0, 151.0], [247.0, 150.0]]  # of the astronaut, by eye


def trained_like(net: Lite) -> Lite:
    """Random numbers where an untrained network has zeros, so that every layer matters."""
    generator = Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    return net.eval()


def picture(height: int, width: int) -> Tensor:
    return torch.rand((1, 3, height, width), generator=Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(("name", "gflop", "parameters"), [("lite-256", 1.0, 2_000_000), ("lite-512", 4.0, 3_000_000)])
def test_budget(name: str, gflop: float, parameters: int) -> None:
    net = load_lite(WEIGHTS / f"{name}.safetensors")
    size = int(name[-3:])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(picture(size, size))
    assert counter.get_total_flops() <= gflop * 1e9
    assert sum(parameter.numel() for parameter in net.parameters()) <= parameters


def test_untrained_is_the_identity() -> None:
    x = picture(64, 96)
    assert torch.equal(lite_256()(x), x)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (288, 480)])
def test_any_multiple_of_the_stride(height: int, width: int) -> None:
    net = trained_like(lite_256())
    assert height % net.stride == 0
    assert width % net.stride == 0
    x = picture(height, width)
    with torch.no_grad():
        out = net(x)
    assert out.shape == x.shape
    assert not torch.equal(out, x)
    assert out.isfinite().all()


def test_far_pixels_do_not_matter() -> None:
    """No operation over the whole picture: what lies outside the receptive field changes nothing."""
    net = trained_like(lite_256())
    x = picture(32, 1536)
    changed = x.clone()
    changed[..., 1280:] = 0.5
    with torch.no_grad():
        before, after = net(x), net(changed)
    assert torch.equal(before[..., :256], after[..., :256])
    assert not torch.equal(before[..., 1280:], after[..., 1280:])


def test_moves_with_the_picture() -> None:
    """Shifted by its stride the picture gives the shifted output."""
    net = trained_like(lite_256())
    x = picture(512, 512)
    s = net.stride
    with torch.no_grad():
        whole, part = net(x), net(x[..., s:, s:])
    inner = slice(208, 240)  # farther from any border than the network sees
    assert torch.allclose(whole[..., s:, s:][..., inner, inner], part[..., inner, inner], atol=1e-4)


def test_constant_picture_stays_without_a_grid() -> None:
    net = load_lite(WEIGHTS / "lite-256.safetensors")
    grey = torch.full((1, 3, 256, 256), 0.2)
    with torch.no_grad():
        out = net(grey)
    inside = (out - grey)[..., 64:-64, 64:-64]  # away from the zero padding, which it takes for an edge
    assert inside.abs().max() * 127.5 < 2


def test_half_weights_keep_the_input_precision() -> None:
    net = lite_256().to(torch.bfloat16)
    x = picture(32, 32)
    out = net(x)
    assert out.dtype == torch.float32
    assert torch.equal(out, x)


def test_settings_round_trip() -> None:
    net = Lite(shuffle=2, channels=[8, 12], encoder=[1, 2], decoder=[1], kernel=3, expansion=3)
    again = Lite.from_settings(net.settings)
    again.load_state_dict(net.state_dict())
    assert again.settings == net.settings
    assert again.stride == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"shuffle": 0},
        {"shuffle": "4"},
        {"kernel": 4},
        {"channels": [100_000, 8, 8]},
        {"channels": []},
        {"encoder": [1]},
        {"decoder": [1, -1]},
        {"surprise": 1},
    ],
)
def test_nonsense_settings(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Lite.from_settings({**lite_256().settings, **wrong})


# The shipped weights


@pytest.fixture(scope="module", params=[256, 512])
def size(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


@pytest.fixture(scope="module")
def shipped(size: int) -> Lite:
    return load_lite(WEIGHTS / f"lite-{size}.safetensors")


@pytest.fixture(scope="module")
def face(size: int) -> Tensor:
    """The astronaut's face on the template, 1,3,size,size in [0, 1]; no training photo. At 512 pixels it is soft."""
    matrix = to_template(EYES_NOSE_MOUTH, size)
    crop = cv2.warpAffine(astronaut(), matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return torch.from_numpy(np.ascontiguousarray(crop)).permute(2, 0, 1)[None].float() / 255


def film(face: Tensor, level: float, frames: int = 8) -> list[Tensor]:
    """Frames of a still, noisy scene."""
    generator = Generator().manual_seed(0)
    return [ladder(face, level, generator) for _ in range(frames)]


def enhance(net: Lite, frames: list[Tensor]) -> list[Tensor]:
    """What the network makes of each frame, remembering the last."""
    outs: list[Tensor] = []
    for frame in frames:
        with torch.no_grad():
            outs.append(net(frame * 2 - 1, outs[-1] if outs else None).clamp(-1, 1))
    return [(out + 1) / 2 for out in outs]


def test_shipped_is_the_architecture(shipped: Lite) -> None:
    assert shipped.settings == lite_256().settings


@pytest.mark.parametrize(("level", "first", "later"), [(0.25, 0.8, 1.2), (0.5, 1.5, 2.5), (0.75, 2.0, 3.2), (1.0, 2.0, 3.5)])
def test_shipped_clears_a_webcam_face(shipped: Lite, face: Tensor, level: float, first: float, later: float) -> None:
    seen = film(face, level)
    out = enhance(shipped, seen)
    before = psnr(seen[-1], face).item()
    assert psnr(out[0], face).item() > before + first
    assert psnr(out[-1], face).item() > before + later
    assert (out[-1].mean((2, 3)) - seen[-1].mean((2, 3))).abs().max() * 255 < 2


def test_shipped_leaves_a_clean_face(shipped: Lite, face: Tensor) -> None:
    for out in enhance(shipped, [(face * 255).round() / 255] * 8):
        assert (out - face).abs().mean() * 255 < 1
        assert (out.mean((2, 3)) - face.mean((2, 3))).abs().max() * 255 < 0.5


def test_shipped_keeps_a_wrong_white_balance(shipped: Lite, face: Tensor) -> None:
    seen = film(face * torch.tensor([1.0, 0.85, 0.7]).view(1, 3, 1, 1), 0.5)
    out = enhance(shipped, seen)
    assert (out[-1].mean((2, 3)) - seen[-1].mean((2, 3))).abs().max() * 255 < 1.5


def test_shipped_flickers_less_than_a_quarter(shipped: Lite, face: Tensor) -> None:
    seen = film(face, 0.5)
    out = enhance(shipped, seen)
    assert (out[-1] - out[-2]).abs().mean() < 0.25 * (seen[-1] - seen[-2]).abs().mean()


def test_shipped_stays_itself_for_long(shipped: Lite, face: Tensor) -> None:
    """Its own pictures are its memory: over 150 frames nothing builds up."""
    small = face[..., 64:192, 64:192] if face.shape[-1] == 256 else face[..., 192:320, 192:320]
    seen = film(small, 0.5, 150)
    out = enhance(shipped, seen)
    assert psnr(out[-1], small).item() > psnr(out[10], small).item() - 0.3
    assert (out[-1].mean((2, 3)) - out[10].mean((2, 3))).abs().max() * 255 < 1


def test_shipped_lets_go_of_what_is_gone(shipped: Lite, face: Tensor) -> None:
    """A hand before the face leaves no ghost: three frames later the picture is as without it."""
    covered = face.clone()
    side = face.shape[-1]
    covered[..., side // 3 : 2 * side // 3, side // 3 : 2 * side // 3] = torch.tensor([0.75, 0.55, 0.45]).view(1, 3, 1, 1)
    frames = film(face, 0.5, 16)
    hand = film(covered, 0.5, 8)
    without = enhance(shipped, frames)
    after = enhance(shipped, [*frames[:4], *hand[4:8], *frames[8:16]])
    assert (after[10] - without[10]).abs().mean() * 255 < 1.5

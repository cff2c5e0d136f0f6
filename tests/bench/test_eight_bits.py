"""How much 8 bits would lose: the rounding itself, and which convolutions see it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gpen_live.bench.eight_bits import EightBits, difference, to_fp8, to_int8


def test_values_are_rounded_to_the_nearest_step() -> None:
    values, largest = torch.tensor([-1.27, -0.014, 0.0, 0.006, 1.27]), torch.tensor(1.27)
    torch.testing.assert_close(to_int8(values, largest), torch.tensor([-1.27, -0.01, 0.0, 0.01, 1.27]))
    torch.testing.assert_close(
        to_fp8(torch.tensor([448.0, 17.0, 0.4]), torch.tensor(448.0)), torch.tensor([448.0, 16.0, 0.40625])
    )


def test_convolutions_of_the_wanted_sizes_are_rounded_and_no_others() -> None:
    torch.manual_seed(0)
    picture = torch.rand(1, 4, 8, 8)
    plain, depthwise = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, groups=4)
    widening = nn.ConvTranspose2d(4, 4, 3)
    for network in (plain, widening):
        network.requires_grad_(False).weight.mul_(0.3)
        assert 0 < difference(network, picture, EightBits(to_int8))[0] < 1
        assert difference(network, picture, EightBits(to_int8))[0] < difference(network, picture, EightBits(to_fp8))[0]
        assert difference(network, picture, EightBits(to_fp8, range(16, 99))) == (0, 0)
    assert difference(depthwise, picture, EightBits(to_fp8)) == (0, 0)


def test_it_ends_with_the_block() -> None:
    layer = nn.Conv2d(4, 4, 1, bias=False).requires_grad_(False)
    picture = torch.rand(1, 4, 8, 8)
    before = layer(picture)
    with EightBits(to_fp8):
        assert not torch.equal(layer(picture), before)
    assert torch.equal(layer(picture), before)
    with pytest.raises(RuntimeError), EightBits(to_int8):
        layer(torch.rand(1, 5, 8, 8))

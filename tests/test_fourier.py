"""Fourier amplitudes of feature maps, against numpy and closed forms."""

import math

import numpy
import pytest
import torch
from probe_case import Case

from siamlab.component import UserError
from siamlab.probe.fourier import fourier_amplitude

GRID, WIDTH = (4, 6), 16


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def coarse(signal):
    """Noise, and as far as `signal` says, maps that are constant over an image."""
    n = GRID[0] * GRID[1]
    return (signal * noise(300, 1, WIDTH, seed=1) + noise(300, n, WIDTH),)


CASES: dict[str, Case] = {
    "fourier": Case(
        lambda patches: fourier_amplitude(patches, GRID).difference,
        coarse,
        least=-math.inf,
        most=math.inf,
        unchanged=("scale",),
        ceiling=False,
    )
}


def park(patches, side):
    """The half diagonal from the centre of mean log amplitudes, as Park et al. (2023) take it."""
    maps = patches.double().numpy().transpose(0, 2, 1).reshape(len(patches), -1, side, side)
    shifted = numpy.fft.fftshift(numpy.fft.fft2(maps), axes=(2, 3))
    logs = numpy.log(numpy.abs(shifted)).mean(axis=(0, 1))
    return numpy.append(numpy.diag(logs)[side // 2 :], numpy.diag(logs)[0])


def test_the_difference_is_that_of_park_et_al_on_an_even_grid():
    patches = noise(20, 36, 5) + 3 * noise(20, 1, 5, seed=1)
    found, theirs = fourier_amplitude(patches, (6, 6)), park(patches, 6)
    assert found.difference.value == pytest.approx(theirs[-1] - theirs[0], abs=1e-9)
    assert found.log_amplitude[[0, -1]].tolist() == pytest.approx(theirs[[0, -1]], abs=1e-9)
    assert found.frequencies.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("grid", [(4, 4), (5, 5), (2, 2), (3, 8), (14, 14), (7, 4)])
def test_white_noise_is_flat_on_every_grid(grid):
    found = fourier_amplitude(noise(400, grid[0] * grid[1], 30), grid)
    assert abs(found.difference.value) < 0.04 and found.difference.low < 0 < found.difference.high
    mean = -(math.log(2) + numpy.euler_gamma) / 2 + math.log(grid[0] * grid[1]) / 2  # of log |N(0)|
    assert found.log_amplitude.tolist() == pytest.approx([mean] * len(found.frequencies), abs=0.03)


@pytest.mark.parametrize(
    "grid, frequencies", [((5, 5), [0, 0.4, 0.8]), ((3, 8), [0, (2 / 3 + 1) / 2]), ((2, 2), [0, 1])]
)
def test_frequencies_are_shares_of_the_alternation_from_patch_to_patch(grid, frequencies):
    found = fourier_amplitude(noise(2, grid[0] * grid[1], 3), grid)
    assert found.frequencies.tolist() == pytest.approx(frequencies)
    assert found.log_amplitude.shape == found.frequencies.shape


@pytest.mark.parametrize("grid, periods", [((5, 5), (1, 1)), ((8, 4), (2, 1)), ((3, 10), (1, 5))])
def test_a_wave_has_its_amplitude_at_its_frequency(grid, periods):
    """cos · cos of size s is two waves of s / 2, one along each diagonal: each s · N / 4."""
    y, x = (2 * torch.pi * p * torch.arange(n) / n for p, n in zip(periods, grid, strict=True))
    maps = 3 * (y.cos()[:, None] * x.cos()).flatten()[None, :, None]
    found = fourier_amplitude(maps, grid)
    step = found.frequencies.sub(periods[0] / grid[0] + periods[1] / grid[1]).abs().argmin()
    n, alternates = grid[0] * grid[1], periods[1] * 2 == grid[1]  # then the diagonals are one
    expected = math.log(3 * n / (2 if alternates else 4)) - math.log(2) / 2
    assert found.log_amplitude[step].item() == pytest.approx(expected, abs=1e-6)


def test_an_alternating_map_is_positive_and_a_constant_one_at_the_floor():
    signs = torch.tensor([1.0, -1])
    board = (signs[:, None] * signs).repeat(2, 3).flatten()[None, :, None].expand(3, -1, 2)
    assert fourier_amplitude(board, GRID).difference.value == pytest.approx(
        math.log(1e6) + math.log(24) / 2, abs=1e-4
    )
    flat = fourier_amplitude(torch.full((3, 24, 2), 0.3), GRID).difference.value
    assert flat == pytest.approx(-math.log(1e6) - math.log(24) / 2, abs=1e-4)
    assert fourier_amplitude(torch.zeros(3, 24, 2), GRID).difference.value == 0


def test_a_mirrored_map_has_the_same_amplitudes():
    patches = noise(3, 24, 4).cumsum(dim=1)
    mirrored = patches.unflatten(1, GRID).flip(2).flatten(1, 2)
    one, two = (fourier_amplitude(p, GRID).log_amplitude for p in (patches, mirrored))
    numpy.testing.assert_allclose(one, two)


def test_smoother_maps_have_a_lower_difference():
    found = [fourier_amplitude(*coarse(s), GRID).difference.value for s in (0, 1, 4)]
    assert found[0] > found[1] + 0.3 > found[2] + 0.6


def test_images_of_a_group_are_drawn_together():
    patches = noise(50, 24, 4)
    twice = patches.repeat_interleave(2, dim=0)
    alone, paired = (
        fourier_amplitude(twice, GRID, groups).difference
        for groups in (None, torch.arange(100) // 2)
    )
    assert alone.value == pytest.approx(paired.value)
    assert (paired.high - paired.low) > 1.2 * (alone.high - alone.low)


def test_a_line_of_patches_and_another_grid_are_refused():
    with pytest.raises(UserError, match="grid=.1, 24. must have 2 rows"):
        fourier_amplitude(noise(2, 24, 3), (1, 24))
    with pytest.raises(UserError, match="25 patches.*grid=.4, 6. has 24"):
        fourier_amplitude(noise(2, 25, 3), GRID)

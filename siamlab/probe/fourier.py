"""Fourier amplitude: do the feature maps have coarse shapes or fine detail?

frequencies, log_amplitude, difference = fourier_amplitude(patches, grid)
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Grid
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_patches
from siamlab.probe.score import Groups, Score, bootstrap, ratio

BLOCK = 2**22  # numbers transformed at once
FLOOR = 1e-6  # of an image's root mean square amplitude: the least that an amplitude counts
COMPLEX = math.log(2) / 2  # extra log amplitude of noise in complex coefficients over real ones


class Fourier(NamedTuple):
    frequencies: Float[Tensor, " K"]  # 0 constant..1 alternating from patch to patch (Nyquist)
    log_amplitude: Float[Tensor, " K"]  # natural logarithm
    difference: Score  # of the highest and the lowest frequency


@typed
def fourier_amplitude(
    patches: Float[Tensor, "n N D"], grid: Grid, groups: Groups = None
) -> Fourier:
    """Log amplitude of the feature maps from lowest to highest frequency, and the difference.

    Mean over images and channels, along both diagonals of the 2-D transform (Park et al. 2023).
    Difference: natural logarithms, neither end is better: about −3 coarse (MoCo), −2 (SimMIM), 0
    white noise (chance), above 0 alternating; a constant map has −13 or less, since an amplitude
    counts as at least 1e-6 of the image's root mean square. No ceiling. So that white noise is flat
    on any grid, ½ ln 2 is subtracted from coefficients that are not their own mirror image.
    Unchanged when features are scaled by one number, or maps mirrored. Cost: n · N · D · log N.
    """
    check_patches("patches", patches, grid)
    if min(grid) < 2:
        raise UserError(f"grid={grid} must have 2 rows and columns or more to have frequencies")
    rows, columns = _diagonal(grid).to(patches.device)
    size = max(1, BLOCK // patches[0].numel())
    parts = [_log_amplitudes(part, grid, rows, columns) for part in patches.split(size)]
    amplitude = torch.cat(parts)  # [n, K]
    change = amplitude[:, -1] - amplitude[:, 0]
    terms = torch.stack([change, torch.ones_like(change)], dim=1)
    unit = "natural logarithm of amplitude"
    return Fourier(
        (rows / grid[0] + columns / grid[1]).double(),
        amplitude.mean(dim=0),
        bootstrap(terms, ratio, 0.0, math.nan, unit, "neither", groups),
    )


def _diagonal(grid: Grid) -> Int[Tensor, "2 K"]:
    """Row and column frequencies from (0, 0) to the highest of both, in periods per map."""
    highest = torch.tensor(grid) // 2
    steps = int(highest.min())
    return (highest[:, None] * torch.arange(steps + 1) / steps).round().long()


def _log_amplitudes(
    patches: Float[Tensor, "c N D"], grid: Grid, rows: Int[Tensor, " K"], columns: Int[Tensor, " K"]
) -> Float[Tensor, "c K"]:
    """Mean over channels and over both diagonals, flat for white noise."""
    amplitude = torch.fft.fft2(patches.double().mT.unflatten(2, grid)).abs()  # [c, D, h, w]
    power = amplitude.square().mean(dim=(1, 2, 3), keepdim=True)
    floor = FLOOR * power.sqrt() + torch.finfo(torch.double).tiny
    logs = torch.maximum(amplitude, floor).log().mean(dim=1)  # [c, h, w]
    mean = (logs[:, rows, columns] + logs[:, rows, -columns]) / 2
    real = (2 * rows % grid[0] == 0) & (2 * columns % grid[1] == 0)  # its own mirror image
    return mean - COMPLEX * ~real

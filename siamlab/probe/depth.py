"""Depth probe: can a linear layer on frozen features predict how far away each pixel is?

head = fit_depth(parts, grid)                       # (features, depth) of some images at a time
errors = depth_errors(predicted(head, features, grid, size), depth)
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Grid
from siamlab.probe.linear_map import RIDGE, fit_map

NEAREST, FARTHEST = 1e-3, 10.0  # metres; what lies outside is not scored, answers are cut to it
CLOSE = 1.25  # δ₁: largest ratio of answer and truth, or truth and answer (Eigen et al. 2014)


class DepthHead(NamedTuple):
    """log depth = features @ weight + bias."""

    weight: Float[Tensor, " D"]
    bias: Float[Tensor, ""]
    constant: Float[Tensor, ""]  # mean log depth of the training patches, the best blind answer


def fit_depth(
    parts: Iterable[tuple[Tensor, Tensor]], grid: Grid, ridge: float = RIDGE
) -> DepthHead:
    """Fit the logarithm of depth by ridge regression, with each patch's mean over its pixels.

    `parts` are features of patches [n, N, D] and depth in metres [n, H, W] of n images at a time.

    The loss is in logarithms as that of Eigen et al. 2014, features count as standardised, and a
    patch counts by the share of its pixels that are measured. Exact and in float64; one pass over
    the `parts`, which are never held together. Cost: n · N · D². Raises UserError if nothing is
    measured.
    """
    logs = ((features, *by_patch(depth, grid)) for features, depth in parts)
    found = fit_map(((x, target[:, :, None], share) for x, target, share in logs), ridge)
    if found is None:
        raise unmeasured()
    return DepthHead(found.weight[:, 0], found.bias[0], found.constant[0])


def unmeasured() -> UserError:
    """The error for training images without one measured pixel."""
    return UserError(
        f"depth must have a pixel between {NEAREST} and {FARTHEST:.0f} metres in one training "
        "image or more; check the unit of the files, which is millimetres"
    )


def predicted(
    head: DepthHead, features: Float[Tensor, "n N D"], grid: Grid, size: Grid
) -> Float[Tensor, "n H W"]:
    """Depth of each pixel in metres: the logarithms of patches, upsampled bilinearly."""
    return upsampled((features.double() @ head.weight + head.bias).float(), grid, size)


def upsampled(logs: Float[Tensor, "n N"], grid: Grid, size: Grid) -> Float[Tensor, "n H W"]:
    """Depth of each pixel in metres, from the logarithm of depth of each patch."""
    maps = logs.unflatten(1, grid)[:, None]
    maps = F.interpolate(maps, size, mode="bilinear", align_corners=False)[:, 0]
    return maps.exp().clamp(NEAREST, FARTHEST)


def by_patch(
    depth: Float[Tensor, "n H W"], grid: Grid
) -> tuple[Float[Tensor, "n N"], Float[Tensor, "n N"]]:
    """Mean log depth of the measured pixels of each patch, and their share.

    Patches without one have the mean of their image.
    """
    valid = measured(depth)
    logs = depth.clamp(NEAREST).log() * valid
    sums, share = (
        F.adaptive_avg_pool2d(part[:, None], grid).flatten(1) for part in (logs, valid.float())
    )
    whole = (logs.sum(dim=(1, 2)) / valid.sum(dim=(1, 2)).clamp(min=1))[:, None]
    return torch.where(share > 0, sums / share.clamp(min=1e-9), whole), share


def measured(depth: Float[Tensor, "n H W"]) -> Bool[Tensor, "n H W"]:
    """Pixels that are scored."""
    return (depth > NEAREST) & (depth < FARTHEST)


def depth_errors(
    answer: Float[Tensor, "n H W"], depth: Float[Tensor, "n H W"]
) -> Float[Tensor, "n 4"]:
    """δ₁, root mean square error in metres and mean relative error of each image, and a 1.

    δ₁, 0..1, higher is better: share of pixels whose answer and depth differ by a ratio below 1.25.
    The others are 0 or more, lower is better. All (Eigen et al. 2014) are means over the measured
    pixels; an image without one has four zeros.
    """
    valid = measured(depth)
    count = valid.sum(dim=(1, 2)).clamp(min=1).double()
    depth = depth.where(valid, 1.0)
    ratio = torch.maximum(answer / depth, depth / answer)
    off = (answer - depth).abs()
    parts = (ratio < CLOSE).double(), off.double().square(), (off / depth).double()
    close, square, relative = ((part * valid).sum(dim=(1, 2)) / count for part in parts)
    seen = valid.any(dim=2).any(dim=1).double()
    return torch.stack([close, square.sqrt(), relative, seen], dim=1)

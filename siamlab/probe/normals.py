"""Surface normals: can a linear layer on frozen features predict which way each surface faces?

head = fit_normals(parts, grid)                     # (features, normals) of some images at a time
errors = normal_errors(facing(head.of(features), grid, size), normals)
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Grid
from siamlab.probe.linear_map import RIDGE, LinearMap, fit_map

LIMITS = (11.25, 22.5, 30.0)  # degrees (Fouhey et al. 2013)


def fit_normals(
    parts: Iterable[tuple[Tensor, Tensor]], grid: Grid, ridge: float = RIDGE
) -> LinearMap:
    """Fit normals by ridge regression, with each patch's mean over its pixels.

    `parts` are features of patches [n, N, D] and unit normals [n, 3, H, W] of n images at a time,
    0 where unknown. The loss is the squared distance of the three numbers; a patch counts by the
    share of its pixels that are known. Exact and in float64; one pass over the `parts`, which are
    never held together. Cost: n · N · D². Raises UserError if nothing is known.
    """
    found = fit_map(((x, *normals_by_patch(normals, grid)) for x, normals in parts), ridge)
    if found is None:
        raise unknown_normals()
    return found


def unknown_normals() -> UserError:
    """The error for training images without one pixel whose normal is known."""
    return UserError(
        "normals must be known in a pixel of one training image or more, but all are black; "
        "unpack the set again"
    )


def facing(maps: Float[Tensor, "n N 3"], grid: Grid, size: Grid) -> Float[Tensor, "n 3 H W"]:
    """Unit normals of each pixel: the numbers of patches, upsampled bilinearly."""
    small = maps.transpose(1, 2).unflatten(2, grid)
    return F.normalize(F.interpolate(small, size, mode="bilinear", align_corners=False), dim=1)


def normals_by_patch(
    normals: Float[Tensor, "n 3 H W"], grid: Grid
) -> tuple[Float[Tensor, "n N 3"], Float[Tensor, "n N"]]:
    """Mean of the known normals of each patch, at most of length 1, and the share of known pixels.

    Patches without one have the mean of their image.
    """
    valid = known(normals)
    sums = F.adaptive_avg_pool2d(normals, grid).flatten(2).transpose(1, 2)
    share = F.adaptive_avg_pool2d(valid[:, None].float(), grid).flatten(1)
    count = valid.sum(dim=(1, 2)).clamp(min=1)[:, None]
    whole = (normals.sum(dim=(2, 3)) / count)[:, None]  # [n, 1, 3]
    mean = sums / share[:, :, None].clamp(min=1e-9)
    return torch.where(share[:, :, None] > 0, mean, whole), share


def known(normals: Float[Tensor, "n 3 H W"]) -> Bool[Tensor, "n H W"]:
    """Pixels that are scored."""
    return (normals != 0).any(dim=1)


def angles(
    answer: Float[Tensor, "n 3 H W"], normals: Float[Tensor, "n 3 H W"]
) -> Float[Tensor, "n H W"]:
    """Angle between two directions in degrees, 0..180; their lengths do not matter.

    From sine and cosine, since the arc cosine of a float32 is off by 0.02° at equal directions.
    """
    sine = torch.linalg.cross(answer, normals, dim=1).square().sum(dim=1).sqrt()
    return torch.rad2deg(torch.atan2(sine, (answer * normals).sum(dim=1)))


def normal_errors(
    answer: Float[Tensor, "n 3 H W"], normals: Float[Tensor, "n 3 H W"]
) -> Float[Tensor, "n 6"]:
    """Mean and median angle in degrees, shares below 11.25°, 22.5° and 30°, and a 1.

    Angles are 0..180, lower is better; shares 0..1, higher is better. All (Fouhey et al. 2013) are
    of the known pixels of an image; one without any has six zeros.
    """
    valid = known(normals)
    count = valid.sum(dim=(1, 2)).clamp(min=1).double()
    off = angles(answer, normals).double()
    mean = (off * valid).sum(dim=(1, 2)) / count
    median = off.where(valid, torch.nan).flatten(1).nanmedian(dim=1).values.nan_to_num()
    close = [((off < limit) & valid).sum(dim=(1, 2)) / count for limit in LIMITS]
    seen = valid.any(dim=2).any(dim=1).double()
    return torch.stack([mean, median, *close, seen], dim=1)

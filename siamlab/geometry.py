"""Geometry: positions, correspondences and probes all follow from a view's box and flip.

    match = match_patches(context, target, grid)   # where context patches lie in the target

Points are (y, x) as fractions: 0..1 across a view or across its source image.
"""

from math import log
from typing import Annotated, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor

from siamlab.machine.messages import Allowed

Count = Annotated[int, Field(ge=1)]
# rows, columns; N = rows * columns patches, row by row
Grid = Annotated[tuple[Count, Count], Allowed("two whole numbers from 1, (rows, columns)")]
# of images and views, in pixels
Size = Annotated[tuple[Count, Count], Allowed("two whole numbers from 1, (height, width)")]


# of one input, 256 × 256: the attention of one head is 17 GB then in float32, and a pass of one
# image through a ViT-B 10^14 multiplications; no published model was measured beyond 4,096 pixels
# in patches of 16
MOST_PATCHES = 2**16


class View(NamedTuple):
    image: Float[Tensor, "B 3 H W"]  # 0..1, not standardised
    box: Float[Tensor, "B 4"]  # top, left, height, width; fractions of the unflipped source
    flip: Bool[Tensor, " B"]  # mirrored left-right after the cut


class Match(NamedTuple):
    points: Float[Tensor, "B N 2"]  # the same places in the other view, fractions of it
    inside: Bool[Tensor, "B N"]  # whether the other view shows them


def patch_centres(grid: Grid, device: torch.device | None = None) -> Float[Tensor, "N 2"]:
    """Return each patch's centre, (i + ½) / rows and (j + ½) / columns, fractions of the view."""
    rows, columns = (torch.arange(n, device=device).add(0.5) / n for n in grid)
    return torch.cartesian_prod(rows, columns)


def to_source(points: Float[Tensor, "B M 2"], view: View) -> Float[Tensor, "B M 2"]:
    """Return points of the view as fractions of its source image."""
    corner, extent, mirror = _frame(view)
    return corner + extent * torch.where(mirror, 1 - points, points)


def to_view(points: Float[Tensor, "B M 2"], view: View) -> Float[Tensor, "B M 2"]:
    """Return points of the source image as fractions of the view (outside 0..1: not shown)."""
    corner, extent, mirror = _frame(view)
    points = (points - corner) / extent
    return torch.where(mirror, 1 - points, points)


def match_patches(a: View, b: View, grid: Grid) -> Match:
    """Return where the centres of `a`'s patches lie in `b`."""
    centres = patch_centres(grid, a.box.device).expand(len(a.box), -1, -1)  # [B, N, 2]
    points = to_view(to_source(centres, a), b)
    return Match(points, ((points >= 0) & (points <= 1)).all(dim=-1))


def magnification(a: View, b: View) -> Float[Tensor, "B 2"]:
    """Return the ratios of `b`'s box to `a`'s in height and width."""
    return b.box[:, 2:] / a.box[:, 2:]


def overlap(a: Float[Tensor, "*#B 4"], b: Float[Tensor, "*#B 4"]) -> Float[Tensor, "*#B"]:
    """Return the intersection over union of two boxes: 0 if disjoint, 1 if equal."""
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    return shared / (a[..., 2:].prod(dim=-1) + b[..., 2:].prod(dim=-1) - shared)


def random_rectangles(
    draws: Float[np.ndarray, "4 B"],
    area: tuple[float, float | Int64[np.ndarray, " B"]],
    aspect: float,
    grid: Grid,
    inside: bool = False,
    middle: float = 1.0,
) -> Bool[np.ndarray, "B h w"]:
    """Return one rectangle of patches per image, anywhere on the grid, with rounded sides.

    Four uniform draws per image decide its area (uniform between two numbers of patches), its
    height / width (log-uniform in 1/aspect..aspect, times `middle`) and its place. A side longer
    than the grid is cut if `inside`; else that rectangle is empty.
    NumPy's small operations take half as long as torch's, and a batch needs several hundred.
    """
    least, most = (np.float32(number) for number in area)
    size = np.maximum(least + (most - least) * draws[0], 1)
    shape = np.float32(middle) * np.exp(np.float32(log(aspect)) * (2 * draws[1] - 1))
    lines = []
    for n, side, place in zip(grid, (size * shape, size / shape), draws[2:], strict=True):
        side = np.maximum(np.sqrt(side).round(), 1)
        side = np.minimum(side, n) if inside else np.where(side < n, side, 0)
        first = np.floor(place * (n - side + 1))
        line = np.arange(n, dtype=np.float32)
        lines.append((line >= first[:, None]) & (line < (first + side)[:, None]))  # [B, n]
    return lines[0][:, :, None] & lines[1][:, None, :]


def _frame(view: View) -> tuple[Tensor, Tensor, Tensor]:
    """Return corner and extent of the box, and which coordinates run backwards; [B, 1, 2] each."""
    corner, extent = view.box[:, None, :2], view.box[:, None, 2:]
    mirror = torch.stack([torch.zeros_like(view.flip), view.flip], dim=-1)[:, None]
    return corner, extent, mirror

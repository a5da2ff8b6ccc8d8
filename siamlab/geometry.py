"""Where things are: every position, correspondence and probe follows from a view's box and flip.

    match = correspondence(context, target, grid)   # where context patches lie in the target

Points are (y, x) as fractions: 0..1 across a view or across its source image.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Grid = tuple[int, int]  # rows, columns; N = rows * columns patches, row by row


class View(NamedTuple):
    image: Float[Tensor, "B 3 H W"]  # 0..1, not standardised
    box: Float[Tensor, "B 4"]  # top, left, height, width; fractions of the unflipped source
    flip: Bool[Tensor, " B"]  # mirrored left-right after the cut


class Match(NamedTuple):
    points: Float[Tensor, "B N 2"]  # the same places seen from the other view, fractions of it
    inside: Bool[Tensor, "B N"]  # the other view shows them


def patch_centres(grid: Grid, device: torch.device | None = None) -> Float[Tensor, "N 2"]:
    """Centre of each patch, (i + ½) / rows and (j + ½) / columns, fractions of the view."""
    rows, columns = (torch.arange(n, device=device).add(0.5) / n for n in grid)
    return torch.cartesian_prod(rows, columns)


def to_source(points: Float[Tensor, "B M 2"], view: View) -> Float[Tensor, "B M 2"]:
    """Fractions of the view in, fractions of its source image out."""
    corner, extent, mirror = _frame(view)
    return corner + extent * torch.where(mirror, 1 - points, points)


def to_view(points: Float[Tensor, "B M 2"], view: View) -> Float[Tensor, "B M 2"]:
    """Fractions of the source image in, fractions of the view out (outside 0..1: not shown)."""
    corner, extent, mirror = _frame(view)
    points = (points - corner) / extent
    return torch.where(mirror, 1 - points, points)


def correspondence(a: View, b: View, grid: Grid) -> Match:
    """Where the centres of `a`'s patches lie in `b`."""
    centres = patch_centres(grid, a.box.device).expand(len(a.box), -1, -1)  # [B, N, 2]
    points = to_view(to_source(centres, a), b)
    return Match(points, ((points >= 0) & (points <= 1)).all(dim=-1))


def magnification(a: View, b: View) -> Float[Tensor, "B 2"]:
    """How much larger `b`'s box is than `a`'s: height and width ratios."""
    return b.box[:, 2:] / a.box[:, 2:]


def overlap(a: Float[Tensor, "*#B 4"], b: Float[Tensor, "*#B 4"]) -> Float[Tensor, "*#B"]:
    """Intersection over union of two boxes. 0 apart, 1 the same."""
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    return shared / (a[..., 2:].prod(dim=-1) + b[..., 2:].prod(dim=-1) - shared)


def _frame(view: View) -> tuple[Tensor, Tensor, Tensor]:
    """Corner and extent of the box, and which coordinates run backwards; [B, 1, 2] each."""
    corner, extent = view.box[:, None, :2], view.box[:, None, 2:]
    mirror = torch.stack([torch.zeros_like(view.flip), view.flip], dim=-1)[:, None]
    return corner, extent, mirror

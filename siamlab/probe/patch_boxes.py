"""Boxes on a grid of patches: which object each patch should report, as in FCOS (Tian et al. 2019).

aims = goals(truth, images, grid)
boxes = as_boxes(patch_centres(grid), aims.sides)
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from siamlab.geometry import Grid, patch_centres
from siamlab.probe.precision import Boxes


class Goals(NamedTuple):
    """What each patch should say."""

    label: Int64[Tensor, "n N"]  # class; −1: nothing, −2: a skipped box, which is not learned
    sides: Float[Tensor, "n N 4"]  # from the patch's centre up, left, down, right; fractions


def goals(truth: Boxes, images: int, grid: Grid) -> Goals:
    """Each patch belongs to the smallest box that its centre lies in, as in FCOS.

    A box without a centre of a patch in it cannot be found; the ceiling shows what that costs.
    """
    centres = patch_centres(grid)  # [N, 2]
    area = (truth.box[:, 2:] - truth.box[:, :2]).prod(dim=1)
    order = (-area - 2.0 * truth.skipped).argsort(stable=True)  # skipped first, small last
    owner = torch.full((images, len(centres)), -1)
    for rows in _one_an_image(truth.image[order]):
        rows = order[rows]
        sides = _sides(centres, truth.box[rows][:, None])  # [m, N, 4]
        here = truth.image[rows]
        owner[here] = torch.where(sides.amin(dim=2) > 0, rows[:, None], owner[here])
    if not len(area):
        return Goals(owner, torch.ones(*owner.shape, 4))
    label = torch.where(truth.skipped, -2, truth.label)[owner]
    sides = _sides(centres, truth.box[owner.clamp(min=0)])
    return Goals(label.where(owner >= 0, -1), sides)


def _one_an_image(image: Int64[Tensor, " M"]) -> Iterator[Int64[Tensor, " m"]]:
    """Yield rows in their order, in groups that have each image once at most."""
    order = image.argsort(stable=True)
    counts = image[order].unique_consecutive(return_counts=True)[1]
    first = (counts.cumsum(0) - counts).repeat_interleave(counts)
    rank = torch.arange(len(image)) - first
    for turn in range(int(counts.max()) if len(counts) else 0):
        yield order[rank == turn]


def _sides(centres: Float[Tensor, "N 2"], box: Float[Tensor, "B _ 4"]) -> Float[Tensor, "B N 4"]:
    """Distances from each centre to the sides of a box, the same for all or one for each."""
    return torch.cat([centres - box[..., :2], box[..., 2:] - centres], dim=-1)


def centerness(sides: Float[Tensor, "*B 4"]) -> Float[Tensor, "*B"]:
    """√(min(up, down) / max(up, down) · min(left, right) / max(left, right)): 1 in the middle."""
    pairs = sides.unflatten(-1, (2, 2))  # (up, left), (down, right)
    return (pairs.amin(dim=-2) / pairs.amax(dim=-2)).prod(dim=-1).sqrt()


def as_boxes(
    centres: Float[Tensor, "*#B 2"], sides: Float[Tensor, "*#B 4"]
) -> Float[Tensor, "*#B 4"]:
    """Top, left, bottom, right of the boxes whose sides lie so far from the centres."""
    return torch.cat([centres - sides[..., :2], centres + sides[..., 2:]], dim=-1)

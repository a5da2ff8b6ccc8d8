"""Variance share: how much of the patch features is the image, how much the position?

image, position, rest = variance_share(patches)
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.machine.arguments import typed
from siamlab.probe.catalogue import Doc, Probe, add_probe
from siamlab.probe.checks import check_patches
from siamlab.probe.score import Groups, Reading, Score, bootstrap

if TYPE_CHECKING:
    from siamlab.probe.suite.bench import Extracted

BLOCK = 2**24  # numbers in memory at once
FLOOR = 1e-12  # share of the squares that is added to the variance: equal features are all rest


class VarianceShare(NamedTuple):
    """Shares of the variance of patch features, which sum to 1."""

    image: Score  # of the mean of each image
    position: Score  # of the mean of each position
    rest: Score  # of what differs between patches beyond both


@typed
def variance_share(patches: Float[Tensor, "n N D"], groups: Groups = None) -> VarianceShare:
    """Variance explained by the image, by the position, and the rest: two-way analysis of variance.

    0..1 each, neither is better: sums of squares over all dimensions, one feature a cell (Fisher
    1925). Chance: the share of the degrees of freedom, as for noise; no ceiling. Equal features
    are all rest. Unchanged when features are rotated, shifted or scaled by one number.
    The interval is that of the linearised statistic. Cost: n · N · D.
    """
    check_patches("patches", patches)
    n, N, _ = patches.shape
    if n < 2 or N < 2:
        raise UserError(f"patches must be of 2 images and 2 positions or more, got {n} and {N}")
    terms = _terms(patches)
    cells = n * N - 1
    chances = (n - 1) / cells, (N - 1) / cells, (n - 1) * (N - 1) / cells
    shares = (
        lambda sums: sums[..., 0] / sums[..., 2],
        lambda sums: sums[..., 1] / sums[..., 2],
        lambda sums: 1 - (sums[..., 0] + sums[..., 1]) / sums[..., 2],
    )
    unit = "share of variance"
    return VarianceShare(
        *(
            bootstrap(terms, share, chance, math.nan, unit, "neither", groups)
            for share, chance in zip(shares, chances, strict=True)
        )
    )


def _measured(x: "Extracted") -> Iterator[Reading]:
    for name, score in variance_share(x.test.patches, x.groups)._asdict().items():
        yield x.reading(f"variance_{name}", score)


PARTS = {"image": " between images", "position": " between positions", "rest": ", the rest"}
DOC = Doc("`variance_share`", "two-way analysis of variance of patch features; the three sum to 1",
          "0–1")  # fmt: skip
add_probe(
    *(
        Probe(f"variance_{part}", f"Variance of patches{title}", "spatial", "share of variance",
              "neither", _measured, DOC, ceiling=math.nan)
        for part, title in PARTS.items()
    )
)  # fmt: skip


def _terms(patches: Float[Tensor, "n N D"]) -> Float[Tensor, "n 3"]:
    """Each image's contribution to the sums of squares of images, of positions, and in total."""
    position = patches.mean(dim=0, dtype=torch.double)  # [N, D]
    grand = position.mean(dim=0)
    position = position - grand
    rows = []
    for part in patches.split(max(1, BLOCK // patches[0].numel())):
        deviation = part.double() - grand  # [c, N, D]
        image = part.shape[1] * deviation.mean(dim=1).square().sum(dim=1)
        # To first order, one more copy of an image adds its part along the position means to
        # Σ ‖position mean‖².
        along = 2 * (deviation * position).sum(dim=(1, 2)) - position.square().sum()
        floor = FLOOR * part.double().square().sum(dim=(1, 2)) + torch.finfo(torch.double).tiny
        rows.append(torch.stack([image, along, deviation.square().sum(dim=(1, 2)) + floor], dim=1))
    return torch.cat(rows)

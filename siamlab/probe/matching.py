"""Matching probe: do patches that are each other's nearest show the same point of a flat scene?

a, b = mutual(features_a, features_b)           # or distinct(features_a, features_b)
found = matched(places_a[a], places_b, b, homography, limits)
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from siamlab.component import UserError
from siamlab.probe.checks import check_floats, check_width

CLOSE = 1 + 1e-5  # a place exactly at the tolerance counts, however its distance was rounded


class Matched(NamedTuple):
    """Per match and tolerance: correct, chance and attainable."""

    hit: Bool[Tensor, "K A"]  # it lies there
    random: Float[Tensor, "K A"]  # share of all patches of the other image that do
    possible: Bool[Tensor, "K A"]  # one of them does


def mutual(
    a: Float[Tensor, "N D"], b: Float[Tensor, "M D"]
) -> tuple[Int64[Tensor, " K"], Int64[Tensor, " K"]]:
    """Return the rows of `a` and of `b` that are each other's nearest by cosine.

    Unchanged when features are rotated or scaled. Memory: N · M similarities.
    """
    for name, x in (("a", a), ("b", b)):
        check_floats(name, x, "N D")
    check_width("a", a, "b", b)
    cosine = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
    there, back = cosine.argmax(dim=1), cosine.argmax(dim=0)
    rows = (back[there] == torch.arange(len(a), device=a.device)).nonzero()[:, 0]
    return rows, there[rows]


def distinct(
    a: Float[Tensor, "N D"], b: Float[Tensor, "M D"], most_ratio: float = 0.9, most: int = 1000
) -> tuple[Int64[Tensor, " K"], Int64[Tensor, " K"]]:
    """Return rows of `a` whose nearest in `b` is clearly nearer than any other, and that row of b.

    The distance of unit vectors to the nearest must be below `most_ratio` of that to the second
    (Lowe 2004). At most `most` of them, the nearest first. Raises UserError for fewer than two rows
    of `b`.
    """
    for name, x in (("a", a), ("b", b)):
        check_floats(name, x, "N D")
    check_width("a", a, "b", b)
    if len(b) < 2:
        raise UserError(f"b must have two rows or more to compare, got {len(b)}")
    cosine = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
    far = (2 - 2 * cosine).clamp(min=0).sqrt()
    distance, index = far.topk(2, dim=1, largest=False)
    rows = (distance[:, 0] < most_ratio * distance[:, 1]).nonzero()[:, 0]
    rows = rows[distance[rows, 0].argsort(stable=True)[:most]]
    return rows, index[rows, 0]


def project(points: Float[Tensor, "K 2"], homography: Float[Tensor, "3 3"]) -> Float[Tensor, "K 2"]:
    """Return where points (y, x) lie in the other image; the homography takes x, y, 1."""
    flat = torch.cat([points.flip(1), torch.ones_like(points[:, :1])], dim=1) @ homography.T
    return (flat[:, :2] / flat[:, 2:]).flip(1)


def matched(
    points: Float[Tensor, "K 2"],
    places: Float[Tensor, "M 2"],
    index: Int64[Tensor, " K"],
    homography: Float[Tensor, "3 3"],
    limits: Float[Tensor, " A"],
) -> Matched:
    """Tell which points have their match within each limit of the true place, in pixels.

    `index` is the match of each point among the `places` of the other image. A point that the
    other image does not show cannot be right, and counts (Dusmanu et al. 2019).
    """
    true = project(points, homography)
    far = torch.cdist(true, places, compute_mode="donot_use_mm_for_euclid_dist")  # [K, M]
    near = far[..., None] <= limits * CLOSE  # [K, M, A]
    hit = near[torch.arange(len(index), device=index.device), index]
    return Matched(hit, near.float().mean(dim=1), near.any(dim=1))

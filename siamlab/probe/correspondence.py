"""Correspondence probe: does the nearest feature in another view lie at the same place?

match = match_patches(a, b, grid)
score = correspondence(features_a, features_b, match, grid, size, alpha=0.1)
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Count, Grid, Match, Size, patch_centres
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_alike, check_floats, check_patches, check_places
from siamlab.probe.score import Direction, Groups, Score, bootstrap, ratio

ALPHA = 0.1  # the tolerance of most papers
CLOSE = 1 + 1e-5  # a patch exactly at the tolerance counts, however its distance was rounded


class MutualMatches(NamedTuple):
    """Mutual nearest neighbours between two views, the most similar first."""

    a: Int[Tensor, " M"]  # index of the patch in view a
    b: Int[Tensor, " M"]  # index of the patch in view b
    cosine: Float[Tensor, " M"]
    error: Float[Tensor, " M"]  # pixels from the true place; nan where view b does not show it


@typed
def correspondence(
    a: Float[Tensor, "B N D"],
    b: Float[Tensor, "B N D"],
    match: Match,
    grid: Grid,
    size: Size,
    alpha: float = ALPHA,
    groups: Groups = None,
    chunk: Count = 256,
) -> Score:
    """Share of `a`'s patches whose nearest feature in `b` is within alpha · max(h, w) pixels.

    PCK@alpha (Yang & Ramanan 2013), nearest by cosine, over the points that `b` shows. 0..1,
    higher is better. Chance: a random patch of `b`; ceiling: the patch of `b` whose centre is
    closest; both are exact for these points. Unchanged when features are rotated or scaled.
    Memory: chunk · N² similarities.
    """
    limit = alpha * max(size) * CLOSE
    terms = _terms(a, b, match, grid, size, lambda pixels: (pixels <= limit).float(), chunk)
    return _score(terms, "share of points", "higher", groups)


@typed
def without_positions(
    a: Float[Tensor, "n N D"], b: Float[Tensor, "n N D"]
) -> tuple[Float[Tensor, "n N D"], Float[Tensor, "n N D"]]:
    """Subtract from both the mean feature of each position over both.

    The rest does not contain the position embedding: one-hot positions become zero, and patches at
    the same place of the two grids are no longer similar for that reason alone.
    """
    for name, x in (("a", a), ("b", b)):
        check_patches(name, x)
    check_alike("a", a, "b", b)
    mean = (a.mean(dim=0) + b.mean(dim=0)) / 2
    return a - mean, b - mean


@typed
def place_error(
    a: Float[Tensor, "B N D"],
    b: Float[Tensor, "B N D"],
    match: Match,
    grid: Grid,
    size: Size,
    groups: Groups = None,
    chunk: Count = 256,
) -> Score:
    """Mean distance of the nearest feature from the true place, in pixels of the view.

    0 or more, lower is better; the points, chance and ceiling are those of `correspondence`.
    """
    terms = _terms(a, b, match, grid, size, lambda pixels: pixels, chunk)
    return _score(terms, "pixels", "lower", groups)


@typed
def one_patch(grid: Grid, size: Size) -> float:
    """The alpha whose tolerance is one patch (its longer side): alpha · max(h, w) pixels."""
    return max(size[0] / grid[0], size[1] / grid[1]) / max(size)


@typed
def mutual_matches(
    a: Float[Tensor, "N D"],
    b: Float[Tensor, "N D"],
    match: Match,
    grid: Grid,
    size: Size,
) -> MutualMatches:
    """Patches of one pair of views that are each other's nearest feature; `match` has B = 1."""
    for name, x in (("a", a), ("b", b)):
        check_floats(name, x, "N D")
    check_alike("a", a, "b", b)
    check_patches("features a and b", a[None], grid)
    check_places("match.inside", match.inside, a[None])
    cosine = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T  # [N, N]
    best, there = cosine.max(dim=1)
    back = cosine.argmax(dim=0)
    mutual = (back[there] == torch.arange(len(a), device=a.device)).nonzero()[:, 0]
    mutual = mutual[best[mutual].argsort(descending=True, stable=True)]
    pixels = _distances(match.points, grid, size)[0, mutual, there[mutual]]
    error = pixels.where(match.inside[0, mutual], torch.nan)
    return MutualMatches(mutual, there[mutual], best[mutual], error)


def _terms(
    a: Tensor,
    b: Tensor,
    match: Match,
    grid: Grid,
    size: Size,
    measure: Callable[[Tensor], Tensor],
    chunk: int,
) -> Float[Tensor, "B 4"]:
    """Sums over an image's points of `measure` for the nearest feature, a random patch and the
    closest patch; and the number of points.
    """
    for name, x in (("a", a), ("b", b)):
        check_patches(f"features {name}", x, grid)
    check_alike("a", a, "b", b)
    check_places("match.inside", match.inside, a)
    rows = []
    for a_, b_, points, inside in zip(*(t.split(chunk) for t in (a, b, *match)), strict=True):
        nearest = (F.normalize(a_, dim=2) @ F.normalize(b_, dim=2).mT).argmax(dim=2)  # [B, N]
        pixels = _distances(points, grid, size)  # [B, N, N]
        found = measure(pixels.gather(2, nearest[..., None])[..., 0])
        values = found, measure(pixels).mean(dim=2), measure(pixels.amin(dim=2)), inside.float()
        rows.append((torch.stack(values, dim=2) * inside[..., None]).sum(dim=1))
    return torch.cat(rows)


def _score(terms: Float[Tensor, "B 4"], unit: str, direction: Direction, groups: Groups) -> Score:
    if not terms[:, 3].any():
        raise UserError(
            "inside has no point: the two views of no image overlap; give views that overlap"
        )
    _, chance, ceiling, points = terms.double().sum(dim=0).tolist()
    levels = chance / points, ceiling / points
    return bootstrap(terms[:, [0, 3]], ratio, *levels, unit, direction, groups)


def _distances(points: Float[Tensor, "B N 2"], grid: Grid, size: Size) -> Float[Tensor, "B N M"]:
    """Pixels from each point to the centre of each patch."""
    scale = points.new_tensor(size)
    return torch.cdist(
        points * scale,
        (patch_centres(grid, points.device) * scale)[None],
        compute_mode="donot_use_mm_for_euclid_dist",
    )

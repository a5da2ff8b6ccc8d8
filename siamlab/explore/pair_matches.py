"""Matches of a pair of views: each patch's most similar one in the other view, and its true place.

matches = pair_matches(cosines(features_a, features_b), a, b, grid)
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from siamlab.explore.held import BASE64
from siamlab.explore.scene import Jump
from siamlab.geometry import Grid, View, match_patches, patch_centres

WORST = 8  # matches in the list of the worst
APART = "{pixels} px, {patches} patches"  # how a distance is told, here and by a page
HIDDEN = "{query}: view {there} does not show this place; the most similar patch is marked."
MATCHED = (
    "{query}: matched {error} from its true place in view {there} (nearest patch centre: {least}). "
    "Mean over the {shared} patches that both views show: {mean}; {mean_least} is the least "
    "possible."
)


class PairMatches(NamedTuple):
    """The match of every patch of one view in the other view.

    Places are (y, x) fractions of the other view; distances are in its pixels, and in its patches.
    """

    cosine: Float[Tensor, "N N"]  # to each patch of the other view
    true: Float[Tensor, "N 2"]
    inside: Bool[Tensor, " N"]  # whether the other view shows the true place
    error: Float[Tensor, " N"]  # from the most similar patch to the true place
    ceiling: Float[Tensor, " N"]  # from the nearest patch centre: no match can be closer
    error_patches: Float[Tensor, " N"]
    ceiling_patches: Float[Tensor, " N"]


def pair_matches(cosine: Float[Tensor, "N N"], here: View, there: View, grid: Grid) -> PairMatches:
    """The matches of the patches of the first view in the second, by the cosines of features."""
    match, centres = match_patches(here, there, grid), patch_centres(grid)
    true, inside = match.points[0], match.inside[0]
    offset = centres[cosine.argmax(dim=1)] - true
    least = centres[None] - true[:, None]
    found = []
    for units in (torch.tensor(there.image.shape[2:]), torch.tensor(grid)):
        found += [(offset * units).norm(dim=1), (least * units).norm(dim=2).amin(dim=1)]
    error, ceiling, *in_patches = found
    return PairMatches(cosine, true, inside, error, ceiling, *in_patches)


def cosines(a: Float[Tensor, "N D"], b: Float[Tensor, "N D"]) -> Float[Tensor, "N N"]:
    """Products of unit features, computed where these lie and returned on the processor."""
    return (a @ b.T).cpu()


class Shared(NamedTuple):
    """Means over the patches that both views show; of pixels and patches each."""

    count: int
    error: tuple[float, float]
    least: tuple[float, float]


def shared_means(matches: PairMatches) -> Shared:
    """Number of patches that both views show, their mean error and mean least error."""
    inside = matches.inside
    error, least = (
        (float(pixels[inside].mean()), float(patches[inside].mean()))
        for pixels, patches in (
            (matches.error, matches.error_patches),
            (matches.ceiling, matches.ceiling_patches),
        )
    )
    return Shared(int(inside.sum()), error, least)


def match_text(query: str, matches: PairMatches, patch: int, there: str) -> str:
    """What is told of the match of one patch in the view `there`."""
    if not matches.inside[patch]:
        return HIDDEN.format(query=query, there=there)
    shared = shared_means(matches)
    return MATCHED.format(
        query=query,
        there=there,
        error=apart(matches.error[patch], matches.error_patches[patch]),
        least=apart(matches.ceiling[patch], matches.ceiling_patches[patch]),
        shared=shared.count,
        mean=apart(*shared.error),
        mean_least=apart(*shared.least),
    )


def worst_matches(view: str, matches: PairMatches, grid: Grid) -> list[Jump]:
    """The patches of a view whose matches are farthest from their true places, the worst first."""
    error = matches.error.where(matches.inside, torch.tensor(-1.0))
    worst = error.argsort(descending=True)[: min(WORST, int(matches.inside.sum()))].tolist()
    jumps = []
    for patch in worst:
        row, column = divmod(patch, grid[1])
        away = apart(error[patch], matches.error_patches[patch])
        jumps.append(Jump(f"row {row + 1}, column {column + 1}: {away}", view, patch))
    return jumps


def apart(pixels: float | Tensor, patches: float | Tensor) -> str:
    """A distance in words."""
    return APART.format(pixels=f"{float(pixels):.1f}", patches=f"{float(patches):.1f}")


def held_places(matches: PairMatches) -> dict[str, Any]:
    """Places of one view's patches in the other, whatever the layer."""
    shared = shared_means(matches)
    return {
        "true": [[round(v, 4) for v in place] for place in matches.true.tolist()],
        "inside": "".join("1" if shown else "0" for shown in matches.inside.tolist()),
        "ceiling": shown_distances(matches.ceiling, matches.ceiling_patches),
        "shared": shared.count,
        "least": shown(shared.least),
    }


def shown_distances(pixels: Float[Tensor, " N"], patches: Float[Tensor, " N"]) -> list[list[float]]:
    """Distances in pixels and in patches, rounded to the one decimal that is shown."""
    return [shown(both) for both in zip(pixels.tolist(), patches.tolist(), strict=True)]


def shown(values: Iterable[float]) -> list[float]:
    """The values, rounded to the one decimal that is shown; 0 for nan, which is never shown."""
    return [float(f"{v:.1f}") if v == v else 0.0 for v in values]


def pair_bytes(patches: int) -> float:
    """Bytes of one layer of a pair of views in a page: the cosines, and some 75 per patch."""
    return BASE64 * 2 * patches**2 + 75.0 * patches

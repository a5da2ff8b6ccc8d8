"""Matches of a pair of views: each patch's most similar one in the other view, and its true place.

matches = pair_matches(cosines(features_a, features_b), a, b, grid)
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from siamlab.explore.held import BASE64
from siamlab.geometry import Grid, View, match_patches, patch_centres


class PairMatches(NamedTuple):
    """The match of every patch of one view in the other view.

    Places are (y, x) fractions of the other view, distances are in its pixels.
    """

    cosine: Float[Tensor, "N N"]  # to each patch of the other view
    true: Float[Tensor, "N 2"]
    inside: Bool[Tensor, " N"]  # whether the other view shows the true place
    error: Float[Tensor, " N"]  # from the most similar patch to the true place
    ceiling: Float[Tensor, " N"]  # from the nearest patch centre: no match can be closer


def pair_matches(cosine: Float[Tensor, "N N"], here: View, there: View, grid: Grid) -> PairMatches:
    """The matches of the patches of the first view in the second, by the cosines of features."""
    match, centres = match_patches(here, there, grid), patch_centres(grid)
    size = torch.tensor(there.image.shape[2:])
    true, inside = match.points[0], match.inside[0]
    error = ((centres[cosine.argmax(dim=1)] - true) * size).norm(dim=1)
    ceiling = ((centres[None] - true[:, None]) * size).norm(dim=2).amin(dim=1)
    return PairMatches(cosine, true, inside, error, ceiling)


def cosines(a: Float[Tensor, "N D"], b: Float[Tensor, "N D"]) -> Float[Tensor, "N N"]:
    """Products of unit features, computed where these lie and returned on the processor."""
    return (a @ b.T).cpu()


def shared_means(matches: PairMatches) -> tuple[int, Tensor, Tensor]:
    """Number of patches that both views show, their mean error and mean least error."""
    error, ceiling = (x[matches.inside] for x in (matches.error, matches.ceiling))
    return len(error), error.mean(), ceiling.mean()


def held_places(matches: PairMatches) -> dict[str, Any]:
    """Places of one view's patches in the other, whatever the layer."""
    shared, _, least = shared_means(matches)
    return {
        "true": [[round(v, 4) for v in place] for place in matches.true.tolist()],
        "inside": "".join("1" if shown else "0" for shown in matches.inside.tolist()),
        "ceiling": shown_numbers(matches.ceiling),
        "shared": shared,
        "least": shown_numbers(least)[0],
    }


def shown_numbers(values: Tensor) -> list[float]:
    """The values, rounded to the one decimal that is shown; 0 for nan, which is never shown."""
    return [float(f"{v:.1f}") if v == v else 0.0 for v in values.flatten().tolist()]


def pair_bytes(patches: int) -> float:
    """Bytes of one layer of a pair of views in a page: the cosines, and some 60 per patch."""
    return BASE64 * 2 * patches**2 + 60.0 * patches

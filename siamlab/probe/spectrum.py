"""Spectrum probe: how many directions do the features use, and have they collapsed?

rankme(pooled), spread(pooled), collapse(pooled)
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

EPSILON = 1e-7  # added to each share by RankMe
LEAST_SPREAD, LEAST_RANK = 0.05, 2.0  # below these, features are called collapsed


def rankme(features: Float[Tensor, "n D"]) -> float:
    """Smooth rank of the features, 1..min(n, D): exp of the entropy of the singular values.

    p = σ / ‖σ‖₁ + 1e-7, exp(−Σ p log p), uncentred (Garrido et al. 2023). Higher: more directions
    used; orthonormal features have D, features along one direction 1. Unchanged when features are
    rotated or scaled by one number. (Of zeros: 1.) Cost: n · D² multiplications, in float64.
    """
    sigma = torch.linalg.svdvals(features.double())
    share = sigma / sigma.sum().clamp(min=torch.finfo(sigma.dtype).tiny) + EPSILON
    return torch.special.entr(share).sum().exp().item()


def effective_rank(features: Float[Tensor, "n D"]) -> float:
    """Directions that the features vary in, 1..min(n - 1, D): exp of the entropy of variances.

    Roy & Vetterli (2007) on the variances along the principal axes: a shift does not matter,
    nor does rotation or scaling by one number. (Of equal features: 1.)
    """
    centred = features.double() - features.double().mean(dim=0)
    variance = torch.linalg.svdvals(centred).square()
    share = variance / variance.sum().clamp(min=torch.finfo(variance.dtype).tiny)
    return torch.special.entr(share).sum().exp().item()


def spread(features: Float[Tensor, "n D"]) -> float:
    """Standard deviation of unit-length features, mean over dimensions, times √D; 0..1.

    1: directions spread as at random; 0: all point the same way (collapse), as SimSiam's authors
    (Chen & He 2021) watch it. Unchanged when any feature is scaled.
    """
    unit = F.normalize(features.double(), dim=1)
    return (unit.std(dim=0, correction=0).mean() * features.shape[1] ** 0.5).item()


def collapse(features: Float[Tensor, "n D"]) -> str:
    """A sentence when the features have collapsed, else "".

    Collapsed means not finite, spread under 0.05 (nearly the same direction for every image) or
    RankMe under 2 (nearly along one line).
    """
    if not features.isfinite().all():
        return "Features are not finite: training has diverged; lower the learning rate."
    if (s := spread(features)) < LEAST_SPREAD:
        return (
            f"Features have collapsed: nearly the same for every image (spread {s:.3f}, under "
            f"{LEAST_SPREAD}; 1 is spread as at random)."
        )
    if (r := rankme(features)) < LEAST_RANK:
        return (
            f"Features have collapsed onto one direction (RankMe {r:.2f}, under {LEAST_RANK}; "
            f"there are {features.shape[1]} dimensions)."
        )
    return ""

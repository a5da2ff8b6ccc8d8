"""Spectrum probe: how many directions do the features use, and have they collapsed?

rankme(pooled), alpha_req(pooled), lidar(views), collapse(pooled)
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_features, check_floats

EPSILON = 1e-7  # added to each share by RankMe and LiDAR
ROUNDING = 1e-12  # share of the largest variance below which a variance is zero
LEAST_SPREAD, LEAST_RANK = 0.05, 2.0  # below these, features count as collapsed


@typed
def rankme(features: Float[Tensor, "n D"]) -> float:
    """Smooth rank of the features, 1..min(n, D): exp of the entropy of the singular values.

    p = σ / ‖σ‖₁ + 1e-7, exp(−Σ p log p), uncentred (Garrido et al. 2023). Higher: more directions
    used; orthonormal features have D, features along one direction 1. Unchanged when features are
    rotated or scaled by one number. Raises UserError for zeros, which point nowhere. Cost: n · D²
    multiplications, in float64.
    """
    check_features("features", features)
    if not features.any():
        raise UserError(
            "features are all 0, so that there is no direction to count: give features of images "
            f"(got {list(features.shape)}), or has the model collapsed?"
        )
    return rank_or_one(features)


def rank_or_one(features: Float[Tensor, "n D"]) -> float:
    """`rankme`; 1, the least, for zeros: a network that has collapsed is still to be measured."""
    check_features("features", features)
    if not features.any():
        return 1.0
    return _smooth_rank(torch.linalg.svdvals(features.double()))


@typed
def effective_rank(features: Float[Tensor, "n D"]) -> float:
    """Directions that the features vary in, 1..min(n - 1, D): exp of the entropy of variances.

    Roy & Vetterli (2007) on the variances along the principal axes: a shift does not matter,
    nor does rotation or scaling by one number. Equal features give 1.
    """
    variance = eigenvalues(features)
    share = variance / variance.sum().clamp(min=torch.finfo(variance.dtype).tiny)
    return torch.special.entr(share).sum().exp().item()


@typed
def eigenvalues(features: Float[Tensor, "n D"]) -> Float[Tensor, " r"]:
    """Variances along the principal axes, largest first; r = min(n − 1, D), float64.

    Unchanged when features are rotated or shifted. Cost: n · D · min(n, D) multiplications.
    """
    check_features("features", features, least=2)
    centred = features.double() - features.double().mean(dim=0)
    freedom = len(features) - 1
    return torch.linalg.svdvals(centred)[:freedom].square() / freedom


def directions(features: Float[Tensor, "n D"]) -> Float[Tensor, " r"]:
    """The `eigenvalues` that are not zero up to rounding."""
    variance = eigenvalues(features)
    return variance[variance > ROUNDING * variance.max()]


@typed
def participation_ratio(features: Float[Tensor, "n D"]) -> float:
    """Directions that the features vary in, 1..min(n − 1, D): (Σ λ)² / Σ λ² of `eigenvalues`.

    Equal variances in all directions give their number, one direction gives 1; the few largest
    count for more than in `effective_rank`. Unchanged when features are rotated, shifted or
    scaled by one number. Equal features give 0.
    """
    variance = eigenvalues(features)
    squares = variance.square().sum().clamp(min=torch.finfo(variance.dtype).tiny)
    return (variance.sum().square() / squares).item()


@typed
def alpha_req(features: Float[Tensor, "n D"], first: int = 4, last: int = 100) -> float:
    """Rate at which the variances fall: α where the i-th of `eigenvalues` is proportional to i^−α.

    0: all equal; about 1: best generalisation in theory and in the paper (Agrawal et al. 2022);
    larger: few directions hold all variance. Least squares of log variance on log i for i from
    `first` to `last` or to the last that is not zero, each with weight 1 / i, as in the authors'
    code; the paper names no range. Unchanged when features are rotated, shifted or scaled by one
    number.
    """
    variance = directions(features)
    index = torch.arange(1, len(variance) + 1, dtype=torch.double, device=variance.device)
    if not 1 <= first < min(last, len(variance)):
        raise UserError(
            f"first={first} must be 1 or more, and below last={last} and the {len(variance)} "
            "variances that are not zero: give a smaller first, or more images"
        )
    index, variance = index[first - 1 : last], variance[first - 1 : last]
    x, y = index.log(), variance.log()
    x = x - (x / index).sum() / (1 / index).sum()
    return -((x * y / index).sum() / (x * x / index).sum()).item()


@typed
def lidar(views: Float[Tensor, "n q D"], delta: float = 1e-4) -> float:
    """Effective rank of between-image scatter relative to that among q views, 1..min(n, D).

    exp of the entropy of p = λ / ‖λ‖₁ + 1e-7, λ the eigenvalues of Σw^−½ Σb Σw^−½: each image is a
    class of linear discriminant analysis, Σb the covariance of their means, Σw that of views about
    their mean, plus δ (Thilak et al. 2024). Higher: more directions carry what views share.
    Unchanged when features are rotated, shifted or (apart from δ) scaled. The authors take
    q = 50 views of n = 1,000 images. Cost: n · q · D² multiplications, in float64.
    """
    check_floats("views", views, "n q D")
    n, q, width = views.shape
    if q < 2 or n < 2:
        raise UserError(f"views must be of 2 images or more, 2 or more of each; got {n} and {q}")
    if not delta > 0:
        raise UserError(f"delta={delta} must be above 0 (say 1e-4): it keeps Σw invertible")
    means = views.double().mean(dim=1)  # [n, D]
    inner = (views.double() - means[:, None]).flatten(0, 1)  # [n q, D]
    outer = means - means.mean(dim=0)
    noise, axes = torch.linalg.eigh(inner.T @ inner / (n * q))
    white = outer @ axes * (noise + delta).rsqrt()  # [n, D]
    return _smooth_rank(torch.linalg.svdvals(white).square())


@typed
def spread(features: Float[Tensor, "n D"]) -> float:
    """Standard deviation of unit-length features, mean over dimensions, times √D; 0..1.

    1: directions spread as if random; 0: all point the same way (collapse); SimSiam's authors (Chen
    & He 2021) watch it. Unchanged when any feature is scaled.
    """
    check_features("features", features)
    unit = F.normalize(features.double(), dim=1)
    return (unit.std(dim=0, correction=0).mean() * features.shape[1] ** 0.5).item()


@typed
def collapse(features: Float[Tensor, "n D"]) -> str:
    """Return a sentence if the features have collapsed, else "".

    Collapsed means not finite, spread under 0.05 (nearly the same direction for every image) or
    RankMe under 2 (nearly along one line).
    """
    check_floats("features", features, "n D", finite=False)
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


def _smooth_rank(values: Float[Tensor, " r"]) -> float:
    share = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny) + EPSILON
    return torch.special.entr(share).sum().exp().item()

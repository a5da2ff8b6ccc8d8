"""Geometry on the unit sphere: do views agree, features spread, and classes cluster?

alignment(a, b), uniformity(pooled), class_separation(pooled, labels)
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_alike, check_features, check_labels, check_varied
from siamlab.probe.retrieval import class_sizes
from siamlab.probe.score import Groups, Score, bootstrap, ratio

BLOCK = 2**24  # similarities held at once
LEAST = math.exp(-8)  # similarity of two opposite images
FLOOR = 1e-9  # added to both distances, so that the separation of collapsed features is 0


@typed
def alignment(a: Float[Tensor, "n D"], b: Float[Tensor, "n D"], groups: Groups = None) -> Score:
    """Mean squared distance between two views of an image, on unit vectors.

    0..4, lower is better: 0 the same direction, 2 unrelated (chance), 4 opposite. Collapsed
    features give 0: read it with `uniformity`. Unchanged when features are rotated or scaled
    (Wang & Isola 2020). Cost: n · D.
    """
    for name, x in (("a", a), ("b", b)):
        check_features(name, x)
    check_alike("a", a, "b", b)
    distance = (_unit(a) - _unit(b)).square().sum(dim=1)  # [n]
    terms = torch.stack([distance, torch.ones_like(distance)], dim=1)
    return bootstrap(terms, ratio, 2.0, 0.0, "squared distance", "lower", groups)


@typed
def uniformity(
    features: Float[Tensor, "n D"], groups: Groups = None, chunk: Count | None = None
) -> Score:
    """Log of the mean of exp(−2 ‖x − y‖²) over all pairs of images, on unit vectors.

    About −4..0, lower is better: 0 all the same (collapse). There is no chance level; the ceiling
    is the uniform distribution on the sphere of D dimensions, which a small sample may slightly
    exceed. Unchanged when features are rotated or scaled (Wang & Isola 2020). The interval is that
    of the linearised statistic. Cost: n² · D multiplications; memory: chunk · n similarities.
    """
    check_features("features", features)
    n, width = features.shape
    if n < 2:
        raise UserError(f"features must have at least 2 images, since pairs are compared; got {n}")
    unit = _unit(features)
    parts = [_near(part, unit) for part in unit.split(chunk or max(1, BLOCK // n))]
    near = (torch.cat(parts) - 1) / (n - 1)  # [n], mean over the others: itself counts 1
    mean = near.mean().item()

    def log_mean(sums: Float[Tensor, "*R 2"]) -> Float[Tensor, "*R"]:
        # A pair has two images, so resampling moves the mean by twice what it moves that of `near`.
        return (mean + 2 * (ratio(sums) - mean)).clamp(min=LEAST).log()

    terms = torch.stack([near, torch.ones_like(near)], dim=1)
    ceiling = _sphere(width)
    return bootstrap(terms, log_mean, math.nan, ceiling, "log of a mean", "lower", groups)


@typed
def class_separation(
    features: Float[Tensor, "n D"], labels: Int[Tensor, " n"], groups: Groups = None
) -> Score:
    """1 − mean cosine distance within classes / mean cosine distance of all images.

    Kornblith et al. (2021): all classes weigh the same, and an image's distance to itself counts.
    0..1, higher is better: 1 each class has one direction, 0 the labels say nothing, as for
    collapsed features. Chance: random labels, slightly above 0 because an image's distance to
    itself counts. Unchanged when features are rotated or scaled. The interval is that of
    the linearised statistic. Cost: n · D, from the sums of classes.
    """
    check_features("features", features)
    check_labels("labels", labels, len(features))
    class_sizes(labels)  # refuses unlabelled images
    _, kind, count = labels.unique(return_inverse=True, return_counts=True)
    check_varied("labels", labels)
    classes = len(count)
    unit = _unit(features)
    sums = unit.new_zeros(classes, unit.shape[1]).index_add_(0, kind, unit)
    means = sums / count[:, None]  # [K, D]
    centre, own, weight = means.mean(dim=0), means[kind], 2 / (classes * count[kind])
    # A mean distance is 1 − ‖mean‖²; to first order, one more copy of an image adds to each:
    within = -weight * ((unit - own) * own).sum(dim=1)  # [n]
    overall = -weight * ((unit - own) @ centre)
    level = torch.stack([1 - means.square().sum(dim=1).mean(), 1 - centre.square().sum()])
    terms = torch.stack([within, overall], dim=1) + (level + FLOOR) / len(unit)
    itself = (1 / count.double()).mean()  # share of distances that are to the image itself
    chance = 1 - (1 - itself) / (1 - itself / classes)
    return bootstrap(
        terms, lambda s: 1 - ratio(s), chance.item(), 1.0, "share of distance", groups=groups
    )


def _unit(features: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
    return F.normalize(features.double(), dim=1)


def _near(part: Float[Tensor, "c D"], unit: Float[Tensor, "n D"]) -> Float[Tensor, " c"]:
    """Sum over all images of exp(−2 ‖x − y‖²); n for zero features, which have no direction."""
    length = unit.square().sum(dim=1)
    squared = part.square().sum(dim=1, keepdim=True) + length - 2 * part @ unit.T  # [c, n]
    return squared.mul_(-2).exp_().sum(dim=1)


def _sphere(width: int) -> float:
    """The uniformity of the uniform distribution: log of e⁻⁴ ₀F₁(; D/2; 4), by its series."""
    total = term = 1.0
    for k in range(1, 64):
        term *= 4 / (k * (width / 2 + k - 1))
        total += term
    return math.log(total) - 4

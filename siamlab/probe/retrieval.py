"""Retrieval probe: do the images of a class come first when all are ranked by similarity?

score = retrieval(features, labels)
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_features, check_labels, check_numbered, check_varied
from siamlab.probe.score import Groups, Score, bootstrap

BLOCK = 2**22  # similarities held at once


@typed
def retrieval(
    features: Float[Tensor, "n D"],
    labels: Int[Tensor, " n"],
    groups: Groups = None,
    chunk: Count | None = None,
) -> Score:
    """Mean average precision of each image's ranking of all others by cosine.

    0..1, higher is better; relevant are the images of the same class; an image without another of
    its class is not a query. Equal similarities share a rank, as in scikit-learn. Chance: the exact
    mean of a random ranking, a little above the share of the class; ceiling 1. Unchanged when
    features are rotated or scaled. The interval is over images, each as a query and as part of all
    other rankings: that of the statistic linearised in both weights (the infinitesimal jackknife).
    Cost: n² · D multiplications and n sorts of n; memory: a few arrays of chunk · n.
    """
    check_features("features", features)
    check_labels("labels", labels, len(features))
    relevant = class_sizes(labels) - 1  # [n]
    if not relevant.any():
        raise UserError("labels must have at least two images of one class: give more images")
    check_varied("labels", labels)
    unit = F.normalize(features, dim=1)
    chunks = torch.arange(len(labels), device=labels.device).split(
        chunk or max(1, BLOCK // len(labels))
    )
    parts = [_precisions(unit, labels, queries) for queries in chunks]
    precision, ranked = torch.cat([p for p, _ in parts]), sum(r for _, r in parts)
    valid = (relevant > 0).double()
    chance = _random(relevant, len(labels) - 1)[relevant > 0].mean().item()
    terms = torch.stack([precision * valid, ranked, valid], dim=1)
    return bootstrap(terms, _mean, chance, 1.0, "mean average precision", groups=groups)


def average_precision(
    similarity: Float[Tensor, "c n"], relevant: Bool[Tensor, "c n"]
) -> tuple[Float[Tensor, " c"], Float[Tensor, "c n"]]:
    """Mean over the relevant items of the precision at their rank, and its slope by each item.

    0 if no item is relevant. The slope is by how often the item occurs; the slopes of one ranking
    sum to 0, since doubling all items changes nothing.
    """
    similarity, order = similarity.sort(dim=1, descending=True)
    relevant = relevant.gather(1, order).double()
    first, last = _ties(similarity)
    precision = relevant.cumsum(dim=1).gather(1, last) / (last + 1)
    count = relevant.sum(dim=1, keepdim=True).clamp(min=1)
    mean = (relevant * precision).sum(dim=1, keepdim=True) / count
    # An item adds to all precisions from its rank on: 1 / rank if relevant, minus their own / rank.
    more, less = (_from(relevant * x / (last + 1), first) for x in (1, precision))
    slope = relevant * (precision - mean + more) - less
    return mean[:, 0], torch.empty_like(slope).scatter_(1, order, slope / count)


def class_sizes(labels: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Number of images of each image's class; refuses unlabelled images."""
    if len(labels) == 0 or labels.min() < 0:
        raise UserError(
            f"labels must be 0 or more for at least one image and have no unknown (-1) label; "
            f"got {len(labels)} images: drop those without a label"
        )
    check_numbered("labels", labels)
    return labels.bincount()[labels]


def _precisions(
    unit: Tensor, labels: Tensor, queries: Int[Tensor, " c"]
) -> tuple[Float[Tensor, " c"], Float[Tensor, " n"]]:
    """Average precision of some of the images, each left out of its own ranking; slopes summed."""
    others = torch.arange(len(labels) - 1, device=labels.device)  # counted without the query
    others = others + (others >= queries[:, None]).long()  # [c, n - 1]
    similarity = (unit[queries] @ unit.T).gather(1, others)
    precision, slope = average_precision(similarity, labels[others] == labels[queries, None])
    ranked = slope.new_zeros(len(labels)).index_add_(0, others.flatten(), slope.flatten())
    return precision, ranked


def _ties(similarity: Float[Tensor, "c n"]) -> tuple[Int[Tensor, "c n"], Int[Tensor, "c n"]]:
    """Index of the first and of the last that is as similar, of descending similarities."""
    n = similarity.shape[1]
    rank = torch.arange(n, device=similarity.device)
    changes = similarity[:, 1:] != similarity[:, :-1]
    starts, ends = (F.pad(changes, side, value=True) for side in ((1, 0), (0, 1)))
    last = rank.where(ends, n).flip(1).cummin(dim=1).values.flip(1)
    return rank.where(starts, 0).cummax(dim=1).values, last


def _from(values: Float[Tensor, "c n"], first: Int[Tensor, "c n"]) -> Float[Tensor, "c n"]:
    """Sums from the index `first` to the end."""
    return values.flip(1).cumsum(dim=1).flip(1).gather(1, first)


def _mean(sums: Float[Tensor, "*R 3"]) -> Float[Tensor, "*R"]:
    """Average precision over queries, with what the rankings add to it (0 over all images)."""
    return (sums[..., 0] + sums[..., 1]) / sums[..., 2]


def _random(relevant: Int[Tensor, " n"], others: int) -> Float[Tensor, " n"]:
    """Mean average precision of a random order of `others`, of which some are relevant.

    Rank i is relevant with probability r / N, and then holds 1 + (i − 1)(r − 1) / (N − 1) of them
    up to there; over i, and over the mean over relevant ones, that sums to a harmonic number.
    """
    harmonic = (1 / torch.arange(1, others + 1, dtype=torch.double)).sum()
    rest = (relevant.double() - 1) / max(others - 1, 1)
    return (harmonic + rest * (others - harmonic)) / others

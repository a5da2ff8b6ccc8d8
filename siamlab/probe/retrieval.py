"""Retrieval probe: do the images of a class come first when all are ranked by similarity?

score = retrieval(features, labels)
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from siamlab.component import UserError
from siamlab.probe.linear import check_features, check_labels
from siamlab.probe.score import Groups, Score, bootstrap, ratio

BLOCK = 2**22  # similarities held at once


def retrieval(
    features: Float[Tensor, "n D"],
    labels: Int[Tensor, " n"],
    groups: Groups = None,
    chunk: int | None = None,
) -> Score:
    """Mean average precision of each image's ranking of all others by cosine.

    0..1, higher is better; relevant are the images of the same class; an image whose class has no
    other is no query. Equal similarities share a rank, as in scikit-learn. Chance: the exact mean
    of a random ranking, a little above the share of the class; ceiling 1. Unchanged when features
    are rotated or scaled. The interval is over queries. Cost: n² · D multiplications and n sorts
    of n; memory: some arrays of chunk · n.
    """
    check_features("features", features)
    check_labels("labels", labels, len(features))
    relevant = class_sizes(labels) - 1  # [n]
    if not relevant.any():
        raise UserError("labels must have two images of one class at least: give more images")
    unit = F.normalize(features, dim=1)
    chunks = torch.arange(len(labels), device=labels.device).split(
        chunk or max(1, BLOCK // len(labels))
    )
    precision = torch.cat([_precisions(unit, labels, queries) for queries in chunks])
    asked = (relevant > 0).double()
    chance = _random(relevant, len(labels) - 1)[relevant > 0].mean().item()
    terms = torch.stack([precision * asked, asked], dim=1)
    return bootstrap(terms, ratio, chance, 1.0, "mean average precision", groups=groups)


def average_precision(
    similarity: Float[Tensor, "c n"], relevant: Bool[Tensor, "c n"]
) -> Float[Tensor, " c"]:
    """Mean over the relevant items of the precision at their rank; 0 where there is none."""
    similarity, order = similarity.sort(dim=1, descending=True)
    relevant = relevant.gather(1, order).double()
    n = similarity.shape[1]
    rank = torch.arange(n, device=order.device)
    ends = F.pad(similarity[:, 1:] != similarity[:, :-1], (0, 1), value=True)
    last = rank.where(ends, n).flip(1).cummin(dim=1).values.flip(1)  # of those that tie
    precision = relevant.cumsum(dim=1).gather(1, last) / (last + 1)
    return (relevant * precision).sum(dim=1) / relevant.sum(dim=1).clamp(min=1)


def class_sizes(labels: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """How many images each image's class has; refuses unlabelled images."""
    if len(labels) == 0 or labels.min() < 0:
        raise UserError(
            f"labels must be 0 or more for at least one image and have no unknown (-1) label; "
            f"got {len(labels)} images: drop those without a label"
        )
    return labels.bincount()[labels]


def _precisions(unit: Tensor, labels: Tensor, queries: Int[Tensor, " c"]) -> Float[Tensor, " c"]:
    """Average precision of some of the images, each left out of its own ranking."""
    others = torch.arange(len(labels), device=labels.device)[None].expand(len(queries), -1)
    others = others[others != queries[:, None]].view(len(queries), -1)  # [c, n - 1]
    similarity = (unit[queries] @ unit.T).gather(1, others)
    return average_precision(similarity, labels[others] == labels[queries, None])


def _random(relevant: Int[Tensor, " n"], others: int) -> Float[Tensor, " n"]:
    """Mean average precision of a random order of `others`, of which some are relevant.

    Rank i is relevant with probability r / N, and then holds 1 + (i − 1)(r − 1) / (N − 1) of them
    up to there; over i, and over the mean over relevant ones, that sums to a harmonic number.
    """
    harmonic = (1 / torch.arange(1, others + 1, dtype=torch.double)).sum()
    rest = (relevant.double() - 1) / max(others - 1, 1)
    return (harmonic + rest * (others - harmonic)) / others

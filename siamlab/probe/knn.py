"""Weighted k-nearest-neighbour probe: are images of the same thing near each other?

score = knn(train, train_labels, test, test_labels)        # pooled features
votes = knn_votes(features, labels)                        # of each image, by the others
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_features, check_labelled, check_labels, check_numbered
from siamlab.probe.linear import accuracy, standardise
from siamlab.probe.score import Groups, Score

TEMPERATURE = 0.07
BLOCK = 2**24  # similarities in memory at once


@typed
def knn(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    k: int = 20,
    groups: Groups = None,
    chunk: Count | None = None,
) -> Score:
    """Test accuracy when the k nearest training images vote with weight exp(cos / 0.07).

    0..1, higher is better; chance is the share of the commonest test class, ceiling 1. Unchanged
    when features are rotated or scaled by one number (Wu et al. 2018, as used by DINO). Cost:
    n · m · D multiplications; `chunk` test images at a time, never the whole n × m matrix.
    """
    classes = check_labelled(train, train_labels, test, test_labels)
    if not 1 <= k <= len(train):
        raise UserError(f"k={k} must be from 1 to the number of training images, {len(train)}")
    near = F.normalize(train, dim=1).T
    chunks = F.normalize(test, dim=1).split(chunk or max(1, BLOCK // len(train)))
    guess = torch.cat([_vote(queries @ near, train_labels, k, classes) for queries in chunks])
    return accuracy(guess, test_labels, groups)


@typed
def knn_standardised(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    k: int = 20,
    groups: Groups = None,
) -> Score:
    """`knn` after scaling each dimension to mean 0 and variance 1 on the training features.

    Then a few dimensions of high variance do not decide which images are near, as for MAE.
    """
    check_labelled(train, train_labels, test, test_labels)
    train, test = standardise(train, test)
    return knn(train, train_labels, test, test_labels, k, groups)


class Votes(NamedTuple):
    """The class that the neighbours of each image vote for."""

    label: Int[Tensor, " n"]
    share: Float[Tensor, " n"]  # of the weight of all votes, 0..1


@typed
def knn_votes(features: Float[Tensor, "n D"], labels: Int[Tensor, " n"], k: int = 20) -> Votes:
    """Class that the k nearest other images vote for, with the weights of `knn`: leave one out.

    Images of label -1 do not vote, but are voted on. Raises UserError unless two images or more
    are labelled, and k is below their number. Cost: n² · D, never the whole n × n matrix.
    """
    check_features("features", features)
    check_labels("labels", labels, len(features))
    check_numbered("labels", labels)
    known = (labels >= 0).nonzero()[:, 0]
    if not 1 <= k < len(known):
        raise UserError(
            f"k={k} must be from 1 to the number of labelled images less one, {len(known) - 1}"
        )
    unit = F.normalize(features, dim=1)
    bank, voters, classes = unit[known].T, labels[known], int(labels.max()) + 1
    parts = []
    for rows in torch.arange(len(unit), device=unit.device).split(max(1, BLOCK // len(known))):
        cosine = unit[rows] @ bank
        cosine[rows[:, None] == known] = -torch.inf  # nobody votes on itself
        parts.append(_votes(cosine, voters, k, classes))
    votes = torch.cat(parts)
    most, label = votes.max(dim=1)
    return Votes(label, most / votes.sum(dim=1))


def _vote(
    similarity: Float[Tensor, "c n"], labels: Int[Tensor, " n"], k: int, classes: int
) -> Int[Tensor, " c"]:
    return _votes(similarity, labels, k, classes).argmax(dim=1)


def _votes(
    similarity: Float[Tensor, "c n"], labels: Int[Tensor, " n"], k: int, classes: int
) -> Float[Tensor, "c classes"]:
    """The weight of the votes for each class."""
    cosine, index = similarity.topk(k, dim=1)  # [c, k]
    votes = similarity.new_zeros(len(similarity), classes)
    return votes.scatter_add_(1, labels[index], (cosine / TEMPERATURE).exp())

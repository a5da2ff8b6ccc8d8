"""Long-tail probe: does a linear layer find classes a hundred times rarer than others?

tail = long_tail(train, train_labels, test, test_labels)     # overall, many, medium, few
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from siamlab.component import UserError
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_labelled
from siamlab.probe.fewshot import draw_per_class
from siamlab.probe.linear import linear_answers
from siamlab.probe.score import Groups, Score, bootstrap, ratio


class LongTail(NamedTuple):
    """Accuracy on all test images, and on those of three thirds of the classes."""

    overall: Score
    many: Score  # the commonest third of the classes in the training subset
    medium: Score
    few: Score  # the rarest third


@typed
def long_tail(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    imbalance: float = 100.0,
    seed: int = 0,
    groups: Groups = None,
) -> LongTail:
    """Test accuracy of the linear probe fitted on an exponentially imbalanced subset.

    The class of rank r among C, in an order drawn by the seed, keeps n₀ · imbalance^(−r / (C − 1))
    images (Cui et al. 2019), at least one; n₀ is the largest that the classes allow. Many, medium
    and few are thirds of the classes by rank, the earlier thirds one larger if C is not a multiple
    of 3 (the usual bounds of 100 and 20 images do not suit small sets); the score of a third
    without test images is nan. 0..1, higher is better. Chance: always the commonest class of the
    subset, the answer for uninformative features; so it is 0 for medium and few. Ceiling 1.
    Unchanged when dimensions are shifted or scaled. Cost: one fit.
    """
    classes = check_labelled(train, train_labels, test, test_labels)
    if imbalance < 1:
        raise UserError(
            f"imbalance={imbalance} must be 1 or more, such as 100: the commonest class over the "
            "rarest"
        )
    rng = torch.Generator().manual_seed(seed)
    order, wanted = imbalanced(train_labels.bincount(minlength=classes), imbalance, rng)
    index = draw_per_class(train_labels, wanted, rng)
    (guess,) = linear_answers(train[index], train_labels[index], [test], classes)
    parts = order, *order.tensor_split(3)
    return LongTail(*(_accuracy(guess, test_labels, part, order[0], groups) for part in parts))


def imbalanced(
    counts: Int[Tensor, " C"], imbalance: float, rng: Generator
) -> tuple[Int[Tensor, " K"], Int[Tensor, " C"]]:
    """The classes that have images, commonest first, and how many images each class keeps."""
    present = counts.nonzero()[:, 0]
    mixed = torch.randperm(len(present), generator=rng, device=rng.device)
    order = present[mixed.to(counts.device)]
    rank = torch.arange(len(order), dtype=torch.double, device=counts.device)
    share = imbalance ** (-rank / (len(order) - 1))
    largest = (counts[order] / share).min()
    wanted = torch.zeros_like(counts)
    wanted[order] = (largest * share).round().long().clamp(min=1)
    return order, wanted


def _accuracy(
    guess: Tensor, labels: Tensor, part: Int[Tensor, " K"], commonest: Tensor, groups: Groups
) -> Score:
    """Accuracy on the test images of some classes."""
    inside = torch.isin(labels, part)
    terms = torch.stack([(guess == labels) & inside, inside], dim=1).double()
    chance = (inside & (labels == commonest)).sum() / inside.sum()
    return bootstrap(terms, ratio, chance.item(), 1.0, "share of images", groups=groups)

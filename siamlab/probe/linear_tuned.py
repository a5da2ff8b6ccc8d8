"""Linear probe whose penalty is chosen on held-out training images.

tuned = linear_tuned(train, train_labels, test, test_labels)     # tuned.accuracy, tuned.c
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from siamlab.component import UserError
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_labelled
from siamlab.probe.linear import Head, accuracy, softmax_regression, standardise
from siamlab.probe.score import Groups, Score

# C, as scikit-learn defines it: the 45 values from 1e-6 to 1e5 of DINOv2's and DINOv3's evaluations
PENALTIES = tuple(10.0 ** (power / 4) for power in range(-24, 21))
HELD_OUT = 0.1  # of the training images
FIT_STEPS = 200  # of each fit: with a large C, separable features have no solution to converge to


class Tuned(NamedTuple):
    accuracy: Score
    c: float  # that was chosen


@typed
def linear_tuned(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    penalties: tuple[float, ...] = PENALTIES,
    seed: int = 0,
    groups: Groups = None,
) -> Tuned:
    """Test accuracy of `linear` with the C that is best on a tenth of the training images.

    0..1, higher is better; chance and ceiling are those of `linear`. C = 1 penalises weights so
    little that wide features of few images are fitted exactly; DINOv2 and DINOv3 are compared after
    the search that is the default here (their `eval/log_regression.py`). The tenth is drawn by the
    seed, the smallest of equally good values is taken, and the layer is fitted again on all
    training images. Cost: one fit of at most 200 steps per value, each from the last one's layer,
    and one more; a step takes two products of n · D · classes or more.
    """
    classes = check_labelled(train, train_labels, test, test_labels)
    _check(penalties, len(train))
    x, queries = standardise(train.double(), test.double())
    goal, held = (
        F.one_hot(train_labels, classes).to(x.dtype),
        held_out(len(train), seed).to(x.device),
    )
    rights, head = [], None
    for c in sorted(penalties):
        head = softmax_regression(x[~held], goal[~held], FIT_STEPS, c=c, start=head)
        rights.append((_answers(x[held], head) == train_labels[held]).sum().item())
    c = sorted(penalties)[rights.index(max(rights))]
    guess = _answers(queries, softmax_regression(x, goal, FIT_STEPS, c=c))
    return Tuned(accuracy(guess, test_labels, groups), c)


def held_out(n: int, seed: int) -> Bool[Tensor, " n"]:
    """The training images of n that choices are tested on: a tenth of them, one or more."""
    rng = Generator().manual_seed(seed)
    held = torch.zeros(n, dtype=torch.bool)
    held[torch.randperm(n, generator=rng)[: max(1, round(HELD_OUT * n))]] = True
    return held


def _answers(x: Float[Tensor, "m D"], head: Head) -> Int[Tensor, " m"]:
    return (x @ head.weight + head.bias).argmax(dim=1)


def _check(penalties: tuple[float, ...], images: int) -> None:
    if not penalties or min(penalties) <= 0:
        raise UserError(
            f"penalties={penalties} must be one or more values of C above 0, as (0.01, 1.0, 100.0)"
        )
    if images < 2:
        raise UserError(f"train must have 2 images or more, got {images}: one of them is held out")

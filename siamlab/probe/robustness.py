"""Robustness probe: does a classifier of clean images still work on corrupted ones?

bad = torch.stack([pooled(corrupted(pixels, kind, 3)) for kind in KINDS])
robustness(train, train_labels, clean, bad, test_labels)      # accuracy, drop, each
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_alike, check_floats, check_labelled
from siamlab.probe.linear import accuracy, linear_answers
from siamlab.probe.score import Groups, Score, bootstrap, ratio


class Robustness(NamedTuple):
    accuracy: Score  # mean over the corrupted versions
    drop: Score  # 1 - that / accuracy on clean images
    each: list[Score]  # accuracy of each version


@typed
def robustness(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    clean: Float[Tensor, "m D"],
    corrupted: Float[Tensor, "c m D"],
    test_labels: Int[Tensor, " m"],
    groups: Groups = None,
) -> Robustness:
    """Test accuracy of `linear`'s head, fitted once, on c corrupted versions of the test images.

    Accuracy: 0..1, higher is better; chance is the share of the commonest test class, ceiling 1.
    Drop: the share of the clean accuracy that is lost, at most 1, lower is better: 0 nothing lost,
    below 0 if corruption helps; it has no chance level. Unchanged when dimensions are shifted or
    scaled, in the same way in all arrays (kinds and severities: Hendrycks & Dietterich 2019). Cost:
    one fit, and c · m · D · C multiplications.
    """
    check_floats("corrupted", corrupted, "c m D")
    classes = check_labelled(train, train_labels, clean, test_labels, queries="clean")
    way = "corrupted must be versions of the same images"
    check_alike("each version of corrupted", corrupted[0], "clean", clean, way)
    known, *guesses = linear_answers(train, train_labels, [clean, *corrupted], classes)
    each = [accuracy(guess, test_labels, groups) for guess in guesses]
    right = torch.stack([guess == test_labels for guess in guesses]).double().mean(dim=0)  # [m]
    terms = torch.stack([right, (known == test_labels).double(), torch.ones_like(right)], dim=1)
    unit = "share of images"
    mean = bootstrap(terms[:, [0, 2]], ratio, each[0].chance, 1.0, unit, groups=groups)
    lost = terms[:, :2], lambda sums: 1 - ratio(sums)
    drop = bootstrap(*lost, math.nan, 0.0, "share of clean accuracy", "lower", groups)
    return Robustness(mean, drop, each)

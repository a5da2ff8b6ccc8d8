"""Few-shot probe: how much can a classifier learn from a handful of labels?

few = few_shot_per_class(train, train_labels, test, test_labels, per_class=5)
few.accuracy, few.deviation
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor

from siamlab.component import UserError
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_labelled
from siamlab.probe.score import Groups, Score, bootstrap

PENALTY = 0.1  # λ n: on the sum of losses
STEPS, TOLERANCE = 500, 1e-6  # of L-BFGS


class FewShot(NamedTuple):
    accuracy: Score  # mean over the draws
    deviation: float  # standard deviation of the accuracy over draws; nan for one draw


@typed
def few_shot_per_class(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    per_class: int = 5,
    draws: Count = 5,
    seed: int = 0,
    groups: Groups = None,
) -> FewShot:
    """Test accuracy when `per_class` images of each class are labelled, mean over random draws.

    0..1, higher is better; chance is the share of the commonest test class, ceiling 1. The head
    is MSN's (Assran et al. 2022): each feature centred over its dimensions and scaled to unit
    length, multinomial logistic regression without intercept, mean cross entropy + λ/2 ‖W‖² with
    λ = 0.1 / n. Unchanged when features are scaled. The seed and the labels decide the draws, so
    that all models get the same images. The interval resamples both test images and draws (it is
    slightly too narrow for few draws). Cost: `draws` fits, each of per_class · C · D a step.
    """
    classes = check_labelled(train, train_labels, test, test_labels)
    counts = train_labels.bincount(minlength=classes)
    least = int(counts[counts > 0].min())
    if not 1 <= per_class <= least:
        raise UserError(
            f"per_class={per_class} must be from 1 to {least}, the size of the smallest training "
            "class: ask for fewer, or leave that class out"
        )
    wanted = counts.clamp(max=per_class)
    return _few_shot(train, train_labels, test, test_labels, wanted, draws, seed, groups)


@typed
def few_shot_share(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    share: float = 0.01,
    draws: Count = 5,
    seed: int = 0,
    groups: Groups = None,
) -> FewShot:
    """`few_shot_per_class` with this share of each class labelled, rounded, at least one image."""
    classes = check_labelled(train, train_labels, test, test_labels)
    if not 0 < share <= 1:
        raise UserError(f"share={share} must be above 0 and at most 1: 0.01 is one per cent")
    counts = train_labels.bincount(minlength=classes)
    wanted = (share * counts).round().long().clamp(min=1).minimum(counts)
    return _few_shot(train, train_labels, test, test_labels, wanted, draws, seed, groups)


def draw_per_class(
    labels: Int[Tensor, " n"], wanted: Int[Tensor, " C"], rng: Generator
) -> Int[Tensor, " s"]:
    """Draw the indices of `wanted[c]` images of each class c, without replacement."""
    order = torch.randperm(len(labels), generator=rng, device=rng.device).to(labels.device)
    order = order[labels[order].argsort(stable=True)]  # class by class, mixed within
    kind = labels[order]
    counts = labels.bincount(minlength=len(wanted))
    rank = torch.arange(len(labels), device=labels.device) - (counts.cumsum(0) - counts)[kind]
    return order[rank < wanted[kind]]


def regression(
    x: Float[Tensor, "n D"], labels: Int[Tensor, " n"], classes: int
) -> Float[Tensor, "D C"]:
    """Weights that minimise mean cross entropy + 0.1 ‖W‖² / 2n, by L-BFGS from zero."""
    goal = F.one_hot(labels, classes).to(x.dtype)
    weight = torch.nn.Parameter(x.new_zeros(x.shape[1], classes))

    @torch.no_grad()
    def loss() -> Tensor:
        log_p = (x @ weight).log_softmax(dim=1)  # [n, C]
        value = PENALTY / 2 * weight.square().sum() - (goal * log_p).sum()
        weight.grad = (x.T @ (log_p.exp() - goal) + PENALTY * weight) / len(x)
        return value / len(x)

    torch.optim.LBFGS(
        [weight],
        max_iter=STEPS,
        tolerance_grad=TOLERANCE,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    ).step(loss)
    return weight.detach()


def directions(features: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
    """Each feature minus its own mean over dimensions, at unit length, in float64."""
    features = features.double()
    return F.normalize(features - features.mean(dim=1, keepdim=True), dim=1)


def _few_shot(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    wanted: Int[Tensor, " C"],
    draws: int,
    seed: int,
    groups: Groups,
) -> FewShot:
    rng = torch.Generator().manual_seed(seed)
    queries, hits = directions(test), []
    for _ in range(draws):
        index = draw_per_class(train_labels, wanted, rng)
        weight = regression(directions(train[index]), train_labels[index], len(wanted))
        hits.append((queries @ weight).argmax(dim=1) == test_labels)
    terms = torch.stack([*hits, torch.ones_like(hits[0])], dim=1).double()  # [m, draws + 1]
    chance = test_labels.bincount().max().item() / len(test_labels)
    score = bootstrap(
        terms, _over_draws(draws, seed), chance, 1.0, "share of images", groups=groups
    )
    each = terms[:, :-1].mean(dim=0)
    return FewShot(score, each.std().item() if draws > 1 else math.nan)


def _over_draws(draws: int, seed: int) -> Callable[[Tensor], Tensor]:
    """The mean accuracy over draws; for resampled images, over resampled draws as well."""
    rng = torch.Generator().manual_seed(seed)

    def statistic(sums: Float[Tensor, "*R K"]) -> Float[Tensor, "*R"]:
        share = sums[..., :-1] / sums[..., -1:]  # [*R, draws]
        if sums.ndim > 1:  # resamples; one row alone is the value itself
            share = share.gather(-1, torch.randint(draws, share.shape, generator=rng))
        return share.mean(dim=-1)

    return statistic

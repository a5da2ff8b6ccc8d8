"""Linear probe: can a linear layer on frozen features predict the class?

score = linear(train, train_labels, test, test_labels)     # pooled features
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_labelled
from siamlab.probe.score import Groups, Score, bootstrap, ratio

EPS = 1e-6  # added to each variance, as MAE's linear probe does


class Head(NamedTuple):
    weight: Float[Tensor, "D C"]
    bias: Float[Tensor, " C"]


@typed
def linear(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    groups: Groups = None,
    present: bool = False,
) -> Score:
    """Test accuracy of multinomial logistic regression on standardised features.

    0..1, higher is better; chance is the share of the commonest test class, the best constant
    answer; ceiling 1. Unchanged when dimensions are shifted or scaled (BatchNorm
    without affine: published MAE ViT-B has 68.0 % with it, about 52 % without). Loss: mean cross
    entropy + ‖W‖² / 2n, which is scikit-learn's C = 1; in float64, to convergence.
    `present`: only classes that the test images have can be the answer (ImageNet-A and -R are
    scored so: Hendrycks et al. 2021).
    """
    classes = check_labelled(train, train_labels, test, test_labels)
    among = test_labels.unique() if present else None
    (guess,) = linear_answers(train, train_labels, [test], classes, among)
    return accuracy(guess, test_labels, groups)


def linear_answers(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    queries: Iterable[Float[Tensor, "_ D"]],
    classes: int,
    among: Int[Tensor, " c"] | None = None,
) -> list[Int[Tensor, " _"]]:
    """Predict the classes of each array of features with a linear layer that is fitted once.

    `among`: the only classes that can be an answer; by default all.
    """
    train = train.double()
    x, _ = standardise(train, train[:1])
    head = softmax_regression(x, F.one_hot(train_labels, classes).to(x.dtype))
    scaled = (standardise(train, q.double())[1] for q in queries)
    if among is None:
        return [(q @ head.weight + head.bias).argmax(dim=1) for q in scaled]
    weight, bias = head.weight[:, among], head.bias[among]
    return [among[(q @ weight + bias).argmax(dim=1)] for q in scaled]


def softmax_regression(
    x: Float[Tensor, "n D"],
    goal: Float[Tensor, "n C"],
    steps: int = 500,
    tolerance: float = 1e-6,
    c: float = 1.0,
    start: Head | None = None,
) -> Head:
    """Fit the linear layer of least mean cross entropy + ‖W‖² / (2 n c), by L-BFGS.

    `goal` rows are shares of classes; a row that sums to less than 1 counts for less.
    Stops when no entry of the gradient exceeds `tolerance`. The bias is not penalised. It begins
    from zero, or from `start`, which changes the time that it takes and not where it ends.
    """
    mass = goal.sum(dim=1, keepdim=True)
    total = mass.sum()
    start = _frequencies(x, goal) if start is None else start
    weight, bias = (torch.nn.Parameter(part.clone()) for part in start)

    @torch.no_grad()
    def loss() -> Tensor:
        log_p = (x @ weight).add_(bias).log_softmax(dim=1)  # [n, C]
        value = weight.square().sum() / (2 * c) - (goal * log_p).sum()
        error = log_p.exp_().mul_(mass).sub_(goal)
        slope = (error.T @ x).T.contiguous()  # eight times as fast as x.T @ error
        weight.grad = slope.add_(weight / c).div_(total)
        bias.grad = error.sum(dim=0) / total
        return value / total

    torch.optim.LBFGS(
        [weight, bias],
        max_iter=steps,
        history_size=20,  # as good as torch's 100 here, with less work per step
        tolerance_grad=tolerance,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    ).step(loss)
    return Head(weight.detach(), bias.detach())


def _frequencies(x: Float[Tensor, "n D"], goal: Float[Tensor, "n C"]) -> Head:
    """Return the layer that answers with the frequency of each class, whatever it is given."""
    share = goal.sum(dim=0) / goal.sum(dim=1, keepdim=True).sum()
    return Head(x.new_zeros(x.shape[1], goal.shape[1]), share.clamp(min=1e-4).log())


def standardise(
    train: Float[Tensor, "n D"], test: Float[Tensor, "m D"]
) -> tuple[Float[Tensor, "n D"], Float[Tensor, "m D"]]:
    """Scale both to mean 0 and variance 1 of the training features in each dimension."""
    variance, mean = torch.var_mean(train, dim=0, correction=0)
    scale = (variance + EPS).rsqrt()
    return (train - mean) * scale, (test - mean) * scale


def accuracy(guess: Int[Tensor, " m"], labels: Int[Tensor, " m"], groups: Groups = None) -> Score:
    """Share of right answers; chance is the share of the commonest label, ceiling 1."""
    terms = torch.stack([guess == labels, torch.ones_like(labels)], dim=1).float()
    chance = labels.bincount().max().item() / len(labels)
    return bootstrap(terms, ratio, chance, 1.0, "share of images", groups=groups)

"""Linear probe: can a linear layer on frozen features name the class?

score = linear(train, train_labels, test, test_labels)     # pooled features
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from siamlab.component import UserError
from siamlab.probe.score import Groups, Score, bootstrap, ratio

EPS = 1e-6  # added to each variance, as MAE's linear probe does


class Head(NamedTuple):
    weight: Float[Tensor, "D C"]
    bias: Float[Tensor, " C"]


def linear(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    test: Float[Tensor, "m D"],
    test_labels: Int[Tensor, " m"],
    groups: Groups = None,
) -> Score:
    """Test accuracy of multinomial logistic regression on standardised features.

    0..1, higher is better; chance is the share of the commonest test class, the best that one
    answer for all can do; ceiling 1. Unchanged when dimensions are shifted or scaled (BatchNorm
    without affine: published MAE ViT-B has 68.0 % with it, about 52 % without). Loss: mean cross
    entropy + ‖W‖² / 2n, which is scikit-learn's C = 1; in float64, to convergence.
    """
    classes = check_labelled(train, train_labels, test, test_labels)
    (guess,) = linear_answers(train, train_labels, [test], classes)
    return accuracy(guess, test_labels, groups)


def linear_answers(
    train: Float[Tensor, "n D"],
    train_labels: Int[Tensor, " n"],
    queries: Iterable[Float[Tensor, "_ D"]],
    classes: int,
) -> list[Int[Tensor, " _"]]:
    """The classes that the linear layer, fitted once, names for each array of features."""
    train = train.double()
    x, _ = standardise(train, train[:1])
    head = softmax_regression(x, F.one_hot(train_labels, classes).to(x.dtype))
    seen = (standardise(train, q.double())[1] for q in queries)
    return [(q @ head.weight + head.bias).argmax(dim=1) for q in seen]


def softmax_regression(
    x: Float[Tensor, "n D"],
    goal: Float[Tensor, "n C"],
    steps: int = 500,
    tolerance: float = 1e-6,
) -> Head:
    """The linear layer with least mean cross entropy + ‖W‖² / 2n, by L-BFGS from zero.

    `goal` rows are shares of classes; a row that sums to less than 1 counts for less.
    Stops when no entry of the gradient exceeds `tolerance`. The bias is not penalised.
    """
    mass = goal.sum(dim=1, keepdim=True)
    total = mass.sum()
    weight = torch.nn.Parameter(x.new_zeros(x.shape[1], goal.shape[1]))
    bias = torch.nn.Parameter((goal.sum(dim=0) / total).clamp(min=1e-4).log())

    @torch.no_grad()
    def loss() -> Tensor:
        log_p = (x @ weight).add_(bias).log_softmax(dim=1)  # [n, C]
        value = weight.square().sum() / 2 - (goal * log_p).sum()
        error = log_p.exp_().mul_(mass).sub_(goal)
        slope = (error.T @ x).T.contiguous()  # in an eighth of the time of x.T @ error
        weight.grad = slope.add_(weight).div_(total)
        bias.grad = error.sum(dim=0) / total
        return value / total

    torch.optim.LBFGS(
        [weight, bias],
        max_iter=steps,
        history_size=20,  # as good as torch's 100 here, and less to do for each step
        tolerance_grad=tolerance,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    ).step(loss)
    return Head(weight.detach(), bias.detach())


def standardise(
    train: Float[Tensor, "n D"], test: Float[Tensor, "m D"]
) -> tuple[Float[Tensor, "n D"], Float[Tensor, "m D"]]:
    """Both with the training features' mean 0 and variance 1 in each dimension."""
    variance, mean = torch.var_mean(train, dim=0, correction=0)
    scale = (variance + EPS).rsqrt()
    return (train - mean) * scale, (test - mean) * scale


def accuracy(guess: Int[Tensor, " m"], labels: Int[Tensor, " m"], groups: Groups = None) -> Score:
    """Share of right answers; chance is the share of the commonest label, ceiling 1."""
    terms = torch.stack([guess == labels, torch.ones_like(labels)], dim=1).float()
    chance = labels.bincount().max().item() / len(labels)
    return bootstrap(terms, ratio, chance, 1.0, "share of images", groups=groups)


def check_labelled(train: object, train_labels: object, test: object, test_labels: object) -> int:
    """Number of classes; refuses features and labels that do not fit together."""
    for name, x, labels in [("train", train, train_labels), ("test", test, test_labels)]:
        check_features(name, x)
        check_labels(f"{name}_labels", labels, len(x))
    if train.shape[1] != test.shape[1]:
        raise UserError(
            f"train has features of {train.shape[1]} numbers and test of {test.shape[1]}: take "
            "both from one layer of one model"
        )
    return class_count(train_labels, test_labels)


def check_features(name: str, x: object) -> None:
    """Refuses what is no table of finite features."""
    if not isinstance(x, Tensor) or x.ndim != 2 or not x.is_floating_point():
        raise UserError(
            f"{name} must be a tensor of floats [n, D], a row an image; got {described(x)}: pool "
            "patches first, and take arrays over by torch.from_numpy"
        )
    if not x.isfinite().all():
        raise UserError(f"{name} must be finite, but has nan or inf: has the model diverged?")


def check_labels(name: str, labels: object, n: int) -> None:
    """Refuses what is not one whole number for each of n images."""
    whole = isinstance(labels, Tensor) and not labels.is_floating_point()
    if not whole or labels.shape != (n,):
        raise UserError(
            f"{name} must be a tensor of {n} whole numbers, one for each row of the features; got "
            f"{described(labels)}"
        )


def described(x: object) -> str:
    """`float32 [3, 4]`, or the type of what is no tensor."""
    if isinstance(x, Tensor):
        return f"{str(x.dtype).removeprefix('torch.')} {list(x.shape)}"
    return type(x).__name__


def class_count(train_labels: Tensor, test_labels: Tensor) -> int:
    """Number of classes; refuses unlabelled images."""
    for name, labels in [("train_labels", train_labels), ("test_labels", test_labels)]:
        if len(labels) == 0 or labels.min() < 0:
            raise UserError(
                f"{name} must be 0 or more for at least one image and have no unknown "
                f"(-1) label; got {len(labels)} images: drop those without a label"
            )
    return int(max(train_labels.max(), test_labels.max())) + 1

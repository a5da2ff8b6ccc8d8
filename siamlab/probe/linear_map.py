"""Linear map: numbers of each patch, such as its depth or its direction, from frozen features.

found = fit_map(parts)                      # (features, target, weight) of some images at a time
found.of(features)                          # [n, N, K]
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

RIDGE = 1e-3  # of the squared weights of standardised features, added to the mean squared error
Part = tuple[Float[Tensor, "n N D"], Float[Tensor, "n N K"], Float[Tensor, "n N"]]


class LinearMap(NamedTuple):
    """target = features @ weight + bias, in float64."""

    weight: Float[Tensor, "D K"]
    bias: Float[Tensor, " K"]
    constant: Float[Tensor, " K"]  # weighted mean of the targets, the best blind answer

    def of(self, features: Float[Tensor, "n N D"]) -> Float[Tensor, "n N K"]:
        return (features.double() @ self.weight + self.bias).float()


def fit_map(parts: Iterable[Part], ridge: float = RIDGE) -> LinearMap | None:
    """Ridge regression to K numbers per patch; None if no patch has a weight.

    Features count as standardised, and a patch counts by its weight. Exact and in float64; one
    pass over the `parts`, which are never held together. Cost: n · N · (D + K)².
    """
    gram = total = None
    count = 0
    for features, target, weight in parts:
        x, count = features.flatten(0, 1).double(), target.shape[2]
        rows = torch.cat([x, torch.ones_like(x[:, :1]), target.flatten(0, 1).to(x)], dim=1)
        weight = weight.flatten().to(x)
        product = (rows * weight[:, None]).T @ rows  # [D + 1 + K, D + 1 + K]
        gram = product if gram is None else gram + product
        total = weight.sum() if total is None else total + weight.sum()
    if gram is None or not total > 0:
        return None
    moments = gram / total
    one = len(moments) - count - 1  # the place of the constant
    mean, goal = moments[:one, one], moments[one, one + 1 :]
    covariance = moments[:one, :one] - mean[:, None] * mean
    covariance += ridge * torch.diag(covariance.diagonal() + 1e-6)
    weight = torch.linalg.solve(covariance, moments[:one, one + 1 :] - mean[:, None] * goal)
    return LinearMap(weight, goal - mean @ weight, goal)

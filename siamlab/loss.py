"""Loss: how a prediction is compared with its goal.

    terms = loss(pred, goal)        # {name: scalar}; their sum is the loss, each is logged

`pred` and `goal` are [B, P, D]: a token for each predicted patch, or P = 1 for a global
prediction. Gradients flow into `pred` only. Statistics are over all B·P tokens of all processes;
memory is linear in tokens.

A choice must have `kind` and `__call__`; there is nothing else to declare.
"""

from abc import abstractmethod
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from siamlab.component import Component, Sizes
from siamlab.machine import distributed

Tokens = Float[Tensor, "B P D"]
Terms = dict[str, Float[Tensor, ""]]
Weight = Annotated[float, Field(ge=0)]
CHUNK = 2**22  # similarities that InfoNCE holds in memory


class LossChoice(Component):
    """Base of every loss."""

    @abstractmethod
    def __call__(self, pred: Tokens, goal: Tokens) -> Terms: ...


class MSE(LossChoice):
    """Mean squared error (MAE)."""

    kind: Literal["mse"] = "mse"

    def __call__(self, pred: Tokens, goal: Tokens) -> Terms:
        return {"mse": F.mse_loss(pred, goal)}


class SmoothL1(LossChoice):
    """Squared below `beta`, absolute above (I-JEPA); beta 0 is the absolute error (SimMIM)."""

    kind: Literal["smooth_l1"] = "smooth_l1"
    beta: float = Field(default=1.0, ge=0, description="error at which the square becomes a line")

    def __call__(self, pred: Tokens, goal: Tokens) -> Terms:
        return {"smooth_l1": F.smooth_l1_loss(pred, goal, beta=self.beta)}


class Cosine(LossChoice):
    """2 − 2 cos of prediction and goal (BYOL, SimSiam)."""

    kind: Literal["cosine"] = "cosine"

    def __call__(self, pred: Tokens, goal: Tokens) -> Terms:
        return {"cosine": 2 - 2 * F.cosine_similarity(pred, goal, dim=-1).mean()}


class InfoNCE(LossChoice):
    """Cross-entropy of finding each goal among those of all tokens (MoCo-v3), times 2 τ."""

    kind: Literal["infonce"] = "infonce"
    temperature: float = Field(default=0.2, gt=0, description="divides the cosines")

    def __call__(self, pred: Tokens, goal: Tokens) -> Terms:
        query = F.normalize(pred.flatten(0, 1), dim=1)  # [n, D]
        key = distributed.gather(F.normalize(goal.flatten(0, 1), dim=1))
        answer = torch.arange(len(query), device=query.device) + distributed.rank() * len(query)
        rows = max(1, CHUNK // len(key))
        parts = zip(query.split(rows), answer.split(rows), strict=True)
        # similarities are recomputed in the backward pass, so no [n, n] is kept
        total = sum(
            checkpoint(self._cross_entropy, q, key, a, use_reentrant=False) for q, a in parts
        )
        return {"infonce": 2 * self.temperature * total / len(query)}

    def _cross_entropy(self, query: Tensor, key: Tensor, answer: Tensor) -> Tensor:
        return F.cross_entropy(query @ key.T / self.temperature, answer, reduction="sum")


class UniGrad(LossChoice):
    """Squared error plus λ times the similarity to all goals at once (SiameseIM; Tao 2022).

    L = (1/D) [ mean ‖p − t‖² + λ mean pᵀ C p ],  C = TᵀT / n over every token of every process.
    """

    kind: Literal["unigrad"] = "unigrad"
    weight: Weight = Field(
        default=0.02, description="λ, weight of the term that spreads the features"
    )

    def __call__(self, pred: Tokens, goal: Tokens) -> Terms:
        p, t = pred.flatten(0, 1), goal.flatten(0, 1)  # [n, D]
        moments = distributed.mean(t.T @ t / len(t))  # [D, D]
        spread = ((p @ moments) * p).mean()  # Σ((P C) ∘ P), never P C Pᵀ
        return {"positive": F.mse_loss(p, t), "negative": self.weight * spread}

    def shrunk(self, to: Sizes) -> "UniGrad":
        # the largest value of the second term is λ · width; λ is meant for a width of 768
        return self.replace(weight=self.weight * 768 / to.width)


class VICReg(LossChoice):
    """Invariance, and variance and covariance of the prediction (Bardes 2022)."""

    kind: Literal["vicreg"] = "vicreg"
    invariance: Weight = Field(default=25.0, description="weight of the squared error")
    variance: Weight = Field(
        default=25.0, description="weight of the hinge on standard deviations below 1"
    )
    covariance: Weight = Field(default=1.0, description="weight of the squared covariances")

    def __call__(self, pred: Tokens, goal: Tokens) -> Terms:
        p = pred.flatten(0, 1)  # [n, D]
        count = len(p) * distributed.count()
        centred = p - distributed.mean(p.mean(dim=0))
        cov = distributed.mean(centred.T @ centred / len(p)) * (count / (count - 1))  # [D, D]
        off = cov - torch.diag(cov.diagonal())
        deviation = (cov.diagonal() + 1e-4).sqrt()
        return {
            "invariance": self.invariance * F.mse_loss(pred, goal),
            "variance": self.variance * F.relu(1 - deviation).mean(),
            "covariance": self.covariance * off.square().sum() / p.shape[1],
        }


class BarlowTwins(LossChoice):
    """Cross-correlation of prediction and goal towards the identity (Zbontar 2021)."""

    kind: Literal["barlow"] = "barlow"
    weight: Weight = Field(default=0.005, description="λ, weight of the off-diagonal correlations")

    def __call__(self, pred: Tokens, goal: Tokens) -> Terms:
        p, t = _standardised(pred.flatten(0, 1)), _standardised(goal.flatten(0, 1))
        correlation = distributed.mean(p.T @ t / len(p))  # [D, D]
        on = correlation.diagonal()
        off = correlation.square().sum() - on.square().sum()
        return {"diagonal": (1 - on).square().sum(), "redundancy": self.weight * off}


Loss = Annotated[
    MSE | SmoothL1 | Cosine | InfoNCE | UniGrad | VICReg | BarlowTwins,
    Field(discriminator="kind"),
]


def _standardised(x: Float[Tensor, "n D"]) -> Float[Tensor, "n D"]:
    centred = x - distributed.mean(x.mean(dim=0))
    return centred * (distributed.mean(centred.square().mean(dim=0)) + 1e-5).rsqrt()

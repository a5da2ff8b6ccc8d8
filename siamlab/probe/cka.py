"""Linear CKA: do two layers, or two models, find the same images similar?

cka(a, b)                                             # features of the same n images
rows = cka_pairs({"mae": layers, "moco_v3": layers})  # every pair of layers
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_features

ROUNDING = 1e-12  # of the features' squares: a variance below it is zero
LEAST = 4  # images that the unbiased estimate needs


class Layer(NamedTuple):
    """One matrix of features, prepared once for all pairs."""

    centred: Float[Tensor, "n D"]  # float64; columns sum to 0
    squares: Float[Tensor, " n"]  # of the length of each row


@typed
def cka(a: Float[Tensor, "n D"], b: Float[Tensor, "n E"]) -> float:
    """Similarity of two sets of features of the same images: unbiased linear CKA.

    1: one is a rotated, scaled or shifted copy of the other; about 0, on either side: unrelated,
    whatever n, D and E (the biased estimate tends to 1 when D exceeds n); never below −1. HSIC₁ of
    Song et al. (2012), as Nguyen et al. (2021) use it for Kornblith et al. (2019). Raises UserError
    for features that are equal for all images: they are similar to nothing. Cost: n · D · E
    multiplications in float64; no n × n matrix is formed.
    """
    _check({"a": a, "b": b})
    one, two = _centred(a), _centred(b)
    for name, layer in (("a", one), ("b", two)):
        if not layer.centred.any():
            raise UserError(
                f"{name} has the same features for all {len(layer.centred)} images, so that it is "
                "similar to nothing: has the model collapsed?"
            )
    return _cka(_hsic(one, two), _hsic(one, one), _hsic(two, two))


@typed
def cka_pairs(
    models: Mapping[str, Sequence[Float[Tensor, "n _"]]],
) -> list[dict[str, str | int | float]]:
    """CKA of every pair of layers, once each: model, layer, other_model, other_layer, cka.

    `models` maps each model to its layers' features of the same n images, layer 1 first. A
    layer whose features are equal for all images is like nothing: its `cka` is nan.
    """
    _check(
        {
            f"layer {number} of {model}": layer
            for model, layers in models.items()
            for number, layer in enumerate(layers, start=1)
        }
    )
    cells = []
    for model, layers in models.items():
        for number, layer in enumerate(map(_centred, layers), start=1):
            cells.append((model, number, layer, _hsic(layer, layer)))
    return [
        dict(model=m, layer=i, other_model=other, other_layer=j, cka=_cka(_hsic(a, b), aa, bb))
        for (m, i, a, aa), (other, j, b, bb) in combinations_with_replacement(cells, 2)
    ]


def _centred(features: Float[Tensor, "n D"]) -> Layer:
    x = features.double()
    centred = x - x.mean(dim=0)
    if centred.square().sum() <= ROUNDING * x.square().sum():
        centred = torch.zeros_like(centred)
    return Layer(centred, centred.square().sum(dim=1))


def _cka(pair: float, a: float, b: float) -> float:
    return pair / math.sqrt(a * b) if a * b > 0 else math.nan


def _hsic(a: Layer, b: Layer) -> float:
    """HSIC₁ of two layers, times n (n − 3).

    K̃ = A Aᵀ without its diagonal. As columns of A sum to zero, K̃ 1 is minus the squares a² of its
    rows: tr(K̃ L̃) = ‖Aᵀ B‖² − a²·b², 1ᵀK̃ 1 · 1ᵀL̃ 1 = Σ a² Σ b² and 1ᵀK̃ L̃ 1 = a²·b².
    """
    n, both = len(a.centred), a.squares @ b.squares
    trace = (a.centred.T @ b.centred).square().sum() - both
    total = a.squares.sum() * b.squares.sum() / ((n - 1) * (n - 2))
    return (trace + total - 2 / (n - 2) * both).item()


def _check(layers: Mapping[str, Tensor]) -> None:
    """Refuse anything but features, too few images, and layers with different numbers of them."""
    for name, layer in layers.items():
        check_features(name, layer)
    counts = sorted({len(layer) for layer in layers.values()})
    if len(counts) != 1 or counts[0] < LEAST:
        raise UserError(
            f"features must be of the same {LEAST} images or more in every layer, got {counts}: "
            "give all layers the same images"
        )

"""Attention: how far, how sharply and how differently do queries attend to patches?

a = over_patches(matrix, prefix=1)         # [B, heads, N, N], rows sum to 1
distance(a, grid), entropy(a), nmi(a), head_similarity(a)        # one number per image
"""

import math
from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Grid, patch_centres
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_alike, check_floats
from siamlab.probe.score import Groups, Score, bootstrap, ratio

NORMALISED = 1e-3  # largest distance of the sum of a row from 1


class Profile(NamedTuple):
    """Numbers of each image, layer by layer."""

    distance: Float[Tensor, "n L heads"]  # patches
    entropy: Float[Tensor, "n L heads"]  # nats
    nmi: Float[Tensor, "n L heads"]  # 0..1
    js: Float[Tensor, "n L"]  # nats, between heads


class ProfileScores(NamedTuple):
    """Means over images: `distance[layer][head]`, `js[layer]`, both from 0."""

    distance: list[list[Score]]  # pixels
    entropy: list[list[Score]]
    nmi: list[list[Score]]
    js: list[Score]


@typed
def over_patches(matrix: Float[Tensor, "B heads T T"], prefix: int) -> Float[Tensor, "B heads N N"]:
    """Attention among patches: prefix tokens dropped, rows normalised to sum to 1."""
    check_floats("matrix", matrix, "B heads T T")
    if not 0 <= prefix < matrix.shape[-1]:
        raise UserError(
            f"prefix={prefix} must be from 0 to {matrix.shape[-1] - 1}: attention is over "
            f"{matrix.shape[-1]} tokens, prefix tokens first"
        )
    return normalised_rows(matrix[..., prefix:, prefix:])


def normalised_rows(rows: Float[Tensor, "*B N"]) -> Float[Tensor, "*B N"]:
    """The rows divided by their sums; a row without any mass stays zero."""
    return rows / rows.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)


@typed
def distance(a: Float[Tensor, "B heads N N"], grid: Grid) -> Float[Tensor, "B heads"]:
    """Mean over queries of Σ_j A_ij ‖p_i − p_j‖, in patches: how far a head attends.

    From 0 (each patch to itself) to the grid's diagonal; `even_distance` for uniform attention
    (Raghu et al. 2021). It cannot distinguish uniform attention from queries that all attend to the
    same patches: see `nmi`. Cost: B · heads · N² multiplications.
    """
    _check(a)
    check_patches(a, grid)
    return _distance(a, grid)


def _distance(a: Tensor, grid: Grid) -> Tensor:
    return torch.einsum("bhij,ij->bh", a, _apart(grid, a)) / a.shape[-1]


@typed
def even_distance(grid: Grid) -> float:
    """Distance of uniform attention, in patches."""
    return _apart(grid, torch.empty(0, dtype=torch.double)).mean().item()


@typed
def entropy(a: Float[Tensor, "B heads N N"]) -> Float[Tensor, "B heads"]:
    """Mean entropy of the rows, in nats: 0 for one patch each, log N for uniform attention.

    Unchanged when keys are permuted.
    """
    _check(a)
    return _entropy(a).mean(dim=-1)


@typed
def nmi(a: Float[Tensor, "B heads N N"]) -> Float[Tensor, "B heads"]:
    """Information of the attended key about the query, 0..1: MI(q, k) / √(H(q) · H(k)).

    0: all queries attend alike, uniformly for instance; 1: each attends to a different patch (Park
    et al. 2023). p(q) is uniform, p(k) the mean row; 0 / 0 is 0. Unchanged when keys are permuted.
    """
    _check(a)
    return _nmi(a)


def _nmi(a: Tensor) -> Tensor:
    keys = _entropy(a.mean(dim=-2))  # [B, heads]
    shared = (keys - _entropy(a).mean(dim=-1)).clamp(min=0)
    scale = (keys.clamp(min=0) * math.log(a.shape[-1])).sqrt()
    return torch.where(scale > 0, shared / scale, 0).clamp(max=1)


@typed
def head_similarity(a: Float[Tensor, "B heads N N"]) -> Float[Tensor, " B"]:
    """Jensen–Shannon divergence of two heads' rows, mean over queries and pairs of heads, in nats.

    0: all heads attend alike (or there is only one); log 2: no two heads attend to the same patch.
    Unchanged when heads, queries or keys are permuted. Cost: heads² · B · N² / 2 logarithms.
    """
    _check(a)
    return _head_similarity(a)


def _head_similarity(a: Tensor) -> Tensor:
    pairs = list(combinations(range(a.shape[1]), 2))
    if not pairs:
        return a.new_zeros(len(a))
    mixed = [_entropy((a[:, i] + a[:, j]) / 2).mean(dim=-1) for i, j in pairs]  # [B] each
    return (torch.stack(mixed).mean(dim=0) - _entropy(a).mean(dim=(1, 2))).clamp(min=0)


def numbers_by_head(a: Float[Tensor, "B heads N N"], grid: Grid) -> Float[Tensor, "B numbers"]:
    """`distance`, `entropy` and `nmi` of each head, then `head_similarity`, of a model's attention.

    Without their checks, for which a GPU would be waited for in every layer of every batch.
    """
    heads = torch.stack([_distance(a, grid), _entropy(a).mean(dim=-1), _nmi(a)], dim=1)
    return torch.cat([heads.flatten(1), _head_similarity(a)[:, None]], dim=1)


@typed
def rollout_step(
    flow: Float[Tensor, "B T T"], attention: Float[Tensor, "B T T"]
) -> Float[Tensor, "B T T"]:
    """Pass the flow from the input tokens through one more layer: ½ (A + I), rows normalised.

    `attention` is the layer's mean over heads, prefix tokens included; the flow starts as the
    identity and its rows stay shares (Abnar & Zuidema 2020). Cost: B · T³ multiplications.
    """
    for name, x in (("flow", flow), ("attention", attention)):
        check_floats(name, x, "B T T")
    check_alike("flow", flow, "attention", attention, "give both of the same tokens")
    mixed = attention + torch.eye(attention.shape[-1], device=attention.device)
    return normalised_rows(mixed) @ flow


@typed
def as_scores(profile: Profile, grid: Grid, patch: float, groups: Groups = None) -> ProfileScores:
    """Mean over images of every number of a profile; `patch` is the side of a patch in pixels.

    They describe, and no direction is better. Chance is the value of uniform attention.
    """
    for name, x in profile._asdict().items():
        check_floats(f"profile.{name}", x, "n L" if name == "js" else "n L heads")
    n = grid[0] * grid[1]
    levels = (even_distance(grid) * patch, "pixels"), (math.log(n), "nats"), (0.0, "share")
    values = profile.distance * patch, profile.entropy, profile.nmi
    heads = [
        [[_mean(v, *level, groups) for v in layer.unbind(1)] for layer in value.unbind(1)]
        for value, level in zip(values, levels, strict=True)
    ]
    return ProfileScores(*heads, [_mean(v, 0.0, "nats", groups) for v in profile.js.unbind(1)])


def _mean(values: Float[Tensor, " n"], chance: float, unit: str, groups: Groups) -> Score:
    terms = torch.stack([values, torch.ones_like(values)], dim=1)
    return bootstrap(terms, ratio, chance, math.nan, unit, "neither", groups)


def _entropy(rows: Float[Tensor, "*B N"]) -> Float[Tensor, "*B"]:
    return torch.special.entr(rows).sum(dim=-1)


def _apart(grid: Grid, like: Tensor) -> Float[Tensor, "N N"]:
    """Distances between the centres of patches, in patches."""
    centres = patch_centres(grid, like.device).to(like.dtype)
    places = torch.stack([centres[:, 0] * grid[0], centres[:, 1] * grid[1]], dim=1)
    return torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")


def _check(a: Tensor) -> None:
    check_floats("attention", a, "B heads N N", finite=False)  # their sums show it
    off = (a.sum(dim=-1) - 1).abs().amax().item()
    if not off <= NORMALISED:
        raise UserError(
            f"attention rows must sum to 1, but one is off by {off:.3g}: drop prefix tokens and "
            "normalise the rows again, by over_patches"
        )


def check_patches(attention: Tensor, grid: Grid) -> None:
    """Refuse attention that is not over the patches of the grid."""
    if attention.shape[-1] != grid[0] * grid[1]:
        raise UserError(
            f"attention is over {attention.shape[-1]} patches, but grid={grid} has "
            f"{grid[0] * grid[1]}: drop class and register tokens first"
        )

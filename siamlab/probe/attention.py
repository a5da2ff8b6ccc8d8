"""Attention: how far, how sharply and how differently do queries look at patches?

a = over_patches(matrix, prefix=1)         # [B, heads, N, N], rows sum to 1
distance(a, grid), entropy(a), nmi(a), head_similarity(a)        # numbers of each image
"""

import math
from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Grid, patch_centres
from siamlab.probe.score import Groups, Score, bootstrap, ratio
from siamlab.probe.segmentation import VOID, region_shares

NORMALISED = 1e-3  # how far from 1 a row may sum
ROUNDING = 1e-6  # of a share
SHUFFLES = 64  # of the patches, for the chance level of saliency


class Profile(NamedTuple):
    """The numbers of each image, layer by layer."""

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


class Saliency(NamedTuple):
    mean: Score  # over the heads
    best: Score  # of the head that is best on the other half of the images: no head is flattered
    each: list[Score]  # head by head; the largest of so many is too good by luck


def over_patches(matrix: Float[Tensor, "B heads T T"], prefix: int) -> Float[Tensor, "B heads N N"]:
    """Attention among patches alone: prefix tokens dropped, rows normalised to sum to 1."""
    return normalised_rows(matrix[..., prefix:, prefix:])


def normalised_rows(rows: Float[Tensor, "*B N"]) -> Float[Tensor, "*B N"]:
    """The rows over their sums. (Of a row without any mass: zeros.)"""
    return rows / rows.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)


def distance(a: Float[Tensor, "B heads N N"], grid: Grid) -> Float[Tensor, "B heads"]:
    """Mean over queries of Σ_j A_ij ‖p_i − p_j‖, in patches: how far a head looks.

    From 0 (each patch at itself) to the grid's diagonal; `even_distance` for uniform attention
    (Raghu et al. 2021). It cannot tell a head that looks everywhere from one whose queries all
    look alike: see `nmi`. Cost: B · heads · N² multiplications.
    """
    _check(a)
    _check_grid(a, grid)
    return torch.einsum("bhij,ij->bh", a, _apart(grid, a)) / a.shape[-1]


def even_distance(grid: Grid) -> float:
    """Distance of uniform attention, in patches."""
    return _apart(grid, torch.empty(0, dtype=torch.double)).mean().item()


def entropy(a: Float[Tensor, "B heads N N"]) -> Float[Tensor, "B heads"]:
    """Mean entropy of the rows, in nats: 0 one patch each, log N uniform. Whatever their order."""
    _check(a)
    return _entropy(a).mean(dim=-1)


def nmi(a: Float[Tensor, "B heads N N"]) -> Float[Tensor, "B heads"]:
    """How much of the query the attended key tells, 0..1: MI(q, k) / √(H(q) · H(k)).

    0: every query looks alike, uniform attention included; 1: each at a patch of its own (Park et
    al. 2023). p(q) is uniform, p(k) the mean row; 0 / 0 is 0. Unchanged when keys are permuted.
    """
    _check(a)
    keys = _entropy(a.mean(dim=-2))  # [B, heads]
    shared = (keys - _entropy(a).mean(dim=-1)).clamp(min=0)
    most = (keys.clamp(min=0) * math.log(a.shape[-1])).sqrt()
    return torch.where(most > 0, shared / most, 0).clamp(max=1)


def head_similarity(a: Float[Tensor, "B heads N N"]) -> Float[Tensor, " B"]:
    """Jensen–Shannon divergence of two heads' rows, mean over queries and pairs of heads, in nats.

    0: all heads look alike (or there is one); log 2: no two heads look at the same patch. Unchanged
    when heads, queries or keys are permuted. Cost: heads² · B · N² / 2 logarithms.
    """
    _check(a)
    pairs = list(combinations(range(a.shape[1]), 2))
    if not pairs:
        return a.new_zeros(len(a))
    mixed = [_entropy((a[:, i] + a[:, j]) / 2).mean(dim=-1) for i, j in pairs]  # [B] each
    return (torch.stack(mixed).mean(dim=0) - _entropy(a).mean(dim=(1, 2))).clamp(min=0)


def rollout_step(
    flow: Float[Tensor, "B T T"], attention: Float[Tensor, "B T T"]
) -> Float[Tensor, "B T T"]:
    """The flow from the input tokens through one more layer: ½ (A + I), rows normalised, times it.

    `attention` is the layer's mean over heads, prefix tokens included; the flow starts as the
    identity and its rows stay shares (Abnar & Zuidema 2020). Cost: B · T³ multiplications.
    """
    mixed = attention + torch.eye(attention.shape[-1], device=attention.device)
    return normalised_rows(mixed) @ flow


def as_scores(profile: Profile, grid: Grid, patch: float, groups: Groups = None) -> ProfileScores:
    """Mean over images of every number of a profile; `patch` is a patch's side in pixels.

    Descriptions: no direction is better. Chance is the value of uniform attention.
    """
    n = grid[0] * grid[1]
    levels = (even_distance(grid) * patch, "pixels"), (math.log(n), "nats"), (0.0, "share")
    values = profile.distance * patch, profile.entropy, profile.nmi
    heads = [
        [[_mean(v, *level, groups) for v in layer.unbind(1)] for layer in value.unbind(1)]
        for value, level in zip(values, levels, strict=True)
    ]
    return ProfileScores(*heads, [_mean(v, 0.0, "nats", groups) for v in profile.js.unbind(1)])


def saliency(
    attention: Float[Tensor, "n heads N"],
    masks: UInt8[Tensor, "n H W"],
    grid: Grid,
    mass: float = 0.6,
    seed: int = 0,
    groups: Groups = None,
    chunk: int = 256,
) -> Saliency:
    """Jaccard index of the object and the patches that the class token looks at, at mask size.

    Looked at: the fewest patches that hold `mass` of a head's attention (Caron et al. 2021).
    Object: all that is neither 0 nor 255, which is not scored; images without one are left out.
    0..1, higher is better. Chance: as many patches, shuffled by `seed`. Ceiling: the best choice of
    patches. Unchanged when attention is scaled. Memory: chunk · heads · N numbers.
    """
    _check_grid(attention, grid)
    if not 0 < mass <= 1:
        raise UserError(f"mass={mass} must be above 0 and at most 1, as 0.6: a share of attention")
    scenes = torch.where(masks == VOID, VOID, (masks > 0).byte()).cpu()
    shares = region_shares(scenes, grid, 2).to(attention.device)  # [n, N, 2]: ground, object
    seen = shares[..., 1].sum(dim=1) > 0  # [n]
    rng = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(attention.shape[2], generator=rng) for _ in range(SHUFFLES)]
    found, random = [], []
    for rows, parts in zip(attention.split(chunk), shares.split(chunk), strict=True):
        picked = _fewest(rows, mass)
        found.append(_jaccard(picked, parts))
        random.append(torch.stack([_jaccard(picked, parts[:, o]) for o in orders]).mean(dim=0))
    index, chance = torch.cat(found), torch.cat(random)  # [n, heads]
    choice = _best_elsewhere(index, seen, groups)

    def score(pick: Callable[[Tensor], Tensor]) -> Score:
        terms = torch.stack([pick(index), torch.ones_like(index[:, 0])], dim=1) * seen[:, None]
        levels = pick(chance)[seen].mean().item(), _ceiling(shares[seen]).mean().item()
        return bootstrap(terms, ratio, *levels, "Jaccard index", groups=groups)

    each = [score(lambda x, h=h: x[:, h]) for h in range(index.shape[1])]
    best = score(lambda x: x.gather(1, choice[:, None])[:, 0])
    return Saliency(score(lambda x: x.mean(dim=1)), best, each)


def _fewest(rows: Float[Tensor, "n heads N"], mass: float) -> Float[Tensor, "n heads N"]:
    """1 for the fewest patches that together hold `mass` of their row, else 0."""
    held, order = rows.double().sort(dim=-1, descending=True, stable=True)
    before = held.cumsum(dim=-1) - held  # by the patches that hold more
    enough = before < (mass - ROUNDING) * held.sum(dim=-1, keepdim=True)
    return torch.zeros(rows.shape, device=rows.device).scatter(-1, order, enough.float())


def _jaccard(
    picked: Float[Tensor, "n heads N"], shares: Float[Tensor, "n N 2"]
) -> Float[Tensor, "n heads"]:
    """Intersection over union of the picked patches and the object; 0 where there is none."""
    ground, hit = (picked @ shares).unbind(dim=-1)  # [n, heads] each
    return hit / (ground + shares[:, None, :, 1].sum(dim=-1)).clamp(min=ROUNDING)


def _ceiling(shares: Float[Tensor, "n N 2"]) -> Float[Tensor, " n"]:
    """The best Jaccard index of any choice of patches: always of those with most object first."""
    order = (shares[..., 1] / shares.sum(dim=-1).clamp(min=ROUNDING)).argsort(dim=1)
    ground, hit = shares.gather(1, order.flip(1)[..., None].expand(-1, -1, 2)).cumsum(1).unbind(-1)
    return (hit / (ground + hit[:, -1:]).clamp(min=ROUNDING)).amax(dim=1)


def _best_elsewhere(
    index: Float[Tensor, "n heads"], seen: Bool[Tensor, " n"], groups: Groups
) -> Int[Tensor, " n"]:
    """For each image, the head that is best on the half of the images that it is not in."""
    which = torch.arange(len(index)) if groups is None else groups.cpu()
    members, place = which[seen.cpu()].unique(return_inverse=True)
    if len(members) < 2:
        raise UserError(
            f"masks show an object in {len(members)} images (or groups), but must in 2 or more: "
            "one half picks the best head, the other scores it; give more images with masks"
        )
    half = torch.zeros(len(index), dtype=torch.long, device=index.device)
    half[seen] = (place % 2).to(half.device)
    best = [index[seen & (half == other)].mean(dim=0).argmax() for other in (1, 0)]
    return torch.stack(best)[half]


def _mean(values: Float[Tensor, " n"], chance: float, unit: str, groups: Groups) -> Score:
    terms = torch.stack([values, torch.ones_like(values)], dim=1)
    return bootstrap(terms, ratio, chance, math.nan, unit, "neither", groups)


def _entropy(rows: Float[Tensor, "*B N"]) -> Float[Tensor, "*B"]:
    return torch.special.entr(rows).sum(dim=-1)


def _apart(grid: Grid, like: Tensor) -> Float[Tensor, "N N"]:
    """Distances between the centres of patches, in patches."""
    places = patch_centres(grid, like.device).to(like.dtype) * like.new_tensor(grid)
    return torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")


def _check(a: Tensor) -> None:
    off = (a.sum(dim=-1) - 1).abs().amax().item()
    if not off <= NORMALISED:
        raise UserError(
            f"attention rows must sum to 1, but one is off by {off:.3g}: drop prefix tokens and "
            "normalise the rows again, by over_patches"
        )


def _check_grid(attention: Tensor, grid: Grid) -> None:
    if attention.shape[-1] != grid[0] * grid[1]:
        raise UserError(
            f"attention is over {attention.shape[-1]} patches, but grid={grid} has "
            f"{grid[0] * grid[1]}: drop class and register tokens first"
        )

"""Saliency: does the class token attend to the object?

rows = class_attention(model, images.pixels)        # [n, heads, N]
saliency(rows, masks, grid)                         # mean, best, each head
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Count, Grid
from siamlab.machine.arguments import typed
from siamlab.probe.attention import check_patches
from siamlab.probe.checks import check_floats, check_groups, check_pixels
from siamlab.probe.score import Groups, Score, bootstrap, ratio
from siamlab.probe.segmentation import VOID, region_shares

ROUNDING = 1e-6  # of a share
SHUFFLES = 64  # orders of the patches, for the chance level of saliency


class Saliency(NamedTuple):
    mean: Score  # over the heads
    best: Score  # of the head that is best on the other half of the images, so without bias
    each: list[Score]  # head by head; the largest of many is biased upwards


@typed
def saliency(
    attention: Float[Tensor, "n heads N"],
    masks: UInt8[Tensor, "n H W"],
    grid: Grid,
    mass: float = 0.6,
    seed: int = 0,
    groups: Groups = None,
    chunk: Count = 256,
) -> Saliency:
    """Jaccard index of the object and the patches that the class token attends to, at mask size.

    Attended: the fewest patches that hold `mass` of a head's attention (Caron et al. 2021). Object:
    all regions but 0, and but 255, which is not scored; images without an object are left out.
    0..1, higher is better. Chance: the same number of patches, shuffled by `seed`. Ceiling: the
    best choice of patches. Unchanged when attention is scaled. Memory: chunk · heads · N numbers.
    """
    check_floats("attention", attention, "n heads N")
    check_patches(attention, grid)
    check_pixels("masks", masks, "n H W", len(attention))
    check_groups(groups, len(attention))
    if not 0 < mass <= 1:
        raise UserError(f"mass={mass} must be above 0, at most 1 (say 0.6): a share of attention")
    scenes = torch.where(masks == VOID, VOID, (masks > 0).byte()).cpu()
    shares = region_shares(scenes, grid, 2).to(attention.device)  # [n, N, 2]: ground, object
    shown = shares[..., 1].sum(dim=1) > 0  # [n]
    index, chance = _indices(attention, shares, mass, seed, chunk)
    choice = _best_elsewhere(index, shown, groups)

    def score(pick: Callable[[Tensor], Tensor]) -> Score:
        terms = torch.stack([pick(index), torch.ones_like(index[:, 0])], dim=1) * shown[:, None]
        levels = pick(chance)[shown].mean().item(), _ceiling(shares[shown]).mean().item()
        return bootstrap(terms, ratio, *levels, "Jaccard index", groups=groups)

    each = [score(lambda x, h=h: x[:, h]) for h in range(index.shape[1])]
    best = score(lambda x: x.gather(1, choice[:, None])[:, 0])
    return Saliency(score(lambda x: x.mean(dim=1)), best, each)


def _indices(
    attention: Float[Tensor, "n heads N"],
    shares: Float[Tensor, "n N 2"],
    mass: float,
    seed: int,
    chunk: int,
) -> tuple[Float[Tensor, "n heads"], Float[Tensor, "n heads"]]:
    """Return the index of every head, and its mean when patches are shuffled."""
    rng = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(attention.shape[2], generator=rng) for _ in range(SHUFFLES)]
    found, random = [], []
    for rows, parts in zip(attention.split(chunk), shares.split(chunk), strict=True):
        picked = _fewest(rows, mass)
        found.append(_jaccard(picked, parts))
        random.append(torch.stack([_jaccard(picked, parts[:, o]) for o in orders]).mean(dim=0))
    return torch.cat(found), torch.cat(random)


def _fewest(rows: Float[Tensor, "n heads N"], mass: float) -> Float[Tensor, "n heads N"]:
    """1 for the fewest patches that together hold `mass` of their row, else 0."""
    mass_of, order = rows.double().sort(dim=-1, descending=True, stable=True)
    before = mass_of.cumsum(dim=-1) - mass_of  # held by patches with more
    enough = before < (mass - ROUNDING) * mass_of.sum(dim=-1, keepdim=True)
    return torch.zeros(rows.shape, device=rows.device).scatter(-1, order, enough.float())


def _jaccard(
    picked: Float[Tensor, "n heads N"], shares: Float[Tensor, "n N 2"]
) -> Float[Tensor, "n heads"]:
    """Intersection over union of the picked patches and the object; 0 without an object."""
    ground, hit = (picked @ shares).unbind(dim=-1)  # [n, heads] each
    return hit / (ground + shares[:, None, :, 1].sum(dim=-1)).clamp(min=ROUNDING)


def _ceiling(shares: Float[Tensor, "n N 2"]) -> Float[Tensor, " n"]:
    """The best Jaccard index of any choice of patches: some first ones by share of object."""
    order = (shares[..., 1] / shares.sum(dim=-1).clamp(min=ROUNDING)).argsort(dim=1)
    ground, hit = shares.gather(1, order.flip(1)[..., None].expand(-1, -1, 2)).cumsum(1).unbind(-1)
    return (hit / (ground + hit[:, -1:]).clamp(min=ROUNDING)).amax(dim=1)


def _best_elsewhere(
    index: Float[Tensor, "n heads"], shown: Bool[Tensor, " n"], groups: Groups
) -> Int[Tensor, " n"]:
    """For each image, the head that is best on the half of the images that does not contain it."""
    which = torch.arange(len(index)) if groups is None else groups.cpu()
    members, place = which[shown.cpu()].unique(return_inverse=True)
    if len(members) < 2:
        raise UserError(
            f"masks show an object in {len(members)} images (or groups), but must in 2 or more: "
            "one half picks the best head, the other scores it; give more images with masks"
        )
    half = torch.zeros(len(index), dtype=torch.long, device=index.device)
    half[shown] = (place % 2).to(half.device)
    best = [index[shown & (half == other)].mean(dim=0).argmax() for other in (1, 0)]
    return torch.stack(best)[half]

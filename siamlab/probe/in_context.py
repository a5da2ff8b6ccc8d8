"""In-context segmentation: do patches of a region find that region in a labelled memory?

score = in_context(memory, memory_masks, test, test_masks, grid)     # patch features, masks
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Generator, Tensor

from siamlab.component import UserError
from siamlab.geometry import Count, Grid
from siamlab.machine.arguments import typed
from siamlab.probe.score import Groups, Score
from siamlab.probe.segmentation import VOID, region_count, region_score, region_shares

K, TEMPERATURE = 30, 0.02  # the paper's
BLOCK = 2**24  # similarities in memory at once


@typed
def in_context(
    memory: Float[Tensor, "n N D"],
    memory_masks: UInt8[Tensor, "n H W"],
    test: Float[Tensor, "m N D"],
    test_masks: UInt8[Tensor, "m H W"],
    grid: Grid,
    k: int = K,
    temperature: float = TEMPERATURE,
    groups: Groups = None,
    chunk: Count | None = None,
    keep: Int64[Tensor, "n c"] | None = None,
) -> Score:
    """Mean intersection over union when patches take the regions of their nearest in the memory.

    0..1, higher is better. A patch's answer is the mean of the region shares of its k nearest
    memory patches by cosine, weighted by softmax(cos / temperature), without any training
    (Balažević et al. 2023); upsampled and scored as in `segmentation`, whose chance it shares.
    Memory patches that are all void are left out; `keep`: the only patches of each memory image
    that are remembered, as `rare_patches` chooses them. Ceiling: each patch's own true shares,
    upsampled, which is what the grid allows (not a strict bound). Unchanged when features are
    rotated or scaled. Cost: n · m · N² · D multiplications; memory: chunk (test patches at a
    time) · n · N similarities.
    """
    regions = region_count(memory, memory_masks, test, test_masks, grid, known="memory")
    if temperature <= 0:
        raise UserError(f"temperature={temperature} must be above 0; the paper has {TEMPERATURE}")
    shares = region_shares(memory_masks, grid, regions).to(memory.device)
    if keep is not None:
        memory, shares = (_taken(x, keep.to(x.device)) for x in (memory, shares))
    remembered = remember(memory.flatten(0, 1), shares.flatten(0, 1), k)
    answers = recall(test.flatten(0, 1), remembered, k, temperature, chunk)  # [m N, C]
    oracle = region_shares(test_masks, grid, regions)
    return region_score(
        answers.unflatten(0, test.shape[:2]), oracle, test_masks, grid, groups, chunk=None
    )


class Memory(NamedTuple):
    """Patches whose regions are known."""

    directions: Float[Tensor, "D M"]  # unit length
    shares: Float[Tensor, "M C"]  # of the regions in each patch


def remember(features: Float[Tensor, "n D"], shares: Float[Tensor, "n C"], k: int = K) -> Memory:
    """The memory of those patches that are not all void.

    Raises UserError if they are fewer than the k that are to be recalled.
    """
    known = shares.sum(dim=1) > 0
    if not 1 <= k <= known.sum():
        raise UserError(
            f"k={k} must be from 1 to the number of memory patches that are not void, "
            f"{known.sum()}: give more images, or a smaller k"
        )
    return Memory(F.normalize(features[known], dim=1).T, shares[known])


def recall(
    features: Float[Tensor, "n D"],
    memory: Memory,
    k: int = K,
    temperature: float = TEMPERATURE,
    chunk: int | None = None,
) -> Float[Tensor, "n C"]:
    """Shares of regions of the k nearest patches in a memory, weighted by softmax(cos / T).

    Works on `chunk` patches at a time.
    """
    parts = F.normalize(features, dim=1).split(chunk or max(1, BLOCK // len(memory.shares)))
    return torch.cat([_recall(q @ memory.directions, memory.shares, k, temperature) for q in parts])


@typed
def rare_patches(
    masks: UInt8[Tensor, "n H W"], grid: Grid, count: int, seed: int = 0
) -> Int64[Tensor, "n c"]:
    """Choose `count` patches of each image for a memory that cannot hold all of them.

    A patch is likelier to be kept the rarer its regions are in its image: each gets, for all
    regions that it shows, the number of patches that show them, times a uniform draw, and the
    smallest are kept (Balažević et al. 2023, as open-hummingbird-eval has it). Void ones come last.
    Ascending, without repetition. Raises UserError for a count outside 1 to the grid's patches.
    """
    patches = grid[0] * grid[1]
    if not 1 <= count <= patches:
        raise UserError(f"count={count} must be from 1 to the patches of an image, {patches}")
    if not (masks != VOID).any():
        raise UserError("masks have only void (255) pixels: give images with masks")
    regions = int(masks[masks != VOID].max()) + 1
    shares = region_shares(masks, grid, regions)  # [n, N, C]
    return rarest(shares, count, Generator().manual_seed(seed))


def rarest(shares: Float[Tensor, "n N C"], count: int, rng: Generator) -> Int64[Tensor, "n c"]:
    """The choice of `rare_patches` from the shares of regions in the patches of each image."""
    shown = (shares > 0).float()
    score = torch.einsum("npc,nc->np", shown, shown.sum(dim=1))
    draws = torch.rand(score.shape, generator=rng)
    score = torch.where(score > 0, score * draws, math.inf)
    return score.topk(count, dim=1, largest=False).indices.sort(dim=1).values


def _taken(x: Float[Tensor, "n N F"], index: Int64[Tensor, "n c"]) -> Float[Tensor, "n c F"]:
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))


def _recall(
    similarity: Float[Tensor, "c M"], shares: Float[Tensor, "M C"], k: int, temperature: float
) -> Float[Tensor, "c C"]:
    """Shares of the nearest memory patches, weighted by similarity."""
    cosine, index = similarity.topk(k, dim=1)  # [c, k]
    weight = (cosine / temperature).softmax(dim=1)
    return (weight[..., None] * shares[index]).sum(dim=1)

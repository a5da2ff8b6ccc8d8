"""Segmentation probe: can a linear layer on frozen patch features name each pixel's region?

score = segmentation(train, train_masks, test, test_masks, grid)   # patch features, masks
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Count, Grid
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_patches, check_pixels, check_width
from siamlab.probe.linear import softmax_regression, standardise
from siamlab.probe.score import Groups, Score, bootstrap

VOID = 255  # pixels that are not scored
FLOOR = 0.01  # of a share, before its logarithm
BLOCK = 2**24  # numbers in memory at once
STEPS, TOLERANCE = 100, 1e-5  # of the fit, which is in float32 over all patches


@typed
def segmentation(
    train: Float[Tensor, "n N D"],
    train_masks: UInt8[Tensor, "n H W"],
    test: Float[Tensor, "m N D"],
    test_masks: UInt8[Tensor, "m H W"],
    grid: Grid,
    groups: Groups = None,
    chunk: Count | None = None,
) -> Score:
    """Mean intersection over union of a 1×1 linear layer's regions, at the masks' own size.

    0..1, higher is better. The layer is trained on standardised features by cross entropy with the
    share of each region in a patch; its logits are bilinearly upsampled to the mask, which is
    never shrunk; 255 is not scored; the mean is over regions that the test masks or the answers
    have. Chance: the commonest region everywhere. Ceiling: log(true share + 0.01) as the logits,
    which is what the grid allows (close to the best, but not a strict bound).
    """
    regions = region_count(train, train_masks, test, test_masks, grid)
    x, queries = standardise(train.flatten(0, 1).float(), test.flatten(0, 1).float())
    goal = region_shares(train_masks, grid, regions).flatten(0, 1).to(x.device)
    head = softmax_regression(x, goal, steps=STEPS, tolerance=TOLERANCE)
    logits = (queries @ head.weight + head.bias).unflatten(0, test.shape[:2])  # [m, N, C]
    oracle = (region_shares(test_masks, grid, regions) + FLOOR).log()
    return region_score(logits, oracle, test_masks, grid, groups, chunk)


def region_score(
    values: Float[Tensor, "n N C"],
    oracle: Float[Tensor, "n N C"],
    masks: UInt8[Tensor, "n H W"],
    grid: Grid,
    groups: Groups,
    chunk: int | None,
) -> Score:
    """Mean IoU of the region with the largest value, upsampled to the masks; `oracle` gives the
    ceiling.
    """
    terms, best = (_overlaps(v, masks, grid, chunk) for v in (values, oracle))
    _, truth, _ = terms.sum(dim=0).view(3, values.shape[2])
    constant = truth.max() / truth.sum() / (truth > 0).sum()
    ceiling = miou(best.sum(dim=0)).item()
    return bootstrap(terms, miou, constant.item(), ceiling, "mean IoU", groups=groups)


@typed
def region_shares(
    masks: UInt8[Tensor, "n H W"], grid: Grid, regions: Count
) -> Float[Tensor, "n N C"]:
    """Share of each patch's area that each region covers; rows sum to 1 less the void share.

    Exact at full resolution, even if patch borders cut pixels.
    """
    check_pixels("masks", masks, "n H W")
    sides = zip(grid, masks.shape[1:], strict=True)
    rows, columns = (coverage(n, pixels / n, pixels) for n, pixels in sides)
    size = max(1, BLOCK // masks[0].numel())
    shares = [
        torch.stack([rows @ (part == c).float() @ columns.T for c in range(regions)], dim=-1)
        for part in masks.split(size)
    ]
    return torch.cat(shares).flatten(1, 2)  # [n, rows, columns, C] -> [n, N, C]


def miou(sums: Float[Tensor, "*R K"]) -> Float[Tensor, "*R"]:
    """Mean IoU from pixels right, true and answered, C each: over regions with any pixel."""
    hit, truth, answer = sums.unflatten(-1, (3, -1)).unbind(-2)  # [..., C]
    return (hit / (truth + answer - hit)).nanmean(dim=-1)


def region_count(
    train: Tensor,
    train_masks: Tensor,
    test: Tensor,
    test_masks: Tensor,
    grid: Grid,
    known: str = "train",
) -> int:
    """Number of regions. Raises UserError for sizes that do not fit and masks without a pixel.

    `known` is the name of the features with known regions.
    """
    for name, x, masks in [(known, train, train_masks), ("test", test, test_masks)]:
        check_patches(f"{name} features", x, grid)
        check_pixels(f"{name}_masks", masks, "n H W", len(x))
        if not (masks != VOID).any():
            raise UserError(f"{name} masks have only void (255) pixels: give images with masks")
    check_width(known, train, "test", test)
    return 1 + max(int(m[m != VOID].max()) for m in (train_masks, test_masks))


def _overlaps(
    logits: Float[Tensor, "n N C"], masks: UInt8[Tensor, "n H W"], grid: Grid, chunk: int | None
) -> Float[Tensor, "n K"]:
    """Pixels of each image that are right, true and answered, for each region; K = 3 C."""
    regions, size = logits.shape[2], tuple(masks.shape[1:])
    chunk = chunk or max(1, BLOCK // (regions * masks[0].numel()))
    parts = []
    for low, mask in zip(logits.split(chunk), masks.split(chunk), strict=True):
        maps = low.mT.unflatten(2, grid)  # [c, C, rows, columns]
        answer = F.interpolate(maps, size, mode="bilinear", align_corners=False).argmax(dim=1)
        parts.append(pixel_counts(answer, mask.to(answer.device), regions))
    return torch.cat(parts).double()


def pixel_counts(
    answer: Int64[Tensor, "n H W"], masks: UInt8[Tensor, "n H W"], regions: int
) -> Float[Tensor, "n K"]:
    """Pixels of each image that are right, true and answered, for each region; K = 3 C.

    Void pixels count nowhere, whatever the answer there.
    """
    mask = masks.long()
    truth = mask.where(mask < regions, regions)
    counts = [
        _count(truth.where(answer == truth, regions), regions),
        _count(truth, regions),
        _count(answer.where(truth < regions, regions), regions),
    ]
    return torch.cat(counts, dim=1)


def _count(regions: Tensor, classes: int) -> Float[Tensor, "n C"]:
    """Pixels of each class in each image, without class number `classes`."""
    flat = regions.flatten(1)
    counts = torch.zeros(len(flat), classes + 1, device=flat.device)
    return counts.scatter_add_(1, flat, torch.ones_like(flat, dtype=counts.dtype))[:, :classes]


def coverage(
    patches: int, side: float, pixels: int, start: float = 0.0
) -> Float[Tensor, "patches pixels"]:
    """Share of each patch's side that each pixel covers; rows sum to 1.

    The patches are `side` pixels long each, one after another from `start`.
    """
    edge = torch.arange(patches + 1) * side + start
    pixel = torch.arange(pixels)
    low = torch.maximum(edge[:-1, None], pixel)
    high = torch.minimum(edge[1:, None], pixel + 1)
    return (high - low).clamp(min=0) * (1 / side)

"""A linear layer that learns every pixel by gradient descent, as papers on segmentation train it.

head = fit_pixels(batches, regions, DINOV2)     # each batch is (patch features, regions of pixels)
logits = head(features)                         # [b, N, C], of batch norm and a 1 × 1 convolution
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Grid
from siamlab.machine.seeding import seeded
from siamlab.probe.segmentation import VOID

SEED = 0
SPREAD = 0.01  # deviation of the first weights: mmsegmentation's of all heads
EPS, MOMENTUM = 1e-5, 0.1  # of the batch norm: torch's own
Batch = tuple[Float[Tensor, "b N D"], UInt8[Tensor, "b H W"], Grid]


class PixelRecipe(NamedTuple):
    """How the layer is trained: AdamW, a linear warm-up, then a linear fall to 0."""

    steps: int
    batch: int  # images of a step
    rate: float  # the highest
    decay: float  # of weights, biases and the batch norm alike
    warm: int  # steps in which the rate rises
    first: float  # share of the rate at the first of them
    betas: tuple[float, float] = (0.9, 0.999)

    def share(self, step: int) -> float:
        """Share of the highest rate at a step, from 0: the warm-up is a factor of the fall."""
        fall = 1 - step / self.steps
        if step >= self.warm:
            return fall
        return fall * (1 - (1 - step / self.warm) * (1 - self.first))


# the configurations dinov2_vitb14_{voc2012,ade20k}_linear, published with the heads they made
DINOV2 = PixelRecipe(steps=40_000, batch=16, rate=1e-3, decay=1e-4, warm=1500, first=1e-6)


class PixelHead(nn.Module):
    """Batch norm over all patches of a batch, and a 1 × 1 convolution."""

    def __init__(self, channels: int, regions: int):
        super().__init__()
        self.norm: nn.BatchNorm1d = nn.BatchNorm1d(channels, EPS, MOMENTUM)
        self.out: nn.Linear = nn.Linear(channels, regions)
        nn.init.normal_(self.out.weight, std=SPREAD)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Float[Tensor, "b N D"]) -> Float[Tensor, "b N C"]:
        found = self.norm(features.flatten(0, 1))
        return self.out(found).unflatten(0, features.shape[:2])


def fit_pixels(
    batches: Iterable[Batch], regions: int, recipe: PixelRecipe, seed: int = SEED
) -> PixelHead:
    """Train the layer on one batch a step; of each, features, regions of its pixels and the grid.

    The loss is the cross entropy of the logits, upsampled bilinearly to the pixels: the mean over
    all of them, in which void ones (255) count as 0. The same seed and batches give the same layer,
    on a GPU up to rounding. Raises UserError if all pixels are void.
    """
    head, known = None, 0
    for step, (features, truth, grid) in zip(range(recipe.steps), batches, strict=False):
        if head is None:
            with seeded(seed, features.device):
                head = PixelHead(features.shape[-1], regions).to(features.device)
            optimiser = torch.optim.AdamW(
                head.parameters(), recipe.rate, recipe.betas, weight_decay=recipe.decay
            )
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * recipe.share(step)
        with torch.enable_grad():
            loss = pixel_loss(head(features), truth, grid)
            optimiser.zero_grad()
            loss.backward()
        optimiser.step()
        known = known + (truth != VOID).sum()
    if head is None or not known:
        raise UserError("training masks have only void (255) pixels: give images with masks")
    return head.eval().requires_grad_(False)


def pixel_loss(
    logits: Float[Tensor, "b N C"], truth: UInt8[Tensor, "b H W"], grid: Grid
) -> Float[Tensor, ""]:
    """Cross entropy of each pixel, by logits upsampled bilinearly; void ones are 0, and count."""
    maps = logits.transpose(1, 2).unflatten(2, grid)
    each = F.interpolate(maps, truth.shape[1:], mode="bilinear")
    total = F.cross_entropy(each, truth.long(), ignore_index=VOID, reduction="sum")
    return total / truth.numel()

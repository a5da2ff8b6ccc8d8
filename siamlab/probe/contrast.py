"""Local contrast: are neighbouring patches more similar than other patches of the image?

score = local_contrast(patches, grid)
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Count, Grid
from siamlab.machine.arguments import typed
from siamlab.probe.catalogue import Doc, Probe, add_probe
from siamlab.probe.checks import check_patches
from siamlab.probe.score import Groups, Score, bootstrap, ratio


@typed
def local_contrast(
    patches: Float[Tensor, "n N D"], grid: Grid, groups: Groups = None, chunk: Count = 64
) -> Score:
    """Mean cosine to the neighbouring patches less mean cosine to all others of the image.

    −2..2, higher is more local: 0 for equal patches, and for any features in shuffled places
    (chance); no ceiling. Neighbours are the 8 around a patch, fewer at borders; the others are all
    patches but itself, so that nothing is sampled. Unchanged when features are rotated or
    scaled. Cost: n · N · D, from sums of unit vectors; memory: chunk images.
    """
    check_patches("patches", patches, grid)
    if patches.shape[1] < 2:
        raise UserError(f"grid={grid} needs at least 2 patches, since neighbours are compared")
    contrast = torch.cat([_contrast(part, grid) for part in patches.split(chunk)])  # [n]
    terms = torch.stack([contrast, torch.ones_like(contrast)], dim=1)
    return bootstrap(terms, ratio, 0.0, math.nan, "difference of cosines", groups=groups)


add_probe(
    Probe("local_contrast", "Local contrast", "spatial", "difference of cosines", "higher",
          lambda x: [x.reading("local_contrast",
                               local_contrast(x.test.patches, x.test.grid, x.groups))],
          Doc("`local_contrast`", "cosine to the eight neighbours less cosine to the other patches",
              "−2–2"), chance=0.0, ceiling=math.nan),
)  # fmt: skip


def _contrast(patches: Float[Tensor, "c N D"], grid: Grid) -> Float[Tensor, " c"]:
    unit = F.normalize(patches.double(), dim=2)
    itself = unit.square().sum(dim=2)  # [c, N]: 1, or 0 of a zero vector
    around = _boxes(unit.mT.unflatten(2, grid)).flatten(2).mT  # [c, N, D]
    count = _boxes(torch.ones_like(unit[:1, :, :1]).mT.unflatten(2, grid)).flatten() - 1  # [N]
    near = ((unit * around).sum(dim=2) - itself) / count
    everywhere = unit.sum(dim=1, keepdim=True)  # [c, 1, D]
    far = ((unit * everywhere).sum(dim=2) - itself) / (patches.shape[1] - 1)
    return (near - far).mean(dim=1)


def _boxes(maps: Float[Tensor, "c D h w"]) -> Float[Tensor, "c D h w"]:
    """Sums over the 3 × 3 patches around each."""
    return F.avg_pool2d(maps, 3, stride=1, padding=1, divisor_override=1)

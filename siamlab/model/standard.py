"""Standardisation: images of 0..1 as networks take them.

standardise(image)      # by ImageNet's colours; standardise(image, mean, std) by others
patch_pixels(image, 16, "patch")        # the same, patch by patch; from_patches: and back
"""

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.machine.constant import constant

Colours = tuple[float, float, float]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB values, 0..1


def standardise(
    image: Float[Tensor, "*B 3 H W"], mean: Colours = MEAN, std: Colours = STD
) -> Float[Tensor, "*B 3 H W"]:
    """Return an image of 0..1 minus `mean`, over `std`; ImageNet's unless given."""
    shift, scale = (constant(v, image.device)[:, None, None] for v in (mean, std))
    return (image - shift) / scale


def patch_pixels(
    image: Float[Tensor, "B 3 H W"], patch: int, normalise: str
) -> Float[Tensor, "B N d"]:
    """Return the standardised pixels of each patch, row by row; d = 3 · patch², channels last."""
    cells = standardise(image).unfold(2, patch, patch).unfold(3, patch, patch)
    cells = cells.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)  # [B, N, d]
    if normalise == "none":
        return cells
    variance, mean = torch.var_mean(cells, dim=-1, keepdim=True)  # unbiased
    return (cells - mean) / (variance + 1e-6).sqrt()


def from_patches(
    cells: Float[Tensor, "N d"], patch: int, grid: tuple[int, int]
) -> Float[Tensor, "3 H W"]:
    """Return the image, 0..1, of standardised patches: the inverse of `patch_pixels`."""
    rows, columns = grid
    image = cells.reshape(rows, columns, patch, patch, 3).permute(4, 0, 2, 1, 3)
    image = image.reshape(3, rows * patch, columns * patch)
    shift, scale = (constant(v, image.device)[:, None, None] for v in (MEAN, STD))
    return image * scale + shift

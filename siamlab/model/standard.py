"""Standardisation: images of 0..1 as networks take them.

standardise(image)      # by ImageNet's colours; standardise(image, mean, std) by others
"""

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

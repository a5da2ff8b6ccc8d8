"""Cutting views out of images: a view is two small matrices an image, rows · image · columns.

    view = cut(images, box, flip, size)     # View(image, box, flip)

The weights are Keys' bicubic (a = −½), widened when the view shrinks its box (antialiased), and
read at the exact fractions of the box, so that the geometry is what the pixels show.
"""

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from siamlab.geometry import Grid, View


def cut(
    images: UInt8[Tensor, "B 3 H W"],
    box: Float[Tensor, "B 4"],
    flip: Bool[Tensor, " B"],
    size: Grid,
) -> View:
    """The boxes (fractions of the source) resized to `size` pixels, some mirrored left-right."""
    top, left, height, width = box.unbind(dim=1)
    rows = sampling(top, height, size[0], images.shape[2])  # [B, h, H]
    columns = sampling(left, width, size[1], images.shape[3])  # [B, w, W]
    columns = torch.where(flip[:, None, None], columns.flip(1), columns)
    pixels = images.to(torch.float32)
    image = rows[:, None] @ pixels @ columns[:, None].mT
    return View(image.mul_(1 / 255).clamp_(0, 1), box, flip)


def sampling(
    start: Float[Tensor, " B"], extent: Float[Tensor, " B"], new: int, old: int
) -> Float[Tensor, "B new old"]:
    """Weights that read `new` pixels off [start, start + extent] (fractions) of `old` pixels."""
    device = start.device
    wanted = (torch.arange(new, device=device) + 0.5) / new
    centre = (start[:, None] + extent[:, None] * wanted) * old  # [B, new], in source pixels
    pixel = torch.arange(old, device=device) + 0.5
    widen = (extent * old / new).clamp(min=1)[:, None, None]
    weight = _cubic((pixel - centre[:, :, None]) / widen)
    return weight / weight.sum(dim=-1, keepdim=True)


def _cubic(distance: Tensor) -> Tensor:
    """Keys' kernel with a = −½, which is zero from 2 on."""
    x = distance.abs_().clamp_(max=2)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, far)

"""Crop: cut views out of images by two small matrices per image, rows · image · columns.

    view = cut(images, box, flip, size)     # View(image, box, flip)

The weights are Keys' bicubic (a = −½), widened when the view shrinks its box (antialiased), and
evaluated at the exact fractions of the box, so that the geometry matches the pixels. The matrices
are banded. Only the bands are computed; for large images on a processor only the bands are
multiplied too, with the same result up to rounding. Libraries crop at whole pixels and take one box
per call, so this is written by hand.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from siamlab.geometry import Grid, View

LARGE = 96  # pixels of a side above which a processor is faster with only the bands
Pixels = UInt8[Tensor, "B 3 H W"] | Float[Tensor, "B 3 H W"]


class Band(NamedTuple):
    """Weights with which each new pixel reads a run of old ones.

    `first` may lie outside the line; pixels outside have weight zero.
    """

    first: Int64[Tensor, "B new"]  # old pixel of the first weight
    weight: Float[Tensor, "B new K"]


def cut(
    images: UInt8[Tensor, "B 3 H W"],
    box: Float[Tensor, "B 4"],
    flip: Bool[Tensor, " B"],
    size: Grid,
) -> View:
    """Return the boxes (fractions of the source) resized to `size` pixels, mirrored if `flip`."""
    top, left, height, width = box.unbind(dim=1)
    rows = sampling(top, height, size[0], images.shape[2])
    columns = sampling(left, width, size[1], images.shape[3])
    columns = Band(*(torch.where(_as(flip, t), t.flip(1), t) for t in columns))
    rows = rows._replace(weight=rows.weight / 255)
    return View(product(rows, images, columns).clamp_(0, 1), box, flip)


def finest(
    image: UInt8[Tensor, "1 3 H W"], view: View, most: int | None = None
) -> Float[Tensor, "3 h w"]:
    """Return a view of an image at the image's own resolution, for display.

    Its sides are the view's times a whole number, which is 1 where the image is no larger, and
    where it would exceed `most` pixels.
    """
    size = view.image.shape[2], view.image.shape[3]
    limits = image.shape[2:] if most is None else [min(most, side) for side in image.shape[2:]]
    times = min(whole // side for whole, side in zip(limits, size, strict=True))
    if times < 2:
        return view.image[0]
    return cut(image, view.box, view.flip, (times * size[0], times * size[1])).image[0]


def is_large(images: Pixels) -> bool:
    """Return whether multiplying only the bands is faster than whole matrices (never on a GPU)."""
    return on_processor(images) and max(images.shape[2:]) > LARGE


def on_processor(tensor: Tensor) -> bool:
    """Return whether reading numbers is free; on a GPU it means waiting."""
    return tensor.device.type == "cpu"


def sampling(start: Float[Tensor, " B"], extent: Float[Tensor, " B"], new: int, old: int) -> Band:
    """Return weights that resample [start, start + extent] (fractions) of `old` pixels to `new`."""
    place = (torch.arange(new, device=start.device) + 0.5) / new
    centre = (start[:, None] + extent[:, None] * place) * old  # [B, new], in source pixels
    widen = (extent * old / new).clamp(min=1)[:, None]
    first, pixel = window(centre, 2 * widen, most=2 * max(1.0, old / new))
    weight = _cubic((pixel + 0.5 - centre[:, :, None]) / widen[:, :, None])
    weight = weight * ((pixel >= 0) & (pixel < old))
    return Band(first, weight / weight.sum(dim=-1, keepdim=True))


def window(
    centre: Float[Tensor, "B new"], reach: Float[Tensor, "B 1"], most: float
) -> tuple[Int64[Tensor, "B new"], Int64[Tensor, "B new K"]]:
    """Return the first pixel and all pixels of a band, those within `reach` of `centre`.

    The middle of pixel i is at i + ½. Some of the pixels may lie outside the line. `most` bounds
    `reach` where reading it would mean waiting for a GPU.
    """
    if on_processor(reach):
        most = reach.max()
    first = (centre - reach - 0.5).floor().long()
    return first, first[:, :, None] + torch.arange(int(2 * most) + 3, device=centre.device)


def product(rows: Band, images: Pixels, columns: Band) -> Float[Tensor, "B 3 h w"]:
    """Return rows · image · columnsᵀ for each channel of each image."""
    if not is_large(images):
        across = dense_matrix(columns, images.shape[3])
        down = across if rows is columns else dense_matrix(rows, images.shape[2])
        lines = images.flatten(1, 2).float() @ across.mT  # [B, 3 H, w]
        return down[:, None] @ lines.unflatten(1, images.shape[1:3])
    size = rows.weight.shape[1], columns.weight.shape[1]
    out = torch.empty(len(images), 3, *size)
    for i, image in enumerate(images):
        read_into(out[i], Band(*(t[i] for t in rows)), image, Band(*(t[i] for t in columns)))
    return out


def dense_matrix(band: Band, old: int) -> Float[Tensor, "B new old"]:
    """Return the matrix that the band is part of."""
    first, weight = band
    index = first[:, :, None] + torch.arange(weight.shape[2], device=first.device)
    matrix = torch.zeros(*first.shape, old, device=first.device)
    return matrix.scatter_add_(2, index.clamp_(0, old - 1), weight)


def read_into(out: Float[Tensor, "3 h w"], rows: Band, image: Tensor, columns: Band) -> None:
    """Write the product for one image, [3, H, W], into `out` by weighted sums of its lines."""
    height, width = image.shape[1:]
    least = max(0, int(columns.first.min()))
    most = min(width, int(columns.first.max()) + columns.weight.shape[1])
    lines = _sums(rows, image[:, :, least:most].float())  # [3, h, part of W]
    lines = lines.transpose(1, 2).contiguous()
    out.copy_(_sums(columns._replace(first=columns.first - least), lines).transpose(1, 2))


def _sums(band: Band, lines: Float[Tensor, "3 old M"]) -> Float[Tensor, "3 new M"]:
    """Return weighted sums of each channel's lines."""
    old, count = lines.shape[1], band.weight.shape[1]
    # pixels outside have weight zero, so any line stands for them
    index = (band.first[:, None] + torch.arange(count)).clamp_(0, old - 1)
    index = (index + old * torch.arange(3)[:, None, None]).flatten(0, 1)  # [3 new, K]
    weight = band.weight.repeat(3, 1)
    sums = F.embedding_bag(index, lines.flatten(0, 1), per_sample_weights=weight, mode="sum")
    return sums.view(3, -1, lines.shape[2])


def _as(flag: Bool[Tensor, " B"], like: Tensor) -> Tensor:
    return flag.view(-1, *[1] * (like.ndim - 1))


def _cubic(distance: Tensor) -> Tensor:
    """Keys' kernel with a = −½, which is zero from 2 on."""
    x = distance.abs_().clamp_(max=2)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, far)

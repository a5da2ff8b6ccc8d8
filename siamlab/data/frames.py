"""Frames: photographs of all sizes as pixels of one size, and where each of them lies there.

boxes = padded(sizes, 840)                      # or stretched(sizes, (768, 768))
pixels = framed(files, boxes, (840, 840))       # uint8 [B, 3, 840, 840]
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped, UInt8
from PIL import Image, ImageOps
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.decode import (
    check_file,
    decode,
    decode_all,
    eight_bits,
    on_white,
    opening,
    stacked,
)
from siamlab.geometry import Grid

T = TypeVar("T")


def padded(sizes: Int64[Tensor, "M 2"], side: int) -> Int64[Tensor, "M 4"]:
    """Return boxes of images whose longer side fills a square frame, in its middle.

    Boxes are top, left, height, width in pixels of the frame; `sizes` are height, width of the
    images. The rest of the frame is black, unless `framed` is told otherwise.
    """
    shown = (sizes * (side / sizes.amax(dim=1, keepdim=True))).round().long().clamp(min=1)
    return torch.cat([(side - shown) // 2, shown], dim=1)


def cornered(sizes: Int64[Tensor, "M 2"], side: int) -> Int64[Tensor, "M 4"]:
    """Return boxes of images whose longer side fills a square frame, in its upper left corner."""
    boxes = padded(sizes, side)
    return torch.cat([torch.zeros_like(boxes[:, :2]), boxes[:, 2:]], dim=1)


def stretched(sizes: Int64[Tensor, "M 2"], frame: Grid) -> Int64[Tensor, "M 4"]:
    """Return boxes of images that fill the whole frame, whatever their aspect."""
    return torch.tensor([0, 0, *frame]).expand(len(sizes), 4)


def to_frame(
    points: Float[Tensor, "*B 2"], sizes: Int64[Tensor, "*#B 2"], boxes: Int64[Tensor, "*#B 4"]
) -> Float[Tensor, "*B 2"]:
    """Map points of images to their frame, in pixels of it from its upper left corner.

    A point (y, x) of an image is the number of its pixel: 0 is the middle of the first one.
    """
    return (points + 0.5) * (boxes[..., 2:] / sizes) + boxes[..., :2]


def to_image(
    points: Float[Tensor, "*B 2"], sizes: Int64[Tensor, "*#B 2"], boxes: Int64[Tensor, "*#B 4"]
) -> Float[Tensor, "*B 2"]:
    """Map points of a frame back to pixels of the images."""
    return (points - boxes[..., :2]) * (sizes / boxes[..., 2:]) - 0.5


def sizes_of(files: Sequence[Path], upright: bool = False) -> Int64[Tensor, "M 2"]:
    """Return height and width of each image, as stored or upright.

    Raises UserError for a file that is none.
    """
    return torch.tensor([_size(file, upright) for file in files]).view(-1, 2)


def common_size(images: Sequence[Path], others: Sequence[Path], what: str) -> Grid:
    """Return the one size of images and of what belongs to each; raises UserError for another."""
    sizes = torch.stack([sizes_of(images), sizes_of(others)], dim=1)  # [n, 2, 2]
    if wrong := (sizes != sizes[0, 0]).any(dim=2).any(dim=1).nonzero().flatten().tolist():
        (height, width), (rows, columns) = sizes[wrong[0]].tolist()
        raise UserError(
            f"data.path: {images[wrong[0]]} has {width} × {height} pixels and its {what} {columns} "
            f"× {rows}; all must have {sizes[0, 0, 1]} × {sizes[0, 0, 0]}: extract the set again"
        )
    return tuple(sizes[0, 0].tolist())


def squares(files: Sequence[Path], side: int) -> UInt8[Tensor, "M 3 S S"]:
    """Return the middle square of each image, resized (bicubic, antialiased) to `side` pixels.

    Works on all cores. Raises UserError for files that cannot be read, by name.
    """
    return stacked(decoded(files, lambda file: decode(file, side)))


def middle(maps: Shaped[Tensor, "*B H W"]) -> Shaped[Tensor, "*B S S"]:
    """Return the pixels of the middle square, as `squares` cuts it."""
    height, width = maps.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return maps[..., top : top + side, left : left + side]


def framed(
    files: Sequence[Path], boxes: Int64[Tensor, "M 4"], frame: Grid, grey: int = 0
) -> UInt8[Tensor, "M 3 H W"]:
    """Return the images, each resized (bicubic, antialiased) into its box of a black frame.

    `grey`: another colour of the frame, up to 255, which is white. Works on all cores. Raises
    UserError for files that cannot be read, by name.
    """

    def work(job: tuple[Path, list[int]]) -> Tensor:
        file, (top, left, height, width) = job
        canvas = np.full((*frame, 3), grey, np.uint8)
        image = rgb(file).resize((width, height), Image.Resampling.BICUBIC)
        canvas[top : top + height, left : left + width] = np.asarray(image)
        return torch.from_numpy(canvas.transpose(2, 0, 1).copy())

    jobs = list(zip(files, boxes.tolist(), strict=True))
    return stacked(decoded(jobs, work, lambda job: str(job[0])))


def rgb(file: Path, upright: bool = False) -> Image.Image:
    """Return an image in 8-bit RGB, as it is stored, which is how public sets annotate, or upright.

    Cameras record rotation in EXIF instead of rotating the pixels.
    """
    with opening(file) as image:
        image.load()
        shown = ImageOps.exif_transpose(image) if upright else image
        return on_white(eight_bits(shown)).convert("RGB")


def decoded(
    jobs: Sequence[Any], work: Callable[[Any], Any], name: Callable[[Any], str] = str
) -> list[Any]:
    """Return `work(job)` of each, on all cores; raises UserError if one fails, by its name."""
    skipped: list[str] = []
    pieces = list(decode_all(jobs, work, skipped, name))
    if skipped:
        raise UserError(
            f"data.path: {skipped[0]} cannot be read ({len(skipped)} of {len(jobs)} images "
            "cannot); unpack the set again, or replace them"
        )
    return [found for piece in pieces for _, found in piece]


def drawn(items: Sequence[T], most: int) -> list[T]:
    """Return at most `most` of the items (0: all), drawn by a seed, in their order."""
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(0))
    return [items[i] for i in order[: most or None].sort().values.tolist()]


def upright_size(image: Path) -> tuple[int, int]:
    """Width and height of an image as it is seen; raises what Pillow raises, OSError for a pipe."""
    check_file(image)
    with Image.open(image) as opened:
        turned = opened.getexif().get(0x0112, 1) >= 5  # EXIF's orientation
        return opened.size[::-1] if turned else opened.size


def _size(file: Path, upright: bool) -> tuple[int, int]:
    try:
        if upright:
            return upright_size(file)[::-1]
        check_file(file)
        with Image.open(file) as image:
            return image.height, image.width
    except Exception:  # Pillow raises a dozen kinds for files that are not images
        raise UserError(
            f"data.path: the image {file} is not there or cannot be read; unpack the set again, "
            "or replace it"
        ) from None

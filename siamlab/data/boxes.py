"""Photographs with boxes around their objects: what the readers of VOC and COCO return.

found = read_voc("VOCdevkit/VOC2007", "test")       # or read_coco(path, "val")
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.frames import sizes_of

ROUNDING = 1.0  # pixels by which a box may lie outside its image; it is cut there


class BoxSet(NamedTuple):
    """Images and the objects in them, in pixels from the upper left corner of the first pixel."""

    images: tuple[Path, ...]
    sizes: Int64[Tensor, "n 2"]  # height, width
    image: Int64[Tensor, " M"]  # of each box, index into `images`
    label: Int64[Tensor, " M"]
    box: Float[Tensor, "M 4"]  # top, left, bottom, right
    skipped: Bool[Tensor, " M"]  # neither sought nor wrong if found
    crowd: Bool[Tensor, " M"]  # one box for many objects


class Marked(NamedTuple):
    """One box as it is read."""

    label: int
    box: tuple[float, float, float, float]  # top, left, bottom, right
    skipped: bool
    crowd: bool


class Annotated(NamedTuple):
    """One image as its annotation describes it."""

    file: Path
    size: tuple[int, int]  # height, width
    boxes: tuple[Marked, ...]
    source: Path  # of the annotation


def with_boxes(images: Sequence[Annotated]) -> list[Annotated]:
    """Return the images that have a box to learn from."""
    return [image for image in images if any(not box.skipped for box in image.boxes)]


def box_set(images: Sequence[Annotated]) -> BoxSet:
    """Return the images with their boxes, those without any area left out.

    Raises UserError for images that are missing, damaged or of another size than annotated, and
    for boxes outside their image.
    """
    files = tuple(image.file for image in images)
    sizes = sizes_of(files)
    for image, size in zip(images, sizes.tolist(), strict=True):
        _check(image, size)
    marked = [(i, box) for i, image in enumerate(images) for box in image.boxes if _area(box) > 0]
    box = torch.tensor([m.box for _, m in marked], dtype=torch.float).view(-1, 4)
    number = torch.tensor([i for i, _ in marked], dtype=torch.long)
    box = box.clamp(min=0).minimum(sizes[number].repeat(1, 2).float())
    label = torch.tensor([m.label for _, m in marked], dtype=torch.long)
    skipped, crowd = (torch.tensor([m[k] for _, m in marked], dtype=torch.bool) for k in (2, 3))
    return BoxSet(files, sizes, number, label, box, skipped, crowd)


def _check(image: Annotated, size: list[int]) -> None:
    height, width = image.size
    if [height, width] != size:
        raise UserError(
            f"data.path: {image.file} has {size[1]} × {size[0]} pixels and {width} × {height} in "
            f"{image.source}, whose boxes count those of the original; unpack the images again, "
            "without resizing them"
        )
    for box in image.boxes:
        top, left, bottom, right = box.box
        inside = min(top, left) >= -ROUNDING
        if not (inside and bottom <= height + ROUNDING and right <= width + ROUNDING):
            raise UserError(
                f"data.path: {image.source} has a box from {left:g}, {top:g} to {right:g}, "
                f"{bottom:g} in {image.file.name}, which has {width} × {height} pixels; unpack "
                "the annotations again"
            )


def _area(marked: Marked) -> float:
    top, left, bottom, right = marked.box
    return max(0.0, bottom - top) * max(0.0, right - left)

"""Images: what every data source returns, and where an object of one scene lies in another.

images = data("train")   # B images, pixels uint8 [n, 3, H, W], never standardised
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import View, to_source, to_view


class Objects(NamedTuple):
    """The objects of each scene; O = 0 for sources that know of none."""

    instance: Int64[Tensor, "n O"]  # the same number: the same object; train and test share none
    box: Float[Tensor, "n O 4"]  # tight frame: top, left, height, width; fractions of the scene
    flip: Bool[Tensor, "n O"]  # mirrored left-right inside its frame


class Images(NamedTuple):
    pixels: UInt8[Tensor, "n 3 H W"]  # memory-mapped from the cache
    labels: Int64[Tensor, " n"]  # index into `classes`; -1 = unknown
    masks: UInt8[Tensor, "m H W"]  # index into `regions`, 255 = void; m = n, or 0 without masks
    classes: tuple[str, ...]
    regions: tuple[str, ...]
    objects: Objects


def no_masks(side: int) -> UInt8[Tensor, "0 H W"]:
    """The masks of a source that has none."""
    return torch.empty(0, side, side, dtype=torch.uint8)


def no_objects(n: int) -> Objects:
    """The objects of a source that knows of none."""
    return Objects(
        torch.empty(n, 0, dtype=torch.int64),
        torch.empty(n, 0, 4),
        torch.empty(n, 0, dtype=torch.bool),
    )


def plain(
    pixels: UInt8[Tensor, "n 3 H H"], labels: Int64[Tensor, " n"], classes: Sequence[str]
) -> Images:
    """Images with labels only."""
    masks, objects = no_masks(pixels.shape[-1]), no_objects(len(pixels))
    return Images(pixels, labels, masks, tuple(classes), (), objects)


def take(images: Images, index: Int64[Tensor, " k"]) -> Images:
    """The images at `index`, in that order."""
    return images._replace(
        pixels=images.pixels[index],
        labels=images.labels[index],
        masks=images.masks[index] if len(images.masks) else images.masks,
        objects=Objects(*(part[index] for part in images.objects)),
    )


def subset(images: Images, n: int, seed: int = 0) -> Images:
    """`n` images without repetition, in their first order; pairs of scenes stay together.

    Images without a label are taken only when all that have one are. The same for the same seed; a
    smaller subset lies inside a larger one.
    """
    total = len(images.labels)
    if not 0 < n <= total:
        raise UserError(f"a subset of n={n} images must have 1 to {total}: the source has no more")
    step = 2 if is_paired(images) and n % 2 == 0 else 1
    rng = torch.Generator().manual_seed(seed)
    order = torch.randperm(total // step, generator=rng) * step
    blank = images.labels[order] < 0
    first = order[blank.argsort(stable=True)][: n // step]
    index = (first[:, None] + torch.arange(step)).flatten()
    return take(images, index.sort().values)


def windows(pixels: UInt8[Tensor, "n 3 H W"], per_side: int) -> UInt8[Tensor, "m 3 h w"]:
    """Each image cut into `per_side`² windows, row by row, each half over the next; m = n · those.

    Of few photographs they make many images. Raises UserError for windows without a pixel.
    """
    height, width = (2 * side // (per_side + 1) for side in pixels.shape[2:])
    if min(height, width) < 2:
        raise UserError(
            f"per_side={per_side} leaves windows of {height} × {width} pixels; choose fewer"
        )
    cut = pixels.unfold(2, height, height // 2).unfold(3, width, width // 2)
    cut = cut[:, :, :per_side, :per_side].permute(0, 2, 3, 1, 4, 5)  # [n, rows, columns, 3, h, w]
    return cut.flatten(0, 2).contiguous()


def is_paired(images: Images) -> bool:
    """Scenes 2k and 2k + 1 hold the same objects, for every k."""
    instance = images.objects.instance
    paired = instance.numel() > 0 and len(instance) % 2 == 0
    return paired and torch.equal(instance[0::2], instance[1::2])


def pairs(images: Images) -> Int64[Tensor, "m 2"]:
    """The two scenes of every object: rows (2k, 2k + 1). Test scenes have them, others do not."""
    if not is_paired(images):
        raise UserError(
            "these images hold no pairs of scenes with the same object; "
            'ask Scenes for its "test" split, which does'
        )
    return torch.arange(len(images.labels)).view(-1, 2)


def across(
    points: Float[Tensor, "B M 2"], a: Objects, b: Objects, slot: int = 0
) -> Float[Tensor, "B M 2"]:
    """Where points of the object in scenes `a` lie in scenes `b`; fractions of a scene, (y, x).

    Row i of `a` and row i of `b` must hold the same instance in `slot`.
    """
    return to_source(to_view(points, object_view(a, slot)), object_view(b, slot))


def object_view(objects: Objects, slot: int = 0) -> View:
    """The frames of one object of each scene, as views of their scenes (without pixels)."""
    box, flip = objects.box[:, slot], objects.flip[:, slot]
    return View(torch.empty(len(box), 3, 0, 0), box, flip)

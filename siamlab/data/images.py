"""Images: what every data source returns, and where an object of one scene lies in another.

images = data("train")   # B images, pixels uint8 [n, 3, H, W], never standardised
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from siamlab.component import Component, UserError
from siamlab.geometry import Count, View, to_source, to_view
from siamlab.machine.arguments import typed
from siamlab.machine.sums import check_rows


class Objects(NamedTuple):
    """The objects of each scene; O = 0 for sources without objects."""

    instance: Int64[Tensor, "n O"]  # the same number: the same object; train and test share none
    box: Float[Tensor, "n O 4"]  # tight frame: top, left, height, width; fractions of the scene
    flip: Bool[Tensor, "n O"]  # mirrored left-right inside its frame


class Images(NamedTuple):
    pixels: UInt8[Tensor, "n 3 H W"]  # memory-mapped from the cache
    labels: Int64[Tensor, " n"]  # index into `classes`; -1 = unknown
    masks: UInt8[Tensor, "m h w"]  # index into `regions`, 255 = void; m = n, or 0 without masks
    classes: tuple[str, ...]
    regions: tuple[str, ...]
    objects: Objects


class Drawn(NamedTuple):
    """Some images of a split, and how many it has."""

    images: Images
    total: int


class DataChoice(Component):
    """Base of every source: `data("train")` or `data("test")` returns its images."""

    licence: ClassVar[str] = "not stated"
    origin: ClassVar[str] = "not stated"

    @abstractmethod
    def __call__(self, split: Literal["train", "test"]) -> Images: ...

    def sample(self, split: Literal["train", "test"], n: int | None) -> Drawn:
        """Return those of a split that the function `sample` draws; all where n is None.

        They are `evaluated`. A source of files decodes no others, and drops those of them that
        cannot be read.
        """
        images = self(split)
        return Drawn(self.evaluated(sample(images, n), split), len(images.labels))

    def evaluated(self, images: Images, split: Literal["train", "test"]) -> Images:
        """Return images of a split as models are measured on them, by default as they are."""
        return images

    def file_names(self, split: Literal["train", "test"]) -> list[str] | None:
        """Return the file of each image of a split, in order; None if images have no files.

        Files that cannot be read are among them.
        """
        return None


def middle(images: Images, share: float) -> Images:
    """Return the centre squares of images without masks, of a share of their side."""
    side = images.pixels.shape[-1]
    inner = max(1, round(share * side))
    if inner == side:
        return images
    kept = slice((side - inner) // 2, (side - inner) // 2 + inner)
    return images._replace(pixels=images.pixels[..., kept, kept], masks=no_masks(inner))


def no_masks(side: int) -> UInt8[Tensor, "0 H W"]:
    """Return the masks of a source without masks."""
    return torch.empty(0, side, side, dtype=torch.uint8)


def no_objects(n: int) -> Objects:
    """Return the objects of a source without objects."""
    return Objects(
        torch.empty(n, 0, dtype=torch.int64),
        torch.empty(n, 0, 4),
        torch.empty(n, 0, dtype=torch.bool),
    )


def plain(
    pixels: UInt8[Tensor, "n 3 H H"], labels: Int64[Tensor, " n"], classes: Sequence[str]
) -> Images:
    """Return images with labels only."""
    masks, objects = no_masks(pixels.shape[-1]), no_objects(len(pixels))
    return Images(pixels, labels, masks, tuple(classes), (), objects)


@typed
def take(images: Images, index: Int64[Tensor, " k"]) -> Images:
    """Return the images at `index`, in that order; UserError if their cache entry is damaged."""
    n = len(images.labels)
    if len(index) and not -n <= index.min() <= index.max() < n:
        raise UserError(f"index must be from 0 to {n - 1}, got {index.min()} to {index.max()}")
    for part in (*images[:3], *images.objects):
        check_rows(part, index if len(part) else None)
    return images._replace(
        pixels=images.pixels[index],
        labels=images.labels[index],
        masks=images.masks[index] if len(images.masks) else images.masks,
        objects=Objects(*(part[index] for part in images.objects)),
    )


@typed
def sample(images: Images, n: int | None, seed: int = 0) -> Images:
    """Return `n` of the images in their order, drawn without replacement; all where n is None.

    All images are returned where there are no more than `n`. Pairs of scenes stay together for an
    even `n`, and images with a label are drawn first. A smaller sample lies inside a larger one of
    the same seed.
    """
    index = sample_index(images, n, seed)
    if index is not None:
        return take(images, index)
    for part in (*images[:3], *images.objects):
        check_rows(part)
    return images


def sample_index(images: Images, n: int | None, seed: int = 0) -> Int64[Tensor, " k"] | None:
    """Return which images `sample` draws, in their order; None for all of them."""
    paired = n is not None and n < len(images.labels) and is_paired(images)
    return draw(images.labels, n, seed, paired)


def draw(
    labels: Int64[Tensor, " m"], n: int | None, seed: int = 0, paired: bool = False
) -> Int64[Tensor, " k"] | None:
    """Return which of the images with these labels are drawn, in their order; None for all."""
    total = len(labels)
    if n is not None and (not isinstance(n, int) or n < 1):
        raise UserError(f"n={n} must be a whole number from 1; the set has {total} images")
    if n is None or n >= total:
        return None
    step = 2 if paired and n % 2 == 0 else 1
    rng = torch.Generator().manual_seed(seed)
    order = torch.randperm(total // step, generator=rng) * step
    blank = labels[order] < 0
    first = order[blank.argsort(stable=True)][: n // step]
    index = (first[:, None] + torch.arange(step)).flatten()
    return index.sort().values


@typed
def windows(pixels: UInt8[Tensor, "n 3 H W"], per_side: Count) -> UInt8[Tensor, "m 3 h w"]:
    """Cut each image into `per_side`² windows that overlap by half, row by row; m = n·per_side².

    Makes many images of a few photographs. Raises UserError for windows without a pixel.
    """
    height, width = (2 * side // (per_side + 1) for side in pixels.shape[2:])
    if min(height, width) < 2:
        raise UserError(
            f"per_side={per_side} leaves windows of {height} × {width} pixels; choose fewer"
        )
    cut = pixels.unfold(2, height, height // 2).unfold(3, width, width // 2)
    cut = cut[:, :, :per_side, :per_side].permute(0, 2, 3, 1, 4, 5)  # [n, rows, columns, 3, h, w]
    return cut.flatten(0, 2).contiguous()


@typed
def is_paired(images: Images) -> bool:
    """Return whether scenes 2k and 2k + 1 hold the same objects, for every k."""
    instance = images.objects.instance
    paired = instance.numel() > 0 and len(instance) % 2 == 0
    return paired and torch.equal(instance[0::2], instance[1::2])


@typed
def pairs(images: Images) -> Int64[Tensor, "m 2"]:
    """Return the two scenes of every object, (2k, 2k + 1); only test scenes have pairs."""
    if not is_paired(images):
        raise UserError(
            "these images hold no pairs of scenes with the same object; "
            'ask Scenes for its "test" split, which does'
        )
    return torch.arange(len(images.labels)).view(-1, 2)


@typed
def across(
    points: Float[Tensor, "B M 2"], a: Objects, b: Objects, slot: int = 0
) -> Float[Tensor, "B M 2"]:
    """Map points of the object in scenes `a` to scenes `b`; (y, x), fractions of a scene.

    Row i of `a` and row i of `b` must hold the same instance in `slot`.
    """
    return to_source(to_view(points, object_view(a, slot)), object_view(b, slot))


def object_view(objects: Objects, slot: int = 0) -> View:
    """Return the frame of one object of each scene, as a view without pixels."""
    box, flip = objects.box[:, slot], objects.flip[:, slot]
    return View(torch.empty(len(box), 3, 0, 0), box, flip)

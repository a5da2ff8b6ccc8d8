"""Photographs with a region for every pixel, each at its own size: public sets and your own.

train, test = read_annotated("VOCdevkit/VOC2012", PublicSet("PASCAL VOC 2012", …))
pixels, regions = shown(test, [0], [(518, 691)])[0]     # uint8 [3, 518, 691] and [375, 500]
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.decode import central
from siamlab.data.frames import decoded, drawn, middle, rgb, sizes_of
from siamlab.data.layouts import Layout
from siamlab.data.masks import counted, mask_regions, refuse_missing, whole
from siamlab.geometry import Grid
from siamlab.machine.files import expanded
from siamlab.machine.terminal import caution

Part = Literal["train", "test"]


class PublicSet(NamedTuple):
    """A set, the folders of its layout in words, and how many images a whole copy has."""

    title: str
    folders: str
    layout: Callable[[Path, Part, float], Layout | None]
    train: int = 0  # 0 of both: a set of the user's own
    test: int = 0
    upright: bool = False  # masks are of the image as it is seen, not as it is stored

    @property
    def expected(self) -> str:
        """What its folder must be, in words."""
        if self.train:
            return f"{self.title} as it is published, with {self.folders}"
        return f"a folder of {self.title}: {self.folders}"


class Annotated(NamedTuple):
    """Photographs of one split and where their masks are."""

    layout: Layout
    images: tuple[Path, ...]
    sizes: Int64[Tensor, "n 2"]  # height, width of each, pixels
    upright: bool = False  # turned as the camera recorded
    # what is shown and scored of each; all of it, but as a square, if stretched
    part: Literal["whole", "middle square", "stretched"] = "whole"

    def shape(self, which: int) -> Grid:
        """Height and width in whose ratio a photograph is shown, in its own pixels."""
        height, width = self.sizes[which].tolist()
        side = min(height, width)
        return (height, width) if self.part == "whole" else (side, side)

    def some(self, index: Sequence[int]) -> "Annotated":
        """Some of the photographs."""
        images = tuple(self.images[i] for i in index)
        return self._replace(images=images, sizes=self.sizes[list(index)])


class Shown(NamedTuple):
    """One photograph at the size that a model sees, and the region of each of its own pixels."""

    pixels: UInt8[Tensor, "3 h w"]
    regions: UInt8[Tensor, "H W"]  # 255: void


def read_annotated(
    path: str, public: PublicSet, train: int = 0, test: int = 0
) -> tuple[Annotated, Annotated]:
    """Return training and test photographs of a copy of a public set.

    At most `train` and `test` of them are taken (0: all), drawn by a seed. A warning says if the
    copy lacks some. Raises UserError for another layout, for lists, images or masks that are
    missing, and for a mask of another size than its image. Regions that are not named are counted
    in the masks of all photographs.
    """
    root = expanded(path).absolute()
    found = [public.layout(root, part, 0.0) if path else None for part in ("train", "test")]
    if None in found:
        raise UserError(
            f"data.path={path!r} must be {public.expected}; set data.path to the folder that "
            "holds these"
        )
    counts = [len(layout.files.paths) for layout in found]
    if 0 in counts:
        raise UserError(
            f"data.path: {root} must have images to train and to test on, but it has {counts[0]:,} "
            f"and {counts[1]:,}; "
            + (f"unpack {public.title} again" if public.train else "add some to both")
        )
    if counts[0] < public.train or counts[1] < public.test:
        caution(
            f"{root} has {counts[0]:,} images to train and {counts[1]:,} to test on, but "
            f"{public.title} has {public.train:,} and {public.test:,}, so the scores are not "
            "comparable with published ones; unpack the set again"
        )
    found = found if found[0].regions else counted(found, least=2)
    learned, asked = (
        _drawn(layout, most, public.upright)
        for layout, most in zip(found, (train, test), strict=True)
    )
    return learned, asked


def shown(pairs: Annotated, which: Sequence[int], frames: Sequence[Grid]) -> list[Shown]:
    """Return some of the photographs, each resized (bicubic, antialiased) to its frame.

    Works on all cores. Raises UserError for files that cannot be read, and for masks with unknown
    values, by name.
    """
    jobs = list(zip(which, frames, strict=True))
    name = partial(unreadable, pairs)
    return [whole(result) for result in decoded(jobs, partial(_shown, pairs), name)]


def unreadable(pairs: Annotated, job: tuple[int, object]) -> str:
    """The photograph whose number begins a job, or its mask if the photograph can be read."""
    image = pairs.images[job[0]]
    try:
        rgb(image)
    except Exception:  # Pillow raises a dozen kinds for files that are not whole images
        return str(image)
    return str(pairs.layout.mask(image))


def photograph(
    pairs: Annotated, which: int
) -> tuple[Image.Image, UInt8[Tensor, "H W"]] | UserError:
    """One of the photographs, what is shown of it, and the region of each of its pixels.

    A UserError, which threads hand over, for a mask of unknown values.
    """
    image = pairs.images[which]
    regions = mask_regions(pairs.layout, image, tuple(pairs.sizes[which].tolist()))
    if isinstance(regions, UserError):
        return regions
    seen, regions = rgb(image, pairs.upright), torch.from_numpy(regions)
    if pairs.part == "middle square":
        seen, regions = central(seen), middle(regions)
    return seen, regions


def _shown(pairs: Annotated, job: tuple[int, Grid]) -> Shown | UserError:
    which, (height, width) = job
    found = photograph(pairs, which)
    if isinstance(found, UserError):
        return found
    seen, regions = found
    pixels = np.asarray(seen.resize((width, height), Image.Resampling.BICUBIC))
    return Shown(torch.from_numpy(pixels.transpose(2, 0, 1).copy()), regions)


def _drawn(layout: Layout, most: int, upright: bool) -> Annotated:
    images = drawn(layout.files.paths, most)
    masks = [layout.mask(image) for image in images]
    refuse_missing(images, masks)
    sizes, others = sizes_of(images, upright), sizes_of(masks)
    if wrong := (sizes != others).any(dim=1).nonzero().flatten().tolist():
        (height, width), (rows, columns) = sizes[wrong[0]].tolist(), others[wrong[0]].tolist()
        raise UserError(
            f"the mask {masks[wrong[0]]} has {columns} × {rows} pixels and its image {width} × "
            f"{height}; they must be equal: save the mask at that size, or unpack the set again"
        )
    return Annotated(layout, tuple(images), sizes, upright)

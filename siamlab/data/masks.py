"""Masks: the regions of an image's pixels, read from the file beside it.

regions = whole(mask_regions(layout, image, size))      # uint8 [H, W], 255 void
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from siamlab.component import UserError
from siamlab.data.decode import decode_all, opening
from siamlab.data.layouts import UNKNOWN, VOID, Layout, as_they_are
from siamlab.geometry import Grid


def refuse_missing(images: list[Path], masks: list[Path]) -> None:
    """Raise UserError for an image without its mask."""
    for image, mask in zip(images, masks, strict=True):
        if not mask.is_file():
            raise UserError(
                f"data.path: the image {image} must have the mask {mask}, which is not there; add "
                "it, or move the image away"
            )


def mask_numbers(mask: Path) -> np.ndarray | UserError:
    """The mask's pixels; a UserError, which threads hand over, if they are not region numbers.

    Palettes only colour the numbers, so they are not applied.
    """
    with opening(mask) as image:
        if image.mode not in ("1", "L", "P", "I", "I;16"):
            return UserError(
                f"the mask {mask} must have one number for each pixel (a palette or grey PNG), but "
                f"it is a picture of mode {image.mode}; save the numbers of regions instead"
            )
        numbers = np.array(image).astype(np.int64)
    least, most = numbers.min(), numbers.max()
    if least < 0 or most > VOID:
        return UserError(
            f"the mask {mask} has the value {least if least < 0 else most}; values are from 0 to "
            "255 (void)"
        )
    return numbers.astype(np.uint8)


def mask_regions(layout: Layout, image: Path, size: Grid) -> np.ndarray | UserError:
    """The region of each pixel of an image of `size` (height, width), 255 void.

    A UserError, which threads hand over, for a mask of another size and for unknown values.
    """
    mask = layout.mask(image)
    numbers = mask_numbers(mask)
    if isinstance(numbers, UserError):
        return numbers
    if numbers.shape != tuple(size):
        return UserError(
            f"the mask {mask} has {numbers.shape[1]} × {numbers.shape[0]} pixels and its image "
            f"{size[1]} × {size[0]}; they must be equal"
        )
    regions = layout.values[numbers]
    if (regions == UNKNOWN).any():
        value, count = numbers[regions == UNKNOWN].max(), len(layout.regions)
        void = np.flatnonzero(layout.values == VOID).max()
        top = np.flatnonzero(layout.values < UNKNOWN).max()
        return UserError(
            f"the mask {mask} has the value {value}, but with {count} regions it must be at most "
            f"{top}, or {void} for void; correct the mask, or the names of the regions"
        )
    return regions


def counted(layouts: Sequence[Layout], least: int = 1) -> list[Layout]:
    """The layouts of one set with as many regions as all of their masks have values.

    Masks of only 0 and 255 are black and white pictures of one object, not void. Raises UserError
    for masks that show fewer regions than `least`.
    """
    skipped: list[str] = []
    masks = [layout.mask(file) for layout in layouts for file in layout.files.paths]
    found = np.zeros(256, bool)
    for piece in decode_all(masks, _values, skipped, str):
        for _, values in piece:
            found[whole(values)] = True
    top = int(np.flatnonzero(found[:VOID]).max(initial=0))
    regions = tuple(f"region {i}" for i in range(top + 1))
    values = as_they_are(len(regions))
    if top == 0 and found[VOID]:
        regions, values[VOID] = ("background", "object"), 1
    if (seen := len(np.unique(values[found & (values < UNKNOWN)]))) < least:
        raise UserError(
            f"data.path: the masks of {layouts[0].files.root} show {seen} region, and {least} or "
            "more must be told apart; give masks of several regions"
        )
    return [layout._replace(regions=regions, values=values) for layout in layouts]


def _values(mask: Path) -> np.ndarray | UserError:
    numbers = mask_numbers(mask)
    return numbers if isinstance(numbers, UserError) else np.unique(numbers)


def whole(result: Any) -> Any:
    """The result of a thread. Raises what is wrong with the set, where it found that."""
    if isinstance(result, UserError):
        raise result
    return result

"""Blank images: one colour throughout, so that there is nothing in them to measure.

check_blank(is_blank(pixels), "images", "a.png")       # a warning, or UserError where all are
"""

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.machine.terminal import caution

PART = 64  # images at a time


def is_blank(pixels: UInt8[Tensor, "n 3 H W"]) -> Bool[Tensor, " n"]:
    """Return which images have one colour throughout, as one pixel that is enlarged has."""
    parts = pixels.split(PART) if len(pixels) else ()
    alike = [(part == part[..., :1, :1]).flatten(1).all(dim=1) for part in parts]
    return torch.cat([torch.zeros(0, dtype=torch.bool), *alike])


def check_blank(blank: Bool[Tensor, " n"], what: str, first: str) -> None:
    """Warn of blank images among others; UserError where all are blank.

    `first` is how a message calls the first of them.
    """
    count, total = int(blank.sum()), len(blank)
    if not count:
        return
    if count == total:
        raise UserError(
            f"all {total} {what} are of one colour throughout ({first}), so there is nothing in "
            "them to measure; name images that show something, of more than a pixel"
        )
    caution(
        f"{count} of {total} {what} are of one colour throughout (the first: {first}), so there is "
        "nothing in them to measure, and scores count them; take them out",
        stacklevel=3,
    )

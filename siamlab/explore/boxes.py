"""Boxes: places of the query view in an image, in fractions of it: top, left, height and width.

inside(0.9, -0.1, 0.6, 0.6)     # (0.4, 0.0, 0.6, 0.6)
"""

import math
from typing import Any

from siamlab.component import UserError

LEAST = 0.15  # smallest side
PLACES = 5  # along each side of the image, in an exported page

Box = tuple[float, ...]


def inside(top: float, left: float, height: float, width: float) -> Box:
    """Return the box with its sides clamped to LEAST..1 and moved inside the image."""
    height, width = (min(1.0, max(LEAST, side)) for side in (height, width))
    top, left = min(1 - height, max(0.0, top)), min(1 - width, max(0.0, left))
    return tuple(round(side, 4) for side in (top, left, height, width))


def box_from(*sides: Any) -> Box:
    """Return the box inside the image. Raises UserError for anything but four finite numbers."""
    try:
        box = [float(side) for side in sides]
    except (TypeError, ValueError):
        box = [math.nan]
    if not all(map(math.isfinite, box)):
        raise UserError(
            f"the box {', '.join(map(repr, sides))} must be four numbers: top, left, height and "
            "width, in fractions of the image"
        )
    return inside(*box)


def spread(height: float, width: float) -> list[Box]:
    """Return boxes of this size on a regular grid over the image."""
    tops, lefts = ([i / (PLACES - 1) * (1 - side) for i in range(PLACES)]
                   for side in (height, width))  # fmt: skip
    return [inside(top, left, height, width) for top in tops for left in lefts]

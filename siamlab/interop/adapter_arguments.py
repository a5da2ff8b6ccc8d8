"""Adapter arguments: what `TokenGrid` is called with and no network could have, refused.

check_arguments(network, size, mean, std, output)
"""

import math
from typing import Any

from torch import nn

from siamlab.component import UserError
from siamlab.interop.layout import is_triple


def check_arguments(network: Any, size: Any, mean: Any, std: Any, output: Any) -> None:
    """Raise UserError for arguments that no network could have."""
    if not isinstance(network, nn.Module):
        raise UserError(f"TokenGrid takes a network, a torch module, not {network!r}")
    sides = list(size) if isinstance(size, tuple | list) else [size]
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise UserError(
            f"size={size!r} must be one or two whole numbers of pixels, such as 224 or (224, 160)"
        )
    for name, colours, least in (("mean", mean, -math.inf), ("std", std, 0.0)):
        if colours is not None and not is_triple(colours, least):
            above = " above 0" if least == 0 else ""
            raise UserError(
                f"{name}={colours!r} must be three numbers{above}, of red, green and blue in 0..1"
            )
    if output is not None and not callable(output):
        raise UserError(
            f"output={output!r} must be a function of what the network returns, as "
            "output=lambda found: found.last_hidden_state"
        )


def check_grid(grid: Any, size: tuple[int, int]) -> None:
    """Raise UserError for a grid that no image of this size could have."""
    if grid is None:
        return
    sides = list(grid) if isinstance(grid, tuple | list) else []
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        raise UserError(
            f"grid={grid!r} must be two whole numbers from 1, (rows, columns) of the tokens of one "
            "image, such as (14, 10)"
        )
    if any(n > side for n, side in zip(sides, size, strict=True)):
        raise UserError(
            f"grid={grid!r} has more rows or columns than pixels: images are {size[0]} × {size[1]}"
        )

"""Resize: a transformer for images of another size.

resize(vit, (384, 384))     # a table of sines stays one, at the new grid
"""

import warnings

import torch
from jaxtyping import Float
from torch import Tensor, nn

Grid = tuple[int, int]


def resize(vit: nn.Module, size: Grid) -> None:
    """Let a timm model take images of `size` pixels; timm resamples its learned positions.

    A fixed table of sines and cosines, such as MAE's or MoCo-v3's, is computed at the new grid
    instead: a resampled table would no longer hold sines. At its own size a model stays as it is,
    also one whose table was stored in 16 bits.
    """
    if vit.patch_embed.img_size == tuple(size):
        return
    order = sine_order(vit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # timm's tables are not contiguous
        vit.set_input_size(size)
    if order is not None:
        table = vit.pos_embed
        new = sine_table(vit.patch_embed.grid_size, table.shape[-1], order)
        with torch.no_grad():
            table[0, -len(new) :] = new.to(table)


def sine_order(vit: nn.Module) -> tuple[int, int] | None:
    """Return which coordinate a table of sines puts first: (0, 1) rows, (1, 0) columns.

    None for a model without a table, or whose table is learned.
    """
    table, grid = getattr(vit, "pos_embed", None), tuple(vit.patch_embed.grid_size)
    return None if table is None else order_of(table[0, -grid[0] * grid[1] :], grid)


def order_of(patches: Float[Tensor, "N D"], grid: Grid) -> tuple[int, int] | None:
    """Return `sine_order` of the table of the patches of a grid."""
    if patches.shape[-1] % 4:
        return None
    for order in ((0, 1), (1, 0)):
        expected = sine_table(grid, patches.shape[-1], order).to(patches)
        if torch.allclose(patches, expected, atol=_rounding(patches)):
            return order
    return None


def _rounding(table: Tensor) -> float:
    """How far a table of sines may be from them: more if it was stored in 16 bits."""
    for kind in (torch.bfloat16, torch.float16):
        if (table == table.to(kind)).all():
            return torch.finfo(kind).eps
    return 1e-4


def sine_table(grid: Grid, width: int, order: tuple[int, int] = (0, 1)) -> Float[Tensor, "N D"]:
    """Return sines, then cosines, of one coordinate of each patch, then of the other."""
    places = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in grid))
    rate = 10000 ** (-torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    angles = [places[:, axis, None] * rate for axis in order]  # [N, D / 4] each
    return torch.cat([f(angle) for angle in angles for f in (torch.sin, torch.cos)], dim=1)

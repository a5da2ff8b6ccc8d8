"""Warps: images seen again through random homographies, which are known exactly.

maps = homographies(len(pixels), 224, most=0.2)     # to the second view: x, y, 1 of pixels
views = warped(pixels, maps)
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from siamlab.data.frames import decoded


def homographies(count: int, side: int, most: float, seed: int = 0) -> Float[Tensor, "n 3 3"]:
    """Return maps of squares of `side` pixels whose corners move by up to `most` of it each way.

    They take x, y, 1 of the first view, in pixels from its upper left corner, to the second. The
    seed decides them, and the first ones stay the same where more are asked for. Below 0.5 no
    square is folded.
    """
    rng = torch.Generator().manual_seed(seed)
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    draws = torch.rand(count, 4, 2, generator=rng, dtype=torch.float64)
    return _solved(side * corners, side * (corners + most * (2 * draws - 1)))


def warped(
    pixels: UInt8[Tensor, "n 3 S S"], maps: Float[Tensor, "n 3 3"]
) -> UInt8[Tensor, "n 3 S S"]:
    """Return each image as its map shows it, bicubic, black where nothing of it is seen."""

    def work(index: int) -> Tensor:
        back = torch.linalg.inv(maps[index])  # Pillow asks where a pixel comes from
        image = Image.fromarray(pixels[index].permute(1, 2, 0).numpy())
        seen = image.transform(
            image.size,
            Image.Transform.PERSPECTIVE,
            (back / back[2, 2]).flatten()[:8].tolist(),
            Image.Resampling.BICUBIC,
        )
        return torch.from_numpy(np.array(seen)).permute(2, 0, 1)

    return torch.stack(decoded(range(len(pixels)), work))


def _solved(corners: Float[Tensor, "4 2"], moved: Float[Tensor, "n 4 2"]) -> Float[Tensor, "n 3 3"]:
    """Return the maps that take four points to others: two equations of eight numbers for each."""
    (x, y), (u, v) = corners.T, moved.unbind(-1)
    one, none = torch.ones_like(u), torch.zeros_like(u)
    x, y = x * one, y * one
    rows = [
        torch.stack([x, y, one, none, none, none, -u * x, -u * y], dim=-1),
        torch.stack([none, none, none, x, y, one, -v * x, -v * y], dim=-1),
    ]
    found = torch.linalg.solve(torch.cat(rows, dim=1), torch.cat([u, v], dim=1))
    return torch.cat([found, one[:, :1]], dim=1).unflatten(1, (3, 3))

"""Resizing stored images: bilinear, antialiased when it shrinks."""

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor


def resize(pixels: UInt8[Tensor, "n 3 h w"], side: int) -> UInt8[Tensor, "n 3 H W"]:
    """Resize the shorter side to `side` pixels."""
    height, width = pixels.shape[-2:]
    scale = side / min(height, width)
    shape = max(side, round(height * scale)), max(side, round(width * scale))
    if shape != (height, width):
        pixels = torch.cat([_interpolate(chunk, shape) for chunk in pixels.split(1000)])
    return pixels.contiguous()


def square(pixels: UInt8[Tensor, "n 3 h w"], side: int) -> UInt8[Tensor, "n 3 S S"]:
    """Resize the shorter side to `side` pixels and cut the centre square."""
    pixels = resize(pixels, side)
    top, left = (pixels.shape[2] - side) // 2, (pixels.shape[3] - side) // 2
    return pixels[:, :, top : top + side, left : left + side].contiguous()


def _interpolate(pixels: Tensor, shape: tuple[int, int]) -> Tensor:
    smooth = F.interpolate(pixels.float(), shape, mode="bilinear", antialias=True)
    return smooth.round().clamp(0, 255).byte()

"""Sliding windows: logits of overlapping windows, averaged where they overlap, at full size.

windows = [Window(c, side, frame) for c in window_corners(frame, side, stride)]
answer = answers(blended(logits, windows, grid), size)      # the region of each of its own pixels
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Grid
from siamlab.probe.linear import EPS, Head, softmax_regression
from siamlab.probe.segmentation import FLOOR, STEPS, TOLERANCE, coverage

BLOCK = 2**26  # numbers in memory at once


class Window(NamedTuple):
    """Where a square window lies on an image as it is shown."""

    corner: Grid  # top, left, pixels of the frame
    side: int  # pixels of the frame
    frame: Grid  # height, width of the image as it is shown, pixels


def window_corners(frame: Grid, window: int, stride: int) -> list[Grid]:
    """Top left corners of square windows over a frame, row by row.

    They are `stride` pixels apart; the last ones are moved back to end with the frame, whose sides
    must not be shorter than a window. A frame of a window's size has one.
    """
    rows, columns = (
        [min(i * stride, length - window) for i in range(math.ceil((length - window) / stride) + 1)]
        for length in frame
    )
    return [(top, left) for top in rows for left in columns]


def fit_regions(
    features: Float[Tensor, "n D"], shares: Float[Tensor, "n C"], steps: int = STEPS
) -> Head:
    """The linear layer of least cross entropy with the share of each region in a patch.

    Logistic regression on standardised features as in `segmentation`, returned for features as
    they are. Raises UserError if all patches are void.
    """
    if not shares.sum() > 0:
        raise UserError("training masks have only void (255) pixels: give images with masks")
    variance, mean = torch.var_mean(features, dim=0, correction=0)
    scale = (variance + EPS).rsqrt()
    standard = (features - mean).mul_(scale)
    weight, bias = softmax_regression(standard, shares, steps=steps, tolerance=TOLERANCE)
    weight = weight * scale[:, None]
    return Head(weight, bias - mean @ weight)


def window_shares(
    regions: UInt8[Tensor, "H W"],
    window: Window,
    grid: Grid,
    count: int,
    among: Sequence[int] | None = None,
) -> Float[Tensor, "N C"]:
    """Share of each patch's area in a window that each of `count` regions covers.

    Exact at the mask's own size, even if patch borders cut its pixels; rows sum to 1 less void.
    `among`: those that the mask may show, so that a GPU is not asked for them.
    """
    parts = []
    for axis, (length, patches) in enumerate(zip(regions.shape, grid, strict=True)):
        scale = length / window.frame[axis]  # own pixels for each pixel of the frame
        low, high = (scale * (window.corner[axis] + end) for end in (0, window.side))
        first, last = math.floor(low), min(length, math.ceil(high))
        share = coverage(patches, scale * window.side / patches, last - first, low - first)
        parts.append((slice(first, last), share.to(regions.device)))
    (vertical, rows), (horizontal, columns) = parts
    below = regions[vertical, horizontal]
    shares = rows.new_zeros(count, *grid)
    for region in below.unique().tolist() if among is None else among:
        if region < count:
            shares[region] = rows @ (below == region).float() @ columns.T
    return shares.flatten(1).T


def oracle_logits(shares: Float[Tensor, "*W N C"]) -> Float[Tensor, "*W N C"]:
    """Logits of the true shares, which give the ceiling as in `segmentation`."""
    return (shares + FLOOR).log()


def blended(
    logits: Float[Tensor, "W N C"], windows: Sequence[Window], grid: Grid
) -> Float[Tensor, "C h w"]:
    """Logits of each pixel of a frame: the mean of those of all windows that cover it.

    Each window's logits are upsampled bilinearly from its patches to its pixels first.
    """
    frame = windows[0].frame
    total, covered = logits.new_zeros(logits.shape[2], *frame), logits.new_zeros(frame)
    for own, ((top, left), side, _) in zip(logits, windows, strict=True):
        here = slice(top, top + side), slice(left, left + side)
        maps = own.T.unflatten(1, grid)[None]
        total[:, *here] += F.interpolate(maps, (side, side), mode="bilinear")[0]
        covered[here] += 1
    return total.div_(covered)


def answers(logits: Float[Tensor, "C h w"], size: Grid) -> Int64[Tensor, "H W"]:
    """The region with the largest logit at each of an image's own pixels.

    Logits are upsampled bilinearly, a few regions at a time: all of them may not fit in memory.
    """
    best, found = None, None
    some = max(1, BLOCK // (size[0] * size[1]))
    for start, part in zip(range(0, len(logits), some), logits.split(some), strict=True):
        top, which = F.interpolate(part[None], size, mode="bilinear")[0].max(dim=0)
        which += start
        if best is None:
            best, found = top, which
        else:
            found = torch.where(top > best, which, found)
            best = torch.maximum(top, best)
    return found

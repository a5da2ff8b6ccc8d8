"""A linear layer for the regions of photographs, fitted and scored through sliding windows.

head = fitted(train, Sliding.of(eye, side=512, window=512, stride=341), patches, eye)
rows = scored(test, range(8), sizes, head, eye)
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from siamlab.data.annotated import Annotated, Shown, shown
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.geometry import Grid
from siamlab.probe.linear import Head
from siamlab.probe.segmentation import pixel_counts
from siamlab.probe.windows import (
    Window,
    answers,
    blended,
    fit_regions,
    oracle_logits,
    window_corners,
    window_shares,
)

PART = 8  # photographs at a time


class Sliding(NamedTuple):
    """Sizes of a protocol for one model, in pixels: a window is whole patches of it."""

    side: int  # shorter side of a photograph
    window: int
    stride: int

    @classmethod
    def of(cls, eye: AnySize, side: int, window: int, stride: int) -> "Sliding":
        """The sizes, all scaled by as much as rounds the window to patches of the model."""
        rounded = eye.rounded(window)
        return cls(*(max(1, round(n * rounded / window)) for n in (side, window, stride)))

    def frame(self, size: Grid) -> Grid:
        """Height and width at which a photograph of `size` is shown, with its aspect kept."""
        height, width = (max(self.side, round(n * self.side / min(size))) for n in size)
        return height, width


class Part(NamedTuple):
    """Some photographs as they are shown, and their windows."""

    photographs: list[Shown]
    windows: list[list[Window]]  # of each photograph

    @property
    def pixels(self) -> UInt8[Tensor, "W 3 S S"]:
        """The windows of all photographs, one after another."""
        return torch.stack(
            [
                photograph.pixels[:, top : top + side, left : left + side]
                for photograph, own in zip(self.photographs, self.windows, strict=True)
                for (top, left), side, _ in own
            ]
        )


def fitted(train: Annotated, sizes: Sliding, patches: int, eye: AnySize) -> Head:
    """The linear layer fitted to at most `patches` patches, as many of each photograph.

    They are drawn by a seed from one window, which is drawn too; one patch of each photograph is
    taken at least.
    """
    rng, count = torch.Generator().manual_seed(0), len(train.layout.regions)
    each, rows = max(1, patches // len(train.images)), []
    passes = eye.passes((sizes.window, sizes.window))
    for which in torch.arange(len(train.images)).split(PART):
        part = _part(train, which.tolist(), sizes, rng)
        seen = passes.features(part.pixels)
        for photograph, (window,), own in zip(*part, seen.patches, strict=True):
            keep = torch.randperm(len(own), generator=rng)[:each]
            shares = window_shares(photograph.regions, window, seen.grid, count)[keep]
            rows.append((own[keep.to(own.device)], shares.to(own.device)))
    return fit_regions(*(torch.cat(column) for column in zip(*rows, strict=True)))


def scored(
    test: Annotated, which: Sequence[int], sizes: Sliding, head: Head, eye: AnySize
) -> Iterator[Float[Tensor, "2 K"]]:
    """Yield pixels right, true and answered of each photograph: by the head, and by the truth.

    The truth is that of the model's patches, and takes the same way through windows to pixels.
    """
    part, count = _part(test, which, sizes), len(test.layout.regions)
    seen = eye.passes((sizes.window, sizes.window)).features(part.pixels)
    features = seen.patches.split([len(own) for own in part.windows])
    for photograph, windows, own in zip(*part, features, strict=True):
        regions = photograph.regions.to(own.device)
        true = torch.stack([window_shares(regions, w, seen.grid, count) for w in windows])
        here, size = _present(regions, count), tuple(regions.shape)
        by_head = answers(blended(own @ head.weight + head.bias, windows, seen.grid), size)
        best = answers(blended(oracle_logits(true[..., here]), windows, seen.grid), size)
        both = torch.stack([by_head, here[best]])
        counts = pixel_counts(both, regions.expand(2, -1, -1), count)
        yield counts.double().cpu()


def _present(regions: UInt8[Tensor, "H W"], count: int) -> Int64[Tensor, " c"]:
    """The regions of an image, and the first of all, which is the answer where all shares are 0.

    Others have a share of 0 everywhere, so the truth needs none of their logits.
    """
    found = regions.unique().long()
    return torch.cat([found.new_zeros(1), found[(found > 0) & (found < count)]])


def _part(
    pairs: Annotated, which: Sequence[int], sizes: Sliding, rng: torch.Generator | None = None
) -> Part:
    """Photographs with all of their windows, or with one at a place that `rng` draws."""
    frames = [sizes.frame(tuple(pairs.sizes[i].tolist())) for i in which]
    windows = []
    for frame in frames:
        corners = window_corners(frame, sizes.window, sizes.stride)
        if rng is not None:
            room = torch.tensor(frame) - sizes.window + 1
            corners = [tuple((torch.rand(2, generator=rng) * room).long().tolist())]
        windows.append([Window(corner, sizes.window, frame) for corner in corners])
    return Part(shown(pairs, which, frames), windows)

"""Masking: which context patches are seen, which target patches are predicted.

    mask = masking(batch, grid, rng)        # N = rows * columns patches, row by row

True means the patch takes part. Every image has the same number of True, so
`tokens[mask.visible].view(B, -1, D)` is safe. Masks are drawn on the processor.
"""

from functools import lru_cache
from math import inf, log, pi
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from pydantic import AfterValidator, Field
from torch import Generator, Tensor

from siamlab.component import Component, ascending
from siamlab.geometry import Grid

Ratio = Annotated[float, Field(ge=0, lt=1, description="fraction of patches hidden")]
Predict = Annotated[
    Literal["all", "hidden"], Field(description="target patches that the loss scores")
]
Fraction = Annotated[float, Field(gt=0, le=1)]
TRIED = 1000  # images whose blocks tell what blocks cover on average
Range = Annotated[tuple[Fraction, Fraction], AfterValidator(ascending)]


class Mask(NamedTuple):
    """Patches that take part; a training step gives them to networks by index, [B, V], [B, P]."""

    visible: Bool[Tensor, "B N"]  # context patches the encoder sees
    predict: Bool[Tensor, "B N"]  # target patches the loss scores


class NoMasking(Component):
    """Hide nothing, predict every patch."""

    kind: Literal["none"] = "none"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        every = torch.ones(batch, grid[0] * grid[1], dtype=torch.bool, device=rng.device)
        return Mask(every, every)


class RandomMasking(Component):
    """Hide patches independently of one another (MAE)."""

    kind: Literal["random"] = "random"
    ratio: Ratio = 0.75
    predict: Predict = "all"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        score = _rand(batch, grid[0] * grid[1], rng=rng)
        return _mask(_highest(score, _count(self.ratio, grid)), self.predict)


class BlockwiseMasking(Component):
    """Hide a union of rectangles (BEiT's sampler), with an exact count."""

    kind: Literal["blockwise"] = "blockwise"
    ratio: Ratio = 0.6
    smallest: float = Field(16 / 196, gt=0, le=1, description="least block, fraction of patches")
    aspect: float = Field(1 / 0.3, ge=1, description="height / width log-uniform in 1/aspect..it")
    tries: int = Field(10, ge=1, description="failures in a row after which the rest is random")
    predict: Predict = "all"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        count = _count(self.ratio, grid)
        hidden = np.zeros((batch, *grid), dtype=bool)
        left = np.full(batch, count)  # still to hide
        failures = np.zeros(batch, dtype=int)
        while len(going := np.flatnonzero((left > 0) & (failures < self.tries))):
            least = self.smallest * grid[0] * grid[1]
            draws = _draws(batch, rng)[:, going]  # an image's draws do not depend on the others
            block = _rectangles(draws, (least, left[going]), self.aspect, grid)
            block &= ~hidden[going]
            new = block.sum(axis=(1, 2))
            accept = (new > 0) & (new <= left[going])
            hidden[going] |= block & accept[:, None, None]
            left[going] -= np.where(accept, new, 0)
            failures[going] = np.where(accept, 0, failures[going] + 1)
        score = torch.from_numpy(hidden).flatten(1) + _rand(batch, grid[0] * grid[1], rng=rng)
        return _mask(_highest(score, count), self.predict)


class MultiBlockMasking(Component):
    """Predict a few rectangles from one large block without them (I-JEPA).

    Rectangles overlap, so their union differs from image to image. As many patches are asked of
    each as it has on average: what is more is cut off straight, what is less is grown.
    """

    kind: Literal["multiblock"] = "multiblock"
    ratio: Ratio = 0.65
    blocks: int = Field(4, ge=1, description="target rectangles")
    scale: Range = Field((0.15, 0.2), description="area of a target, fraction of patches")
    aspect: float = Field(1.5, ge=1, description="height / width log-uniform in 1/aspect..it")
    context: Range = Field((0.85, 1.0), description="area of the context, fraction of patches")
    predict: Predict = "hidden"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        targets = self._targets(batch, grid, rng)
        draws, area = _draws(batch, rng), _patches(self.context, grid)
        around = _rectangles(draws, area, 1.0, grid, whole=True, middle=grid[0] / grid[1])
        around = torch.from_numpy(around).flatten(1)
        # what is asked hides first, then what lies outside the context block, then the rest
        order = 2 * targets + ~around + _rand(batch, grid[0] * grid[1], rng=rng)
        hidden = _highest(order, _count(self.ratio, grid))
        if self.predict == "all":
            return _mask(hidden, "all")
        asked = min(_covered(self, grid), _count(self.ratio, grid))
        score = _grown(targets, grid, rng).masked_fill(~hidden, -inf)
        return Mask(~hidden, _highest(score, asked))

    def _targets(self, batch: int, grid: Grid, rng: Generator) -> Bool[Tensor, "B N"]:
        """The union of the rectangles."""
        draws, area = [_draws(batch, rng) for _ in range(self.blocks)], _patches(self.scale, grid)
        blocks = [_rectangles(d, area, self.aspect, grid, whole=True) for d in draws]
        return torch.from_numpy(np.logical_or.reduce(blocks)).flatten(1)


@lru_cache(maxsize=32)
def _covered(masking: MultiBlockMasking, grid: Grid) -> int:
    """Patches that its rectangles cover on average; the same in all processes, for any batch."""
    many = masking._targets(TRIED, grid, Generator().manual_seed(0))
    return max(1, round(many.sum(dim=1).float().mean().item()))


class GridMasking(Component):
    """Keep patches on a regular lattice, shifted at random."""

    kind: Literal["grid"] = "grid"
    ratio: Ratio = 0.75
    predict: Predict = "all"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        stride = (1 - self.ratio) ** -0.5  # patches between lattice lines
        lines = [self._lines(batch, n, stride, rng) for n in grid]  # [B, rows], [B, columns]
        kept = lines[0][:, :, None] + lines[1][:, None, :]  # 2 on the lattice, 1 beside
        # the count is made exact at random
        score = _rand(batch, grid[0] * grid[1], rng=rng) - kept.flatten(1)
        return _mask(_highest(score, _count(self.ratio, grid)), self.predict)

    def _lines(self, batch: int, n: int, stride: float, rng: Generator) -> Float[Tensor, "B n"]:
        place = torch.arange(n, device=rng.device) + stride * _rand(batch, 1, rng=rng)
        return (place % stride < 1).float()


Masking = Annotated[
    NoMasking | RandomMasking | BlockwiseMasking | MultiBlockMasking | GridMasking,
    Field(discriminator="kind"),
]


def _count(ratio: float, grid: Grid) -> int:
    return round(ratio * grid[0] * grid[1])


def _mask(hidden: Bool[Tensor, "B N"], predict: str) -> Mask:
    return Mask(~hidden, hidden if predict == "hidden" else torch.ones_like(hidden))


def _highest(score: Float[Tensor, "B N"], count: int) -> Bool[Tensor, "B N"]:
    """True at the `count` highest scores of each row."""
    top = score.topk(count, dim=1).indices
    return torch.zeros_like(score, dtype=torch.bool).scatter(1, top, True)


def _patches(fractions: tuple[float, float], grid: Grid) -> tuple[float, ...]:
    return tuple(grid[0] * grid[1] * fraction for fraction in fractions)


def _grown(chosen: Bool[Tensor, "B N"], grid: Grid, rng: Generator) -> Float[Tensor, "B N"]:
    """A score of each patch: the chosen first, in the order of a random direction, so that a
    surplus is cut off straight; then those around them.
    """
    place = torch.cartesian_prod(*(torch.arange(n, device=rng.device) for n in grid)).float()
    angle = 2 * pi * _rand(len(chosen), rng=rng)
    along = torch.stack([angle.cos(), angle.sin()], dim=1) @ place.T  # [B, N], in patches
    near = F.avg_pool2d(chosen.float().unflatten(1, grid), 3, stride=1, padding=1).flatten(1)
    beside = near + 0.1 * _rand(*chosen.shape, rng=rng)
    return torch.where(chosen, along + 2 * sum(grid), beside)


def _rectangles(
    draws: Float[np.ndarray, "4 B"],
    area: tuple[float, float | Int64[np.ndarray, " B"]],
    aspect: float,
    grid: Grid,
    whole: bool = False,
    middle: float = 1.0,
) -> Bool[np.ndarray, "B h w"]:
    """One rectangle an image, anywhere, its sides rounded. Too long: cut if `whole`, else none.

    Its area is uniform between two numbers of patches, height / width log-uniform in 1/aspect..it
    times `middle`.
    NumPy's small operations take half as long as torch's, and a batch takes some hundreds of them.
    """
    least, most = (np.float32(number) for number in area)
    size = np.maximum(least + (most - least) * draws[0], 1)
    shape = np.float32(middle) * np.exp(np.float32(log(aspect)) * (2 * draws[1] - 1))
    inside = []
    for n, side, place in zip(grid, (size * shape, size / shape), draws[2:], strict=True):
        side = np.maximum(np.sqrt(side).round(), 1)
        side = np.minimum(side, n) if whole else np.where(side < n, side, 0)
        first = np.floor(place * (n - side + 1))
        line = np.arange(n, dtype=np.float32)
        inside.append((line >= first[:, None]) & (line < (first + side)[:, None]))  # [B, n]
    return inside[0][:, :, None] & inside[1][:, None, :]


def _draws(batch: int, rng: Generator) -> Float[np.ndarray, "4 B"]:
    return _rand(4, batch, rng=rng).numpy()


def _rand(*shape: int, rng: Generator) -> Tensor:
    return torch.rand(*shape, generator=rng, device=rng.device)

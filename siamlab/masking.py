"""Masking: which context patches are seen, which target patches are predicted.

    mask = masking(batch, grid, rng)        # N = rows * columns patches, row by row

True means the patch takes part. Every image has the same number of True, so
`tokens[mask.visible].view(B, -1, D)` is safe.
"""

from math import inf, log, pi
from typing import Annotated, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from pydantic import AfterValidator, Field
from torch import Generator, Tensor

from siamlab.component import Component, ascending
from siamlab.geometry import Grid

Ratio = Annotated[float, Field(ge=0, lt=1, description="fraction of patches hidden")]
Predict = Annotated[
    Literal["all", "hidden"], Field(description="target patches that the loss scores")
]
Fraction = Annotated[float, Field(gt=0, le=1)]
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
        hidden = torch.zeros(batch, *grid, dtype=torch.bool, device=rng.device)
        failures = torch.zeros(batch, dtype=torch.long, device=rng.device)
        left = count - hidden.sum(dim=(1, 2))  # [B], still to hide
        while ((left > 0) & (failures < self.tries)).any():
            block = self._block(left, grid, rng)  # [B, rows, columns]
            new = (block & ~hidden).sum(dim=(1, 2))
            accept = (new > 0) & (new <= left) & (failures < self.tries)
            hidden |= block & accept[:, None, None]
            left = torch.where(accept, left - new, left)
            failures = torch.where(accept, 0, failures + 1)
        score = hidden.flatten(1).float() + _rand(batch, grid[0] * grid[1], rng=rng)
        return _mask(_highest(score, count), self.predict)

    def _block(self, left: Tensor, grid: Grid, rng: Generator) -> Bool[Tensor, "B h w"]:
        least = self.smallest * grid[0] * grid[1]
        area = least + (left - least) * _rand(len(left), rng=rng)
        return _rectangle(area.clamp(min=1), _log_uniform(len(left), self.aspect, rng), grid, rng)


class MultiBlockMasking(Component):
    """Predict a few rectangles from one large block without them (I-JEPA)."""

    kind: Literal["multiblock"] = "multiblock"
    ratio: Ratio = 0.65
    blocks: int = Field(4, ge=1, description="target rectangles")
    scale: Range = Field((0.15, 0.2), description="area of a target, fraction of patches")
    aspect: float = Field(1.5, ge=1, description="height / width log-uniform in 1/aspect..it")
    context: Range = Field((0.85, 1.0), description="area of the context, fraction of patches")
    predict: Predict = "hidden"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        size = grid[0] * grid[1]
        targets = torch.zeros(batch, *grid, dtype=torch.bool, device=rng.device)
        for _ in range(self.blocks):
            targets |= self._block(batch, self.scale, self.aspect, grid, rng)
        around = self._block(batch, self.context, 1.0, grid, rng)
        # what is asked hides first, then what lies outside the context block, then the rest
        order = 2 * targets.flatten(1) + ~around.flatten(1) + _rand(batch, size, rng=rng)
        hidden = _highest(order, _count(self.ratio, grid))
        if self.predict == "all":
            return _mask(hidden, "all")
        return Mask(~hidden, _as_many(hidden & targets.flatten(1), grid, rng))

    def _block(self, batch: int, scale: Range, aspect: float, grid: Grid, rng: Generator) -> Tensor:
        low, high = scale
        area = grid[0] * grid[1] * (low + (high - low) * _rand(batch, rng=rng))
        return _rectangle(area, _log_uniform(batch, aspect, rng), grid, rng, whole=True)


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


def _as_many(chosen: Bool[Tensor, "B N"], grid: Grid, rng: Generator) -> Bool[Tensor, "B N"]:
    """As many in every image as the fewest: the surplus is cut off straight, from a random side."""
    place = torch.cartesian_prod(*(torch.arange(n, device=rng.device) for n in grid)).float()
    angle = 2 * pi * _rand(len(chosen), rng=rng)
    along = torch.stack([angle.cos(), angle.sin()], dim=1) @ place.T  # [B, N], in patches
    return _highest(along.masked_fill(~chosen, -inf), int(chosen.sum(dim=1).min()))


def _rectangle(
    area: Float[Tensor, " B"],
    aspect: Float[Tensor, " B"],
    grid: Grid,
    rng: Generator,
    whole: bool = False,
) -> Bool[Tensor, "B h w"]:
    """One rectangle an image, anywhere, its sides rounded. Too long: cut if `whole`, else none."""
    inside = []
    for n, side in zip(grid, ((area * aspect).sqrt(), (area / aspect).sqrt()), strict=True):
        side = side.round().clamp(min=1)
        side = side.clamp(max=n) if whole else torch.where(side < n, side, 0)
        first = (_rand(len(area), rng=rng) * (n - side + 1)).floor()
        line = torch.arange(n, device=rng.device)
        inside.append((line >= first[:, None]) & (line < (first + side)[:, None]))  # [B, n]
    return inside[0][:, :, None] & inside[1][:, None, :]


def _log_uniform(batch: int, aspect: float, rng: Generator) -> Float[Tensor, " B"]:
    return torch.exp(log(aspect) * (2 * _rand(batch, rng=rng) - 1))


def _rand(*shape: int, rng: Generator) -> Tensor:
    return torch.rand(*shape, generator=rng, device=rng.device)

"""Masking: which context patches are seen, which target patches are predicted.

    mask = masking(batch, grid, rng)        # N = rows * columns patches, row by row

True means the patch takes part. Every image has the same number of True, so
`tokens[mask.visible].view(B, -1, D)` is safe. Masks are drawn on the processor.

A choice must have `kind` and `__call__`. The rules ask how many patches it hides and which it
predicts; both are counted on drawn masks unless the choice says them itself.
"""

from abc import abstractmethod
from functools import lru_cache
from math import inf, pi
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import AfterValidator, Field
from torch import Generator, Tensor

from siamlab.component import Component, UserError, ascending
from siamlab.geometry import Grid, random_rectangles
from siamlab.mask import Mask, mistake

Ratio = Annotated[float, Field(ge=0, lt=1, description="fraction of patches hidden")]
Predict = Annotated[
    Literal["all", "hidden"], Field(description="target patches that the loss scores")
]
Predicts = Literal["none", "hidden", "any"]
Fraction = Annotated[float, Field(gt=0, le=1)]
SAMPLE = 1000  # images on which the mean coverage of blocks is computed
Aspect = Annotated[
    float, Field(ge=1, le=100, description="height / width, log-uniform in 1/aspect..aspect")
]
Range = Annotated[tuple[Fraction, Fraction], AfterValidator(ascending)]


class MaskingChoice(Component):
    """Base of every masking."""

    @abstractmethod
    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask: ...

    def hidden(self, grid: Grid) -> int:
        """Return the number of patches hidden in each image."""
        return int((~self._drawn(grid).visible).sum(dim=1).max())

    def predicts(self, grid: Grid) -> Predicts:
        """Return which patches are predicted; "hidden" requires both views to share a crop."""
        visible, predict = self._drawn(grid)
        if not predict.any(dim=1).all():
            return "none"
        return "any" if (visible & predict).any() else "hidden"

    def _drawn(self, grid: Grid) -> Mask:
        return self.checked(self(16, grid, Generator().manual_seed(0)), 16, grid)

    def checked(self, drawn: Any, batch: int, grid: Grid) -> Mask:
        """Return the mask. Raises UserError where a choice that a user has added drew none."""
        shape = batch, grid[0] * grid[1]
        if wrong := mistake(drawn, shape):
            raise UserError(
                f"{type(self).__name__} must return a siamlab.masking.Mask(visible, predict), true "
                f"or false {list(shape)}, as many true for each image; got {wrong}"
            )
        return drawn


class NoMasking(MaskingChoice):
    """Hide nothing, predict every patch."""

    kind: Literal["none"] = "none"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        every = torch.ones(batch, grid[0] * grid[1], dtype=torch.bool, device=rng.device)
        return Mask(every, every)


class _Counted(MaskingChoice):
    """A masking with the fields `ratio` and `predict`, from which both answers follow."""

    if TYPE_CHECKING:  # each choice has these fields at its own place, with its own default
        ratio: float
        predict: str

    def hidden(self, grid: Grid) -> int:
        return _count(self.ratio, grid)

    def predicts(self, grid: Grid) -> Predicts:
        if self.predict == "all":
            return "any"
        return "hidden" if self.hidden(grid) else "none"


class RandomMasking(_Counted):
    """Hide patches independently of one another (MAE)."""

    kind: Literal["random"] = "random"
    ratio: Ratio = 0.75
    predict: Predict = "all"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        score = _rand(batch, grid[0] * grid[1], rng=rng)
        return _mask(_highest(score, _count(self.ratio, grid)), self.predict)


class BlockwiseMasking(_Counted):
    """Hide a union of rectangles (BEiT's sampler), always the same number of patches."""

    kind: Literal["blockwise"] = "blockwise"
    ratio: Ratio = 0.6
    smallest: float = Field(
        default=16 / 196, gt=0, le=1, description="smallest block, fraction of patches"
    )
    aspect: Aspect = 1 / 0.3
    tries: int = Field(
        default=10, ge=1, le=1000, description="failures in a row after which the rest is random"
    )
    predict: Predict = "all"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        count = _count(self.ratio, grid)
        hidden = np.zeros((batch, *grid), dtype=bool)
        left = np.full(batch, count)  # still to hide
        failures = np.zeros(batch, dtype=int)
        while len(going := np.flatnonzero((left > 0) & (failures < self.tries))):
            least = self.smallest * grid[0] * grid[1]
            draws = _draws(batch, rng)[:, going]  # one image's draws do not depend on the others
            block = random_rectangles(draws, (least, left[going]), self.aspect, grid)
            block &= ~hidden[going]
            new = block.sum(axis=(1, 2))
            accept = (new > 0) & (new <= left[going])
            hidden[going] |= block & accept[:, None, None]
            left[going] -= np.where(accept, new, 0)
            failures[going] = np.where(accept, 0, failures[going] + 1)
        score = torch.from_numpy(hidden).flatten(1) + _rand(batch, grid[0] * grid[1], rng=rng)
        return _mask(_highest(score, count), self.predict)


class MultiBlockMasking(_Counted):
    """Predict a few rectangles from one large block without them (I-JEPA).

    Rectangles overlap, so the size of their union differs between images. Every image is asked for
    the mean number of patches: a larger union is cut off along a line, a smaller one is grown.
    """

    kind: Literal["multiblock"] = "multiblock"
    ratio: Ratio = 0.65
    blocks: int = Field(default=4, ge=1, le=100, description="target rectangles")
    scale: Range = Field(default=(0.15, 0.2), description="area of a target, fraction of patches")
    aspect: Aspect = 1.5
    context: Range = Field(
        default=(0.85, 1.0), description="area of the context, fraction of patches"
    )
    predict: Predict = "hidden"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        targets = self._targets(batch, grid, rng)
        draws, area = _draws(batch, rng), _patches(self.context, grid)
        around = random_rectangles(draws, area, 1.0, grid, inside=True, middle=grid[0] / grid[1])
        around = torch.from_numpy(around).flatten(1)
        # hide the targets first, then patches outside the context block, then others
        order = 2 * targets + ~around + _rand(batch, grid[0] * grid[1], rng=rng)
        hidden = _highest(order, _count(self.ratio, grid))
        if self.predict == "all":
            return _mask(hidden, "all")
        predicted = min(_covered(self, grid), _count(self.ratio, grid))
        score = _grown(targets, grid, rng).masked_fill(~hidden, -inf)
        return Mask(~hidden, _highest(score, predicted))

    def _targets(self, batch: int, grid: Grid, rng: Generator) -> Bool[Tensor, "B N"]:
        """Return the union of the rectangles."""
        draws, area = [_draws(batch, rng) for _ in range(self.blocks)], _patches(self.scale, grid)
        blocks = [random_rectangles(d, area, self.aspect, grid, inside=True) for d in draws]
        return torch.from_numpy(np.logical_or.reduce(blocks)).flatten(1)


@lru_cache(maxsize=32)
def _covered(masking: MultiBlockMasking, grid: Grid) -> int:
    """Return the mean number of patches covered, the same in all processes and for any batch."""
    targets = masking._targets(SAMPLE, grid, Generator().manual_seed(0))
    return max(1, round(targets.sum(dim=1).float().mean().item()))


class GridMasking(_Counted):
    """Keep patches on a regular lattice, shifted at random."""

    kind: Literal["grid"] = "grid"
    ratio: Ratio = 0.75
    predict: Predict = "all"

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        stride = (1 - self.ratio) ** -0.5  # patches between lattice lines
        lines = [self._lines(batch, n, stride, rng) for n in grid]  # [B, rows], [B, columns]
        lattice = lines[0][:, :, None] + lines[1][:, None, :]  # 2 on the lattice, 1 next to it
        # random noise breaks ties, so that the count is exact
        score = _rand(batch, grid[0] * grid[1], rng=rng) - lattice.flatten(1)
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
    """Return a score per patch: the chosen, in order along a line, then those around them."""
    place = torch.cartesian_prod(*(torch.arange(n, device=rng.device) for n in grid)).float()
    angle = 2 * pi * _rand(len(chosen), rng=rng)
    along = torch.stack([angle.cos(), angle.sin()], dim=1) @ place.T  # [B, N], in patches
    near = F.avg_pool2d(chosen.float().unflatten(1, grid), 3, stride=1, padding=1).flatten(1)
    # a surplus of chosen ones is cut off along the line
    return torch.where(chosen, along + 2 * sum(grid), near + 0.1 * _rand(*chosen.shape, rng=rng))


def _draws(batch: int, rng: Generator) -> Float[np.ndarray, "4 B"]:
    return _rand(4, batch, rng=rng).numpy()


def _rand(*shape: int, rng: Generator) -> Tensor:
    return torch.rand(*shape, generator=rng, device=rng.device)

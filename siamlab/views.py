"""Views: which two crops of each image are compared.

    context, target = views(images, size, colour, rng)      # View × 2

Crops are random resized crops: flip, area uniform, aspect log-uniform, ten tries, then a central
crop. Boxes are fractions of the unflipped source.

A choice must have `kind` and `__call__`, and should declare what its two views share (`shares`):
by default they share only the image, and masks and heads that need one crop are refused.
"""

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import AfterValidator, Field
from torch import Generator, Tensor

from siamlab.colour import ColourChoice
from siamlab.component import Component, Sizes, ascending
from siamlab.crop import cut
from siamlab.geometry import Grid, View, overlap

Pixels = UInt8[Tensor, "B 3 H W"]
Pair = tuple[View, View]
Fraction = Annotated[float, Field(gt=0, le=1)]
Areas = Annotated[tuple[Fraction, Fraction], AfterValidator(ascending)]
Chance = Annotated[float, Field(ge=0, le=1, description="probability of a mirrored view")]
Shares = Literal["image", "crop", "pixels"]
TRIES = 10


class Crops(Component):
    """The distribution of one random crop."""

    area: Areas = Field(
        default=(0.08, 1.0), description="range of its area, fractions of the image"
    )
    aspect: float = Field(
        default=4 / 3, ge=1, le=100, description="width / height, log-uniform in 1/aspect..aspect"
    )
    flip: Chance = 0.5

    def boxes(self, batch: int, source: Grid, rng: Generator) -> Float[Tensor, "B 4"]:
        return random_boxes(batch, self.area, self.aspect, source, rng)

    def flips(self, batch: int, rng: Generator) -> Bool[Tensor, " B"]:
        return _rand(batch, rng=rng) < self.flip

    def shrunk(self, to: Sizes) -> "Crops":
        return self.replace(area=(0.3, 1.0))


class ViewsChoice(Component):
    """Base of every pairing."""

    # what both views have in common; "crop": patch i of one shows the place of patch i of the
    # other; "pixels": they are the same view
    shares: ClassVar[Shares] = "image"

    @abstractmethod
    def __call__(
        self, images: Pixels, size: Grid, colour: ColourChoice, rng: Generator
    ) -> Pair: ...


class SameCrop(ViewsChoice):
    """One view is both context and target (MAE, I-JEPA)."""

    kind: Literal["same"] = "same"
    shares: ClassVar[Shares] = "pixels"
    crop: Crops = Crops(area=(0.2, 1.0))

    def __call__(self, images: Pixels, size: Grid, colour: ColourChoice, rng: Generator) -> Pair:
        view = _cut(
            images, self.crop.boxes(len(images), images.shape[2:], rng), self.crop, size, rng
        )
        view = view._replace(image=colour(view.image, "context", rng))
        return view, view


class Recoloured(ViewsChoice):
    """The same crop in two colourings."""

    kind: Literal["recoloured"] = "recoloured"
    shares: ClassVar[Shares] = "crop"
    crop: Crops = Crops(area=(0.2, 1.0))

    def __call__(self, images: Pixels, size: Grid, colour: ColourChoice, rng: Generator) -> Pair:
        view = _cut(
            images, self.crop.boxes(len(images), images.shape[2:], rng), self.crop, size, rng
        )
        return _paint(view, view, colour, rng)


class TwoCrops(ViewsChoice):
    """Two crops that share nothing but the image (SiameseIM, MoCo-v3, BYOL)."""

    kind: Literal["independent"] = "independent"
    shares: ClassVar[Shares] = "image"
    crop: Crops = Crops()

    def __call__(self, images: Pixels, size: Grid, colour: ColourChoice, rng: Generator) -> Pair:
        boxes = [self.crop.boxes(len(images), images.shape[2:], rng) for _ in range(2)]
        return _paint(*(_cut(images, b, self.crop, size, rng) for b in boxes), colour, rng)


class ShiftedCrops(ViewsChoice):
    """Two crops of the same size and orientation, which differ by an offset only."""

    kind: Literal["shifted"] = "shifted"
    shares: ClassVar[Shares] = "image"
    crop: Crops = Crops(area=(0.2, 0.6))
    reach: float = Field(
        default=0.5, gt=0, le=100, description="largest offset, fractions of the crop's sides"
    )

    def __call__(self, images: Pixels, size: Grid, colour: ColourChoice, rng: Generator) -> Pair:
        first = self.crop.boxes(len(images), images.shape[2:], rng)
        corner, extent = first[:, :2], first[:, 2:]
        low = (corner - self.reach * extent).clamp(min=0)
        high = torch.minimum(corner + self.reach * extent, 1 - extent)
        moved = low + (high - low) * _rand(len(images), 2, rng=rng)
        context = _cut(images, first, self.crop, size, rng)
        target = cut(images, torch.cat([moved, extent], dim=1), context.flip, size)
        return _paint(context, target, colour, rng)


class OverlappingCrops(ViewsChoice):
    """Two crops with at least a given IoU.

    Where none of ten tries does, the last one is moved towards the first crop until it does.
    """

    kind: Literal["overlapping"] = "overlapping"
    shares: ClassVar[Shares] = "image"
    crop: Crops = Crops()
    iou: float = Field(
        default=0.3, ge=0, lt=1, description="smallest intersection over union of the boxes"
    )

    def __call__(self, images: Pixels, size: Grid, colour: ColourChoice, rng: Generator) -> Pair:
        first = self.crop.boxes(len(images), images.shape[2:], rng)
        tries = [self.crop.boxes(len(images), images.shape[2:], rng) for _ in range(TRIES)]
        nearer = [first.lerp(tries[-1], 0.5**k) for k in range(1, 6)]
        seconds = torch.stack([*tries, *nearer, first], dim=1)  # the last always fits
        fits = overlap(first[:, None], seconds) >= self.iou
        second = _first(fits, seconds)
        return _paint(
            *(_cut(images, b, self.crop, size, rng) for b in (first, second)), colour, rng
        )


class NestedCrops(ViewsChoice):
    """One crop inside the other; `context` chooses the one that the encoder sees."""

    kind: Literal["nested"] = "nested"
    shares: ClassVar[Shares] = "image"
    crop: Crops = Crops(area=(0.4, 1.0))
    inner: Areas = Field(
        default=(0.1, 0.4),
        description="range of the inner crop's area, fractions of the outer crop",
    )
    context: Literal["outer", "inner"] = Field(
        default="outer", description="the crop the encoder sees"
    )

    def __call__(self, images: Pixels, size: Grid, colour: ColourChoice, rng: Generator) -> Pair:
        outer = self.crop.boxes(len(images), images.shape[2:], rng)
        tall = outer[:, 2] * images.shape[2] / (outer[:, 3] * images.shape[3])
        part = _boxes(tall, self.inner, self.crop.aspect, rng)
        inner = torch.cat(
            [outer[:, :2] + outer[:, 2:] * part[:, :2], outer[:, 2:] * part[:, 2:]], 1
        )
        boxes = (outer, inner) if self.context == "outer" else (inner, outer)
        return _paint(*(_cut(images, b, self.crop, size, rng) for b in boxes), colour, rng)


Views = Annotated[
    SameCrop | Recoloured | TwoCrops | ShiftedCrops | OverlappingCrops | NestedCrops,
    Field(discriminator="kind"),
]


def random_boxes(
    batch: int, area: tuple[float, float], aspect: float, source: Grid, rng: Generator
) -> Float[Tensor, "B 4"]:
    """Return boxes of random area, shape and place; the largest central one after ten tries."""
    tall = torch.full((batch,), source[0] / source[1], device=rng.device)
    return _boxes(tall, area, aspect, rng)


def _boxes(
    tall: Float[Tensor, " B"], area: tuple[float, float], aspect: float, rng: Generator
) -> Float[Tensor, "B 4"]:
    """Return random boxes, as fractions of frames of height / width `tall`."""
    batch, tall = len(tall), tall[:, None]
    size = area[0] + (area[1] - area[0]) * _rand(batch, TRIES, rng=rng)
    shape = aspect ** (2 * _rand(batch, TRIES, rng=rng) - 1) * tall  # fractions
    extent = torch.stack([(size / shape).sqrt(), (size * shape).sqrt()], dim=-1)  # [B, TRIES, 2]
    corner = (1 - extent) * _rand(batch, TRIES, 2, rng=rng)
    whole = (1 / tall).clamp(1 / aspect, aspect) * tall  # [B, 1], the central box
    central = torch.stack([1 / whole, whole], dim=-1).clamp(max=1)  # [B, 1, 2]
    extent = torch.cat([extent, central], dim=1)
    corner = torch.cat([corner, (1 - central) / 2], dim=1)
    return _first((extent <= 1).all(dim=-1), torch.cat([corner, extent], dim=-1))


def _first(fits: Bool[Tensor, "B T"], boxes: Float[Tensor, "B T 4"]) -> Float[Tensor, "B 4"]:
    """Return the first box of each row that fits."""
    return boxes[torch.arange(len(boxes), device=boxes.device), fits.int().argmax(dim=1)]


def _cut(images: Pixels, box: Tensor, crop: Crops, size: Grid, rng: Generator) -> View:
    return cut(images, box, crop.flips(len(images), rng), size)


def _paint(context: View, target: View, colour: ColourChoice, rng: Generator) -> Pair:
    return (
        context._replace(image=colour(context.image, "context", rng)),
        target._replace(image=colour(target.image, "target", rng)),
    )


def _rand(*shape: int, rng: Generator) -> Tensor:
    return torch.rand(*shape, generator=rng, device=rng.device)

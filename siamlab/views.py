"""Views: which two crops of each image are compared.

    context, target = views(images, size, colour, rng)      # View × 2

Crops are random resized crops: flip, area uniform, aspect log-uniform, ten tries, then a central
crop. Boxes are fractions of the unflipped source.
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import AfterValidator, Field
from torch import Generator, Tensor

from siamlab.component import Component, ascending
from siamlab.geometry import Grid, View, overlap
from siamlab.photometric import Colour
from siamlab.resample import cut

Images = UInt8[Tensor, "B 3 H W"]
Pair = tuple[View, View]
Fraction = Annotated[float, Field(gt=0, le=1)]
Areas = Annotated[tuple[Fraction, Fraction], AfterValidator(ascending)]
Chance = Annotated[float, Field(ge=0, le=1, description="probability of a mirrored view")]
TRIES = 10


class Crops(Component):
    """How one crop is drawn."""

    area: Areas = Field((0.08, 1.0), description="least and largest area, fractions of the image")
    aspect: float = Field(4 / 3, ge=1, description="width / height log-uniform in 1/aspect..it")
    flip: Chance = 0.5

    def boxes(self, batch: int, source: Grid, rng: Generator) -> Float[Tensor, "B 4"]:
        return random_boxes(batch, self.area, self.aspect, source, rng)

    def flips(self, batch: int, rng: Generator) -> Bool[Tensor, " B"]:
        return _rand(batch, rng=rng) < self.flip


class SameCrop(Component):
    """One view, seen from both sides (MAE, I-JEPA)."""

    kind: Literal["same"] = "same"
    crop: Crops = Crops(area=(0.2, 1.0))

    def __call__(self, images: Images, size: Grid, colour: Colour, rng: Generator) -> Pair:
        view = _cut(
            images, self.crop.boxes(len(images), images.shape[2:], rng), self.crop, size, rng
        )
        view = view._replace(image=colour(view.image, "context", rng))
        return view, view


class Recoloured(Component):
    """The same crop in two colourings."""

    kind: Literal["recoloured"] = "recoloured"
    crop: Crops = Crops(area=(0.2, 1.0))

    def __call__(self, images: Images, size: Grid, colour: Colour, rng: Generator) -> Pair:
        view = _cut(
            images, self.crop.boxes(len(images), images.shape[2:], rng), self.crop, size, rng
        )
        return _paint(view, view, colour, rng)


class TwoCrops(Component):
    """Two crops that share nothing but the image (SiameseIM, MoCo-v3, BYOL)."""

    kind: Literal["independent"] = "independent"
    crop: Crops = Crops()

    def __call__(self, images: Images, size: Grid, colour: Colour, rng: Generator) -> Pair:
        boxes = [self.crop.boxes(len(images), images.shape[2:], rng) for _ in range(2)]
        return _paint(*(_cut(images, b, self.crop, size, rng) for b in boxes), colour, rng)


class ShiftedCrops(Component):
    """Two crops of one size and one orientation: they differ by an offset only."""

    kind: Literal["shifted"] = "shifted"
    crop: Crops = Crops(area=(0.2, 0.6))
    reach: float = Field(0.5, gt=0, description="largest offset, fractions of the crop's sides")

    def __call__(self, images: Images, size: Grid, colour: Colour, rng: Generator) -> Pair:
        first = self.crop.boxes(len(images), images.shape[2:], rng)
        corner, extent = first[:, :2], first[:, 2:]
        low = (corner - self.reach * extent).clamp(min=0)
        high = torch.minimum(corner + self.reach * extent, 1 - extent)
        moved = low + (high - low) * _rand(len(images), 2, rng=rng)
        context = _cut(images, first, self.crop, size, rng)
        target = cut(images, torch.cat([moved, extent], dim=1), context.flip, size)
        return _paint(context, target, colour, rng)


class OverlappingCrops(Component):
    """Two crops that share at least part of what they show.

    Where ten tries do not, the last of them is drawn towards the first crop until they do.
    """

    kind: Literal["overlapping"] = "overlapping"
    crop: Crops = Crops()
    iou: float = Field(0.3, ge=0, lt=1, description="least intersection over union of the boxes")

    def __call__(self, images: Images, size: Grid, colour: Colour, rng: Generator) -> Pair:
        first = self.crop.boxes(len(images), images.shape[2:], rng)
        tries = [self.crop.boxes(len(images), images.shape[2:], rng) for _ in range(TRIES)]
        nearer = [first.lerp(tries[-1], 0.5**k) for k in range(1, 6)]
        seconds = torch.stack([*tries, *nearer, first], dim=1)  # the last always fits
        fits = overlap(first[:, None], seconds) >= self.iou
        second = _first(fits, seconds)
        return _paint(
            *(_cut(images, b, self.crop, size, rng) for b in (first, second)), colour, rng
        )


class NestedCrops(Component):
    """One crop inside the other; `context` says which of them the encoder sees."""

    kind: Literal["nested"] = "nested"
    crop: Crops = Crops(area=(0.4, 1.0))
    inner: Areas = Field(
        (0.1, 0.4), description="least and largest area of the inner, fractions of the outer crop"
    )
    context: Literal["outer", "inner"] = Field("outer", description="the crop the encoder sees")

    def __call__(self, images: Images, size: Grid, colour: Colour, rng: Generator) -> Pair:
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
    """Boxes of random area and width / height, anywhere; the central largest if ten tries fail."""
    tall = torch.full((batch,), source[0] / source[1], device=rng.device)
    return _boxes(tall, area, aspect, rng)


def _boxes(
    tall: Float[Tensor, " B"], area: tuple[float, float], aspect: float, rng: Generator
) -> Float[Tensor, "B 4"]:
    """Random boxes in frames whose height is `tall` times their width; fractions of the frames."""
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
    """The first box of each row that fits."""
    return boxes[torch.arange(len(boxes), device=boxes.device), fits.int().argmax(dim=1)]


def _cut(images: Images, box: Tensor, crop: Crops, size: Grid, rng: Generator) -> View:
    return cut(images, box, crop.flips(len(images), rng), size)


def _paint(context: View, target: View, colour: Colour, rng: Generator) -> Pair:
    return (
        context._replace(image=colour(context.image, "context", rng)),
        target._replace(image=colour(target.image, "target", rng)),
    )


def _rand(*shape: int, rng: Generator) -> Tensor:
    return torch.rand(*shape, generator=rng, device=rng.device)

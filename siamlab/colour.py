"""Colour: random changes of each view's colours, as tensor operations over the batch.

    image = colour(image, "context", rng)       # [B, 3, H, W], 0..1, one draw per image

Brightness, contrast, saturation, hue and greyscale combine to one affine map of RGB per image, so
together they cost one small matrix product; blurring is a product with one band matrix per side.

A choice must have `kind` and `__call__`; there is nothing else to declare.
"""

from abc import abstractmethod
from math import inf, pi
from typing import Annotated, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Generator, Tensor

from siamlab.component import Component
from siamlab.crop import Band, is_large, on_processor, product, window
from siamlab.machine.constant import constant

Role = Literal["context", "target"]
Pixels = Float[Tensor, "B 3 H W"]
SIGMA = (0.1, 2.0)  # smallest and largest σ of a blur, pixels of a view of 224
FAR = 6  # σ beyond which a Gaussian is below the resolution of float32
CHUNK = 4  # large images that a processor paints at a time
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, what PIL and torchvision call grey


class Strengths(NamedTuple):
    """Strengths and probabilities of one view's colours."""

    jitter: float = 0.0  # probability of the four below
    brightness: float = 0.0  # factor uniform in 1 ± this
    contrast: float = 0.0  # factor uniform in 1 ± this
    saturation: float = 0.0  # factor uniform in 1 ± this
    hue: float = 0.0  # turns of the colour circle, uniform in ± this
    grey: float = 0.0  # probability
    blur: float = 0.0  # probability; σ uniform in SIGMA
    solarize: float = 0.0  # probability; values above ½ are inverted


class ColourChoice(Component):
    """Base of every choice of colours."""

    @abstractmethod
    def __call__(self, image: Pixels, role: Role, rng: Generator) -> Pixels: ...


class NoColour(ColourChoice):
    """Leave the colours alone (MAE)."""

    kind: Literal["none"] = "none"

    def __call__(self, image: Pixels, role: Role, rng: Generator) -> Pixels:
        return image


class SiameseColour(ColourChoice):
    """SiameseIM's two recipes: the context is always blurred, the target may be solarized."""

    kind: Literal["siameseim"] = "siameseim"

    def __call__(self, image: Pixels, role: Role, rng: Generator) -> Pixels:
        return paint(image, STRONG_CONTEXT if role == "context" else STRONG_TARGET, rng)


class ByolColour(ColourChoice):
    """BYOL's two recipes, which MoCo-v3 uses too; SiameseIM adopted their numbers."""

    kind: Literal["byol"] = "byol"

    def __call__(self, image: Pixels, role: Role, rng: Generator) -> Pixels:
        return paint(image, STRONG_CONTEXT if role == "context" else STRONG_TARGET, rng)


class SymmetricColour(ColourChoice):
    """MoCo-v2's recipe, the same for both views (SimSiam)."""

    kind: Literal["symmetric"] = "symmetric"

    def __call__(self, image: Pixels, role: Role, rng: Generator) -> Pixels:
        return paint(image, Strengths(0.8, 0.4, 0.4, 0.4, 0.1, grey=0.2, blur=0.5), rng)


class LightColour(ColourChoice):
    """Slight changes of brightness, contrast and saturation, which keep objects recognisable."""

    kind: Literal["light"] = "light"
    strength: float = Field(
        default=0.2, ge=0, le=1, description="factors are uniform in 1 ± strength"
    )

    def __call__(self, image: Pixels, role: Role, rng: Generator) -> Pixels:
        return paint(image, Strengths(1.0, self.strength, self.strength, self.strength), rng)


Colour = Annotated[
    NoColour | SiameseColour | ByolColour | SymmetricColour | LightColour,
    Field(discriminator="kind"),
]

STRONG_CONTEXT = Strengths(0.8, 0.4, 0.4, 0.2, 0.1, grey=0.2, blur=1.0)
STRONG_TARGET = Strengths(0.8, 0.4, 0.4, 0.2, 0.1, grey=0.2, blur=0.1, solarize=0.2)


class Draws(NamedTuple):
    """Sampled parameters of a recipe, one row per image."""

    matrix: Float[Tensor, "B 3 3"]  # on RGB
    contrast: Float[Tensor, " B"]  # factor
    sigma: Float[Tensor, " B"]  # of the blur, pixels; 0: none
    solarized: Bool[Tensor, " B"]


def paint(image: Pixels, strengths: Strengths, rng: Generator) -> Pixels:
    """Return the images jittered, greyed, blurred and solarized, with one draw per image."""
    draws = _draw(image, strengths, rng)
    if not is_large(image):
        return _painted(image, strengths, draws)
    out = torch.empty_like(image)
    for i in range(0, len(image), CHUNK):  # so that each operation finds its input in the cache
        part = slice(i, i + CHUNK)
        out[part] = _painted(image[part], strengths, Draws(*(t[part] for t in draws)))
    return out


def _painted(image: Pixels, strengths: Strengths, draws: Draws) -> Pixels:
    if strengths.jitter or strengths.grey:
        image = recolour(image, draws.matrix, draws.contrast)
    if strengths.blur:
        image = blur(image, draws.sigma, SIGMA[1] * _pixel(image))
    if strengths.solarize:
        image = solarize(image, draws.solarized)
    return image


def recolour(
    image: Pixels, matrix: Float[Tensor, "B 3 3"], contrast: Float[Tensor, " B"]
) -> Pixels:
    """Return the images with contrast, then `matrix`, applied to each pixel's RGB; clipped to 0..1.

    Contrast c keeps the image's mean grey: c·x + (1 − c)·grey.
    """
    grey = image.mean(dim=(2, 3)) @ constant(LUMA, image.device)  # [B]
    shift = matrix.sum(dim=2) * ((1 - contrast) * grey)[:, None]  # [B, 3]
    linear = matrix * contrast[:, None, None]
    return torch.baddbmm(shift[:, :, None], linear, image.flatten(2)).clamp_(0, 1).view_as(image)


def saturation_matrix(factor: Float[Tensor, " B"]) -> Float[Tensor, "B 3 3"]:
    """Return the map factor·x + (1 − factor)·luma(x): 1 leaves the image, 0 makes it grey."""
    eye = torch.eye(3, device=factor.device)
    luma = constant(LUMA, factor.device).expand(3, 3)  # each row reads the luma
    return factor[:, None, None] * eye + (1 - factor)[:, None, None] * luma


def hue_matrix(turns: Float[Tensor, " B"]) -> Float[Tensor, "B 3 3"]:
    """Return the rotation of RGB about its grey axis; a third of a turn makes red green."""
    angle = 2 * pi * turns
    eye = torch.eye(3, device=turns.device)
    forward = eye.roll(1, dims=0)  # red → green → blue → red
    third = 2 * pi / 3
    weights = [(1 + 2 * (angle - k * third).cos()) / 3 for k in range(3)]  # [B] each
    steps = (eye, forward, forward @ forward)
    return sum(w[:, None, None] * step for w, step in zip(weights, steps, strict=True))


def blur(image: Pixels, sigma: Float[Tensor, " B"], most: float) -> Pixels:
    """Return each image blurred by its σ in pixels (0: untouched), renormalised at the border.

    `most` is an upper bound of σ, since reading σ itself would wait for a GPU.
    """
    chosen = sigma > 0
    if not on_processor(image) or chosen.all():
        return product(*_gaussians(image, sigma, most))
    if not chosen.any():
        return image
    out = image.clone()
    out[chosen] = product(*_gaussians(image[chosen], sigma[chosen], most))
    return out


def solarize(image: Pixels, chosen: Bool[Tensor, " B"]) -> Pixels:
    """Return the images, the `chosen` ones with values above ½ inverted: min(x, 1 − x)."""
    limit = torch.where(chosen, 1.0, 2.0)[:, None, None, None]  # x is never above 2 − x
    return torch.minimum(image, limit - image)


def _draw(image: Pixels, strengths: Strengths, rng: Generator) -> Draws:
    batch = len(image)
    matrix, contrast = torch.eye(3).expand(batch, -1, -1), torch.ones(batch)
    sigma, solarized = torch.zeros(batch), torch.zeros(batch)
    if strengths.jitter or strengths.grey:
        matrix, contrast = _draw_recolouring(batch, strengths, rng)
    if strengths.blur:
        sigma = SIGMA[0] + (SIGMA[1] - SIGMA[0]) * _rand(batch, rng)
        sigma = _pixel(image) * sigma * _chance(batch, strengths.blur, rng)
    if strengths.solarize:
        solarized = _chance(batch, strengths.solarize, rng)
    return Draws(matrix, contrast, sigma, solarized.bool())


def _draw_recolouring(batch: int, strengths: Strengths, rng: Generator) -> tuple[Tensor, Tensor]:
    jitter = _chance(batch, strengths.jitter, rng)
    spread = [jitter * (2 * _rand(batch, rng) - 1) for _ in range(4)]  # −1..1, 0 where not jittered
    brightness, contrast = 1 + strengths.brightness * spread[0], 1 + strengths.contrast * spread[1]
    matrix = hue_matrix(strengths.hue * spread[3]) @ saturation_matrix(
        1 + strengths.saturation * spread[2]
    )
    grey = saturation_matrix(1 - _chance(batch, strengths.grey, rng))
    return grey @ matrix * brightness[:, None, None], contrast


def _pixel(image: Pixels) -> float:
    """Return the size of a pixel of a view of 224, in pixels of this view."""
    return max(image.shape[2:]) / 224


def _gaussians(image: Pixels, sigma: Float[Tensor, " B"], most: float) -> tuple[Band, Pixels, Band]:
    height, width = image.shape[2:]
    rows = _gaussian(sigma, height, most)
    return rows, image, rows if width == height else _gaussian(sigma, width, most)


def _gaussian(sigma: Float[Tensor, " B"], n: int, most: float) -> Band:
    centre = (torch.arange(n, device=sigma.device) + 0.5).expand(len(sigma), -1)
    first, pixel = window(centre, FAR * sigma[:, None], FAR * most)
    distance = (pixel + 0.5 - centre[:, :, None]).square()  # squared pixels
    variance = 2 * sigma.square().clamp(min=1e-4)[:, None, None]
    outside = (pixel < 0) | (pixel >= n)
    return Band(first, (-distance / variance).masked_fill(outside, -inf).softmax(dim=-1))


def _chance(batch: int, probability: float, rng: Generator) -> Float[Tensor, " B"]:
    return (_rand(batch, rng) < probability).float()


def _rand(batch: int, rng: Generator) -> Float[Tensor, " B"]:
    return torch.rand(batch, generator=rng, device=rng.device)

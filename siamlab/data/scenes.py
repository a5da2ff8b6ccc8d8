"""Scenes: coloured objects over photographs, with exact masks, boxes and correspondences.

images = Scenes()("test")     # masks, boxes and, in pairs(images), the same object twice

Two views of a scene share more of the background than of the object, so a rich background is a
shortcut for every method that compares views. `contrast`, `size` and `photographs` control that
shortcut; by default, telling the objects apart lowers the loss more.

Test scenes show objects and photographs that training never saw. Test scenes 2k and 2k + 1 show
the same objects at another place, size, colour, mirroring and background; `across` maps points
of an object from one to the other. The label of a scene is the class of its largest object, the
first; smaller ones lie over it.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from PIL import Image
from pydantic import Field, model_validator
from torch import Generator, Tensor

from siamlab.data.cache import cached, check_split
from siamlab.data.cutouts import Cutouts, FashionObjects, ObjectSource, frames
from siamlab.data.fashion import ASSETS, Split
from siamlab.data.images import DataChoice, Images, Objects
from siamlab.data.resize import resize

PHOTOGRAPHS: dict[str, tuple[str, ...]] = {
    "train": ("astronaut", "grass", "rocket", "camera", "brick", "retina", "hubble_deep_field"),
    "test": ("chelsea", "coffee", "gravel"),
}
ZOOMS = (1.2, 1.5, 2.0, 2.7, 3.6)  # shorter side of the photograph, in sides of the scene
SHADOW = 0.25  # what is left of the colour where the object is black
STEPS = 128  # resampling weights are whole numbers of 1/STEPS: sums are exact on every machine
CHUNK = 1000


class Scenes(DataChoice):
    """Coloured objects over photographs, with exact masks, boxes and correspondences."""

    licence: ClassVar[str] = "Fashion-MNIST: MIT, (c) 2017 Zalando SE; photographs: CC0 or public"
    origin: ClassVar[str] = "drawn from objects and photographs inside the package"

    kind: Literal["scenes"] = "scenes"
    side: int = Field(default=48, ge=8, le=1024, description="side of a scene, pixels")
    images: int = Field(
        default=20_000, ge=1, le=10_000_000, description="number of training scenes"
    )
    test_images: int = Field(
        default=2_000, ge=2, le=1_000_000, multiple_of=2, description="number of test scenes, even"
    )
    per_scene: int = Field(default=1, ge=1, le=16, description="objects in each scene")
    size: tuple[float, float] = Field(
        default=(0.7, 1.0),
        description="least and largest longer side of an object, fractions of the side",
    )
    contrast: float = Field(
        default=1 / 3, ge=0, le=1, description="contrast left to the photographs"
    )
    photographs: int = Field(default=7, ge=1, le=7, description="number of photographs in training")
    objects: ObjectSource = Field(
        default=FashionObjects(), description="where the objects come from"
    )
    seed: int = Field(default=0, ge=0, lt=2**32, description="seed of the drawing")

    @model_validator(mode="after")
    def _ordered(self) -> "Scenes":
        low, high = self.size
        if not 0 < low <= high <= 1:
            raise ValueError(
                f"size={self.size} must be (least, largest) with 0 < least <= largest <= 1"
            )
        return self

    def __call__(self, split: Split) -> Images:
        check_split(split)
        key: dict[str, Any] = self.model_dump() | {"split": split}
        return cached(key | {"files": self.objects.files(split)}, partial(self._draw, split))

    def _draw(self, split: Split, skipped: list[str]) -> Iterator[Images]:
        rng = torch.Generator().manual_seed(2 * self.seed + (split == "test"))
        cutouts = self.objects(split, skipped)
        frame = frames(cutouts.inside)  # [n, 4]
        photographs = load_photographs(split, self.photographs, self.side, self.contrast)
        for which in self._instances(len(frame), split, rng).split(CHUNK):
            yield _scenes(self, cutouts, frame, photographs, which, split, rng)

    def _instances(self, n: int, split: Split, rng: Generator) -> Int64[Tensor, "m O"]:
        """Return the objects of each scene: all appear equally often, in test scenes in pairs."""
        scenes = self.images if split == "train" else self.test_images // 2
        rounds = -(-scenes * self.per_scene // n)
        order = torch.cat([torch.randperm(n, generator=rng) for _ in range(rounds)])
        which = order[: scenes * self.per_scene].view(scenes, self.per_scene)
        return which if split == "train" else which.repeat_interleave(2, dim=0)


def load_photographs(
    split: Split, count: int, side: int, contrast: float
) -> list[list[UInt8[Tensor, "3 h w"]]]:
    """Return each photograph at each zoom, its contrast lowered about mid grey."""
    tones = (128 + contrast * (torch.arange(256) - 128.0)).round().byte()
    names = PHOTOGRAPHS[split][:count] if split == "train" else PHOTOGRAPHS[split]
    pixels = [np.array(Image.open(ASSETS / f"photographs/{n}.png").convert("RGB")) for n in names]
    photographs = [tones[torch.from_numpy(p).long()].permute(2, 0, 1) for p in pixels]
    return [[resize(p[None], round(side * z))[0] for z in ZOOMS] for p in photographs]


def _scenes(
    scenes: Scenes,
    cutouts: Cutouts,
    frame: Float[Tensor, "n 4"],
    photographs: list[list[Tensor]],
    which: Int64[Tensor, "B O"],
    split: Split,
    rng: Generator,
) -> Images:
    pixels = _backgrounds(photographs, len(which), scenes.side, rng)  # [B, 3, S, S]
    masks = torch.zeros(len(which), scenes.side, scenes.side, dtype=torch.uint8)
    box = _boxes(frame[which], scenes.size, rng)  # [B, O, 4]
    flip = torch.rand(which.shape, generator=rng) < 0.5  # [B, O]
    for slot in range(scenes.per_scene):
        here = which[:, slot]
        crop = frame[here], box[:, slot], flip[:, slot]
        shade, inside = _render(cutouts.shade[here], cutouts.inside[here], *crop, scenes.side)
        light = SHADOW + (1 - SHADOW) * shade[:, None] / 255  # [B, 1, S, S]
        colour = (255 * _colours(len(here), rng)[..., None, None] * light).round().byte()
        pixels = torch.where(inside[:, None], colour, pixels)
        label = cutouts.labels[here].add(1).byte()
        masks = torch.where(inside, label[:, None, None], masks)
    objects = Objects(2 * which + (split == "test"), box, flip)
    regions = ("background", *cutouts.classes)
    return Images(pixels, cutouts.labels[which[:, 0]], masks, cutouts.classes, regions, objects)


def _boxes(
    frame: Float[Tensor, "B O 4"], size: tuple[float, float], rng: Generator
) -> Float[Tensor, "B O 4"]:
    """Draw boxes of random sizes, the largest first, at random places inside the scene."""
    longest = size[0] + (size[1] - size[0]) * torch.rand(frame.shape[:2], generator=rng)
    longest = longest.sort(dim=1, descending=True).values[..., None]  # [B, O, 1]
    extent = longest * frame[..., 2:] / frame[..., 2:].amax(dim=-1, keepdim=True)
    corner = torch.rand(extent.shape, generator=rng) * (1 - extent)
    return torch.cat([corner, extent], dim=-1)


def _render(
    shade: UInt8[Tensor, "B s s"],
    inside: Bool[Tensor, "B s s"],
    frame: Float[Tensor, "B 4"],
    box: Float[Tensor, "B 4"],
    flip: Bool[Tensor, " B"],
    side: int,
) -> tuple[Float[Tensor, "B S S"], Bool[Tensor, "B S S"]]:
    """Draw the object into its box: shading 0..255 and silhouette, in pixels of the scene."""
    n = shade.shape[-1]
    rows = _weights(frame[:, 0::2], box[:, 0::2], torch.zeros_like(flip), n, side)  # [B, S, s]
    columns = _weights(frame[:, 1::2], box[:, 1::2], flip, n, side).transpose(1, 2)
    cover = rows @ inside.float() @ columns  # [B, S, S], 0..STEPS²
    light = rows @ (inside * shade).float() @ columns
    return light / cover.clamp(min=1), 2 * cover >= STEPS**2


def _weights(
    frame: Float[Tensor, "B 2"],
    box: Float[Tensor, "B 2"],
    flip: Bool[Tensor, " B"],
    n: int,
    side: int,
) -> Float[Tensor, "B S s"]:
    """Return the share of each of `n` cut-out pixels in each scene pixel, along one axis.

    Bilinear, widened when the object shrinks; in whole steps of 1/STEPS.
    """
    (start, length), (corner, extent) = frame.T[..., None], box.T[..., None]  # [B, 1] each
    place = ((torch.arange(side) + 0.5) / side - corner) / extent  # [B, S], fractions of the box
    place = torch.where(flip[:, None], 1 - place, place)
    centre = (start + length * place)[..., None] - (torch.arange(n) + 0.5)  # [B, S, s], pixels
    reach = (length / (extent * side)).clamp(min=1)[..., None]
    return ((1 - centre.abs() / reach).clamp(min=0) / reach * STEPS).round()


def _colours(n: int, rng: Generator) -> Float[Tensor, "n 3"]:
    """Draw random hues, saturation 0.3..1, brightest channel 0.6..1, independent of the class."""
    hue, saturation, value = torch.rand(3, n, 1, generator=rng)
    channel = (hue * 6 + torch.tensor([0.0, 4.0, 2.0])) % 6  # [n, 3]
    pure = ((channel - 3).abs() - 1).clamp(0, 1)
    return (0.6 + 0.4 * value) * (1 - (0.3 + 0.7 * saturation) * (1 - pure))


def _backgrounds(
    photographs: list[list[Tensor]], n: int, side: int, rng: Generator
) -> UInt8[Tensor, "n 3 S S"]:
    """Cut windows of the photographs at random zooms and places, half of them mirrored."""
    sources = [level for levels in photographs for level in levels]
    source = torch.randint(len(sources), (n,), generator=rng)
    place, mirror = torch.rand(n, 2, generator=rng), torch.rand(n, generator=rng) < 0.5
    pixels = torch.empty(n, 3, side, side, dtype=torch.uint8)
    for index, picture in enumerate(sources):
        mine = (source == index).nonzero()[:, 0]
        windows = picture.unfold(1, side, 1).unfold(2, side, 1)  # [3, rows, columns, S, S]
        y, x = (place[mine] * torch.tensor(windows.shape[1:3])).long().unbind(1)
        pixels[mine] = windows[:, y, x].transpose(0, 1)
    return torch.where(mirror[:, None, None, None], pixels.flip(3), pixels)

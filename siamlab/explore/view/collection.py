"""Collection: the images of the map, their features under each model, and all thumbnails at once.

collection = Collection(images, "cifar10");  collection.pooled(model)       # [n, D], computed once
"""

import io
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float16
from PIL import Image
from torch import Tensor, nn

from siamlab import probe
from siamlab.component import UserError
from siamlab.data import Images
from siamlab.explore.view.photos import Photo, Refused, photograph

TILE = 48  # pixels: side of a thumbnail
MOST = 4000  # images: their thumbnails are one picture, which browsers show up to some size
FEWEST = 3  # for a plane through their features


class Collection:
    """Images of a source, and the mean patch feature of each under the models that were asked."""

    def __init__(self, images: Images, name: str):
        if not FEWEST <= len(images.labels) <= MOST:
            raise UserError(
                f"data={name} gives {len(images.labels)} images, but a map takes {FEWEST} to "
                f"{MOST:,}; choose with --images, or leave the data out"
            )
        self.images: Images = images
        self.name: str = name

    def about(self) -> dict[str, Any]:
        """Return the name, the label of each image (-1: unknown), the classes and the sheet."""
        return {
            "name": self.name,
            "labels": self.images.labels.tolist(),
            "classes": list(self.images.classes),
            "tile": TILE,
            "across": self._across(),
        }

    def pooled(self, model: nn.Module) -> Float16[Tensor, "n D"]:
        """Mean patch features of all images."""
        return halved(probe.features(model, self.images.pixels).pooled)

    def photo(self, number: int) -> Photo:
        """Return an image as a photograph to look at. Raises Refused if there is none."""
        count = len(self.images.labels)
        if not 0 <= number < count:
            raise Refused(f"image {number} must be from 0 to {count - 1}: {self.name}", 404)
        return photograph(f"{self.name} {number}", torch.clone(self.images.pixels[number]))

    def sheet(self) -> bytes:
        """Return a JPEG with all thumbnails, row by row, `across` in each row."""
        across = self._across()
        count = len(self.images.labels)
        sheet = np.zeros((-(-count // across) * TILE, across * TILE, 3), np.uint8)
        for i in range(count):
            part = self.images.pixels[i][None].float()
            small = F.interpolate(part, (TILE, TILE), mode="bilinear", antialias=True)
            top, left = i // across * TILE, i % across * TILE
            tile = small[0].round().byte().permute(1, 2, 0).numpy()
            sheet[top : top + TILE, left : left + TILE] = tile
        Image.fromarray(sheet).save(file := io.BytesIO(), format="JPEG", quality=85)
        return file.getvalue()

    def _across(self) -> int:
        return math.ceil(math.sqrt(len(self.images.labels)))


def halved(features: Float[Tensor, "n D"]) -> Float16[Tensor, "n D"]:
    """Features in half precision, which keeps three digits and ends at 65,504."""
    most = torch.finfo(torch.float16).max
    return features.clamp(-most, most).half().cpu()

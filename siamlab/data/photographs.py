"""Photographs inside the package, to show what an encoder does without fetching anything.

images = Photographs()("test")   # eleven, without labels
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from pydantic import Field
from torch import Tensor

from siamlab.data.cache import cached
from siamlab.data.fashion import ASSETS, Split
from siamlab.data.images import DataChoice, Images, plain
from siamlab.data.resize import square

NAMES = (  # things first, textures last
    *("chelsea", "raccoon", "coffee", "astronaut", "rocket", "camera"),
    *("retina", "hubble_deep_field", "gravel", "brick", "grass"),
)


class Photographs(DataChoice):
    """Eleven photographs in the public domain, to look at: both splits are the same."""

    licence: ClassVar[str] = "CC0 or public domain, each listed next to the files"
    origin: ClassVar[str] = "inside the package"

    kind: Literal["photographs"] = "photographs"
    side: int = Field(
        default=192, ge=1, le=4096, description="side of the stored square image, pixels"
    )

    def __call__(self, split: Split) -> Images:
        return cached(self.model_dump() | {"split": split, "names": NAMES}, self._read)

    def _read(self, skipped: list[str]) -> Iterator[Images]:
        pixels = torch.cat([square(_photograph(name)[None], self.side) for name in NAMES])
        yield plain(pixels, torch.full((len(NAMES),), -1), ())


def _photograph(name: str) -> UInt8[Tensor, "3 h w"]:
    with Image.open(ASSETS / f"photographs/{name}.png") as file:
        return torch.from_numpy(np.array(file.convert("RGB"))).permute(2, 0, 1)

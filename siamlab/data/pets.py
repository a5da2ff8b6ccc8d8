"""Oxford-IIIT Pet, read from its photographs, lists and trimaps.

images = Pets(path="datasets")("train")   # datasets/oxford-iiit-pet; masks 0, 1 and 255
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from pydantic import Field
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.cache import cached
from siamlab.data.decode import central, decode, decode_all, opening, stacked
from siamlab.data.fashion import Split
from siamlab.data.folder import Files, refuse_all_unreadable
from siamlab.data.images import DataChoice, Images, no_objects
from siamlab.data.published import DOWNLOAD, PATH, home, published_files
from siamlab.machine.files import text_in

FOLDER = "oxford-iiit-pet"
BREEDS = 37
TRIMAP = torch.tensor([255, 1, 0, 255], dtype=torch.uint8)  # of 1 pet, 2 background, 3 border


class Pets(DataChoice):
    """Oxford-IIIT Pet: 7,349 photographs of 37 breeds of cats and dogs, with outlines."""

    licence: ClassVar[str] = "CC BY-SA 4.0 (Parkhi et al. 2012)"
    origin: ClassVar[str] = "https://www.robots.ox.ac.uk/~vgg/data/pets"

    kind: Literal["pets"] = "pets"
    path: str = PATH
    download: bool = DOWNLOAD
    side: int = Field(
        default=128, ge=1, le=4096, description="side of the stored square image, pixels"
    )

    def __call__(self, split: Split) -> Images:
        stamp = published_files(self, FOLDER, "OxfordIIITPet")
        files = listed(home(self, FOLDER) / FOLDER, split)

        def build(skipped: list[str]) -> Iterator[Images]:
            work = lambda image: _both(files.root, image, self.side)  # noqa: E731
            for piece in decode_all(files.paths, work, skipped, lambda f: f.name):
                labels = torch.tensor([files.labels[index] for index, _ in piece])
                results = [result for _, result in piece]
                pixels, masks = (stacked(part) for part in zip(*results, strict=True))
                regions = ("background", "pet")
                yield Images(pixels, labels, masks, files.classes, regions, no_objects(len(piece)))
            refuse_all_unreadable(files, skipped, split)

        return cached(self.model_dump() | {"split": split, "files": stamp}, build)


def listed(root: Path, split: Split) -> Files:
    """Return the files in the list of a split; a line is name, breed from 1, species, its breed."""
    listing = root / "annotations" / {"train": "trainval.txt", "test": "test.txt"}[split]
    try:
        rows = [line.split() for line in text_in(listing).splitlines() if line[:1] != "#"]
        names, breeds = [row[0] for row in rows], [int(row[1]) - 1 for row in rows]
        if strange := [
            row[1] for row, breed in zip(rows, breeds, strict=True) if not 0 <= breed < BREEDS
        ]:
            raise ValueError(f"breed {strange[0]} is not 1 to {BREEDS}")
        called = {breed: name.rsplit("_", 1)[0] for name, breed in zip(names, breeds, strict=True)}
        classes = [called.get(b, f"breed_{b + 1}") for b in range(max(called) + 1)]
    except (OSError, ValueError, IndexError) as error:
        raise UserError(
            f"data.path: {listing} must list names and breeds, but could not be read ({error}); "
            "set data.path to a whole copy, or remove it and set data.download=true"
        ) from error
    paths = [root / "images" / f"{name}.jpg" for name in names]
    return Files(root, paths, breeds, tuple(c.replace("_", " ") for c in classes))


def decode_trimap(file: Path, side: int) -> UInt8[Tensor, "S S"]:
    """Return 0 background, 1 pet, 255 border; cropped like the image, resized by nearest pixel."""
    with opening(file) as image:
        image = central(image).resize((side, side), Image.Resampling.NEAREST)
    return TRIMAP[torch.from_numpy(np.array(image)).long()]


def _both(root: Path, image: Path, side: int) -> tuple[Tensor, Tensor]:
    trimap = root / "annotations/trimaps" / f"{image.stem}.png"
    return decode(image, side), decode_trimap(trimap, side)

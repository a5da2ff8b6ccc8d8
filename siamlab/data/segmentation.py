"""Images that each have a mask: your own, or a public set for segmentation.

images = Segmentation(path="VOCdevkit/VOC2012", side=448)("train")     # masks by region, 255 void
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from pydantic import Field
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.cache import cached, fingerprint
from siamlab.data.decode import central, decode, decode_all, stacked
from siamlab.data.fashion import Split
from siamlab.data.folder import TEST_FRACTION, refuse_all_unreadable
from siamlab.data.frames import upright_size
from siamlab.data.images import DataChoice, Images, no_objects
from siamlab.data.layouts import Layout, recognised
from siamlab.data.masks import counted, mask_regions, refuse_missing, whole
from siamlab.machine.files import expanded


class Segmentation(DataChoice):
    """Images with a mask each: your own images/ and masks/, PASCAL VOC 2012, ADE20K, Cityscapes."""

    licence: ClassVar[str] = "that of your files"
    origin: ClassVar[str] = "data.path"

    kind: Literal["segmentation"] = "segmentation"
    path: str = Field(
        default="", description="folder of images/ and masks/, or of VOC2012, ADE20K or Cityscapes"
    )
    test_fraction: float = TEST_FRACTION
    side: int = Field(
        default=224, ge=1, le=4096, description="side of the stored square image and mask, pixels"
    )
    mask_side: int = Field(
        default=0, ge=0, le=4096,
        description="side of the stored mask, at which answers are scored; 0: that of the image",
    )  # fmt: skip

    def __call__(self, split: Split) -> Images:
        root = expanded(self.path).absolute()
        if not self.path or not root.is_dir():
            found = f"{root} is not a folder" if self.path else "it is empty"
            raise UserError(
                f"data.path={self.path!r} must be a folder of images and their masks, but {found}; "
                "set data.path to where they are"
            )
        layout = recognised(root, split, self.test_fraction)
        files = layout.files
        masks = [layout.mask(file) for file in files.paths]
        refuse_missing(files.paths, masks)
        stamp = fingerprint([*files.paths, *masks])
        key = self.model_dump() | {"split": split, "names": layout.regions, "files": stamp}
        return cached(key, partial(_build, layout, self.side, self.mask_side or self.side, split))


def _build(
    layout: Layout, side: int, mask_side: int, split: Split, skipped: list[str]
) -> Iterator[Images]:
    layout = layout if layout.regions else counted([layout])[0]
    files, name = layout.files, lambda f: str(f.relative_to(layout.files.root))
    for piece in decode_all(files.paths, partial(_pair, layout, side, mask_side), skipped, name):
        labels = torch.tensor([files.labels[index] for index, _ in piece])
        results = [whole(result) for _, result in piece]
        pixels, masks = (stacked(part) for part in zip(*results, strict=True))
        objects = no_objects(len(piece))
        yield Images(pixels, labels, masks, files.classes, layout.regions, objects)
    refuse_all_unreadable(files, skipped, split)


def _pair(
    layout: Layout, side: int, mask_side: int, image: Path
) -> tuple[Tensor, Tensor] | UserError:
    regions = mask_regions(layout, image, upright_size(image)[::-1])
    if isinstance(regions, UserError):
        return regions
    return decode(image, side), _resized(regions, mask_side)


def _resized(regions: np.ndarray, side: int) -> UInt8[Tensor, "S S"]:
    """The centre square of a mask, by the nearest pixel: region numbers cannot be averaged."""
    square = central(Image.fromarray(regions)).resize((side, side), Image.Resampling.NEAREST)
    return torch.from_numpy(np.array(square))

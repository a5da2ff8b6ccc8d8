"""Cut-out objects: what `Scenes` places over its photographs.

cutouts = FashionObjects()("train")   # shading, silhouette and class of each object
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from PIL import Image, ImageOps
from pydantic import Field
from torch import Tensor

from siamlab.component import Component, UserError
from siamlab.data.cache import fingerprint
from siamlab.data.decode import decode_all, eight_bits, opening
from siamlab.data.fashion import CLASSES, Source, Split, fashion_files, garments
from siamlab.data.folder import (
    TEST_FRACTION,
    TEST_PATH,
    Files,
    refuse_all_unreadable,
    split_files,
)

INK = 16  # of 255: darker than this is the black behind a garment


class Cutouts(NamedTuple):
    shade: UInt8[Tensor, "n S S"]  # grey, the lighter the more light it returns
    inside: Bool[Tensor, "n S S"]  # the silhouette
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...]


class FashionObjects(Component):
    """Garments of Fashion-MNIST, cut from their black background."""

    kind: Literal["fashion"] = "fashion"
    source: Source = Field(
        default="shipped", description="12,000 shipped images, or the full 70,000"
    )
    path: str = Field(
        default="",
        description="folder of the full set's idx files; empty: search, then download",
    )

    def __call__(self, split: Split, skipped: list[str]) -> Cutouts:
        grey, labels = garments(self.source, self.path, split)
        return Cutouts(grey, silhouette(grey > INK), labels, CLASSES)

    def files(self, split: Split) -> str:
        """Return a fingerprint of the files behind the objects."""
        with of_objects():
            return fashion_files(self.source, self.path, split)


class FolderObjects(Component):
    """Your own objects: class folders of images with transparency or on a plain background."""

    kind: Literal["folder"] = "folder"
    path: str = Field(default="", description="folder of one folder for each class")
    test_path: str = TEST_PATH
    test_fraction: float = TEST_FRACTION
    side: int = Field(
        default=64, ge=4, le=1024, description="longer side of a stored object, pixels"
    )
    tolerance: int = Field(
        default=24,
        ge=0,
        le=254,
        description="levels of 255 by which an object differs from its border",
    )

    def __call__(self, split: Split, skipped: list[str]) -> Cutouts:
        files = self._files(split)
        shade, inside, labels = [], [], []
        for piece in decode_all(files.paths, self._cut, skipped, lambda f: f.name):
            for index, (grey, shape) in piece:
                shade.append(grey), inside.append(shape), labels.append(files.labels[index])
        with of_objects():
            refuse_all_unreadable(files, skipped, split)
        return Cutouts(torch.stack(shade), torch.stack(inside), torch.tensor(labels), files.classes)

    def files(self, split: Split) -> str:
        """Return a fingerprint of the files behind the objects."""
        return fingerprint(self._files(split).paths)

    def _files(self, split: Split) -> Files:
        with of_objects():
            files = split_files(self.path, self.test_path, self.test_fraction, split)
        if -1 in files.labels:
            raise UserError(
                f"data.objects.path={self.path!r} must hold its images in one folder for each "
                f"class, but {files.paths[files.labels.index(-1)].name} is in none; move it to one"
            )
        return files

    def _cut(self, file: Path) -> tuple[Tensor, Tensor]:
        return cut(file, self.side, self.tolerance)


@contextmanager
def of_objects() -> Iterator[None]:
    """Rename keys in a UserError: `data.path` is `data.objects.path` here, and so on."""
    try:
        yield
    except UserError as mistake:
        keys = r"\bdata\.(?=(path|test_path|source)\b)"
        raise UserError(re.sub(keys, "data.objects.", str(mistake))) from None


ObjectSource = Annotated[FashionObjects | FolderObjects, Field(discriminator="kind")]


def cut(file: Path, side: int, tolerance: int) -> tuple[UInt8[Tensor, "S S"], Bool[Tensor, "S S"]]:
    """Return shading and silhouette of the object in a file, longer side `side` pixels.

    The object is what is opaque, or, in an opaque image, what differs from the median colour of
    the border by more than `tolerance`, with its holes. Raises ValueError if there is none.
    """
    with opening(file) as image:
        image = eight_bits(ImageOps.exif_transpose(image))
    image = ImageOps.contain(image.convert("RGBA"), (side, side), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)  # [4, h, w]
    inside = pixels[3] > 127
    if inside.all():  # no pixel is transparent, even if the format could hold some
        inside = silhouette(differs(pixels[:3], tolerance)[None])[0]
    if not inside.any():
        raise ValueError(f"{file} shows no object")
    rest = (0, side - image.width, 0, side - image.height)
    return F.pad(torch.from_numpy(np.array(image.convert("L"))), rest), F.pad(inside, rest)


def differs(pixels: UInt8[Tensor, "3 h w"], tolerance: int) -> Bool[Tensor, "h w"]:
    """Return where a channel differs from the border's median by more than `tolerance`."""
    edges = [pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]]
    plain = torch.cat(edges, dim=1).median(dim=1).values
    return (pixels.int() - plain[:, None, None].int()).abs().amax(dim=0) > tolerance


def silhouette(ink: Bool[Tensor, "n H W"]) -> Bool[Tensor, "n H W"]:
    """Return the ink and its holes: everything not connected to the border by background."""
    free = F.pad(~ink, (1, 1, 1, 1), value=True).permute(1, 2, 0).contiguous()  # [H, W, n]
    reached = torch.zeros_like(free)
    reached[0] = True
    while True:  # mostly once or twice, at most as often as the longest spiral turns
        before = reached.clone()
        _sweep(reached, free)
        _sweep(reached.transpose(0, 1), free.transpose(0, 1))
        if torch.equal(before, reached):
            return ~reached[1:-1, 1:-1].permute(2, 0, 1)


def frames(inside: Bool[Tensor, "n H W"]) -> Float[Tensor, "n 4"]:
    """Return the tight box of each silhouette: top, left, height, width in pixels."""
    rows, columns = inside.any(dim=2), inside.any(dim=1)
    (top, height), (left, width) = _extent(rows), _extent(columns)
    return torch.stack([top, left, height, width], dim=1).float()


def _extent(line: Bool[Tensor, "n L"]) -> tuple[Tensor, Tensor]:
    first = line.byte().argmax(dim=1)
    last = line.shape[1] - 1 - line.flip(1).byte().argmax(dim=1)
    return first, last - first + 1


def _sweep(lines: Tensor, free: Tensor) -> None:
    """Spread along free places, from each line to the next and back again; in place."""
    last = len(lines) - 1
    for here in range(last):
        lines[here + 1] |= lines[here] & free[here + 1]
    for here in range(last, 0, -1):
        lines[here - 1] |= lines[here] & free[here - 1]

"""Fashion-MNIST: 10 kinds of clothes, grey, 28 px; a tenth of it ships inside the package.

images = Fashion()("train")   # 10,000 train and 2,000 test; Fashion(source="full") has 70,000
"""

import gzip
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from pydantic import Field
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.cache import cache_root, cached, fingerprint
from siamlab.data.images import DataChoice, Images, plain
from siamlab.data.resize import square
from siamlab.machine.files import expanded

ASSETS = Path(__file__).parent / "assets"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist
CLASSES = (
    *("T-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
Split = Literal["train", "test"]
Source = Literal["shipped", "full"]


class Fashion(DataChoice):
    """Fashion-MNIST, 10 kinds of clothes: 12,000 images shipped inside the package, or all."""

    licence: ClassVar[str] = "MIT, (c) 2017 Zalando SE"
    origin: ClassVar[str] = "inside the package; full: Debian's files or a download"

    kind: Literal["fashion"] = "fashion"
    source: Source = Field(
        default="shipped", description="12,000 shipped images, or the full 70,000"
    )
    path: str = Field(
        default="",
        description="folder of the full set's idx files; empty: search, then download",
    )
    side: int = Field(default=28, ge=1, le=4096, description="side of the stored image, pixels")

    def __call__(self, split: Split) -> Images:
        files = fashion_files(self.source, self.path, split)
        key = self.model_dump() | {"split": split, "files": files}
        return cached(key, lambda _: [self._images(split)])

    def _images(self, split: Split) -> Images:
        grey, labels = garments(self.source, self.path, split)
        return plain(square(grey[:, None].expand(-1, 3, -1, -1), self.side), labels, CLASSES)


def garments(
    source: Source, path: str, split: Split
) -> tuple[UInt8[Tensor, "n 28 28"], Int64[Tensor, " n"]]:
    """Return grey images on black, and their classes."""
    if source == "shipped":
        return _shipped(split)
    images, labels = (_idx(file) for file in _full(path, split))
    return images, labels.long()


def fashion_files(source: Source, path: str, split: Split) -> str:
    """Return a fingerprint of the files behind `source` and `path`; "" for the shipped ones."""
    return fingerprint(_full(path, split)) if source == "full" else ""


def _shipped(split: Split) -> tuple[Tensor, Tensor]:
    """Cut a mosaic into tiles of 28 px, row by row; tile k is of class k modulo 10."""
    mosaic = torch.from_numpy(np.array(Image.open(ASSETS / f"fashion-{split}.png")))
    tiles = mosaic.unfold(0, 28, 28).unfold(1, 28, 28).reshape(-1, 28, 28)
    return tiles, torch.arange(len(tiles)) % 10


def _full(path: str, split: Split) -> list[Path]:
    """Return the idx files of images and labels, from `path`, Debian's package or a download."""
    stem = {"train": "train", "test": "t10k"}[split]
    names = f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte"
    downloads = cache_root() / "downloads"
    for folder in [expanded(path)] if path else [DEBIAN, downloads / "FashionMNIST/raw"]:
        found = [f for n in names for f in [folder / n, folder / f"{n}.gz"] if f.is_file()]
        if len({f.name.removesuffix(".gz") for f in found}) == 2:
            return [next(f for f in found if f.name.startswith(n)) for n in names]
    if path:
        raise UserError(
            f"data.path={path!r} must be a folder with {names[0]}.gz and {names[1]}.gz; "
            'leave it empty to download them, or use data.source="shipped"'
        )
    _download(downloads)
    return [downloads / "FashionMNIST/raw" / name for name in names]


def _download(folder: Path) -> None:
    from torchvision.datasets import FashionMNIST

    try:
        FashionMNIST(str(folder), download=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f'data.source="full" needs the Fashion-MNIST files, which are not in {DEBIAN} and '
            f"could not be downloaded ({error}); install Debian's dataset-fashion-mnist, set "
            'data.path to their folder, or use data.source="shipped"'
        ) from error


def _idx(file: Path) -> UInt8[Tensor, "..."]:
    """Read an idx file: two zeros, type 8, rank, sizes as big-endian int32, then the bytes."""
    try:
        raw = gzip.open(file).read() if file.suffix == ".gz" else file.read_bytes()
        rank = raw[3]
        shape = np.frombuffer(raw, ">i4", count=rank, offset=4)
        data = np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)
        return torch.from_numpy(data.copy())
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise UserError(
            f"data.path: {file} must be a whole idx file, but could not be read ({error}); "
            'fetch it again or use data.source="shipped"'
        ) from error

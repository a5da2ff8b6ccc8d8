"""CIFAR-10 and CIFAR-100, read from their Python pickles.

images = Cifar10(path="datasets")("train")   # datasets/cifar-10-batches-py
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field

from siamlab.data.cache import cached
from siamlab.data.fashion import Split
from siamlab.data.images import DataChoice, Images
from siamlab.data.published import DOWNLOAD, PATH, pieces, published_files, read

SIDE = Field(default=32, ge=1, le=4096, description="side of the stored image, pixels")


class Cifar10(DataChoice):
    """CIFAR-10: 60,000 photographs of 10 kinds of things, 32 px."""

    licence: ClassVar[str] = "none stated; for research (Krizhevsky 2009)"
    origin: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/cifar.html"

    kind: Literal["cifar10"] = "cifar10"
    path: str = PATH
    download: bool = DOWNLOAD
    side: int = SIDE

    def __call__(self, split: Split) -> Images:
        return _cifar(self, "cifar-10-batches-py", "CIFAR10", split)


class Cifar100(DataChoice):
    """CIFAR-100: 60,000 photographs of 100 kinds of things, 32 px."""

    licence: ClassVar[str] = "none stated; for research (Krizhevsky 2009)"
    origin: ClassVar[str] = "https://www.cs.toronto.edu/~kriz/cifar.html"

    kind: Literal["cifar100"] = "cifar100"
    path: str = PATH
    download: bool = DOWNLOAD
    side: int = SIDE

    def __call__(self, split: Split) -> Images:
        return _cifar(self, "cifar-100-python", "CIFAR100", split)


def _cifar(data: Cifar10 | Cifar100, folder: str, name: str, split: Split) -> Images:
    def build(_: list[str]) -> Iterator[Images]:
        cifar = read(data, folder, name, train=split == "train")
        pixels = torch.from_numpy(cifar.data).permute(0, 3, 1, 2)
        labels = torch.as_tensor(cifar.targets).long()
        return pieces(pixels, labels, cifar.classes, data.side)

    files = published_files(data, folder, name)
    return cached(data.model_dump() | {"split": split, "files": files}, build)

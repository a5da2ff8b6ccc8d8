"""STL-10, read from its binary files.

images = Stl10(path="datasets")("train")   # datasets/stl10_binary; label -1 where it has none
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field

from siamlab.data.cache import cached
from siamlab.data.fashion import Split
from siamlab.data.images import DataChoice, Images
from siamlab.data.published import DOWNLOAD, PATH, pieces, published_files, read


class Stl10(DataChoice):
    """STL-10: 10 kinds of things, 96 px; 5,000 labelled and 100,000 unlabelled for training."""

    licence: ClassVar[str] = "none stated; for research, from ImageNet (Coates et al. 2011)"
    origin: ClassVar[str] = "https://cs.stanford.edu/~acoates/stl10"

    kind: Literal["stl10"] = "stl10"
    path: str = PATH
    download: bool = DOWNLOAD
    train: Literal["all", "labelled"] = Field(
        default="all", description="training images: with or without the unlabelled ones"
    )
    side: int = Field(default=96, ge=1, le=4096, description="side of the stored image, pixels")

    def __call__(self, split: Split) -> Images:
        part = "train+unlabeled" if self.train == "all" and split == "train" else split

        def build(_: list[str]) -> Iterator[Images]:
            stl = read(self, "stl10_binary", "STL10", split=part)
            labels = torch.as_tensor(stl.labels).long()
            return pieces(torch.from_numpy(stl.data), labels, stl.classes, self.side)

        files = published_files(self, "stl10_binary", "STL10")
        return cached(self.model_dump() | {"split": split, "files": files}, build)

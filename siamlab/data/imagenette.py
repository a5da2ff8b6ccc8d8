"""Imagenette, read from its class folders.

images = Imagenette(path="datasets")("train")   # datasets/imagenette2-160/train/n01440764/...
"""

from typing import ClassVar, Literal

from pydantic import Field

from siamlab.component import UserError
from siamlab.data.fashion import Split
from siamlab.data.folder import decoded, find_files
from siamlab.data.images import DataChoice, Images
from siamlab.data.published import DOWNLOAD, PATH, home, published_files

FOLDERS = {"160px": "imagenette2-160", "320px": "imagenette2-320", "full": "imagenette2"}
CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


class Imagenette(DataChoice):
    """Imagenette: 13,394 photographs of 10 easily distinguished classes of ImageNet."""

    licence: ClassVar[str] = "Apache-2.0 (the collection); photographs: terms of ImageNet"
    origin: ClassVar[str] = "https://github.com/fastai/imagenette"

    kind: Literal["imagenette"] = "imagenette"
    path: str = PATH
    download: bool = DOWNLOAD
    size: Literal["160px", "320px", "full"] = Field(
        default="160px", description="published version"
    )
    side: int = Field(
        default=160, ge=1, le=4096, description="side of the stored square image, pixels"
    )

    def __call__(self, split: Split) -> Images:
        folder = FOLDERS[self.size]
        published_files(self, folder, "Imagenette", size=self.size)
        part = {"train": "train", "test": "val"}[split]
        files = find_files(str(home(self, folder) / folder / part), "data.path")
        if -1 in files.labels or (strange := set(files.classes) - CLASSES.keys()):
            what = "images next to folders" if -1 in files.labels else ", ".join(sorted(strange))
            raise UserError(
                f"data.path: {files.root} must hold the class folders of Imagenette "
                f"({', '.join(CLASSES)}), but has {what}; use data=folder for other images"
            )
        labels = [list(CLASSES).index(files.classes[label]) for label in files.labels]
        named = files._replace(labels=labels, classes=tuple(CLASSES.values()))
        return decoded(self, split, named, self.side)

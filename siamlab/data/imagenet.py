"""ImageNet, and the test sets with its classes: ImageNet-A, -R, -Sketch and -C.

train = ImageNet(path="imagenet")("train")                  # imagenet/train/n01440764/...
test = ImageNet(path="imagenet", test="a", test_path="imagenet-a")("test")
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.decode import decode, decode_all, stacked
from siamlab.data.fashion import Split
from siamlab.data.folder import Files, decoded, drawn, find_files, only
from siamlab.data.images import DataChoice, Drawn, Images, draw, middle, plain
from siamlab.machine.files import expanded, text_in
from siamlab.machine.terminal import caution

PART = 2000  # images that are decoded together: 0.4 GB at 256 pixels
WORDNET = re.compile(r"n\d{8}")


class CompleteSet(NamedTuple):
    """The classes and images that a complete copy of a test set has."""

    name: str
    classes: int
    images: int


SETS = {
    "val": CompleteSet("ImageNet's validation set", 1000, 50_000),  # Russakovsky et al. 2015
    "a": CompleteSet("ImageNet-A", 200, 7_500),  # Hendrycks et al. 2021
    "r": CompleteSet("ImageNet-R", 200, 30_000),  # Hendrycks et al. 2021
    "sketch": CompleteSet("ImageNet-Sketch", 1000, 50_889),  # Wang et al. 2019
    "c": CompleteSet("ImageNet-C", 1000, 50_000),  # Hendrycks & Dietterich 2019; of each severity
}
Corruption = Literal[
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur",
    "zoom_blur", "snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate",
    "jpeg_compression",
]  # fmt: skip


class ImageNet(DataChoice):
    """ImageNet's 1,000 classes, tested on its own images, ImageNet-A, -R, -Sketch or -C."""

    licence: ClassVar[str] = "for research; terms of ImageNet and of each test set"
    origin: ClassVar[str] = "https://image-net.org, data.test_path"

    kind: Literal["imagenet"] = "imagenet"
    path: str = Field(default="", description="folder of train/ and val/, of class folders")
    test: Literal["val", "a", "r", "sketch", "c"] = Field(
        default="val", description="test images: ImageNet's own, or ImageNet-A, -R, -Sketch, -C"
    )
    test_path: str = Field(default="", description="folder of another test set than val")
    corruption: Corruption = Field(default="gaussian_noise", description="of ImageNet-C")
    severity: int = Field(default=3, ge=1, le=5, description="of the corruption of ImageNet-C")
    subset: str = Field(
        default="", description="file of the training images' names, such as 1percent.txt; or all"
    )
    side: int = Field(
        default=256, ge=1, le=4096, description="side of the stored square image, pixels"
    )
    crop: float = Field(
        default=0.875,
        gt=0,
        le=1,
        description="share of this side that models are measured on, the middle, as 224 of 256 "
        "pixels are published; training sees all, and images of ImageNet-C are cut already",
    )

    def __call__(self, split: Split) -> Images:
        return decoded(self, split, self._files(split), self.side)

    def sample(self, split: Split, n: int | None) -> Drawn:
        found = drawn(self, split, self._files(split), self.side, n)
        return found._replace(images=self.evaluated(found.images, split))

    def evaluated(self, images: Images, split: Split) -> Images:
        corrupted = split == "test" and self.test == "c"
        return images if corrupted else middle(images, self.crop)

    def _files(self, split: Split) -> Files:
        train = self._train()
        return train if split == "train" else self._test(train.classes)

    def test_parts(self, classes: tuple[str, ...], n: int | None = None) -> Iterator[Images]:
        """Yield at most `n` test images, PART at a time; they do not go into the cache.

        The 75 sets of ImageNet-C would take 740 GB there. The same `n` draws images of the same
        names from each of them. `classes` are those of the training images.
        """
        files = self._test(classes)
        index = draw(torch.tensor(files.labels), n)
        index = torch.arange(len(files.paths)) if index is None else index
        for part in index.split(PART):
            chosen = only(files, part.tolist())
            labels = torch.tensor(chosen.labels)
            yield self.evaluated(_decoded_now(chosen.paths, labels, classes, self.side), "test")

    def test_names(self) -> list[str]:
        """Return the names of the test images below their folder, in order."""
        files = by_wordnet(self._test_folder(), "data.test_path")
        start = len(str(files.root)) + 1
        return [str(path)[start:] for path in files.paths]

    def _train(self) -> Files:
        files = by_wordnet(self._own("train"), "data.path")
        return _listed(files, self.subset) if self.subset else files

    def _test(self, classes: tuple[str, ...]) -> Files:
        key = "data.path" if self.test == "val" else "data.test_path"
        files, whole = by_wordnet(self._test_folder(), key), SETS[self.test]
        if strange := sorted(set(files.classes) - set(classes)):
            raise UserError(
                f"{key}: {files.root} has the class {strange[0]}, which {self.path}/train lacks; "
                f"give training images of all classes of {whole.name}"
            )
        if len(files.classes) != whole.classes or len(files.paths) < whole.images:
            caution(
                f"{files.root} has {len(files.paths):,} images of {len(files.classes):,} classes, "
                f"and {whole.name} {whole.images:,} of {whole.classes:,}: its numbers cannot be "
                "compared with published ones; download it again, or unpack all of it"
            )
        labels = [classes.index(files.classes[label]) for label in files.labels]
        return files._replace(labels=labels, classes=classes)

    def _own(self, part: str) -> Path:
        folder = expanded(self.path) / part
        if not self.path or not folder.is_dir():
            raise UserError(
                f"data.path={self.path!r} must be the folder of ImageNet with {part}/ in it, but "
                f"{f'{folder} is not a folder' if self.path else 'it is empty'}; set data.path to "
                "where train/ and val/ are"
            )
        return folder

    def _test_folder(self) -> Path | str:
        if self.test == "val":
            return self._own("val")
        if not self.test_path or self.test != "c":
            return self.test_path
        root = expanded(self.test_path)
        folder = root / self.corruption / str(self.severity)
        if root.is_dir() and not folder.is_dir():
            raise UserError(
                f"data.test_path={self.test_path!r} must hold ImageNet-C as folders of "
                f"corruption/severity/class, but {folder} is not there; unpack all of its archives "
                "into this folder"
            )
        return folder


def by_wordnet(folder: Path | str, key: str) -> Files:
    """Return the images of class folders by WordNet id; raises UserError for other folders."""
    files = find_files(str(folder), key)
    strange = [name for name in files.classes if not WORDNET.fullmatch(name)]
    if -1 in files.labels or strange:
        what = f"the folder {strange[0]}" if strange else "images next to folders"
        raise UserError(
            f"{key}: {files.root} must hold one folder for each class by its WordNet id, as "
            f"n01440764, but has {what}; sort the images into such folders, or use data=folder"
        )
    return files


def _decoded_now(paths: list[Path], labels: Tensor, classes: tuple[str, ...], side: int) -> Images:
    """The images of these files; raises UserError for one that cannot be read."""
    skipped: list[str] = []
    pieces = decode_all(paths, lambda path: decode(path, side), skipped, str)
    found = [pixels for piece in pieces for _, pixels in piece]
    if skipped:
        raise UserError(
            f"{skipped[0]} cannot be read ({len(skipped)} of {len(paths)} images cannot); unpack "
            "its archive again, or download it again"
        )
    return plain(stacked(found), labels, classes)


def _listed(files: Files, listing: str) -> Files:
    """Keep the images whose names a file lists, one per line."""
    try:
        names = text_in(expanded(listing)).split()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UserError(
            f"data.subset={listing!r} must be a file with a name of an image on each line, but "
            f"cannot be read ({why}); name the file, or leave it out"
        ) from None
    names = [Path(name).name for name in names]  # which have their class in them
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(
            f"data.subset={listing!r} lists {twice[0]} more than once, so that it would count "
            "twice; name each image once"
        )
    place = {path.name: i for i, path in enumerate(files.paths)}
    missing = [name for name in names if name not in place]
    if missing or not names:
        what = f"{missing[0]}, which {files.root} lacks" if missing else "no image"
        raise UserError(
            f"data.subset={listing!r} lists {what} ({len(missing):,} of {len(names):,} are "
            "missing); it must be the list of these training images, and all must be unpacked"
        )
    return only(files, [place[name] for name in names])

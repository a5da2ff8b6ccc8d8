"""A folder of image files: class folders, or flat without labels.

images = Folder(path="photos", side=64)("train")
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import Field

from siamlab.component import Component, UserError
from siamlab.data.cache import cached, fingerprint
from siamlab.data.decode import SUFFIXES, decode, decode_all, stacked
from siamlab.data.fashion import Split
from siamlab.data.images import DataChoice, Drawn, Images, draw, plain
from siamlab.machine.files import expanded, legible

MOST_FOLDERS = 10_000  # more than there are images
TEST_PATH = Field(default="", description="the same for testing; empty: hold out a part of path")
TEST_FRACTION = Field(default=0.1, gt=0, lt=1, description="share held out of each class")


class Files(NamedTuple):
    root: Path
    paths: list[Path]
    labels: list[int]  # index into `classes`; -1 without
    classes: tuple[str, ...]


class Folder(DataChoice):
    """Your own image files: a folder of class folders, or a flat one without labels."""

    licence: ClassVar[str] = "that of your files"
    origin: ClassVar[str] = "data.path"
    by_path: ClassVar[bool] = True

    kind: Literal["folder"] = "folder"
    path: str = Field(default="", description="folder of images, or of one folder for each class")
    test_path: str = TEST_PATH
    test_fraction: float = TEST_FRACTION
    side: int = Field(
        default=64, ge=1, le=4096, description="side of the stored square image, pixels"
    )

    def __call__(self, split: Split) -> Images:
        return decoded(self, split, self._files(split), self.side)

    def sample(self, split: Split, n: int | None) -> Drawn:
        return drawn(self, split, self._files(split), self.side, n)

    def file_names(self, split: Split) -> list[str]:
        files = self._files(split)
        return [legible(str(path.relative_to(files.root))) for path in files.paths]

    def _files(self, split: Split) -> Files:
        return split_files(self.path, self.test_path, self.test_fraction, split)


def decoded(data: Component, split: Split, files: Files, side: int) -> Images:
    """Return the decoded files, from the cache or into it; a warning names unreadable ones.

    Raises UserError if no file can be read.
    """

    def build(skipped: list[str]) -> Iterator[Images]:
        name = lambda f: str(f.relative_to(files.root))  # noqa: E731
        for piece in decode_all(files.paths, lambda f: decode(f, side), skipped, name):
            labels = torch.tensor([files.labels[index] for index, _ in piece])
            yield plain(stacked([pixels for _, pixels in piece]), labels, files.classes)
        refuse_all_unreadable(files, skipped, split)

    key = data.model_dump(exclude={"crop"}) | {"split": split, "files": fingerprint(files.paths)}
    return cached(key, build)


def drawn(data: Component, split: Split, files: Files, side: int, n: int | None) -> Drawn:
    """Return at most `n` of the files, decoded: a sample of a million needs no room for them."""
    index = draw(torch.tensor(files.labels), n)
    chosen = files if index is None else only(files, index.tolist())
    return Drawn(decoded(data, split, chosen, side), len(files.paths))


def refuse_all_unreadable(files: Files, skipped: list[str], split: Split) -> None:
    """Raise UserError if none of the images of a split could be read."""
    if len(skipped) == len(files.paths):
        use = "training" if split == "train" else "testing"
        raise UserError(
            f"{files.root} must hold images for {use} that can be read, but none of its "
            f"{len(skipped)} could ({', '.join(skipped[:5])}); replace them, or set data.path to "
            "other images"
        )


def split_files(path: str, test_path: str, test_fraction: float, split: Split) -> Files:
    """Return the files of one split: those of `test_path`, or held out by a hash of their names.

    A file stays in its split as long as its class has the same files; a class of two or more files
    has at least one in each split.
    """
    files = find_files(path, "data.path")
    if not test_path:
        return _keep(files, _held_out(files, test_fraction), split)
    if split == "train":
        return files
    test = find_files(test_path, "data.test_path")
    if strange := set(test.classes) - set(files.classes):
        raise UserError(
            f"data.test_path={test_path!r} must have the class folders of data.path, but it also "
            f"has {', '.join(sorted(strange)[:5])}; rename them or leave data.test_path empty"
        )
    names = [test.classes[label] if label >= 0 else None for label in test.labels]
    labels = [files.classes.index(name) if name else -1 for name in names]
    return Files(test.root, test.paths, labels, files.classes)


def find_files(path: str, key: str) -> Files:
    """Return all images below `path`, sorted; the first folder below it is the class."""
    root = expanded(path).absolute()
    if not path or not os.path.isdir(root):
        found = f"{root} is not a folder" if path else "it is empty"
        raise UserError(
            f"{key}={path!r} must be a folder of images, or of one folder for each class, but "
            f"{found}; set {key} to where your images are"
        )
    paths = sorted(_walk(root))
    if not paths:
        raise UserError(
            f"{key}={path!r} must hold images ({' '.join(SUFFIXES)}), but it has none; "
            f"set {key} to where your images are"
        )
    below = map(legible, _below(root, paths))
    folders = [name.partition("/")[0] if "/" in name else None for name in below]
    classes = tuple(sorted(set(folders) - {None}))
    _refuse_split_folders(path, key, classes)
    index = {name: i for i, name in enumerate(classes)}
    return Files(root, paths, [index.get(name, -1) for name in folders], classes)


def _below(root: Path, paths: list[Path]) -> list[str]:
    """Return the paths relative to `root`; `relative_to` takes seconds for a hundred thousand."""
    start = len(os.path.join(root, ""))
    return [str(path)[start:] for path in paths]


def _walk(root: Path) -> Iterator[Path]:
    """Yield visible files with the suffix of an image; links are followed, each folder once.

    Raises UserError for a folder that cannot be read: without it, it would be another set; and for
    many folders with few images, such as the root of a disk, which would take hours.
    """
    seen, images = set(), 0
    for folder, below, names in os.walk(root, onerror=_refuse_unreadable, followlinks=True):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if (real := os.path.realpath(folder)) in seen:
            below.clear()
            continue
        seen.add(real)
        if len(seen) > MOST_FOLDERS + images:
            raise UserError(
                f"{root} has {len(seen):,} folders or more but only {images:,} images in them; "
                "set data.path to a folder with only your images"
            )
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                images += 1
                yield Path(folder, name)


def _refuse_unreadable(error: OSError) -> None:
    raise UserError(
        f"the image folder {error.filename} cannot be read ({error.strerror}); make it readable, "
        "or move it out of data.path"
    ) from error


def _refuse_split_folders(path: str, key: str, classes: tuple[str, ...]) -> None:
    if "train" in classes and set(classes) <= {"train", "val", "valid", "validation", "test"}:
        other = next((name for name in classes if name != "train"), None)
        way = f"{path}/train" + (f" and data.test_path={path}/{other}" if other else "")
        raise UserError(
            f"{key}={path!r} must be a folder of class folders, but holds the splits "
            f"{', '.join(classes)}; set data.path={way}"
        )


def _held_out(files: Files, fraction: float) -> set[int]:
    """Return the indices of the test files: the first of each class by the hashes of names."""
    groups: dict[int, list[int]] = {}
    for index, label in enumerate(files.labels):
        groups.setdefault(label, []).append(index)
    held: set[int] = set()
    names = _below(files.root, files.paths)
    for group in groups.values():
        group.sort(key=lambda i: _hash(names[i]))
        held.update(group[: min(len(group) - 1, max(1, round(fraction * len(group))))])
    return held


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf8", "surrogateescape")).digest()


def _keep(files: Files, held: set[int], split: Split) -> Files:
    kept = [i for i in range(len(files.paths)) if (i in held) == (split == "test")]
    if not kept:
        raise UserError(
            f"data.path={str(files.root)!r} must hold at least two images of one class to hold "
            "some out for testing; add images or set data.test_path"
        )
    return only(files, kept)


def only(files: Files, index: list[int]) -> Files:
    """Return the files at `index`, in that order."""
    paths, labels = [files.paths[i] for i in index], [files.labels[i] for i in index]
    return files._replace(paths=paths, labels=labels)

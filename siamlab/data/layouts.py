"""Layouts of segmentation sets: which image has which mask, and what a mask's values mean.

layout = recognised(Path("VOCdevkit/VOC2012"), "train", held_out=0.1)
layout.mask(layout.files.paths[0])      # SegmentationClass/2007_000032.png
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from siamlab.component import UserError
from siamlab.data.fashion import Split
from siamlab.data.folder import Files, find_files, split_files
from siamlab.data.listing import listed_in, text_of

VOID, UNKNOWN = 255, 254  # a region that is not scored, and a value that must not occur
ADE20K = 150  # classes
# Everingham et al. 2010
VOC = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow dining_table dog horse "
    "motorbike person potted_plant sheep sofa train tv_monitor"
)
# Cordts et al. 2016: the value in labelIds of each of the 19 classes that are scored
CITYSCAPES = {
    7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole",
    19: "traffic_light", 20: "traffic_sign", 21: "vegetation", 22: "terrain", 23: "sky",
    24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train", 32: "motorcycle",
    33: "bicycle",
}  # fmt: skip
KNOWN = (
    "images/ and masks/ (also inside train/ and val/ or test/), or the layout of PASCAL VOC 2012 "
    "(JPEGImages, SegmentationClass, ImageSets), ADE20K (images/training, annotations/training) "
    "or Cityscapes (leftImg8bit, gtFine)"
)


class Layout(NamedTuple):
    """The images of one split, the mask of each, and the region of each value of a mask."""

    files: Files
    mask: Callable[[Path], Path]
    regions: tuple[str, ...]  # empty: to be counted in the masks
    values: np.ndarray  # uint8 [256]: index into `regions`, VOID or UNKNOWN


def recognised(root: Path, split: Split, held_out: float) -> Layout:
    """Return the layout of a folder; a set without a test split holds out a share of its images.

    Raises UserError for a folder of no known layout, and for lists or images that are missing.
    """
    if layout := known(root, split, held_out):
        return layout
    raise UserError(f"data.path={str(root)!r} must hold {KNOWN}; set data.path to such a folder")


def known(root: Path, split: Split, held_out: float) -> Layout | None:
    """Return the layout of a folder, as `recognised` does; None for a folder of no known layout."""
    layouts = (found(root, split, held_out) for found in (voc, ade20k, cityscapes, _own))
    return next((layout for layout in layouts if layout), None)


def as_they_are(regions: int) -> np.ndarray:
    """The regions of values 0, 1, ...; 255 is void and others are unknown."""
    values = np.full(256, UNKNOWN, np.uint8)
    values[:regions], values[VOID] = np.arange(regions), VOID
    return values


def voc(root: Path, split: Split, held_out: float) -> Layout | None:
    """PASCAL VOC 2012; None for a folder of another layout."""
    photos, masks = root / "JPEGImages", root / "SegmentationClass"
    if not (photos.is_dir() and masks.is_dir()):
        return None
    listing = root / "ImageSets/Segmentation" / {"train": "train.txt", "test": "val.txt"}[split]
    files = _files(root, listed_in(listing, photos))
    regions = tuple(VOC.split())
    return Layout(files, lambda f: masks / f"{f.stem}.png", regions, as_they_are(len(regions)))


def voc_aug(root: Path, split: Split, held_out: float) -> Layout | None:
    """PASCAL VOC 2012 with the training masks of SBD (Hariharan et al. 2011) besides its own.

    None for a folder of another layout. Raises UserError without those masks or their list.
    """
    layout = voc(root, split, held_out)
    if layout is None or split == "test":
        return layout
    masks, listing = root / "SegmentationClassAug", root / "ImageSets/Segmentation/trainaug.txt"
    if not (masks.is_dir() and listing.is_file()):
        raise UserError(
            f"data.train=trainaug must have {masks}, the masks of SBD as PNG, and {listing}, the "
            "list of their images; add both, or leave data.train out"
        )
    files = _files(root, listed_in(listing, root / "JPEGImages"))
    return layout._replace(files=files, mask=lambda f: masks / f"{f.stem}.png")


def ade20k(root: Path, split: Split, held_out: float) -> Layout | None:
    """ADE20K of the scene parsing challenge, 150 classes; None for a folder of another layout."""
    part = {"train": "training", "test": "validation"}[split]
    photos, masks = root / "images" / part, root / "annotations" / part
    if not (photos.is_dir() and masks.is_dir()):
        return None
    values = np.full(256, UNKNOWN, np.uint8)
    values[0], values[1 : ADE20K + 1] = VOID, np.arange(ADE20K)
    files = find_files(str(photos), "data.path")
    names = _ade20k_names(root / "objectInfo150.txt")
    return Layout(_unlabelled(files), lambda f: masks / f"{f.stem}.png", names, values)


def _ade20k_names(table: Path) -> tuple[str, ...]:
    """The first name of each class in the set's own table; numbers where it is not there."""
    if not table.exists():
        return tuple(f"class {i}" for i in range(1, ADE20K + 1))
    rows = [line.split("\t") for line in text_of(table).splitlines()[1:] if line.strip()]
    if len(rows) != ADE20K:
        raise UserError(
            f"data.path: {table} must name {ADE20K} classes, one on each line below its heading, "
            f"but names {len(rows)}; unpack ADE20K again, or move the file away"
        )
    return tuple(row[-1].split(",")[0].strip() for row in rows)


def cityscapes(root: Path, split: Split, held_out: float) -> Layout | None:
    """Cityscapes with fine masks, 19 classes; None for a folder of another layout."""
    part = {"train": "train", "test": "val"}[split]
    photos, masks = root / "leftImg8bit" / part, root / "gtFine" / part
    if not (photos.is_dir() and masks.is_dir()):
        return None
    values = np.full(256, UNKNOWN, np.uint8)
    values[: max(CITYSCAPES) + 1], values[VOID] = VOID, VOID
    values[list(CITYSCAPES)] = np.arange(len(CITYSCAPES))

    def mask(file: Path) -> Path:
        name = file.name.replace("_leftImg8bit.png", "_gtFine_labelIds.png")
        return masks / file.parent.name / name

    files = _unlabelled(find_files(str(photos), "data.path"))
    return Layout(files, mask, tuple(CITYSCAPES.values()), values)


def _own(root: Path, split: Split, held_out: float) -> Layout | None:
    """`images/` and `masks/`, with one mask by the name of each image, and names of regions."""
    tests = [root / name for name in ("val", "test") if (root / name / "images").is_dir()]
    if (root / "train" / "images").is_dir() and tests:
        part, test = root / "train", str(tests[0] / "images")
    elif (root / "images").is_dir() and (root / "masks").is_dir():
        part, test = root, ""
    else:
        return None
    files = split_files(str(part / "images"), test, held_out, split)
    masks = files.root.parent / "masks"
    regions = _names(root / "regions.txt")
    mask = lambda f: (masks / f.relative_to(files.root)).with_suffix(".png")  # noqa: E731
    return Layout(files, mask, regions, as_they_are(len(regions) or UNKNOWN))


def _names(file: Path) -> tuple[str, ...]:
    """The lines of a file of names; none if there is no such file."""
    lines = text_of(file).splitlines() if file.exists() else []
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) > UNKNOWN or len(set(names)) < len(names):
        raise UserError(
            f"data.path: {file} must name each region once, {UNKNOWN} at most, but has "
            f"{len(names)} lines, {len(set(names))} of them different; correct it"
        )
    return names


def _files(root: Path, paths: Sequence[Path]) -> Files:
    return Files(root, list(paths), [-1] * len(paths), ())


def _unlabelled(files: Files) -> Files:
    """The files without classes: sub-folders are scenes or cities, not what an image shows."""
    return _files(files.root, files.paths)

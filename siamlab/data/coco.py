"""COCO 2017: photographs with boxes of 80 classes (Lin et al. 2014).

found = read_coco("coco", "val")
"""

import json
from collections.abc import Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from siamlab.component import UserError
from siamlab.data.boxes import Annotated, BoxSet, Marked, box_set, with_boxes
from siamlab.data.frames import drawn
from siamlab.data.listing import is_name
from siamlab.machine.files import expanded, text_in
from siamlab.machine.terminal import caution

CocoSplit = Literal["train", "val"]
WHOLE = {"train": 118_287, "val": 5_000}  # images
LARGEST = 2**30  # bytes of annotations; those of the training images have 448 MB
MOST_PIXELS = 10**6  # a side of an image
AGAIN = "unpack annotations_trainval2017.zip again"
KEPT = frozenset(
    "images annotations categories id file_name height width image_id category_id bbox iscrowd "
    "name".split()
)
COCO_CLASSES = tuple(
    "person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,"
    "stop sign,parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,"
    "backpack,umbrella,handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,"
    "baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,fork,knife,spoon,"
    "bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,"
    "potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,"
    "oven,toaster,sink,refrigerator,book,clock,vase,scissors,teddy bear,hair drier,"
    "toothbrush".split(",")
)


def read_coco(path: str, split: CocoSplit, most: int = 0, boxes: bool = False) -> BoxSet:
    """Return the images of `annotations/instances_SPLIT2017.json`; crowds (`iscrowd`) are skipped.

    At most `most` images (0: all), drawn by a seed; with `boxes`, only images that have one. Of
    the file only what boxes need is kept in memory. A warning says if there are fewer images than
    published. Raises UserError for a folder of another layout, and for annotations and images that
    are missing or damaged.
    """
    root = expanded(path).absolute()
    folders = ("annotations", f"{split}2017")
    if not path or not all((root / name).is_dir() for name in folders):
        raise UserError(
            f"data.path={path!r} must be a copy of COCO 2017, with annotations/, train2017/ and "
            "val2017/; set data.path to the folder that holds these"
        )
    file = root / "annotations" / f"instances_{split}2017.json"
    images = _annotated(file, root / f"{split}2017")
    if len(images) < WHOLE[split]:
        caution(
            f"{file} has {len(images):,} images, but COCO has {WHOLE[split]:,}, so the scores are "
            "not comparable with those of others; unpack it again"
        )
    return box_set(drawn(with_boxes(images) if boxes else images, most))


def _annotated(file: Path, folder: Path) -> list[Annotated]:
    try:
        found = _loaded(file)
        for part in ("images", "annotations", "categories"):
            if not isinstance(found[part], list):
                raise TypeError(part)
        labels = _labels(found["categories"], file)
        boxes: dict[int, list[Marked]] = {entry["id"]: [] for entry in found["images"]}
        _once((entry["id"] for entry in found["images"]), "the image", file)
        _once((entry["file_name"] for entry in found["images"]), "the image", file)
        marks = found["annotations"]
        _once((entry["id"] for entry in marks if "id" in entry), "the annotation", file)
        for entry in marks:
            _known(entry["image_id"], boxes, "image", file)
            _known(entry["category_id"], labels, "category", file)
            boxes[entry["image_id"]].append(_marked(entry, labels))
        return [_image(entry, boxes[entry["id"]], file, folder) for entry in found["images"]]
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"data.path: {file} cannot be read ({error.strerror}); {AGAIN}") from None
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        raise UserError(
            f"data.path: {file} is damaged, or lacks images, annotations or categories with the "
            f"fields of COCO; {AGAIN}"
        ) from None


def _once(keys: Iterable[Any], what: str, file: Path) -> None:
    """Raise UserError for what is there twice: it would count twice."""
    seen: set[Any] = set()
    for key in keys:
        if key in seen:
            raise UserError(f"data.path: {file} has {what} {key!r} more than once; {AGAIN}")
        seen.add(key)


def _known(key: Any, known: Mapping[Any, Any], what: str, file: Path) -> None:
    if key not in known:
        raise UserError(
            f"data.path: {file} has an annotation of the {what} {key!r}, which it does not list; "
            f"{AGAIN}"
        )


def _loaded(file: Path) -> dict[str, Any]:
    """The file without what boxes do not need, such as the outlines, which are most of it."""
    if file.stat().st_size > LARGEST:
        raise ValueError(f"{file} has more than {LARGEST} bytes")
    kept = lambda pairs: {key: value for key, value in pairs if key in KEPT}  # noqa: E731
    return json.loads(text_in(file), object_pairs_hook=kept)


def _labels(categories: list[Any], file: Path) -> dict[int, int]:
    """Return the number of the class of each category."""
    _once((entry["id"] for entry in categories), "the category", file)
    _once((str(entry["name"]) for entry in categories), "the category", file)
    for entry in categories:
        if entry["name"] not in COCO_CLASSES:
            raise UserError(
                f"data.path: {file} has the category {entry['name']!r}, which is none of COCO's "
                f"{len(COCO_CLASSES)}; {AGAIN}"
            )
    return {entry["id"]: COCO_CLASSES.index(entry["name"]) for entry in categories}


def _marked(entry: dict[str, Any], labels: dict[int, int]) -> Marked:
    if not all(type(number) in (int, float) for number in entry["bbox"]):
        raise TypeError(entry)
    left, top, width, height = map(float, entry["bbox"])
    if not isfinite(left + top + width + height) or min(width, height) < 0:
        raise ValueError(entry)
    if (crowd := entry.get("iscrowd", 0)) not in (0, 1):
        raise ValueError(entry)
    box = top, left, top + height, left + width
    return Marked(labels[entry["category_id"]], box, bool(crowd), bool(crowd))


def _image(entry: dict[str, Any], boxes: list[Marked], file: Path, folder: Path) -> Annotated:
    name, size = entry["file_name"], (entry["height"], entry["width"])
    if not is_name(name) or name in ("", ".."):
        raise ValueError(name)
    if not all(type(side) in (int, float) and 0 < side <= MOST_PIXELS for side in size):
        raise ValueError(size)
    return Annotated(folder / name, size, tuple(boxes), file)

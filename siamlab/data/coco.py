"""COCO 2017: photographs with boxes of 80 classes (Lin et al. 2014).

found = read_coco("coco", "val")
"""

import json
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from siamlab.component import UserError
from siamlab.data.boxes import Annotated, BoxSet, Marked, box_set, with_boxes
from siamlab.data.frames import drawn
from siamlab.machine.files import expanded, text_in
from siamlab.machine.terminal import caution

CocoSplit = Literal["train", "val"]
WHOLE = {"train": 118_287, "val": 5_000}  # images
LARGEST = 2**30  # bytes of annotations; those of the training images have 448 MB
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
        labels = {entry["id"]: _label(entry["name"], file) for entry in found["categories"]}
        boxes: dict[int, list[Marked]] = {entry["id"]: [] for entry in found["images"]}
        if len(boxes) < len(found["images"]):
            raise ValueError(f"{file} has an image twice")
        for entry in found["annotations"]:
            boxes[entry["image_id"]].append(_marked(entry, labels))
        return [_image(entry, boxes[entry["id"]], file, folder) for entry in found["images"]]
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UserError(
            f"data.path: {file} is not there, or is damaged, or lacks images, annotations or "
            "categories with the fields of COCO; unpack annotations_trainval2017.zip again"
        ) from None


def _loaded(file: Path) -> dict[str, Any]:
    """The file without what boxes do not need, such as the outlines, which are most of it."""
    if file.stat().st_size > LARGEST:
        raise ValueError(f"{file} has more than {LARGEST} bytes")
    kept = lambda pairs: {key: value for key, value in pairs if key in KEPT}  # noqa: E731
    return json.loads(text_in(file), object_pairs_hook=kept)


def _label(name: Any, file: Path) -> int:
    if name not in COCO_CLASSES:
        raise UserError(
            f"data.path: {file} has the category {name!r}, which is none of COCO's "
            f"{len(COCO_CLASSES)}; unpack annotations_trainval2017.zip again"
        )
    return COCO_CLASSES.index(name)


def _marked(entry: dict[str, Any], labels: dict[int, int]) -> Marked:
    left, top, width, height = (float(number) for number in entry["bbox"])
    if not isfinite(left + top + width + height):
        raise ValueError(entry)
    if (crowd := entry.get("iscrowd", 0)) not in (0, 1):
        raise ValueError(entry)
    box = top, left, top + height, left + width
    return Marked(labels[entry["category_id"]], box, bool(crowd), bool(crowd))


def _image(entry: dict[str, Any], boxes: list[Marked], file: Path, folder: Path) -> Annotated:
    name = entry["file_name"]
    if Path(name).name != name:
        raise ValueError(name)
    return Annotated(folder / name, (entry["height"], entry["width"]), tuple(boxes), file)

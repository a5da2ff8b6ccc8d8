"""PASCAL VOC 2007 and 2012: photographs with boxes of 20 classes (Everingham et al. 2010).

found = read_voc("VOCdevkit/VOC2007", "test")
"""

from collections import Counter
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from siamlab.component import UserError
from siamlab.data.boxes import Annotated, BoxSet, Marked, box_set, with_boxes
from siamlab.data.frames import drawn
from siamlab.machine.files import check_file, expanded, text_in
from siamlab.machine.terminal import caution

VocSplit = Literal["train", "val", "trainval", "test"]
VOC_CLASSES = tuple(
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike "
    "person pottedplant sheep sofa train tvmonitor".split()
)
FEWEST = {"train": 2501, "val": 2510, "trainval": 5011, "test": 4952}  # images of VOC2007
LARGEST = 2**20  # bytes of an annotation; those of VOC have some thousand
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(path: str, split: VocSplit, most: int = 0, boxes: bool = False) -> BoxSet:
    """Return the images of `ImageSets/Main/SPLIT.txt` with their boxes; `difficult` are skipped.

    At most `most` images (0: all), drawn by a seed; with `boxes`, only images that have one. A
    warning says if there are fewer than published. Raises UserError for a folder of another
    layout, and for lists, annotations and images that are missing or damaged.
    """
    root = expanded(path).absolute()
    folders = ("Annotations", "ImageSets/Main", "JPEGImages")
    if not path or not all((root / name).is_dir() for name in folders):
        raise UserError(
            f"data.path={path!r} must be a copy of PASCAL VOC, with Annotations/, ImageSets/Main/ "
            "and JPEGImages/; set data.path to the folder that holds these, such as "
            "VOCdevkit/VOC2007"
        )
    names = _listed(root / "ImageSets/Main" / f"{split}.txt")
    if len(names) < FEWEST[split]:
        caution(
            f"{root} has {len(names):,} images in {split}, but VOC has {FEWEST[split]:,} or more, "
            "so the scores are not comparable with those of others; unpack it again"
        )
    images = [_annotated(root, name) for name in names]
    return box_set(drawn(with_boxes(images) if boxes else images, most))


def _listed(file: Path) -> list[str]:
    """The names of a list, the first word of each line."""
    try:
        names = [line.split()[0] for line in text_in(file).splitlines() if line.strip()]
    except (OSError, ValueError):
        names = []
    if not names or any(Path(name).name != name for name in names):
        raise UserError(
            f"data.path: {file} must list images, one name per line; unpack the archive that holds "
            "it (the boxes of VOC2012's test images are not public: add data.split=val)"
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(
            f"data.path: {file} lists {twice[0]!r} more than once; unpack the archive that holds it"
        )
    return names


def _annotated(root: Path, name: str) -> Annotated:
    file = root / "Annotations" / f"{name}.xml"
    try:
        tree = parsed(file)
        height, width = (int(_text(tree, f"size/{side}")) for side in ("height", "width"))
        boxes = tuple(_marked(entry, file) for entry in tree.findall("object"))
    except UserError:
        raise
    except (OSError, ValueError, LookupError, ParseError):  # of an unknown encoding: LookupError
        raise UserError(
            f"data.path: the annotation {file} is not there, or is damaged, or lacks the size of "
            "the image or a name and bndbox of an object; unpack VOC again"
        ) from None
    return Annotated(root / "JPEGImages" / f"{name}.jpg", (height, width), boxes, file)


def parsed(file: Path) -> Element:
    """Return the root of an XML file that declares no document type, so that no entity can grow.

    Raises ValueError, OSError or ParseError.
    """
    check_file(file)
    if file.stat().st_size > LARGEST:
        raise ValueError(f"{file} has more than {LARGEST} bytes")
    parser = XMLParser(target=_Plain())
    parser.feed(file.read_bytes())
    return parser.close()


class _Plain(TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError(f"a document type {name!r} is declared")


def _marked(entry: Element, file: Path) -> Marked:
    name = _text(entry, "name").strip()
    if name not in VOC_CLASSES:
        raise UserError(
            f"data.path: {file} has an object of class {name!r}, which is none of VOC's "
            f"{len(VOC_CLASSES)}: {', '.join(VOC_CLASSES)}"
        )
    left, top, right, bottom = (float(_text(entry, f"bndbox/{corner}")) for corner in CORNERS)
    if not (left - 1 < right and top - 1 < bottom):  # pixels count from 1, both ends inside
        raise ValueError
    difficult = int(entry.findtext("difficult") or 0) > 0
    return Marked(VOC_CLASSES.index(name), (top - 1, left - 1, bottom, right), difficult, False)


def _text(entry: Element, path: str) -> str:
    found = entry.findtext(path)
    if found is None:
        raise ValueError(path)
    return found

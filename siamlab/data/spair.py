"""SPair-71k: pairs of images of one category with points that show the same part (Min et al. 2019).

pairs = read_spair("SPair-71k", "test")         # pairs.source[p, k] and pairs.target[p, k] match
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.frames import sizes_of
from siamlab.data.listing import is_name, names_in
from siamlab.machine.files import expanded, text_in
from siamlab.machine.terminal import caution

SpairSplit = Literal["trn", "val", "test"]
WHOLE = {"trn": 53_340, "val": 5_384, "test": 12_234}  # pairs
ENDS = ("src", "trg")
FIELDS = ("category", "src_imname", "trg_imname", "src_imsize", "trg_imsize", "trg_bndbox",
          "src_kps", "trg_kps", "viewpoint_variation")  # fmt: skip
WAY = "unpack SPair-71k again"
VIEWPOINTS = (0, 1, 2)  # how much the viewpoint changes in a pair


class KeypointPairs(NamedTuple):
    """Pairs of images, and the points that both show."""

    images: tuple[Path, ...]
    sizes: Int64[Tensor, "M 2"]  # height, width of each image, pixels
    categories: tuple[str, ...]
    category: Int64[Tensor, " P"]  # index into `categories`
    pairs: Int64[Tensor, "P 2"]  # source and target, index into `images`
    source: Float[Tensor, "P K 2"]  # y, x, pixels of the source: 0 is the middle of the first
    target: Float[Tensor, "P K 2"]
    known: Bool[Tensor, "P K"]  # False where a pair has fewer than K points
    box: Float[Tensor, " P"]  # longer side of the target's bounding box, pixels
    viewpoint: Int64[Tensor, " P"]  # 0 the same, 1 or 2 farther apart, as annotated


def read_spair(path: str, split: SpairSplit = "test", most: int = 0) -> KeypointPairs:
    """Return the pairs of a split, at most `most` of each category (0: all), always the same ones.

    The pairs are those of `Layout/large/SPLIT.txt`, or all of `PairAnnotation/SPLIT`. A warning
    says if they are fewer than published. Raises UserError for a folder of another layout, and for
    annotations and images that are missing or damaged.
    """
    root = expanded(path).absolute()
    files = _listed(root, path, split)
    if len(files) < WHOLE[split]:
        caution(
            f"{root} has {len(files):,} pairs in {split}, but SPair-71k has {WHOLE[split]:,}, so "
            "the scores are not comparable with published ones; download it again"
        )
    annotations = [_annotation(file) for file in files]
    return _pairs(root, list(_drawn(annotations, most)))


def _listed(root: Path, path: str, split: str) -> list[Path]:
    folder, listing = root / "PairAnnotation" / split, root / "Layout/large" / f"{split}.txt"
    if not path or not folder.is_dir() or not (root / "JPEGImages").is_dir():
        raise UserError(
            f"data.path={path!r} must be a copy of SPair-71k, with JPEGImages/, PairAnnotation/"
            f"{split}/ and Layout/; set data.path to the folder that holds these"
        )
    if not listing.is_file():
        files = sorted(folder.glob("*.json"))
    else:
        files = [folder / f"{name}.json" for name in names_in(listing, WAY)]
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        what = f"{missing[0]} of {listing}" if missing else "any .json file"
        raise UserError(
            f"data.path: {folder} lacks {what} ({len(missing):,} of {len(files):,} pairs are "
            "missing); unpack all of SPair-71k"
        )
    return files


def _annotation(file: Path) -> dict[str, Any]:
    try:
        fields = json.loads(text_in(file))
        found = {name: fields[name] for name in FIELDS}
        points = tuple(torch.tensor(found[f"{end}_kps"]).float() for end in ENDS)
        shaped = points[0].shape == points[1].shape and points[0].shape[1:] == (2,)
        numbers = all(part.isfinite().all() for part in points)
        numbers &= all(len(found[f"{end}_imsize"]) > 1 for end in ENDS)
        names = [found["category"], *(found[f"{end}_imname"] for end in ENDS)]
        if not (shaped and numbers and all(map(is_name, names))):
            raise ValueError
        if found["viewpoint_variation"] not in VIEWPOINTS:
            raise ValueError
        return found | {"points": points, "file": file, "box": _longer_side(found["trg_bndbox"])}
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):  # of torch, of depth
        raise UserError(
            f"data.path: the annotation {file} is damaged or lacks one of {', '.join(FIELDS)} "
            f"(0, 1 or 2), with as many points in both images; {WAY}"
        ) from None


def _longer_side(box: list[Any]) -> float:
    left, top, right, bottom = box
    side = float(max(right - left, bottom - top))
    if not 0 < side < float("inf"):
        raise ValueError
    return side


def _drawn(annotations: list[dict[str, Any]], most: int) -> Iterator[dict[str, Any]]:
    """Yield at most this many pairs of each category, in their order."""
    rng = torch.Generator().manual_seed(0)
    groups: dict[str, list[dict[str, Any]]] = {}
    for annotation in annotations:
        groups.setdefault(annotation["category"], []).append(annotation)
    for _, group in sorted(groups.items()):
        order = torch.randperm(len(group), generator=rng)[: most or None].sort().values
        yield from (group[i] for i in order.tolist())


def _pairs(root: Path, annotations: list[dict[str, Any]]) -> KeypointPairs:
    names = [
        [root / "JPEGImages" / a["category"] / a[f"{end}_imname"] for end in ENDS]
        for a in annotations
    ]
    images = sorted({file for pair in names for file in pair})
    place = {file: i for i, file in enumerate(images)}
    pairs = torch.tensor([[place[file] for file in pair] for pair in names])
    sizes, categories = sizes_of(images), sorted({a["category"] for a in annotations})
    for a, pair in zip(annotations, pairs, strict=True):
        _check_sizes(a, sizes[pair].tolist())
    most = max(len(a["points"][0]) for a in annotations)
    known = torch.tensor([[k < len(a["points"][0]) for k in range(most)] for a in annotations])
    return KeypointPairs(
        tuple(images), sizes, tuple(categories),
        torch.tensor([categories.index(a["category"]) for a in annotations]), pairs,
        *(_places([a["points"][end] for a in annotations], most) for end in (0, 1)), known,
        torch.tensor([a["box"] for a in annotations]),
        torch.tensor([a["viewpoint_variation"] for a in annotations]),
    )  # fmt: skip


def _places(points: list[Tensor], most: int) -> Float[Tensor, "P K 2"]:
    """The points (x, y) of all pairs as (y, x), with zeros where there are fewer."""
    table = torch.zeros(len(points), most, 2)
    for row, some in zip(table, points, strict=True):
        row[: len(some)] = some.flip(1)
    return table


def _check_sizes(annotation: dict[str, Any], found: list[list[int]]) -> None:
    for end, size in zip(ENDS, found, strict=True):
        width, height = annotation[f"{end}_imsize"][:2]
        if [height, width] != size:
            raise UserError(
                f"data.path: {annotation[f'{end}_imname']} has {size[1]} × {size[0]} pixels and "
                f"{width} × {height} in {annotation['file'].name}; points count those of the "
                "original, so unpack the images of SPair-71k again, without resizing them"
            )

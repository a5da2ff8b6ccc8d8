"""NYU Depth v2: photographs of rooms with the depth of each pixel (Silberman et al. 2012).

train, test = read_nyu("nyu_depth_v2/official_splits")
depths(test.depths[:8])         # metres, 0 where nothing was measured
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.decode import opening, stacked
from siamlab.data.frames import common_size, decoded, drawn
from siamlab.data.masks import whole
from siamlab.geometry import Grid
from siamlab.machine.files import expanded
from siamlab.machine.terminal import caution

WHOLE = {"train": 795, "test": 654}
NAME = re.compile(r"rgb_(\d+)\.(jpg|png)")
MILLIMETRES = 1000  # of a metre: the unit of the files


class DepthPairs(NamedTuple):
    """Photographs and their depth, in order."""

    images: tuple[Path, ...]
    depths: tuple[Path, ...]  # one for each
    size: Grid  # of all, height, width, pixels


def read_nyu(path: str, train_path: str = "", most: int = 0) -> tuple[DepthPairs, DepthPairs]:
    """Return training and test pairs of a folder with `train/` and `test/`.

    In each scene's folder, `rgb_00045.jpg` goes with `sync_depth_00045.png`, of 16 bits. With
    `train_path`, the training pairs are all of that folder, such as the 24,231 of `sync/`; at most
    `most` of them are taken (0: all), drawn by a seed. A warning says if some are missing. Raises
    UserError for another layout, and for pairs that are incomplete or not of one size.
    """
    root = expanded(path).absolute()
    if not path or not (root / "test").is_dir() or not (train_path or (root / "train").is_dir()):
        raise UserError(
            f"data.path={path!r} must be the official splits of NYU Depth v2, as train/ and test/ "
            "with a folder for each scene of rgb_00045.jpg and sync_depth_00045.png; set data.path "
            "to the folder that holds these"
        )
    train = expanded(train_path).absolute() if train_path else root / "train"
    found = {"train": _files(train), "test": _files(root / "test")}
    caution_if_few(root, found, "extract")
    return _pairs(drawn(found["train"], most)), _pairs(found["test"])


def caution_if_few(root: Path, found: Mapping[str, Sequence[Path]], again: str) -> None:
    """Say that a copy has fewer pairs than the set, which is to be extracted or unpacked again."""
    counts = {split: len(files) for split, files in found.items()}
    if any(count < WHOLE[split] for split, count in counts.items()):
        caution(
            f"{root} has {counts['train']:,} pairs to train and {counts['test']:,} to test on, but "
            f"NYU Depth v2 has {WHOLE['train']} and {WHOLE['test']}, so the scores are not "
            f"comparable with published ones; {again} the set again"
        )


def depths(files: Sequence[Path]) -> Float[Tensor, "n H W"]:
    """Return depth in metres, 0 where nothing was measured; raises UserError for other files."""
    found = [whole(depth) for depth in decoded(files, _depth)]
    for file, depth in zip(files, found, strict=True):
        if depth.shape != found[0].shape:
            raise UserError(f"data.path: {file} has another size than {files[0]}; extract it again")
    return stacked(found)


def _depth(file: Path) -> Tensor | UserError:
    with opening(file) as image:
        if not image.mode.startswith("I"):  # 16 bits, as Pillow reads them: I;16 or I
            return UserError(
                f"data.path: the depth {file} must be a PNG of 16 bits, in millimetres, but has "
                f"the mode {image.mode}; extract NYU Depth v2 again"
            )
        return torch.from_numpy(np.asarray(image).astype(np.float32) / MILLIMETRES)


def _files(folder: Path) -> list[Path]:
    """The photographs of all scenes, each of which must have its depth."""
    if not folder.is_dir():
        raise UserError(f"data.train_path: {folder} must be a folder of scenes; name another")
    files = sorted(file for file in folder.glob("*/rgb_*") if NAME.fullmatch(file.name))
    missing = [file for file in files if not depth_of(file).is_file()]
    if not files or missing:
        what = f"{depth_of(missing[0])}" if missing else "any SCENE/rgb_00045.jpg"
        raise UserError(f"data.path: {folder} lacks {what}; extract NYU Depth v2 again")
    return files


def depth_of(image: Path) -> Path:
    """Return the file with the depth of a photograph."""
    return image.with_name(f"sync_depth_{NAME.fullmatch(image.name)[1]}.png")


def _pairs(images: Sequence[Path]) -> DepthPairs:
    others = [depth_of(image) for image in images]
    return DepthPairs(tuple(images), tuple(others), common_size(images, others, "depth"))

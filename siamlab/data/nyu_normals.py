"""NYU Depth v2: photographs of rooms with the surface normal of each pixel.

train, test = read_normals("dsine_eval/nyuv2")
normals(test.normals[:8])       # unit vectors, 0 where unknown
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.decode import opening, stacked
from siamlab.data.frames import common_size, decoded, drawn
from siamlab.data.nyu import WHOLE, caution_if_few
from siamlab.geometry import Grid
from siamlab.machine.files import expanded

IMAGE, NORMAL = "_img.png", "_normal.png"
SHORT, LONG = 0.5, 1.5  # a vector of another length is no normal


class NormalPairs(NamedTuple):
    """Photographs and their normals, in order."""

    images: tuple[Path, ...]
    normals: tuple[Path, ...]  # one for each
    size: Grid  # of all, height, width, pixels


def read_normals(path: str, most: int = 0) -> tuple[NormalPairs, NormalPairs]:
    """Return training and test pairs of a folder with `train/` and `test/`.

    `000002_img.png` goes with `000002_normal.png`, both RGB of 8 bits. At most `most` of the
    training pairs are taken (0: all), drawn by a seed. A warning says if some are missing. Raises
    UserError for another layout, and for pairs that are incomplete, of another mode or not of one
    size.
    """
    root = expanded(path).absolute()
    if not path or not all((root / split).is_dir() for split in WHOLE):
        raise UserError(
            f"data.path={path!r} must be NYU Depth v2 with normals, as train/ and test/ of "
            "000002_img.png and 000002_normal.png; set data.path to the folder that holds these"
        )
    found = {split: _files(root / split) for split in WHOLE}
    caution_if_few(root, found, "unpack")
    return _pairs(drawn(found["train"], most)), _pairs(found["test"])


def normals(files: Sequence[Path]) -> Float[Tensor, "n 3 H W"]:
    """Return unit vectors, 0 where unknown; raises UserError for files that cannot be read."""
    return stacked(decoded(files, _normals))


def _normals(file: Path) -> Float[Tensor, "3 H W"]:
    """Bytes 0 to 255 are numbers −1 to 1; black, which is too long, and grey are unknown."""
    with opening(file) as image:
        stored = torch.from_numpy(np.asarray(image.convert("RGB")).astype(np.float32))
    vectors = stored / 255 * 2 - 1
    length = vectors.norm(dim=2, keepdim=True)
    unit = (vectors / length).where((length > SHORT) & (length < LONG), torch.zeros(()))
    return unit.permute(2, 0, 1).contiguous()


def _files(folder: Path) -> list[Path]:
    """The photographs, each of which must have its normals."""
    files = sorted(folder.glob(f"*{IMAGE}"))
    missing = [file for file in files if not normal_of(file).is_file()]
    if not files or missing:
        what = normal_of(missing[0]).name if missing else f"any 000002{IMAGE}"
        raise UserError(f"data.path: {folder} lacks {what}; unpack the set again")
    return files


def normal_of(image: Path) -> Path:
    """Return the file with the normals of a photograph."""
    return image.with_name(image.name.removesuffix(IMAGE) + NORMAL)


def _pairs(images: Sequence[Path]) -> NormalPairs:
    others = [normal_of(image) for image in images]
    size = common_size(images, others, "normals")
    for file in others:
        with Image.open(file) as image:
            if image.mode != "RGB":
                raise UserError(
                    f"data.path: {file} has the mode {image.mode}, and normals are RGB of 8 bits; "
                    "unpack the set again"
                )
    return NormalPairs(tuple(images), tuple(others), size)

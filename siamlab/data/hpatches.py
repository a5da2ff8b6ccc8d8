"""HPatches: photographs of flat scenes and the homographies between them (Balntas et al. 2017).

scenes = read_hpatches("hpatches-sequences-release")
scenes[0].homographies[k]       # from image 1 to image k + 2: x, y, 1 of pixels
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.decode import SUFFIXES
from siamlab.data.frames import sizes_of
from siamlab.machine.files import expanded, text_in
from siamlab.machine.terminal import caution

WHOLE = 116  # sequences
PLACES = 32  # on either side of an image, to see whether two images meet
COUNT = 6  # images of a sequence; the first one is matched with all others
# Dusmanu et al. 2019 leave these out, whose images are larger than 1600 × 1200 pixels
LARGE = (
    "i_contruction i_crownnight i_dc i_pencils i_whitebuilding v_artisans v_astronautis v_talent"
).split()
CHANGES: dict[str, Literal["illumination", "viewpoint"]] = {"i": "illumination", "v": "viewpoint"}


class Scene(NamedTuple):
    """The images of one sequence, in order, and how they follow from the first."""

    name: str
    change: Literal["illumination", "viewpoint"]
    images: tuple[Path, ...]
    sizes: Int64[Tensor, "6 2"]  # height, width, pixels
    homographies: Float[Tensor, "5 3 3"]  # from the first image to each other one


def read_hpatches(path: str, leave_out: Sequence[str] = (), most: int = 0) -> tuple[Scene, ...]:
    """Return the sequences by name, without those to leave out, at most `most` of each kind.

    A folder `v_NAME` (viewpoint) or `i_NAME` (illumination) has the images 1 to 6 and the files
    H_1_2 to H_1_6. A warning says if some of the 116 are missing. Raises UserError for another
    layout, and for images and homographies that are missing or damaged.
    """
    root = expanded(path).absolute()
    folders = sorted(f for f in root.glob("[iv]_*") if f.is_dir()) if path else []
    if not folders:
        raise UserError(
            f"data.path={path!r} must be a copy of HPatches' sequences, with a folder i_NAME or "
            "v_NAME for each, that has 1.ppm to 6.ppm and H_1_2 to H_1_6; set data.path to the "
            "folder that holds these"
        )
    kept = [folder for folder in folders if folder.name not in leave_out]
    if len(kept) < WHOLE - len(leave_out):
        caution(
            f"{root} has {len(kept)} of {WHOLE - len(leave_out)} sequences, so the scores are not "
            "comparable with published ones; download HPatches again"
        )
    kinds = [[folder for folder in kept if folder.name[0] == kind] for kind in CHANGES]
    return tuple(_scene(folder) for some in kinds for folder in some[: most or None])


def _scene(folder: Path) -> Scene:
    images = tuple(_image(folder, number) for number in range(1, COUNT + 1))
    maps = torch.stack([_homography(folder / f"H_1_{k}") for k in range(2, COUNT + 1)])
    sizes = sizes_of(images)
    for k, (size, homography) in enumerate(zip(sizes[1:], maps, strict=True), 2):
        if not _meets(homography, sizes[0], size):
            raise UserError(
                f"data.path: {folder / f'H_1_{k}'} takes no place of image 1 into image {k}, so "
                "there is nothing to match; unpack HPatches again"
            )
    return Scene(folder.name, CHANGES[folder.name[0]], images, sizes, maps)


def _meets(
    homography: Float[Tensor, "3 3"], size: Int64[Tensor, "2"], other: Int64[Tensor, "2"]
) -> bool:
    """Tell whether any place of the first image, of a fine grid, lies in the other one."""
    down, across = ((torch.arange(PLACES) + 0.5) / PLACES * side for side in size.tolist())
    y, x = torch.meshgrid(down, across, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)]).flatten(1)  # [3, PLACES²]
    x, y, scale = homography @ places
    x, y = x / scale, y / scale
    return bool(((x >= 0) & (x < other[1]) & (y >= 0) & (y < other[0])).any())


def _image(folder: Path, number: int) -> Path:
    found = [folder / f"{number}{end}" for end in SUFFIXES]
    for file in found:
        if file.is_file():
            return file
    raise UserError(
        f"data.path: {folder} must have the images 1.ppm to 6.ppm, but {number}.ppm is not there; "
        "unpack HPatches again"
    )


def _homography(file: Path) -> Float[Tensor, "3 3"]:
    try:
        numbers = torch.tensor([float(word) for word in text_in(file).split()])
        if len(numbers) != 9 or not numbers.isfinite().all() or numbers.view(3, 3).det() == 0:
            raise ValueError
    except FileNotFoundError:
        raise UserError(f"data.path: {file} is not there; unpack HPatches again") from None
    except (OSError, ValueError):
        raise UserError(
            f"data.path: {file} must hold the 3 × 3 numbers of a homography; unpack HPatches again"
        ) from None
    return numbers.view(3, 3)

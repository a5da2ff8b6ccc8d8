"""DAVIS 2017: videos whose objects are outlined in every frame (Pont-Tuset et al. 2017).

videos = read_davis("DAVIS", "val")
numbers(videos[0].masks[0])         # 0 background, 1, 2, ... objects
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.decode import opening
from siamlab.data.frames import sizes_of
from siamlab.data.listing import names_in
from siamlab.geometry import Grid
from siamlab.machine.files import expanded
from siamlab.machine.terminal import caution

DavisSplit = Literal["val", "train"]
WHOLE = {"val": 30, "train": 60}  # videos
RESOLUTION = "480p"
LEAST = 16  # pixels of either side of a video; DAVIS's shorter side has 480
VOID = 255  # in masks of some releases: counted as background, as the benchmark's own code does


class Video(NamedTuple):
    """The frames of one video and their masks, in order."""

    name: str
    frames: tuple[Path, ...]
    masks: tuple[Path, ...]  # one for each frame
    size: Grid  # height, width, pixels
    objects: int  # in the first mask; those that come later are not followed


def read_davis(path: str, split: DavisSplit = "val", most: int = 0) -> tuple[Video, ...]:
    """Return the videos of a split, or the first `most`; a warning says if some are missing.

    Raises UserError for a folder of another layout, and for frames and masks that are missing,
    cannot be read or differ in size.
    """
    root = expanded(path).absolute()
    listing = root / "ImageSets/2017" / f"{split}.txt"
    if not path or not listing.is_file() or not (root / "JPEGImages" / RESOLUTION).is_dir():
        raise UserError(
            f"data.path={path!r} must be a copy of DAVIS 2017, with JPEGImages/{RESOLUTION}/, "
            f"Annotations/{RESOLUTION}/ and ImageSets/2017/{split}.txt; set data.path to the "
            "folder that holds these"
        )
    names = names_in(listing, "unpack DAVIS 2017 again")
    if len(names) < WHOLE[split]:
        caution(
            f"{listing} has {len(names)} videos, but DAVIS 2017 has {WHOLE[split]} in {split}, so "
            "the scores are not comparable with published ones; download it again"
        )
    for name in names[: most or None]:
        if not (root / "JPEGImages" / RESOLUTION / name).is_dir():
            raise UserError(
                f"data.path: {listing} names a video that is not there, {name!r}: the list or the "
                "set is incomplete; unpack DAVIS 2017 again"
            )
    return tuple(_video(root, name) for name in names[: most or None])


def masks_of(video: Video) -> UInt8[Tensor, "T H W"]:
    """Return the objects of all masks of a video; raises UserError for one of another size."""
    found = [numbers(file) for file in video.masks]
    for file, mask in zip(video.masks, found, strict=True):
        if mask.shape != video.size:
            raise UserError(
                f"data.path: {file} has {mask.shape[1]} × {mask.shape[0]} pixels and the first "
                f"mask of its video {video.size[1]} × {video.size[0]}; unpack DAVIS 2017 again"
            )
    return torch.stack(found)


def numbers(file: Path) -> UInt8[Tensor, "H W"]:
    """Return the objects of a mask by their number; its palette only colours them.

    Raises UserError for a file that is not such a picture.
    """
    try:
        with opening(file) as image:
            if image.mode not in ("P", "L"):
                raise ValueError
            found = np.array(image)
    except Exception:  # Pillow raises a dozen kinds for files that are not images
        raise UserError(
            f"data.path: the mask {file} must be a PNG with a palette, one number for each pixel, "
            "that can be read; unpack DAVIS 2017 again"
        ) from None
    return torch.from_numpy(np.where(found == VOID, 0, found))


def _video(root: Path, name: str) -> Video:
    frames = sorted((root / "JPEGImages" / RESOLUTION / name).glob("*.jpg"))
    masks = [root / "Annotations" / RESOLUTION / name / f"{frame.stem}.png" for frame in frames]
    missing = [f"the mask {mask}" for mask in masks if not mask.is_file()]
    stems = {frame.stem for frame in frames}
    others = sorted((root / "Annotations" / RESOLUTION / name).glob("*.png"))
    missing += [f"the frame of {mask}" for mask in others if mask.stem not in stems]
    if len(frames) < 3 or missing:
        what = f"three frames in {name}" if len(frames) < 3 else missing[0]
        raise UserError(
            f"data.path: the video {name} of {root} lacks {what}; unpack DAVIS 2017 "
            f"({RESOLUTION}, trainval) again"
        )
    first = numbers(masks[0])
    if not first.any():
        raise UserError(f"data.path: {masks[0]} shows no object to follow; unpack it again")
    if min(first.shape) < LEAST:
        raise UserError(
            f"data.path: {masks[0]} has {first.shape[1]} × {first.shape[0]} pixels, too few to "
            f"follow objects: each side must have {LEAST} or more; unpack DAVIS 2017 again"
        )
    _check_sizes(frames, tuple(first.shape))
    return Video(name, tuple(frames), tuple(masks), tuple(first.shape), int(first.max()))


def _check_sizes(frames: Sequence[Path], size: Grid) -> None:
    sizes = sizes_of(frames)
    if wrong := (sizes != torch.tensor(size)).any(dim=1).nonzero().flatten().tolist():
        found = sizes[wrong[0]].tolist()
        raise UserError(
            f"data.path: {frames[wrong[0]]} has {found[1]} × {found[0]} pixels and the masks of "
            f"its video {size[1]} × {size[0]}; unpack DAVIS 2017 again, without resizing"
        )

"""Decoding image files: any mode to square RGB, on all cores, unreadable ones counted.

for pieces in decode_all(files, lambda f: decode(f, 64), skipped): ...
"""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from siamlab.machine.files import check_file
from siamlab.machine.terminal import is_watched

SUFFIXES = tuple(
    ".jpg .jpeg .jfif .png .webp .bmp .tif .tiff .gif .ppm .pgm .pbm .pnm .jp2 .avif".split()
)
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"  # the last chunk, without which Pillow reads a PNG all the same
CHUNK = 8  # images in a list: their pixels stay in the cache of the processor until written
AHEAD = 8  # images for each core that are decoded while a list is written


def decode(file: Path, side: int) -> UInt8[Tensor, "3 S S"]:
    """Return the upright centre square in RGB, `side` pixels wide, resized with antialiasing.

    Torch's 8-bit bicubic is four times as fast as Pillow's, and within one level of it. Raises
    what Pillow raises where the file is not a whole image.
    """
    return square_pixels(opened(file, side), side)


def square_pixels(image: Image.Image, side: int) -> UInt8[Tensor, "3 S S"]:
    """Return the centre square of an upright image as `decode` does."""
    image = central(image)
    image = image if image.mode == "RGB" else image.convert("RGB")  # it would copy
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
    return F.interpolate(pixels, (side, side), mode="bicubic", antialias=True)[0].contiguous()


def central(image: Image.Image) -> Image.Image:
    """Return the largest centre square."""
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    return image.crop((left, top, left + side, top + side))


def opened(file: Path, side: int) -> Image.Image:
    """Open a file as an upright image of 8 bits per channel; transparency is laid on white."""
    with opening(file) as image:
        return upright(image, side)


@contextmanager
def opening(file: Path) -> Iterator[Image.Image]:
    """Open an image file; raises what Pillow raises, and OSError for a pipe and a PNG cut short."""
    check_file(file)
    with Image.open(file) as image:
        if image.format == "PNG" and not _ends(file):
            raise OSError("it is cut short: a PNG ends with a chunk IEND")
        yield image


def _ends(png: Path) -> bool:
    """Return whether a PNG has its last chunk; bytes that programs leave after it do not matter."""
    with png.open("rb") as file:
        file.seek(-len(PNG_END), os.SEEK_END)
        if file.read() == PNG_END:
            return True
        file.seek(8)
        while len(head := file.read(8)) == 8:
            if head[4:] == b"IEND":
                return len(file.read(4)) == 4
            file.seek(int.from_bytes(head[:4]) + 4, os.SEEK_CUR)  # to its end and a checksum
    return False


def upright(image: Image.Image, side: int) -> Image.Image:
    """Load an image, upright, with 8 bits per channel; transparency is laid on white."""
    image.draft("RGB", (2 * side, 2 * side))  # large JPEGs: decode at 1/2, 1/4, 1/8 of the size
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    return on_white(eight_bits(image))


def eight_bits(image: Image.Image) -> Image.Image:
    """Convert 16-bit, 32-bit and float greys to 8 bits; return others unchanged."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    grey = np.nan_to_num(np.asarray(image).astype(np.float64))
    if image.mode == "F":
        grey = grey * 255 if grey.max() <= 1 else grey
    elif image.mode != "I" or grey.max() > 255:
        grey = grey / 257
    return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8))


def has_alpha(image: Image.Image) -> bool:
    return "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info


def on_white(image: Image.Image) -> Image.Image:
    """Lay a transparent image on white; return others unchanged."""
    if not has_alpha(image):
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def decode_all(
    jobs: Sequence[Any], work: Callable[[Any], Any], skipped: list[str], name: Callable[[Any], str]
) -> Iterator[list[tuple[int, Any]]]:
    """Yield lists of `(index, work(job))` in order; a job that fails adds its name to `skipped`.

    Works on all cores, a little ahead of the caller; shows a progress bar on a terminal.
    """
    from rich.progress import Progress

    def attempt(job: Any) -> Any:
        try:
            return work(job)
        except Exception:  # Pillow raises a dozen kinds for files that are not whole images
            return None

    with (
        ThreadPoolExecutor(cores()) as pool,
        Progress(console=_stderr(), disable=not is_watched(), transient=True) as bar,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # Pillow's remarks on odd but readable files
        task = bar.add_task("decoding", total=len(jobs))
        results = enumerate(_in_order(pool, attempt, jobs, AHEAD * cores()))
        while piece := list(islice(results, CHUNK)):
            skipped.extend(name(jobs[index]) for index, result in piece if result is None)
            bar.advance(task, len(piece))
            if kept := [(index, result) for index, result in piece if result is not None]:
                yield kept


def stacked(arrays: Sequence[Tensor]) -> Tensor:
    """Stack tensors in this thread; torch.stack uses threads that busy-wait on loaded cores."""
    return torch.from_numpy(np.stack([array.numpy() for array in arrays]))


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_order(
    pool: Executor, work: Callable[[Any], Any], jobs: Sequence[Any], ahead: int
) -> Iterator[Any]:
    """Yield `work(job)` of each; unlike `pool.map`, at most `ahead` results are kept waiting."""
    begun = deque(pool.submit(work, job) for job in jobs[:ahead])
    for job in jobs[ahead:]:
        result = begun.popleft().result()
        begun.append(pool.submit(work, job))
        yield result
    while begun:
        yield begun.popleft().result()


def _stderr():
    from siamlab.machine.console import Console

    return Console(stderr=True)

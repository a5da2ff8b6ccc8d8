"""The least work that reading a folder of JPEGs takes: decoding, resizing and writing.

on_all_cores(pillow_decode, root, side)         # Cost of a function of each file
"""

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg, read_file

from benchmarks.cost import Cost, measured
from siamlab.data.cache import cache_root
from siamlab.data.decode import CHUNK, central, cores
from siamlab.data.folder import split_files

HELD_OUT = 0.1  # share of the folder for testing


def torchvision_decode(file: Path, side: int) -> None:
    decode_jpeg(read_file(str(file)), mode=ImageReadMode.RGB)


def pillow_decode(file: Path, side: int) -> None:
    """Decode at the scale at which siamlab reads a JPEG."""
    with Image.open(file) as image:
        image.draft("RGB", (2 * side, 2 * side))
        image.load()


def pillow_square(file: Path, side: int) -> None:
    """Read the same square as siamlab by Pillow alone, for upright RGB images."""
    with Image.open(file) as image:
        image.draft("RGB", (2 * side, 2 * side))
        central(image).resize((side, side), Image.Resampling.BICUBIC)


def on_all_cores(work: Callable[[Path, int], None], root: Path, side: int) -> Cost:
    """Run the work on all training files, divided among the cores, and discard the results."""
    files = split_files(str(root), "", HELD_OUT, "train").paths
    torch.set_num_threads(1)

    def part(first: int) -> None:
        for file in files[first :: cores()]:
            work(file, side)

    with measured() as costs, ThreadPoolExecutor(cores()) as pool:
        list(pool.map(part, range(cores())))
    return costs[0]


def write(images: int, side: int) -> Cost:
    """Write as many bytes as the cache has, without decoding."""
    chunk = np.ones((CHUNK, 3, side, side), np.uint8)
    cache_root().mkdir(exist_ok=True)
    with measured() as costs, tempfile.NamedTemporaryFile(dir=cache_root()) as file:
        for first in range(0, images, CHUNK):
            file.write(chunk[: images - first])
    return costs[0]

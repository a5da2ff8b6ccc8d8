"""Folders of JPEGs for timing: crops of the two photographs of scikit-learn.

make_folder(root, images=10_000)
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from siamlab.data.decode import cores

SIZE = (500, 375)  # pixels


def make_folder(root: Path, images: int) -> None:
    """Write JPEGs of quality 90 to ten class folders."""
    from sklearn.datasets import load_sample_images

    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    for label in range(10):
        (root / f"class{label}").mkdir(parents=True)

    def save(index: int) -> None:
        photograph(photos, index).save(root / f"class{index % 10}/{index}.jpg", quality=90)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(save, range(images)))


def photograph(photos: list[Image.Image], seed: int) -> Image.Image:
    """Return a random crop of one of the photos, mirrored with probability one half."""
    rng = np.random.default_rng(seed)
    photo = photos[rng.integers(len(photos))]
    scale, aspect = rng.uniform(0.7, 1.0), rng.uniform(0.9, 1.1)
    height = round(photo.height * scale)
    width = min(photo.width, round(height * aspect * SIZE[0] / SIZE[1]))
    left, top = rng.integers(photo.width - width + 1), rng.integers(photo.height - height + 1)
    box = (left, top, left + width, top + height)
    image = photo.resize(SIZE, Image.Resampling.BICUBIC, box=box)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else image


def link(root: Path, to: Path, times: int) -> None:
    """Link every file under `times` names."""
    for file in root.rglob("*.jpg"):
        (to / file.parent.name).mkdir(parents=True, exist_ok=True)
        for copy in range(times):
            os.link(file, to / file.parent.name / f"{file.stem}-{copy}.jpg")

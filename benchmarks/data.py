"""From a folder of JPEGs to training, beside bare decoding: time, processor and memory.

python -m benchmarks.data --images 10000 --side 256      # some minutes on two cores

The photographs are cuts of scikit-learn's two, in the page cache when they are read. Works take
turns; starts and loops run in processes of their own, their imports not counted.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import torchvision
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg, read_file

from benchmarks.cost import Cost, fresh, measured
from benchmarks.measure import table
from benchmarks.photographs import SIZE, link, make_folder
from siamlab.data.cache import cache_root, cached, fingerprint
from siamlab.data.decode import CHUNK, central, cores, decode
from siamlab.data.folder import Folder, split_files
from siamlab.data.images import plain
from siamlab.recipes import demo_size, mae
from siamlab.run import Run
from siamlab.train import steps
from siamlab.train.batches import Batches
from siamlab.train.folder import environment

BATCH = 64
DRAWN = 50  # batches
STEPS = 60  # of the small run
HELD_OUT = 0.1  # of the folder, for testing
IMAGENET = 1_300_000


# Floors: what has to be done to a file, and nothing else


def torchvision_decode(file: Path, side: int) -> None:
    decode_jpeg(read_file(str(file)), mode=ImageReadMode.RGB)


def pillow_decode(file: Path, side: int) -> None:
    """At the scale that siamlab reads a JPEG at."""
    with Image.open(file) as image:
        image.draft("RGB", (2 * side, 2 * side))
        image.load()


def pillow_square(file: Path, side: int) -> None:
    """The same square by Pillow alone, of an upright RGB image."""
    with Image.open(file) as image:
        image.draft("RGB", (2 * side, 2 * side))
        central(image).resize((side, side), Image.Resampling.BICUBIC)


def on_all_cores(work: Callable[[Path, int], None], root: Path, side: int) -> Cost:
    """A part of the training files for each core, nothing kept."""
    files = split_files(str(root), "", HELD_OUT, "train").paths
    torch.set_num_threads(1)

    def part(first: int) -> None:
        for file in files[first :: cores()]:
            work(file, side)

    with measured() as cost, ThreadPoolExecutor(cores()) as pool:
        list(pool.map(part, range(cores())))
    return cost[0]


def write(images: int, side: int) -> Cost:
    """The bytes of the cache, decoded nowhere."""
    some = np.ones((CHUNK, 3, side, side), np.uint8)
    cache_root().mkdir(exist_ok=True)
    with measured() as cost, tempfile.NamedTemporaryFile(dir=cache_root()) as file:
        for first in range(0, images, CHUNK):
            file.write(some[: images - first])
    return cost[0]


# Works


def source(root: Path, side: int) -> Folder:
    return Folder(path=str(root), side=side, test_fraction=HELD_OUT)


def batches(pixels: torch.Tensor, number: int) -> Iterator[torch.Tensor]:
    return Batches(pixels, Run(batch=BATCH, steps=number), torch.device("cpu")).read(0)


def start(root: Path, side: int) -> Cost:
    """From the folder to the first batch."""
    with measured() as cost:
        next(batches(source(root, side)("train").pixels, 1))
    return cost[0]


def listing(root: Path) -> Cost:
    """Files found, split, and their sizes and times read: what a later start consists of."""
    with measured() as cost:
        fingerprint(split_files(str(root), "", HELD_OUT, "train").paths)
    return cost[0]


def draw(root: Path, side: int) -> Cost:
    """Batches from the cache, opening it included."""
    with measured() as cost:
        for _ in batches(source(root, side)("train").pixels, DRAWN):
            pass
    return cost[0]


def draw_sparse(images: int, side: int) -> Cost:
    """The same from an entry whose arrays are holes."""
    key = {"kind": "sparse", "split": "train", "side": side}
    one = torch.zeros(1, 3, side, side, dtype=torch.uint8)
    cached(key, lambda _: [plain(one, torch.zeros(1).long(), ())])
    about = next(cache_root().glob("sparse-*/about.json"))
    told = json.loads(about.read_text())
    for name, shape in told["shapes"].items():
        os.truncate(about.parent / name, (about.parent / name).stat().st_size * images)
        shape[0] *= images
    about.write_text(json.dumps(told))
    with measured() as cost:
        for _ in batches(cached(key, lambda _: []).pixels, DRAWN):
            pass
    return cost[0]


def train(root: Path, side: int, out: Path) -> Cost:
    """A small MAE on the folder; its wait is that of the last line."""
    run = demo_size(mae()).replace(
        data=source(root, side), batch=BATCH, steps=STEPS, log_every=STEPS
    )
    with measured() as cost:
        *_, last = (line for line in steps(run, out) if "wait" in line)
    return cost[0]._replace(wait=last["wait"])


# Rows


def rows(images: int = 10_000, side: int = 256, repeats: int = 3) -> list[dict[str, Any]]:
    """A row a work: rate with least and most, time as a multiple of the floors', CPU, memory."""
    kept = os.environ.get("SIAMLAB_CACHE")
    try:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "photos")
            make_folder(root, images)
            size = sum(file.stat().st_size for file in root.rglob("*.jpg")) / images
            found = starts(root, images, side, repeats) + others(root, images, side)
            return [row | {"kilobytes": size / 1000} for row in found]
    finally:
        os.environ.pop("SIAMLAB_CACHE", None)
        if kept is not None:
            os.environ["SIAMLAB_CACHE"] = kept


def starts(root: Path, images: int, side: int, repeats: int) -> list[dict[str, Any]]:
    """Floors and starts in turn, each first start with an empty cache."""
    floors = {
        "decode, torchvision": torchvision_decode,
        "decode, Pillow": pillow_decode,
        "decode and resize, Pillow": pillow_square,
        "decode and resize, siamlab": decode,
    }
    names = *floors, "write the pixels", "first start", "second start"
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    n = len(split_files(str(root), "", HELD_OUT, "train").paths)
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as os.environ["SIAMLAB_CACHE"]:
            for name, work in floors.items():
                costs[name].append(on_all_cores(work, root, side))
            costs["write the pixels"].append(write(n, side))
            for name in ("first start", "second start"):
                costs[name].append(fresh(start, root, side))
    found = [row(name, n, costs[name]) for name in costs]
    bare = min(found[:2], key=lambda floor: floor["seconds"])
    for one in found:
        one["ratio"] = bare["seconds"] / one["seconds"]
    floor = {key: found[3][key] + found[4][key] for key in ("seconds", "processor")}
    first = found[5]
    first["note"] = (
        f"{first['seconds'] / found[3]['seconds']:.2f} × the time of {found[3]['work']}; with "
        f"{found[4]['work']} {first['seconds'] / floor['seconds']:.2f} × the time and "
        f"{first['processor'] / floor['processor']:.2f} × the CPU"
    )
    return found


def others(root: Path, images: int, side: int) -> list[dict[str, Any]]:
    """Memory, many files, and the loop; once each."""
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        os.environ["SIAMLAB_CACHE"] = f"{folder}/cache"
        link(root, Path(folder, "links"), 10)
        costs = fresh(start, root, side), fresh(draw, root, side)
        sparse = fresh(draw_sparse, IMAGENET, side)
        loop = fresh(train, root, side, Path(folder, "run"))
        batch = f"{DRAWN} batches of {BATCH}, {BATCH * 3 * side**2 / 1e6:.0f} MB each"
        return [
            row("files found", images, [listing(root)], "files"),
            row("files found", 10 * images, [listing(Path(folder, "links"))], "files"),
            row("start and draws", DRAWN * BATCH, [costs[1]], note=batch),
            row("draws of 1.3 M", DRAWN * BATCH, [sparse], note=f"{batch}; a sparse file"),
            row("small MAE", STEPS * BATCH, [loop], note=f"{loop.wait:.2%} waiting for data"),
        ]


def row(
    name: str, n: int, costs: list[Cost], unit: str = "images", note: str = ""
) -> dict[str, Any]:
    """Medians of one work on `n` images or files; the most of its memory."""
    seconds = [cost.seconds for cost in costs]
    return {
        "work": name, "unit": f"{unit}/s", "rate": n / median(seconds), "least": n / max(seconds),
        "most": n / min(seconds), "seconds": median(seconds), "repeats": len(costs),
        "processor": median(cost.processor for cost in costs),
        "others": median(cost.others for cost in costs),
        "megabytes": max(cost.memory for cost in costs) / 1e6, "note": note,
    }  # fmt: skip


def show(found: list[dict[str, Any]]) -> None:
    """The rows as a table in markdown."""
    columns = ["work", "seconds", "rate", "least, most", "ratio", "CPU s", "others' cores", "MB"]
    print(table([*columns, "note"], [_cells(row) for row in found]))


def _cells(r: dict[str, Any]) -> list[str]:
    return [
        r["work"], f"{r['seconds']:.2f}", f"{r['rate']:,.0f} {r['unit']}",
        f"{r['least']:,.0f}, {r['most']:,.0f}", f"{r['ratio']:.2f}" if "ratio" in r else "",
        f"{r['processor']:.2f}", f"{r['others']:.1f}", f"{r['megabytes']:.0f}", r["note"],
    ]  # fmt: skip


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("images", 10_000), ("side", 256), ("repeats", 3)):
        words.add_argument(f"--{name}", type=int, default=value)
    given = words.parse_args()
    found = rows(**vars(given))
    print(f"{environment()['processor']}, {cores()} cores; {date.today()}; ", end="")
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, ", end="")
    print(f"Pillow {Image.__version__}; {given.images:,} JPEGs of {SIZE[0]} × {SIZE[1]} pixels, ")
    print(f"{found[0]['kilobytes']:.0f} kB each, a tenth held out; side {given.side}; ", end="")
    print(f"median of {given.repeats}; ratio is to the faster bare decoding\n")
    show(found)


if __name__ == "__main__":
    main()

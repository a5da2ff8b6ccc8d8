"""From a folder of JPEGs to training, compared with decoding alone: time, processor and memory.

python -m benchmarks data --images 10000 --side 256      # some minutes on two cores

The photographs are crops of scikit-learn's two, in the page cache when they are read. Works take
turns; starts and loops run in separate processes, whose imports are not counted.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torchvision
from PIL import Image

from benchmarks.cost import Cost, in_new_process, measured
from benchmarks.floors import (
    HELD_OUT,
    on_all_cores,
    pillow_decode,
    pillow_square,
    torchvision_decode,
    write,
)
from benchmarks.measure import table
from benchmarks.photographs import SIZE, link, make_folder
from siamlab.data.cache import cache_root, cached, fingerprint
from siamlab.data.decode import cores, decode
from siamlab.data.entry import seal
from siamlab.data.folder import Folder, split_files
from siamlab.data.images import plain
from siamlab.machine.sums import Sums, unsigned
from siamlab.recipes import demo_size, mae
from siamlab.run import Run
from siamlab.train import Metrics, steps
from siamlab.train.batches import Batches
from siamlab.train.environment import environment

BATCH = 64
DRAWN = 50  # batches
STEPS = 60  # of the small run
IMAGENET = 1_300_000


def source(root: Path, side: int) -> Folder:
    return Folder(path=str(root), side=side, test_fraction=HELD_OUT)


def batches(pixels: torch.Tensor, number: int) -> Iterator[torch.Tensor]:
    return Batches(pixels, Run(batch=BATCH, steps=number), torch.device("cpu")).read(0)


def start(root: Path, side: int) -> Cost:
    """Measure the time from the folder to the first batch."""
    with measured() as costs:
        next(batches(source(root, side)("train").pixels, 1))
    return costs[0]


def listing(root: Path) -> Cost:
    """Measure listing and splitting files, with their sizes and times, as in a later start."""
    with measured() as costs:
        fingerprint(split_files(str(root), "", HELD_OUT, "train").paths)
    return costs[0]


def draw(root: Path, side: int) -> Cost:
    """Measure drawing batches from the cache, including opening it."""
    with measured() as costs:
        for _ in batches(source(root, side)("train").pixels, DRAWN):
            pass
    return costs[0]


def draw_sparse(images: int, side: int) -> Cost:
    """Measure the same on a cache entry of sparse files."""
    key = {"kind": "sparse", "split": "train", "side": side}
    image = torch.zeros(1, 3, side, side, dtype=torch.uint8)
    cached(key, lambda _: [plain(image, torch.zeros(1).long(), ())])
    about = next(cache_root().glob("sparse-*/about.json"))
    entry, sums = unsigned(json.loads(about.read_text())), {}
    for name, shape in entry["shapes"].items():
        file, sums[name] = about.parent / name, Sums()
        os.truncate(file, file.stat().st_size * images)
        shape[0] *= images
        with file.open("rb") as bytes_of_it:
            while piece := bytes_of_it.read(2**20):
                sums[name].add(piece)
    seal(about.parent, entry, sums)
    with measured() as costs:
        for _ in batches(cached(key, lambda _: []).pixels, DRAWN):
            pass
    return costs[0]


def train(root: Path, side: int, out: Path) -> Cost:
    """Measure a small MAE on the folder, with the wait of its last line."""
    run = demo_size(mae()).replace(
        data=source(root, side), batch=BATCH, steps=STEPS, log_every=STEPS
    )
    with measured() as costs:
        *_, last = (event for event in steps(run, out) if isinstance(event, Metrics))
    return costs[0]._replace(wait=last.wait)


def rows(images: int = 10_000, side: int = 256, repeats: int = 3) -> list[dict[str, Any]]:
    """Return one row per work: rate with least and most, ratio to decoding, CPU, memory."""
    before = os.environ.get("SIAMLAB_CACHE")
    try:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder, "photos")
            make_folder(root, images)
            size = sum(file.stat().st_size for file in root.rglob("*.jpg")) / images
            measurements = starts(root, images, side, repeats) + others(root, images, side)
            return [row | {"kilobytes": size / 1000} for row in measurements]
    finally:
        os.environ.pop("SIAMLAB_CACHE", None)
        if before is not None:
            os.environ["SIAMLAB_CACHE"] = before


def starts(root: Path, images: int, side: int, repeats: int) -> list[dict[str, Any]]:
    """Measure floors and starts in turn, each first start with an empty cache."""
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
                costs[name].append(in_new_process(start, root, side))
    rows = {name: row(name, n, costs[name]) for name in costs}
    by_torchvision, by_pillow, _, by_siamlab, writing, first, _ = rows.values()
    fastest = min(by_torchvision["seconds"], by_pillow["seconds"])
    for measured_row in rows.values():
        measured_row["ratio"] = fastest / measured_row["seconds"]
    floor = {key: by_siamlab[key] + writing[key] for key in ("seconds", "processor")}
    first["note"] = (
        f"{first['seconds'] / by_siamlab['seconds']:.2f} × the time of {by_siamlab['work']}; with "
        f"{writing['work']} {first['seconds'] / floor['seconds']:.2f} × the time and "
        f"{first['processor'] / floor['processor']:.2f} × the CPU"
    )
    return list(rows.values())


def others(root: Path, images: int, side: int) -> list[dict[str, Any]]:
    """Measure many files, memory and the training loop, once each."""
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        os.environ["SIAMLAB_CACHE"] = f"{folder}/cache"
        link(root, Path(folder, "links"), 10)
        costs = in_new_process(start, root, side), in_new_process(draw, root, side)
        sparse = in_new_process(draw_sparse, IMAGENET, side)
        loop = in_new_process(train, root, side, Path(folder, "run"))
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
    """Return the row of a work on `n` images or files: medians, and the maximum of memory."""
    seconds = [cost.seconds for cost in costs]
    return {
        "work": name, "unit": f"{unit}/s", "rate": n / median(seconds), "least": n / max(seconds),
        "most": n / min(seconds), "seconds": median(seconds), "repeats": len(costs),
        "processor": median(cost.processor for cost in costs),
        "others": median(cost.others for cost in costs),
        "megabytes": max(cost.memory for cost in costs) / 1e6, "note": note,
    }  # fmt: skip


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows as a table in Markdown."""
    columns = ["work", "seconds", "rate", "least, most", "ratio", "CPU s", "others' cores", "MB"]
    print(table([*columns, "note"], [_cells(row) for row in rows]))


def _cells(r: dict[str, Any]) -> list[str]:
    return [
        r["work"], f"{r['seconds']:.2f}", f"{r['rate']:,.0f} {r['unit']}",
        f"{r['least']:,.0f}, {r['most']:,.0f}", f"{r['ratio']:.2f}" if "ratio" in r else "",
        f"{r['processor']:.2f}", f"{r['others']:.1f}", f"{r['megabytes']:.0f}", r["note"],
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("images", 10_000), ("side", 256), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    measurements = rows(**vars(options))
    print(f"{environment()['processor']}, {cores()} cores; {date.today()}; ", end="")
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, ", end="")
    print(f"Pillow {Image.__version__}; {options.images:,} JPEGs of {SIZE[0]} × {SIZE[1]} pixels, ")
    print(
        f"{measurements[0]['kilobytes']:.0f} kB each, a tenth held out; side {options.side}; ",
        end="",
    )
    print(f"median of {options.repeats}; ratio is to the faster decoding alone\n")
    show(measurements)


if __name__ == "__main__":
    main()

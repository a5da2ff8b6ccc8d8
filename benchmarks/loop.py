"""The training loop as users run it, from cached uint8 images to the momentum update, with logging.

Images per second, and the share of time spent waiting for data. On a GPU, with images that are on
the device, like those of data sets that fit, and with images read from memory.
"""

import statistics
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.cost import in_new_process
from benchmarks.step import call_alone, small
from siamlab.data.images import Images, plain
from siamlab.recipes import demo_size, siameseim
from siamlab.run import Run
from siamlab.train import Metrics, batches, steps

BATCHES = 8  # number of different ones
SIDE = {"cpu": 48, "cuda": 256}  # pixels of cached images


def cases(device: torch.device) -> dict[str, tuple[Run, bool]]:
    """Return runs by name, and whether all images are on the device beforehand."""
    if device.type == "cpu":
        return {"demo, SiameseIM": (demo_size(siameseim()), False)}
    plain, compiled = small(512), small(512, compute={"compile": True})
    return {
        "ViT-S/16 224, SiameseIM, images on the GPU": (plain, True),
        "the same, images in memory": (plain, False),
        "ViT-S/16 224, SiameseIM, compiled, images on the GPU": (compiled, True),
    }


def rows(device: torch.device, peer: str, repeats: int, case: str = "") -> list[dict[str, Any]]:
    """Return one row per case, each from a separate process; with `case`, only that row."""
    threads = torch.get_num_threads()
    table = [
        in_new_process(call_alone, train_case, name, run, on_device, threads, device, repeats)
        for name, (run, on_device) in cases(device).items()
        if case in ("", name)
    ]
    return [row | {"ratio": row["rate"] / table[0]["rate"]} for row in table]


def train_case(
    name: str, run: Run, on_device: bool, device: torch.device, repeats: int
) -> dict[str, Any]:
    """Return the row of a run on random images, which are on the device before if `on_device`."""
    run = run.replace(steps=run.log_every * (repeats + 1), save_every=10**9)
    run = run.change(f"compute.device={device.type}")
    images = noise(BATCHES * run.batch, SIDE[device.type])
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(batches, "_fits", lambda pixels, device: on_device),
    ):
        lines = [e for e in steps(run, Path(folder, "run"), images) if isinstance(e, Metrics)]
    # a line's own rate leaves out its cost; the first line includes work that is done once
    rates = sorted(
        (after.images - before.images) / (after.seconds - before.seconds)
        for before, after in pairwise(lines[1:])
    )
    return {
        "work": name, "unit": "images/s", "rate": statistics.median(rates), "least": rates[0],
        "most": rates[-1], "seconds": run.batch / statistics.median(rates),
        "repeats": len(rates), "wait": lines[-1].wait,
    }  # fmt: skip


def noise(count: int, side: int) -> Images:
    """Return random images without labels."""
    pixels = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
    return plain(pixels, torch.full((count,), -1), [])

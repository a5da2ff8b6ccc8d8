"""The training loop as users run it: images a second from cached uint8 images to the momentum
update, logged lines included, and the share of its time that it waits for data.

On a GPU with images that lie there, as sets that fit do, and with images that are read from memory.
"""

import statistics
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.cost import fresh
from benchmarks.step import by_itself, small
from siamlab.data.images import Images, plain
from siamlab.recipes import demo_size, siameseim
from siamlab.run import Run
from siamlab.train import batches, steps

BATCHES = 8  # different ones
SIDE = {"cpu": 48, "cuda": 256}  # pixels of cached images


def cases(device: torch.device) -> dict[str, tuple[Run, bool]]:
    """Runs by name, and whether all images lie on the device beforehand."""
    if device.type == "cpu":
        return {"demo, SiameseIM": (demo_size(siameseim()), False)}
    plain, compiled = small(512), small(512, compute={"compile": True})
    return {
        "ViT-S/16 224, SiameseIM, images on the GPU": (plain, True),
        "the same, images in memory": (plain, False),
        "ViT-S/16 224, SiameseIM, compiled, images on the GPU": (compiled, True),
    }


def rows(device: torch.device, peer: str, repeats: int, case: str = "") -> list[dict[str, Any]]:
    """A row a case, in processes of their own; with `case` that one alone."""
    threads = torch.get_num_threads()
    found = [
        fresh(by_itself, trained, name, run, held, threads, device, repeats)
        for name, (run, held) in cases(device).items()
        if case in ("", name)
    ]
    return [row | {"ratio": row["rate"] / found[0]["rate"]} for row in found]


def trained(name: str, run: Run, held: bool, device: torch.device, repeats: int) -> dict[str, Any]:
    """The row of a run on random images; `held`: all of them on the device beforehand."""
    run = run.replace(steps=run.log_every * (repeats + 1), save_every=10**9)
    run = run.change(f"compute.device={device.type}")
    images = noise(BATCHES * run.batch, SIDE[device.type])
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(batches, "_fits", lambda pixels, device: held),
    ):
        lines = [line for line in steps(run, Path(folder, "run"), images) if "rate" in line]
    # a line's own rate leaves out what it costs itself; the first pays for what is made once
    rates = sorted(
        (after["images"] - before["images"]) / (after["seconds"] - before["seconds"])
        for before, after in pairwise(lines[1:])
    )
    return {
        "work": name, "unit": "images/s", "rate": statistics.median(rates), "least": rates[0],
        "most": rates[-1], "seconds": run.batch / statistics.median(rates),
        "repeats": len(rates), "wait": lines[-1]["wait"],
    }  # fmt: skip


def noise(count: int, side: int) -> Images:
    """Random images without labels."""
    pixels = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
    return plain(pixels, torch.full((count,), -1), [])

"""Throughput of a study: trials per minute by the number of workers, with all that trials do.

Four trials of the demo's MAE, 60 steps each, by `siamlab study run`, probes included.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from siamlab.data import Scenes

STEPS, SEEDS = 60, 2
FILE = """
from siamlab.recipes import demo_size, mae
from siamlab.study import Ablation, Axis, Choice

study = Ablation(
    question="How many trials per minute?",
    base=demo_size(mae()).change("steps={steps}", "data.images=2000", "data.test_images=400"),
    axes=(Axis("loss", Choice("MSE"), Choice("smooth L1", "loss=smooth_l1")),),
    seeds={seeds},
)
"""


def rows(device: torch.device, peer: str, repeats: int) -> list[dict[str, Any]]:
    """Return one row for one worker and one for two, once each, with the data decoded before."""
    for split in ("train", "test"):
        Scenes(images=2000, test_images=400)(split)
    table = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speed.py"
        file.write_text(FILE.format(steps=STEPS, seeds=SEEDS))
        for workers in (1, 2):
            started = time.perf_counter()
            command = [str(Path(sys.executable).parent / "siamlab"), "study", "run", str(file)]
            command += ["--workers", str(workers), "--out", f"{folder}/{workers}"]
            subprocess.run(command, check=True, capture_output=True)
            seconds = time.perf_counter() - started
            rate = 60 * 2 * SEEDS / seconds
            table.append(
                {
                    "work": f"{workers} worker{'s' * (workers > 1)}", "unit": "trials/min",
                    "rate": rate, "least": rate, "most": rate, "seconds": seconds, "repeats": 1,
                }
            )  # fmt: skip
    for row in table:
        row["ratio"] = row["rate"] / table[0]["rate"]
    return table

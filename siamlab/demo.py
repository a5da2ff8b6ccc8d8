"""The main job: three recipes on the same scenes, probed, placed on the plane, in one report.

demo(DEMO, "runs/demo")     # what `make demo` runs; started again it goes on
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console

from siamlab import progress
from siamlab.data import subset
from siamlab.probing import probe_all, report
from siamlab.recipes import RECIPES, demo_size
from siamlab.run import Run
from siamlab.subject import before_training, subject
from siamlab.train import Folder, Stopped, steps
from siamlab.train.folder import Line
from siamlab.train.setup import finished
from siamlab.train.side_by_side import side_by_side


class Scale(NamedTuple):
    """How large the main job is; its sizes differ in nothing else."""

    name: str  # of its folder under runs/
    changes: tuple[str, ...]  # of each recipe at the demo's size
    images: int  # training images of the probes
    recipes: tuple[str, ...] = ("siameseim", "moco_v3", "mae")  # the slowest first


# one direction a step in all three, so that an image costs each of them one pass
SHARED = ("roles=fixed", "log_every=50")
SMALLEST = Scale(
    "demo-smallest",
    (*SHARED, "steps=6", "log_every=2", "data.images=256", "data.test_images=200"),
    images=256,
)
DEMO = Scale("demo", (*SHARED, "steps=1600"), images=4000)
LONG = Scale("demo-long", (*SHARED, "steps=9000", "log_every=200", "save_every=500"), images=8000)


def demo(scale: Scale, out: str | Path) -> int:
    """Train, probe, report; the exit status. Finished runs are not trained again."""
    console, out = Console(), Path(out)
    runs = [demo_size(RECIPES[name]()).change(*scale.changes) for name in scale.recipes]
    with console.status("drawing the scenes"):
        train, test = (runs[0].data(split) for split in ("train", "test"))
    try:
        train_all(runs, out, console)
    except (Stopped, KeyboardInterrupt):
        console.print("Stopped. Nothing is lost: the same command goes on from here.")
        return 130
    trained_models = [subject(str(out / run.name)) for run in runs]
    subjects = [before_training(trained_models[0]), *trained_models]
    with console.status("probing the features"):
        scores = probe_all(subjects, subset(train, min(scale.images, len(train.pixels))), test)
    scores.write_parquet(out / "scores.parquet")
    report(scores, runs[0].data)
    from siamlab.demo_report import write_demo_report

    with console.status("writing the report"):
        path = write_demo_report(out, runs, subjects, scores, test)
    console.print(f"Report: {path.resolve()}", soft_wrap=True, highlight=False)
    return 0


def train_all(runs: list[Run], out: Path, console: Console) -> None:
    """Train what is not finished, with a bar each."""
    jobs = [(run, out / run.name) for run in runs if not finished(run, Folder(out / run.name))]
    with progress.bars(console) as bars:
        bar = {run.name: progress.add(bars, run) for run, _ in jobs}
        for name, line in trained(jobs):
            progress.update(bars, bar[name], name, line)


def trained(jobs: list[tuple[Run, Path]]) -> Iterator[tuple[str, Line]]:
    """The logged lines of all jobs: in turn on a GPU, side by side on a processor."""
    workers = min(len(jobs), os.cpu_count() or 1)
    if workers > 1 and not torch.cuda.is_available():
        yield from side_by_side(jobs, workers)
        return
    for run, path in jobs:
        yield from ((run.name, line) for line in steps(run, path, resume=True))

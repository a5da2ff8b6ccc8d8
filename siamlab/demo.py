"""The main job: three recipes on the same images, probed, placed on the plane, in one report.

demo(DEMO, "runs/demo")     # what `make demo` runs; started again it goes on
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console

from siamlab import progress
from siamlab.component import UserError
from siamlab.data import Data, Images
from siamlab.given import at_most
from siamlab.probe.suite.semantic import varied
from siamlab.probe.suite.spatial import FEWEST
from siamlab.probing import probe_all, report
from siamlab.recipes import RECIPES, demo_size, photo_size
from siamlab.run import Run
from siamlab.subject import before_training, subject
from siamlab.train import Folder, Stopped, steps
from siamlab.train.folder import Line
from siamlab.train.precision import CHOSEN
from siamlab.train.setup import finished
from siamlab.train.side_by_side import side_by_side


class Scale(NamedTuple):
    """How large the main job is; its sizes differ in nothing else."""

    name: str  # of its folder under runs/
    changes: tuple[str, ...]  # of each recipe at its size
    images: int  # training images of the probes
    sized: Callable[[Run], Run] = demo_size
    recipes: tuple[str, ...] = ("siameseim", "moco_v3", "mae")  # the slowest first
    test_images: int = 2000  # of the probes, at most

    def runs(self) -> list[Run]:
        """One for each recipe."""
        return [self.sized(RECIPES[name]()).change(*self.changes) for name in self.recipes]


# one direction a step in all three, so that an image costs each of them one pass
SHARED = ("roles=fixed", "log_every=50")
SMALLEST = Scale(
    "demo-smallest",
    (*SHARED, "steps=6", "log_every=2", "data.images=256", "data.test_images=200"),
    images=256,
)
DEMO = Scale("demo", (*SHARED, "steps=1600"), images=4000)
LONG = Scale("demo-long", (*SHARED, "steps=9000", "log_every=200", "save_every=500"), images=8000)


def photographs(kind: str, words: Sequence[str] = ()) -> Scale:
    """The same job on photographs: `cifar10`, which is fetched if need be, or another source."""
    fetched = ("data.download=true",) if kind == "cifar10" else ()
    changes = (*SHARED, "steps=2000", f"data={kind}", *fetched, *words)
    return Scale(f"demo-{kind}", changes, images=4000, sized=photo_size)


def demo(scale: Scale, out: str | Path) -> int:
    """Train, probe, report; the exit status. Finished runs are not trained again."""
    console, out, runs = Console(), Path(out), scale.runs()
    with console.status("reading the images"):
        train, test = (runs[0].data(split) for split in ("train", "test"))
    train, test = at_most(train, scale.images), at_most(test, scale.test_images)
    check_plane(runs[0].data, train, test)
    try:
        train_all(runs, out, console)
    except (Stopped, KeyboardInterrupt):
        console.print("Stopped. Nothing is lost: the same command goes on from here.")
        return 130
    trained_models = [subject(str(out / run.name)) for run in runs]
    subjects = [before_training(trained_models[0]), *trained_models]
    with console.status("probing the features"):
        scores = probe_all(subjects, train, test)
    scores.write_parquet(out / "scores.parquet")
    report(scores, runs[0].data)
    from siamlab.demo_report import write_demo_report

    with console.status("writing the report"):
        path = write_demo_report(out, runs, subjects, scores, test)
    console.print(f"Report: {path.resolve()}", soft_wrap=True, highlight=False)
    return 0


def check_plane(data: Data, train: Images, test: Images) -> None:
    """Raises UserError, before any training, for images that do not give both scores."""
    if not all(varied(images.labels[images.labels >= 0]) for images in (train, test)):
        raise UserError(
            f"--data {data.kind}: the plane needs training and test images with labels of two "
            "classes or more, as class folders in data.path have; choose such images, or leave "
            "--data out"
        )
    if len(test.labels) < FEWEST:
        raise UserError(
            f"--data {data.kind}: the plane needs {FEWEST} test images or more, and there are "
            f"{len(test.labels)}; add images"
        )


def train_all(runs: list[Run], out: Path, console: Console) -> None:
    """Train what is not finished, with a bar each."""
    jobs = [(run, out / run.name) for run in runs if not finished(run, Folder(out / run.name))]
    with progress.bars(console) as bars:
        bar = {run.name: progress.add(bars, run) for run, _ in jobs}
        for name, line in once(trained(jobs)):
            progress.update(bars, bar[name], name, line)


def once(lines: Iterable[tuple[str, Line]]) -> Iterator[tuple[str, Line]]:
    """The lines, with what is true of all runs on this processor from the first alone."""
    heard = False
    for name, line in lines:
        chosen = line.get("said") == CHOSEN
        if not (chosen and heard):
            yield name, line
        heard |= chosen


def trained(jobs: list[tuple[Run, Path]]) -> Iterator[tuple[str, Line]]:
    """The logged lines of all jobs: in turn on a GPU, side by side on a processor."""
    workers = min(len(jobs), os.cpu_count() or 1)
    if workers > 1 and not torch.cuda.is_available():
        yield from side_by_side(jobs, workers)
        return
    for run, path in jobs:
        yield from ((run.name, line) for line in steps(run, path, resume=True))

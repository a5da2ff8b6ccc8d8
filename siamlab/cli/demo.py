"""The demo: three recipes trained on the same images, probed, and placed on the plane.

demo(DEMO, "runs/demo")     # what `make demo` runs; if it was stopped, it resumes
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from siamlab.cli.probe import print_scores
from siamlab.component import UserError
from siamlab.data import DataChoice, Images
from siamlab.evaluate.evaluate import probe_all
from siamlab.evaluate.files import check_folder, write_table
from siamlab.evaluate.images import is_folder, open_images
from siamlab.evaluate.models import before_training, open_models
from siamlab.machine.console import Console
from siamlab.machine.files import expanded
from siamlab.machine.shortage import explain_shortage
from siamlab.machine.terminal import say
from siamlab.probe.suite.passes import Precision
from siamlab.probe.suite.semantic import varied
from siamlab.probe.suite.spatial import FEWEST
from siamlab.recipes import RECIPES, demo_size, photo_size
from siamlab.run import Run
from siamlab.train import RunFolder, Stopped, bar, steps
from siamlab.train.access import listed
from siamlab.train.device import choose_device
from siamlab.train.events import Event, Notice
from siamlab.train.precision import CHOSEN
from siamlab.train.resume import finished
from siamlab.train.side_by_side import side_by_side


class Scale(NamedTuple):
    """A size of the demo."""

    name: str  # its folder under runs/
    time: str  # that it takes on two idle cores, roughly
    changes: tuple[str, ...]  # to every recipe, after `sized`
    images: int  # training images for the probes
    sized: Callable[[Run], Run] = demo_size
    recipes: tuple[str, ...] = ("siameseim", "mae", "moco_v3")  # as in every plane: same colours
    test_images: int = 2000  # largest number of test images for the probes

    def runs(self) -> list[Run]:
        """Return one run for each recipe."""
        return [self.sized(RECIPES[name]()).change(*self.changes) for name in self.recipes]

    def change(self, *words: str) -> "Scale":
        """Return the same size with more changes to every recipe."""
        return self._replace(changes=(*self.changes, *words))


# one direction per step in all three recipes, so that each spends one pass on an image
SHARED = ("roles=fixed", "log_every=50")
SIDE = "data.side=32"  # as that of CIFAR-10
SMALLEST = Scale(
    "demo-smallest",
    "a minute",
    (*SHARED, "steps=6", "log_every=2", "data.images=256", "data.test_images=200"),
    images=256,
)
DEMO = Scale("demo", "5 to 10 minutes", (*SHARED, "steps=1600"), images=4000)
LONG = Scale(
    "demo-long",
    "up to 90 minutes",
    (*SHARED, "steps=9000", "log_every=200", "save_every=500"),
    images=8000,
)


def photographs(data: str) -> Scale:
    """Return the demo on photographs: `cifar10`, downloaded if necessary, another source, a folder.

    A folder's images are stored at 32 pixels, which is what the models of the demo see.
    """
    named, source = data, (f"data={data}",)
    if is_folder(data):
        named, source = expanded(data).resolve().name, ("data=folder", f"data.path={data}", SIDE)
    elif data == "cifar10":
        source += ("data.download=true",)
    changes = (*SHARED, "steps=2000", *source)
    return Scale(f"demo-{named}", "30 to 120 minutes", changes, images=4000, sized=photo_size)


def demo(scale: Scale, out: str | Path, precision: Precision = "float32") -> int:
    """Train, probe and report; return the exit status. Finished runs are not trained again.

    The runs are probed on the device on which they train, their compute.device; `precision` is
    that of their products then.
    """
    console, out, runs = Console(), Path(out), scale.runs()
    check_demo_folder(out, runs)
    say(plan(scale, runs, out), console)
    with console.status("reading the images"):
        train, test = open_images(runs[0].data, train=scale.images, test=scale.test_images)
    check_plane(runs[0].data, train, test)
    try:
        train_all(runs, out, console)
        path = probe_and_report(runs, out, train, test, precision, console)
    except (Stopped, KeyboardInterrupt):
        say(f"Stopped. What {out} holds is kept: the same command resumes from there.", console)
        return 130
    say(f"Report: {path.resolve()}", console)
    return 0


def probe_and_report(
    runs: list[Run], out: Path, train: Images, test: Images, how: Precision, console: Console
) -> Path:
    """Probe the trained runs; return the path of their report."""
    trained_models = open_models([out / run.name for run in runs])
    models = [before_training(trained_models[0]), *trained_models]
    settings = dict(device=runs[0].compute.device, precision=how)
    with console.status("probing the features"):
        with explain_shortage("end other programs, or ask for the --smallest demo"):
            scores = probe_all(models, train, test, **settings, cache=False)
    write_table(scores, out / "scores.parquet")
    print_scores(scores, runs[0].data, models)
    from siamlab.report.demo import write_demo_report

    with console.status("writing the report"):
        return write_demo_report(out, runs, models, scores, test)


def check_demo_folder(out: Path, runs: Sequence[Run]) -> None:
    """Raise UserError for a folder that cannot be made, or holds anything but this demo.

    So it does for runs of one name, which would share a folder.
    """
    if len({run.name for run in runs}) < len(runs):
        raise UserError(f"name={runs[0].name} would be the name of all runs; leave it out")
    check_folder(out)
    names = {path.name for path in listed(out)}
    if "run.toml" in names or (names and not names & {run.name for run in runs}):
        raise UserError(f"--out {out} holds something else than this demo; name a new folder")


def plan(scale: Scale, runs: list[Run], out: Path) -> str:
    """Return what the demo is about to do, how long it takes and where its report will be."""
    *others, last = [run.name for run in runs]
    return (
        f"Trains {', '.join(others)} and {last} for {runs[0].steps:,} steps each on "
        f"{runs[0].data.kind}, probes them and writes {(out / 'report.html').resolve()}; roughly "
        f"{scale.time} on two idle cores, less on a GPU."
    )


def check_plane(data: DataChoice, train: Images, test: Images) -> None:
    """Raise UserError, before any training, if the images cannot give both scores."""
    if not all(varied(images.labels[images.labels >= 0]) for images in (train, test)):
        raise UserError(
            f"--data {data.kind}: the plane needs training and test images with labels of two "
            "classes or more, as class folders in data.path have; choose such images, or leave "
            "--data out"
        )
    if len(test.labels) < FEWEST:
        raise UserError(
            f"--data {data.kind}: the plane needs {FEWEST} test images or more, but there are "
            f"{len(test.labels)}; add images"
        )


def train_all(runs: list[Run], out: Path, console: Console) -> None:
    """Train the runs that are not finished, with one bar each."""
    jobs = [(run, out / run.name) for run in runs if not finished(run, RunFolder(out / run.name))]
    with bar.bars(console) as bars:
        places = {run.name: bar.add(bars, run) for run, _ in jobs}
        for name, event in once(trained(jobs)):
            bar.update(bars, places[name], name, event)


def once(events: Iterable[tuple[str, Event]]) -> Iterator[tuple[str, Event]]:
    """Yield the events, the notice that holds for all runs on this processor only once."""
    noticed = False
    for name, event in events:
        chosen = event == Notice(CHOSEN)
        if not (chosen and noticed):
            yield name, event
        noticed |= chosen


def trained(jobs: list[tuple[Run, Path]]) -> Iterator[tuple[str, Event]]:
    """Yield the events of all jobs, which run in turn on a GPU and side by side on a processor."""
    workers = min(len(jobs), os.cpu_count() or 1)
    if workers > 1 and choose_device(jobs[0][0].compute).type == "cpu":
        yield from side_by_side(jobs, workers)
        return
    for run, path in jobs:
        yield from ((run.name, event) for event in steps(run, path, resume=True))

"""Progress: a bar with rate and time left for each run, and what has to be said between."""

import sys
from collections.abc import Iterable
from itertools import chain, islice

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from siamlab import processes
from siamlab.probe.spectrum import LEAST_RANK, LEAST_SPREAD
from siamlab.run import Run
from siamlab.train.folder import Line


def bars(console: Console | None = None) -> Progress:
    """Bars of runs: name, share, steps, images a second, share of waiting, loss, time left."""
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} images/s, {task.fields[wait]} waiting"),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        disable=processes.rank() != 0,
    )


def add(progress: Progress, run: Run) -> int:
    """A new bar."""
    return progress.add_task(run.name, total=run.steps, rate="–", wait="–", loss="–")


def update(progress: Progress, bar: int, name: str, line: Line) -> None:
    """One logged line onto its bar; sentences and collapses above it."""
    if "said" in line:
        progress.console.print(f"{name}: {line['said']}", markup=False, highlight=False)
        return
    rate, loss = f"{line['rate']:.0f}", f"{line['loss']:.4f}"
    wait = f"{100 * line['wait']:.1f} %"
    progress.update(bar, completed=line["step"], rate=rate, wait=wait, loss=loss)
    if found := probed(line):
        progress.console.print(f"{name}, step {line['step']}: {found}", highlight=False)
    if complaint := collapsed(line):
        progress.console.print(f"{name}, step {line['step']}: {complaint}", style="yellow")
    if not progress.console.is_terminal:  # a log file: no bar, a line now and then
        share = f"{line['step']}/{progress.tasks[bar].total:.0f}"
        speed = f"{rate} images/s, {wait} waiting for data"
        print(f"{name} {share} loss {loss} {speed}", file=sys.stderr)


def follow(run: Run, lines: Iterable[Line]) -> None:
    """Draw the bar of one run while it trains, from its first line on."""
    lines = iter(lines)
    first = list(islice(lines, 1))
    with bars() as progress:
        bar = add(progress, run)
        for line in chain(first, lines):
            update(progress, bar, run.name, line)


def probed(line: Line) -> str:
    """What the probes of a logged line found, in words; "" where there were none."""
    shown = {"semantic": "semantic score", "spatial": "spatial score", "knn": "k-NN"}
    found = {word: line[f"probe/{p}"] for p, word in shown.items() if f"probe/{p}" in line}
    return ", ".join(
        f"{word} {100 * value:.1f} %" if word == "k-NN" else f"{word} {value:.3f}"
        for word, value in found.items()
    )


def collapsed(line: Line) -> str:
    """A sentence if the features of a logged line have collapsed, else ""."""
    for side in ("context", "target"):
        spread, rank = line.get(f"{side}/spread", 1.0), line.get(f"{side}/rankme", LEAST_RANK)
        if spread < LEAST_SPREAD or rank < LEAST_RANK:
            return (
                f"the {side}'s features have collapsed (spread {spread:.3f} of 1, RankMe "
                f"{rank:.1f}): nearly the same for every image; lower optimiser.lr or change loss "
                "or target"
            )
    return ""

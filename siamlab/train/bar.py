"""A bar with rate and time left for each run in training, and notices above the bars.

follow(run, steps(run, path))
"""

from collections.abc import Iterable, Mapping
from itertools import chain, islice

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from siamlab.component import printable
from siamlab.machine import distributed
from siamlab.machine.console import Console
from siamlab.machine.terminal import cell, say, tell
from siamlab.run import Run
from siamlab.train.collapse import collapse_warning
from siamlab.train.events import Event, Notice


def bars(console: Console | None = None) -> Progress:
    """Return bars with name, steps, images per second, share of waiting, loss and time left."""
    return Progress(
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} images/s, {task.fields[wait]} waiting"),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console or Console(),
        disable=not distributed.is_main(),
    )


def add(progress: Progress, run: Run) -> int:
    """Add a bar for the run and return its id."""
    return progress.add_task(printable(run.name), total=run.steps, rate="–", wait="–", loss="–")


def update(progress: Progress, bar: int, name: str, event: Event) -> None:
    """Show an event: metrics on the bar; notices, probes and collapses above it."""
    if isinstance(event, Notice):
        say(f"{name}: {event.text}", progress.console)
        return
    rate, loss, wait = f"{event.rate:.0f}", f"{event.loss:.4f}", f"{100 * event.wait:.1f} %"
    progress.update(bar, completed=event.step, rate=rate, wait=wait, loss=loss)
    if scores := scores_text(event.values):
        say(f"{name}, step {event.step}: {scores}", progress.console)
    if warning := collapse_warning(event.values):
        progress.console.print(cell(f"{name}, step {event.step}: {warning}"), style="yellow")
    if not progress.console.is_terminal:  # a log file gets one line per event instead of a bar
        share = f"{event.step}/{progress.tasks[bar].total:.0f}"
        speed = f"{rate} images/s, {wait} waiting for data"
        tell(f"{name} {share} loss {loss} {speed}")


def follow(run: Run, events: Iterable[Event]) -> None:
    """Draw the bar of one run while it trains, from its first event on."""
    events = iter(events)
    first = list(islice(events, 1))
    with bars() as progress:
        bar = add(progress, run)
        for event in chain(first, events):
            update(progress, bar, run.name, event)


def scores_text(values: Mapping[str, float]) -> str:
    """Format the scores among the values of a logged step; "" if it was not probed."""
    shown = {"semantic": "semantic score", "spatial": "spatial score", "knn": "k-NN"}
    found = {word: values[f"probe/{p}"] for p, word in shown.items() if f"probe/{p}" in values}
    return ", ".join(
        f"{word} {100 * value:.1f} %" if word == "k-NN" else f"{word} {value:.3f}"
        for word, value in found.items()
    )

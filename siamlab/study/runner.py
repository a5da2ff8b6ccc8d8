"""Run a study: several workers on this machine, a live table, and an end that loses nothing.

run_study("studies/loss_form.py", [], out, url="", workers=2, budget=None)      # the exit status
"""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread

import optuna
import torch
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.live import Live
from rich.table import Table

from siamlab.study.file import load
from siamlab.study.plan import opened
from siamlab.study.storage import give_back_dead, latest, left, open_storage, retry_failed
from siamlab.study.worker import interrupt, patiently, work
from siamlab.train import Folder, Stopped
from siamlab.workers import start

LOOK = 1.0  # seconds between looks at the storage
SHOWN = 40  # rows of the live table
MARKS = {"COMPLETE": "✓", "RUNNING": "▶", "WAITING": "·", "FAIL": "✗", "PRUNED": "–"}


def run_study(
    file: str, words: Sequence[str], out: Path, url: str, workers: int, budget: float | None,
    again: bool = False,
) -> int:  # fmt: skip
    """Do what is left of a study; 0 when it is done, 130 when it was stopped before.

    `budget` in seconds: stop then, with all kept. `again`: failed trials get another chance.
    """
    console = Console()
    name, definition = load(file, words)
    storage = open_storage(url, out)
    with console.status("looking at images and storage"):
        study = opened(definition, name, storage)
    give_back_dead(study, storage, out / "locks")
    if again:
        retry_failed(study)
    if not left(study):
        console.print(f"{name} is done already; `siamlab study report {file}` writes its report.")
        _tell_failed(study, console)
        return 0
    workers = min(workers or default_workers(), len(left(study)))
    threads = max(1, (os.cpu_count() or 1) // workers)
    how = (str(file), list(words), str(out), url, threads)
    until = time.monotonic() + budget if budget else float("inf")
    signal.signal(signal.SIGTERM, interrupt)
    with _team(workers, how) as team, suppress(KeyboardInterrupt):
        _follow(study, out, team, console, until)
    if patiently(lambda: left(study)):
        console.print("Stopped. Nothing is lost: the same command goes on from here.")
        return 130
    _tell_failed(study, console)
    console.print(f"Done; `siamlab study report {file}` writes the report.")
    return 0


@contextmanager
def _team(workers: int, how: tuple) -> Iterator[list[BaseProcess]]:
    """So many workers at work; they are stopped, and have saved, when this is left."""
    team = [start(_child, *how, i) for i in range(workers)]
    try:
        yield team
    finally:
        for worker in team:
            worker.terminate()  # SIGTERM: it saves, gives its trial back, and ends
        for worker in team:
            worker.join()


def default_workers() -> int:
    """One a GPU, or one a processor core."""
    return torch.cuda.device_count() or os.cpu_count() or 1


def live_table(study: optuna.Study, out: Path) -> Table:
    """A row a configuration: the state of each seed, and the mean of each objective so far."""
    rows: dict[str, list[FrozenTrial]] = {}
    for trial in latest(study):
        rows.setdefault(trial.user_attrs.get("point", f"trial {trial.number}"), []).append(trial)
    names = study.user_attrs["about"]["objectives"]
    table = Table("configuration", "seeds", *names, "now")
    for label, trials in list(rows.items())[-SHOWN:]:
        marks = " ".join(MARKS[t.state.name] for t in trials)
        done = [t for t in trials if t.state == TrialState.COMPLETE]
        means = [f"{sum(v) / len(v):.3f}" for v in zip(*(t.values for t in done), strict=True)]
        now = "  ".join(_now(t, out) for t in trials if t.state == TrialState.RUNNING)
        table.add_row(label, marks, *(means or [""] * len(names)), now)
    return table


def _follow(study: optuna.Study, out: Path, team: list, console: Console, until: float) -> None:
    """Show the table until all workers ended or time is up."""
    known = {t.number for t in study.get_trials(deepcopy=False) if t.state.is_finished()}
    with Live(console=console, auto_refresh=False) as live:
        while True:
            alive = [worker.sentinel for worker in team if worker.is_alive()]  # before the look
            if console.is_terminal:
                live.update(patiently(lambda: live_table(study, out)), refresh=True)
            for trial in patiently(lambda: study.get_trials(deepcopy=False)):
                if trial.state.is_finished() and trial.number not in known:
                    known.add(trial.number)
                    if not console.is_terminal:  # a log file: a line a finished trial
                        console.print(_told(trial), markup=False, soft_wrap=True)
            if not alive or time.monotonic() >= until:
                return
            wait(alive, timeout=min(LOOK, max(0, until - time.monotonic())))


def _tell_failed(study: optuna.Study, console: Console) -> None:
    failed = [trial for trial in latest(study) if trial.state == TrialState.FAIL]
    for trial in failed:
        console.print(_told(trial), markup=False, soft_wrap=True)
    if failed:
        console.print(f"{len(failed)} failed; with --again they get another chance.")


def _told(trial: FrozenTrial) -> str:
    about = trial.user_attrs
    name = about.get("folder", f"trial {trial.number}")
    values = ", ".join(f"{v:.3f}" for v in trial.values or ())
    return f"{name}: {about.get('reason') or values or 'given back, or lost with its worker'}"


def _now(trial: FrozenTrial, out: Path) -> str:
    lines = Folder(out / "runs" / trial.user_attrs.get("folder", "-")).lines()
    if not lines:
        return "starts"
    return f"step {lines[-1]['step']}, {lines[-1]['rate']:.0f} images/s"


def _child(file: str, words: list[str], out: str, url: str, threads: int, number: int) -> None:
    """What one worker process does."""
    if torch.cuda.device_count() > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = device_of(number)
    Thread(target=_follow_parent, daemon=True).start()
    name, definition = load(file, words)
    storage = open_storage(url, Path(out))
    with suppress(Stopped, KeyboardInterrupt):
        work(definition, opened(definition, name, storage), storage, Path(out), threads)


def device_of(number: int) -> str:
    """The GPU of a worker: they take turns, among those that CUDA_VISIBLE_DEVICES allows."""
    count = torch.cuda.device_count()
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
    return allowed.split(",")[number % count].strip()


def _follow_parent() -> None:
    """Nobody sees or stops a worker whose parent was killed: it saves and ends."""
    parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)

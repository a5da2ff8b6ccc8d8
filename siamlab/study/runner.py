"""Run a study with several workers on this machine, a live table and a clean stop.

run_study("studies/loss_form.py", [], out, url="", workers=2, budget=None)   # the exit status
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from threading import Thread

import optuna
import torch
from optuna.trial import FrozenTrial, TrialState
from rich.live import Live
from rich.table import Table

from siamlab.component import UserError
from siamlab.machine import workers as processes
from siamlab.machine.console import Console
from siamlab.machine.device import meant
from siamlab.machine.terminal import cell, say
from siamlab.study.claims import latest_attempts, requeue_failed, requeue_lost, unfinished
from siamlab.study.definition import Study
from siamlab.study.description import describe, runs_of
from siamlab.study.file import load
from siamlab.study.plan import open_study
from siamlab.study.storage import check_url, open_storage
from siamlab.study.worker import interrupt, patiently, work
from siamlab.train import RunFolder, Stopped

REFRESH = 1.0  # seconds between updates of the live table
MAX_ROWS = 40  # of the live table
MARKS = {"COMPLETE": "✓", "RUNNING": "▶", "WAITING": "·", "FAIL": "✗", "PRUNED": "–"}


def run_study(
    file: str, words: Sequence[str], out: Path, url: str, workers: int, budget: float | None,
    again: bool = False,
) -> int:  # fmt: skip
    """Run the unfinished trials of a study and return the exit status.

    0: done, 1: done, and every trial failed, 130: stopped before. `budget` is the time in seconds
    after which it stops; `again` repeats failed trials. Raises UserError after a fault of the
    machine, with all trials kept.
    """
    console = Console()
    name, definition = load(file, words)
    check_url(url)
    with console.status("reading images and storage"):
        describe(definition)  # before anything is made: it raises what refuses the study
        storage = open_storage(url, out)
        study = patiently(lambda: open_study(definition, name, storage))
    patiently(lambda: requeue_lost(study, storage, out / "locks"))
    if again:
        requeue_failed(study)
    if not (left := patiently(lambda: unfinished(study))):
        say(f"{name} is done already.", console)
        return conclude(study, file, console)
    count = min(workers or default_workers(definition), len(left))
    threads = max(1, (os.cpu_count() or 1) // count)
    faults = processes.CONTEXT.SimpleQueue()
    job = (str(file), list(words), str(out), url, threads, faults)
    until = time.monotonic() + budget if budget else float("inf")
    signal.signal(signal.SIGTERM, interrupt)
    ended = False
    with _workers(count, job) as team, suppress(KeyboardInterrupt):
        ended = _follow(study, out, team, console, until)
    if patiently(lambda: unfinished(study)):
        if ended:
            raise UserError(why_workers_ended(team, faults))
        console.print("Stopped. Nothing is lost: the same command continues from here.")
        return 130
    return conclude(study, file, console)


def conclude(study: optuna.Study, file: str, console: Console) -> int:
    """Say how a study that is done ended; return 1 if every trial failed, else 0."""
    trials = latest_attempts(study)
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    for trial in failed:
        say(_result(trial), console)
    if failed:
        console.print(f"{len(failed)} failed; --again repeats them.")
    if trials and len(failed) == len(trials):
        say(f"Every trial of {study.study_name} failed, so there is nothing to report.", console)
        return 1
    say(f"Done; `siamlab study report {file}` writes the report.", console)
    return 0


def why_workers_ended(team: Sequence[BaseProcess], faults: SimpleQueue[str]) -> str:
    """Say why workers ended before the study: the faults they reported, or their exit signal."""
    told: list[str] = []
    while not faults.empty():
        told.append(faults.get())
    killed = sum((worker.exitcode or 0) < 0 for worker in team)
    if not told and killed:
        told = [f"{killed} workers were killed, perhaps for want of memory (fewer --workers?)"]
    reasons = "; ".join(dict.fromkeys(told)) or "the workers ended by an error, printed above"
    return f"{reasons}. Nothing is lost: the same command continues from here"


@contextmanager
def _workers(count: int, job: tuple) -> Iterator[list[BaseProcess]]:
    """Start worker processes; stop them, with their trials saved, when the block ends."""
    team = [processes.start(_child, *job, i) for i in range(count)]
    try:
        yield team
    finally:
        for worker in team:
            worker.terminate()  # SIGTERM: it saves, requeues its trial, and ends
        for worker in team:
            worker.join()


def default_workers(definition: Study) -> int:
    """Return the number of GPUs or, without one or where none is used, of processor cores."""
    used = any(meant(run.compute.device) != "cpu" for run in runs_of(definition).values())
    return (used and torch.cuda.device_count()) or os.cpu_count() or 1


def live_table(study: optuna.Study, out: Path) -> Table:
    """Return one row per configuration: the state of each seed and the mean of each objective."""
    rows: dict[str, list[FrozenTrial]] = {}
    for trial in latest_attempts(study):
        rows.setdefault(trial.user_attrs.get("point", f"trial {trial.number}"), []).append(trial)
    names = study.user_attrs["about"]["objectives"]
    table = Table("configuration", "seeds", *names, "now")
    for label, trials in list(rows.items())[-MAX_ROWS:]:
        marks = " ".join(MARKS[t.state.name] for t in trials)
        done = [t for t in trials if t.state == TrialState.COMPLETE]
        means = [f"{sum(v) / len(v):.3f}" for v in zip(*(t.values for t in done), strict=True)]
        now = "  ".join(_now(t, out) for t in trials if t.state == TrialState.RUNNING)
        table.add_row(cell(label), marks, *(means or [""] * len(names)), now)
    return table


def _follow(study: optuna.Study, out: Path, team: list, console: Console, until: float) -> bool:
    """Show the table until all workers have ended, and return True, or time is up."""
    printed = {t.number for t in study.get_trials(deepcopy=False) if t.state.is_finished()}
    with Live(console=console, auto_refresh=False) as live:
        while True:
            # before the trials are read, so that the last ones of a worker are not missed
            alive = [worker.sentinel for worker in team if worker.is_alive()]
            if console.is_terminal:
                live.update(patiently(lambda: live_table(study, out)), refresh=True)
            for trial in patiently(lambda: study.get_trials(deepcopy=False)):
                if trial.state.is_finished() and trial.number not in printed:
                    printed.add(trial.number)
                    if not console.is_terminal:  # a log file: one line per finished trial
                        say(_result(trial), console)
            if not alive or time.monotonic() >= until:
                return not alive
            wait(alive, timeout=min(REFRESH, max(0, until - time.monotonic())))


def _result(trial: FrozenTrial) -> str:
    attrs = trial.user_attrs
    name = attrs.get("folder", f"trial {trial.number}")
    values = ", ".join(f"{v:.3f}" for v in trial.values or ())
    return f"{name}: {attrs.get('reason') or values or 'requeued, or lost with its worker'}"


def _now(trial: FrozenTrial, out: Path) -> str:
    lines = RunFolder(out / "runs" / trial.user_attrs.get("folder", "-")).lines()
    if not lines:
        return "starting"
    return f"step {lines[-1]['step']}, {lines[-1]['rate']:.0f} images/s"


def _child(
    file: str, words: list[str], out: str, url: str, threads: int, faults: SimpleQueue[str],
    number: int,
) -> None:  # fmt: skip
    """Run one worker; the target of its process. Why it must end goes into `faults`."""
    if torch.cuda.device_count() > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = device_of(number)
    Thread(target=_follow_parent, daemon=True).start()
    try:
        name, definition = load(file, words)
        storage = open_storage(url, Path(out))
        study = patiently(lambda: open_study(definition, name, storage))
        work(definition, study, storage, Path(out), threads)
    except (Stopped, KeyboardInterrupt):
        pass
    except UserError as why:
        faults.put(str(why))
        sys.exit(2)


def device_of(number: int) -> str:
    """Return the GPU of a worker, in turn among those that CUDA_VISIBLE_DEVICES allows."""
    count = torch.cuda.device_count()
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(count)))
    return allowed.split(",")[number % count].strip()


def _follow_parent() -> None:
    """Stop this worker, with its trial saved, when its parent process was killed."""
    parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)

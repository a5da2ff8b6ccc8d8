"""A worker, which runs one trial after another until none is left.

    work(definition, study, storage, out)

A trial that fails is recorded with its reason. A worker that is stopped requeues its trial; when
one dies, another worker resumes its trial from the checkpoint. A fault of the machine, such as a
full disk or a lost database, is not the trial's: the worker requeues it and stops.
"""

import math
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from siamlab.component import UserError
from siamlab.machine.faults import NO_MEMORY, machine_fault
from siamlab.machine.terminal import tell
from siamlab.probe.suite import PARTS
from siamlab.probe.suite.spatial import FEWEST
from siamlab.run import Run
from siamlab.study.claims import (
    claim_next,
    heartbeat,
    note_progress,
    requeue,
    requeue_lost,
    unfinished,
)
from siamlab.study.definition import Search, Study
from siamlab.study.images import study_images
from siamlab.study.optuna_internals import first_attempt, live_trial
from siamlab.study.plan import sampler
from siamlab.study.pruning import DominationPruner, training_gflop
from siamlab.study.trial import (
    OnEvent,
    collapse_at_end,
    environment_of,
    failure_reason,
    folder_of,
    network_rows,
    probe_trial,
    run_of_trial,
    train_trial,
)
from siamlab.train import Stopped

POLL = 1.0  # seconds between two attempts to find a trial or to reach the database
PATIENCE = 300  # seconds to wait for a database that cannot be reached
MEMORY = "; lower batch, set compute.accumulate, or start fewer --workers"


class MachineFault(UserError):
    """Raised when the machine, not the trial, is at fault; the trial is requeued."""


def work(
    definition: Study, study: optuna.Study, storage: BaseStorage, out: Path, threads: int = 0
) -> None:
    """Work until no trial waits or runs.

    Raises Stopped after SIGTERM or Ctrl-C and MachineFault after a fault of the machine, with the
    trial requeued.
    """
    locks = out / "locks"
    signal.signal(signal.SIGTERM, interrupt)
    with _stop_at_faults():
        while patiently(lambda: unfinished(study)):
            patiently(lambda: requeue_lost(study, storage, locks))
            if claim := patiently(lambda: claim_next(study, storage, locks)):
                trial, lock = claim
                with lock, suppress(StorageInternalError):  # database lost: it is requeued later
                    attempt(definition, study, storage, trial, out, threads)
            else:
                time.sleep(POLL)


def attempt(
    definition: Study,
    study: optuna.Study,
    storage: BaseStorage,
    trial: FrozenTrial,
    out: Path,
    threads: int,
) -> None:
    """Run one trial, and record its values or why it failed, or requeue it.

    Returns silently where another worker took this one for dead and owns the trial now.
    """
    number = first_attempt(trial)
    study.sampler = sampler(definition, number)
    handle = live_trial(study, trial)
    try:
        with heartbeat(storage, trial):
            patiently(lambda: note_progress(storage, trial, out / "runs"))
            run = run_of_trial(definition, handle, number)
            path = folder_of(out, run)
            patiently(lambda: handle.set_user_attr("folder", path.name))
            run = run.change(f"compute.threads={threads}")
            values = train_and_probe(definition, study, handle, run, path)
            patiently(lambda: study.tell(trial.number, values, skip_if_finished=True))
    except (Stopped, KeyboardInterrupt):
        patiently(lambda: requeue(study, storage, trial))
        raise Stopped("stopped") from None
    except optuna.TrialPruned as pruned:
        _end(study, handle, trial, TrialState.PRUNED, str(pruned))
    except UpdateFinishedTrialError:
        pass
    except (StorageInternalError, MachineFault):
        raise
    except Exception as error:
        if fault := machine_fault(error):
            with suppress(Exception):  # a full disk may refuse this too: another worker does it
                requeue(study, storage, trial, lost=fault == NO_MEMORY)
            raise
        _end(study, handle, trial, TrialState.FAIL, failure_reason(error))  # the study continues
        _log_unexpected(error, out / "errors.log")


def _log_unexpected(error: Exception, path: Path) -> None:
    """Append the traceback of an error that is being handled, unless it is a user's mistake."""
    if not isinstance(error, UserError):
        with suppress(OSError), path.open("a") as log:
            log.write(traceback.format_exc() + "\n")


def train_and_probe(
    definition: Study, study: optuna.Study, handle: optuna.Trial, run: Run, path: Path
) -> list[float]:
    """Train and probe a run, store its scores with the trial, and return its objectives."""
    images = study_images(run.data, definition)
    on_event: OnEvent = lambda event: None  # noqa: E731
    if isinstance(definition, Search) and definition.prune == "dominated":
        on_event = DominationPruner(definition, study, handle, run, path, images)
    folder = train_trial(run, path, images, on_event)
    rows = network_rows(probe_trial(run, path, definition, images))
    attrs = {"scores": rows, "collapsed": collapse_at_end(folder), "seconds": folder.seconds()}
    attrs |= {"environment": environment_of(folder)}
    for key, value in attrs.items():
        patiently(lambda key=key, value=value: handle.set_user_attr(key, value))
    values = {row["probe"]: row["value"] for row in rows}
    values["cost"] = training_gflop(run) if "cost" in definition.objectives else 0.0
    missing = [name for name in definition.objectives if name not in values]
    if missing:
        raise UserError(explain_missing(missing[0], run, values))
    objectives = {name: values[name] for name in definition.objectives}
    if not all(map(math.isfinite, objectives.values())):
        raise UserError(f"its scores are {objectives}, and each must be a finite number")
    return list(objectives.values())


def explain_missing(score: str, run: Run, values: Mapping[str, float]) -> str:
    """Say why a probed run has no such score; `values` are those of its probes."""
    if not any(part in values for part in PARTS[score]):
        needs = "labels" if score == "semantic" else f"{FEWEST} test images or more"
        return f"data={run.data.kind} gives no {score} score, which needs {needs}"
    return (
        f"{run.grid[0]} × {run.grid[1]} patches give no {score} score: they are too coarse for its "
        "tolerance; set a larger size or a smaller model.patch"
    )


def patiently(call: Callable[[], Any]) -> Any:
    """Return the result of the call, repeated while the database cannot be reached."""
    until, said = time.monotonic() + PATIENCE, False
    while True:
        try:
            return call()
        except StorageInternalError as error:
            if fault := machine_fault(error):
                raise MachineFault(f"the database says that {fault}") from error
            if time.monotonic() > until:
                raise MachineFault(
                    f"the storage could not be reached for {PATIENCE} seconds; start the worker "
                    "again when it is back: finished trials are kept, others resume from "
                    "checkpoints"
                ) from None
            if not said:
                tell(f"siamlab: waits up to {PATIENCE} s for the storage")
                said = True
            time.sleep(POLL)


@contextmanager
def _stop_at_faults() -> Iterator[None]:
    """Raise MachineFault where the machine is at fault, wherever that shows."""
    try:
        yield
    except (MachineFault, Stopped):
        raise
    except Exception as error:
        if fault := machine_fault(error):
            first = str(error).partition("\n")[0][:200] or type(error).__name__
            advice = MEMORY if fault == NO_MEMORY else ""
            raise MachineFault(
                f"{fault}: {first}; no trial is lost, so mend that and start again{advice}"
            ) from error
        raise


def _end(
    study: optuna.Study, handle: optuna.Trial, trial: FrozenTrial, state: TrialState, why: str
) -> None:
    with suppress(UpdateFinishedTrialError):  # another worker owns the trial now
        patiently(lambda: handle.set_user_attr("reason", why))
        patiently(lambda: study.tell(trial.number, state=state, skip_if_finished=True))


def interrupt(number: int, frame: object) -> None:
    """Handle SIGTERM as Ctrl-C."""
    raise KeyboardInterrupt

"""Worker: takes one trial after another until none is left.

    work(definition, study, storage, out)

A trial that fails for its own reasons is recorded with its reason; a worker that is stopped gives
its trial back; one that dies loses it to another, which goes on from the checkpoint.
"""

import signal
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from siamlab.component import UserError
from siamlab.probe.suite import PARTS
from siamlab.probe.suite.spatial import FEWEST
from siamlab.run import Run
from siamlab.study.definition import Search, Study
from siamlab.study.images import study_images
from siamlab.study.plan import objectives, sampler
from siamlab.study.rung import Rungs, cost
from siamlab.study.storage import claim, give_back, give_back_dead, held, left, original
from siamlab.study.trial import (
    environment_of,
    folder_of,
    kept,
    last_words,
    probed,
    reason,
    run_of_trial,
    trained,
)
from siamlab.train import Stopped

PAUSE = 1.0  # seconds between looks for a trial, while others hold the last ones
PATIENCE = 300  # seconds that a worker waits for a database that is away


def work(
    definition: Study, study: optuna.Study, storage: BaseStorage, out: Path, threads: int = 0
) -> None:
    """Until no trial waits or runs. Raises Stopped after SIGTERM or Ctrl-C: trial given back."""
    locks = out / "locks"
    signal.signal(signal.SIGTERM, interrupt)
    while True:
        patiently(lambda: give_back_dead(study, storage, locks))
        got = patiently(lambda: claim(study, storage, locks))
        if got:
            trial, lock = got
            with lock, suppress(StorageInternalError):  # away: the trial turns stale and comes back
                attempt(definition, study, storage, trial, out, threads)
        elif not patiently(lambda: left(study)):
            return
        else:
            time.sleep(PAUSE)


def attempt(
    definition: Study,
    study: optuna.Study,
    storage: BaseStorage,
    trial: FrozenTrial,
    out: Path,
    threads: int,
) -> None:
    """One trial from its claim to its numbers, its reason or its return to the queue.

    Ends without a word where another worker took this one for dead: the trial is the other's now.
    """
    study.sampler = sampler(definition, original(trial))
    handle = optuna.trial.Trial(study, trial._trial_id)
    try:
        with held(storage, trial._trial_id):
            run = run_of_trial(definition, handle, original(trial))
            path = folder_of(out, run)
            patiently(lambda: handle.set_user_attr("folder", path.name))
            values = measured(definition, study, handle, run.change(f"compute.threads={threads}"),
                              path)  # fmt: skip
            patiently(lambda: study.tell(trial.number, values, skip_if_finished=True))
    except (Stopped, KeyboardInterrupt):
        patiently(lambda: give_back(study, storage, trial))
        raise Stopped("stopped") from None
    except optuna.TrialPruned as pruned:
        _end(study, handle, trial, TrialState.PRUNED, str(pruned))
    except UpdateFinishedTrialError:
        pass
    except StorageInternalError:
        raise
    except Exception as error:  # its own reasons: recorded, and the study goes on
        _end(study, handle, trial, TrialState.FAIL, reason(error))
        if not isinstance(error, UserError):
            with (out / "errors.log").open("a") as log:
                log.write(traceback.format_exc() + "\n")


def measured(
    definition: Study, study: optuna.Study, handle: optuna.Trial, run: Run, path: Path
) -> list[float]:
    """Train, probe, keep the numbers with the trial; the values of its objectives."""
    images = study_images(run.data, definition)
    heard: Callable[[dict], None] = lambda line: None  # noqa: E731
    if isinstance(definition, Search) and definition.prune == "dominated":
        heard = Rungs(definition, study, handle, run, path, images)
    folder = trained(run, path, images, heard)
    rows = kept(probed(run, path, definition, images))
    about = {"scores": rows, "collapsed": last_words(folder), "seconds": folder.seconds()}
    about |= {"environment": environment_of(folder)}
    for key, value in about.items():
        patiently(lambda key=key, value=value: handle.set_user_attr(key, value))
    found = {row["probe"]: row["value"] for row in rows}
    found["cost"] = cost(run) if "cost" in objectives(definition) else 0.0
    missing = [name for name in objectives(definition) if name not in found]
    if missing:
        raise UserError(lacking(missing[0], run, found))
    return [found[name] for name in objectives(definition)]


def lacking(name: str, run: Run, found: Mapping[str, float]) -> str:
    """Why there is no such score, though its run was probed: it found what is given by probe."""
    if not any(part in found for part in PARTS[name]):
        needs = "labels" if name == "semantic" else f"{FEWEST} test images or more"
        return f"the {name} score cannot be had from data={run.data.kind}: it needs {needs}"
    return (
        f"the {name} score cannot be had from {run.grid[0]} × {run.grid[1]} patches: they are too "
        "coarse for its tolerance; set a larger size or a smaller model.patch"
    )


def patiently(call: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What the call gives, asked again while the database is away."""
    until = time.monotonic() + patience
    while True:
        try:
            return call()
        except StorageInternalError:
            if time.monotonic() > until:
                raise UserError(
                    f"the storage has been away for {patience} seconds; start the worker again "
                    "when it is back: finished trials are kept, others go on from checkpoints"
                ) from None
            time.sleep(PAUSE)


def _end(
    study: optuna.Study, handle: optuna.Trial, trial: FrozenTrial, state: TrialState, why: str
) -> None:
    with suppress(UpdateFinishedTrialError):  # the trial is another's now
        patiently(lambda: handle.set_user_attr("reason", why))
        patiently(lambda: study.tell(trial.number, state=state, skip_if_finished=True))


def interrupt(number: int, frame: object) -> None:
    """What SIGTERM does: the same as Ctrl-C."""
    raise KeyboardInterrupt

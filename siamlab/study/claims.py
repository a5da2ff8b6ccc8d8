"""Claims: which worker owns which trial, and how a trial returns to the queue.

trial, lock = claim_next(study, storage, out / "locks")
with lock, heartbeat(storage, trial): ...

One worker owns a trial at a time. With a journal, it holds a lock file, which the system releases
when the process dies; with a database, it sends heartbeats. Trials of dead workers are requeued.
A worker may die between any two lines here, and no trial is lost: an attempt that ends without a
result and the one that follows it are written in one transaction, or the new one first.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from siamlab.machine.files import hold
from siamlab.study.optuna_internals import (
    RETRIES,
    as_retry,
    as_retry_of_lost,
    first_attempt,
    replace_attempt,
    stale_trials,
    trial_id,
)
from siamlab.study.storage import PatientStorage
from siamlab.train.checkpoint import found
from siamlab.train.folder import RunFolder

MAX_RETRIES = 5  # times that a trial is resumed after the death of its worker, from one checkpoint
REACHED = "checkpoint"  # attribute of a trial: the step from which its latest attempt continued


def claim_next(
    study: optuna.Study, storage: BaseStorage, locks: Path
) -> tuple[FrozenTrial, ExitStack] | None:
    """Claim a waiting trial; return it with the lock to keep open, or None if there is no more.

    New attempts come last, so that a trial whose workers die does not hold up the others.
    """
    waiting = [trial for trial in latest_attempts(study) if trial.state == TrialState.WAITING]
    for trial in sorted(waiting, key=lambda trial: trial.number):
        if lock := try_claim(trial, storage, locks):
            return trial, lock
    return None


def try_claim(trial: FrozenTrial, storage: BaseStorage, locks: Path) -> ExitStack | None:
    """Claim a waiting trial for this process and return its lock; None if another owns it.

    A trial whose run is still training here is skipped: its worker was taken for dead, but lives.
    """
    lock = hold(locks / f"{trial.number}.lock")
    if lock is None:
        return None
    with lock, suppress(UpdateFinishedTrialError):  # another worker was faster
        if RunFolder(locks.parent / "runs" / trial.user_attrs.get("folder", "-")).in_use():
            return None
        if isinstance(storage, PatientStorage):
            storage.first_heartbeat(trial_id(trial))  # before: Optuna never misses a first one
        if storage.set_trial_state_values(trial_id(trial), TrialState.RUNNING):
            return lock.pop_all()
    return None


@contextmanager
def heartbeat(storage: BaseStorage, trial: FrozenTrial) -> Iterator[None]:
    """Send heartbeats of the trial to a database until the block ends."""
    if not isinstance(storage, PatientStorage):
        yield
        return
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            storage.record_heartbeat(trial_id(trial))
            stop.wait(storage.get_heartbeat_interval())

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def requeue_lost(study: optuna.Study, storage: BaseStorage, locks: Path) -> None:
    """Requeue the trials of dead workers; the next worker resumes from their checkpoints."""
    if isinstance(storage, PatientStorage):
        for trial in stale_trials(storage, study):
            requeue(study, storage, trial, lost=True)
        return
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if lock := hold(locks / f"{trial.number}.lock"):
            with lock:
                requeue(study, storage, trial)


def requeue(
    study: optuna.Study, storage: BaseStorage, trial: FrozenTrial, lost: bool = False
) -> None:
    """End this attempt at a trial and enqueue another one, unless another worker did.

    After MAX_RETRIES attempts that were `lost` with their workers and left no later checkpoint, the
    trial fails instead.
    """
    trial = storage.get_trial(trial_id(trial))
    if lost and len(trial.system_attrs.get(RETRIES, [])) >= MAX_RETRIES:
        _give_up(storage, trial)
    elif isinstance(storage, PatientStorage):
        replace_attempt(storage, study, trial, next_attempt(trial, lost))
    elif not trial.state.is_finished():
        latest = {attempt.number for attempt in latest_attempts(study)}
        if trial.number in latest:  # else a process died after the next line
            study.add_trial(next_attempt(trial, lost))
        with suppress(UpdateFinishedTrialError):
            storage.set_trial_state_values(trial_id(trial), TrialState.FAIL)


def note_progress(storage: BaseStorage, trial: FrozenTrial, runs: Path) -> None:
    """Count the deaths of a trial's workers from zero if they left a later checkpoint than before.

    `trial` is the attempt that begins now; its run is in a folder of `runs`.
    """
    folder = RunFolder(runs / trial.user_attrs.get("folder", "-"))
    step = max((int(path.name[5:]) for path in found(folder.checkpoints)), default=0)
    if step > trial.user_attrs.get(REACHED, 0):
        storage.set_trial_user_attr(trial_id(trial), REACHED, step)
        storage.set_trial_system_attr(trial_id(trial), RETRIES, [])


def requeue_failed(study: optuna.Study) -> None:
    """Enqueue another attempt at every trial whose last one failed or was lost."""
    for trial in latest_attempts(study):
        if trial.state == TrialState.FAIL:
            enqueue_retry(study, trial)


def enqueue_retry(study: optuna.Study, trial: FrozenTrial) -> None:
    """Enqueue a new attempt at an ended trial, which may lose MAX_RETRIES workers again."""
    study.add_trial(next_attempt(trial))


def next_attempt(trial: FrozenTrial, lost: bool = False) -> FrozenTrial:
    """Return the attempt that follows this one, not yet stored."""
    return optuna.trial.create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={k: v for k, v in trial.user_attrs.items() if k != "reason"},
        system_attrs=as_retry_of_lost(trial) if lost else as_retry(trial),
    )


def latest_attempts(study: optuna.Study) -> list[FrozenTrial]:
    """Return the latest attempt at every trial, in the order of the first attempts."""
    latest: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        latest[first_attempt(trial)] = trial
    return list(latest.values())


def unfinished(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that wait or run."""
    return [trial for trial in latest_attempts(study) if not trial.state.is_finished()]


def _give_up(storage: BaseStorage, trial: FrozenTrial) -> None:
    why = (
        f"its worker died {MAX_RETRIES + 1} times in a row without a new checkpoint; --again "
        "repeats it"
    )
    with suppress(UpdateFinishedTrialError):
        storage.set_trial_user_attr(trial_id(trial), "reason", why)
        storage.set_trial_state_values(trial_id(trial), TrialState.FAIL)

"""Where trials are kept: Optuna's journal file, or any database it takes; and who holds a trial.

storage = open_storage("", out)                      # a journal file in the study's folder
storage = open_storage("postgresql://host/db", out)  # many machines

A trial is held by one worker. Beside a journal, a lock file says so, which the system lets go
when its process dies; in a database, a heartbeat. What a dead worker held goes back to the queue.
"""

import fcntl
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import (
    BaseStorage,
    JournalStorage,
    RDBStorage,
    RetryHeartbeatStaleTrialCallback,
    fail_stale_trials,
)
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from siamlab.component import UserError

BEAT = int(os.environ.get("SIAMLAB_HEARTBEAT", "10"))  # seconds between heartbeats
GRACE = 4 * BEAT  # seconds without one, and the worker counts as dead
RETRIES = 5  # times that a trial is taken up from dead workers


class Steady(RDBStorage):
    """A database whose short absence (a restart) ends no heartbeat."""

    def record_heartbeat(self, trial_id: int) -> None:
        try:
            super().record_heartbeat(trial_id)
        except StorageInternalError:
            pass  # the next beat is soon


def open_storage(url: str, out: Path) -> BaseStorage:
    """The storage of a URL; without one, the journal in the study's folder.

    Raises UserError for a URL that cannot be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not url:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"the folder {out} cannot be made ({error.strerror}); give another --out"
            ) from None
        return JournalStorage(JournalFileBackend(str(out / "journal.log")))
    try:
        return _database(url)
    except Exception as error:  # each driver has its own
        raise UserError(
            f"--storage {hidden(url)} cannot be opened ({_first_line(error)}); write "
            "postgresql://USER@HOST/DATABASE or sqlite:///FILE, start the server, or "
            "leave it out for a file in the study's folder"
        ) from None


def existing_storage(url: str, out: Path) -> BaseStorage:
    """The same for one that is there already: nothing is made where there is none."""
    if not url and not (out / "journal.log").exists():
        raise UserError(f"there is no study in {out} yet; `siamlab study run FILE` starts one")
    return open_storage(url, out)


def _database(url: str, tries: int = 5) -> Steady:
    """Workers that start together make the tables of a new database at once: one is told no."""
    from sqlalchemy.exc import IntegrityError

    try:
        with quiet():
            return Steady(
                url.replace("postgresql://", "postgresql+psycopg://", 1),
                engine_kwargs={"pool_pre_ping": True},
                heartbeat_interval=BEAT,
                grace_period=GRACE,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
            )
    except Exception as error:
        race = isinstance(error, IntegrityError) or "already exists" in str(error)
        if not race or tries == 1:
            raise
    time.sleep(1)
    return _database(url, tries - 1)


@contextmanager
def held(storage: BaseStorage, trial_id: int) -> Iterator[None]:
    """Tell others, while inside, that the trial's worker lives."""
    if not isinstance(storage, RDBStorage):
        yield
        return
    stop = threading.Event()

    def beat() -> None:
        while not stop.is_set():
            storage.record_heartbeat(trial_id)
            stop.wait(storage.get_heartbeat_interval())

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def claim(study: optuna.Study, storage: BaseStorage, locks: Path) -> tuple[FrozenTrial, IO] | None:
    """A waiting trial that is now this worker's alone, and the lock to keep open; None: no more."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        if lock := take(trial, storage, locks):
            return trial, lock
    return None


def take(trial: FrozenTrial, storage: BaseStorage, locks: Path) -> IO | None:
    """The lock of a waiting trial, which is now this process's alone; None if it is another's.

    One whose run is still trained here is passed over: its worker, taken for dead, goes on.
    """
    lock = _lock(locks, trial.number)
    if lock is None:
        return None
    free = not in_use(locks.parent / "runs" / trial.user_attrs.get("folder", "-"))
    try:
        if free and storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
            return lock
    except UpdateFinishedTrialError:
        pass  # another worker was quicker
    lock.close()
    return None


def give_back_dead(study: optuna.Study, storage: BaseStorage, locks: Path) -> None:
    """What dead workers held is waiting again, to be gone on with from its checkpoint."""
    if isinstance(storage, RDBStorage):
        with quiet():
            fail_stale_trials(study)
        return
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if lock := _lock(locks, trial.number):
            with lock:
                give_back(study, storage, trial)


def give_back(study: optuna.Study, storage: BaseStorage, trial: FrozenTrial) -> None:
    """End this attempt at a trial and put the same trial into the queue again."""
    trial = storage.get_trial(trial._trial_id)
    try:
        if storage.set_trial_state_values(trial._trial_id, TrialState.FAIL):
            queue(study, trial)
    except UpdateFinishedTrialError:
        pass  # another worker did it


def original(trial: FrozenTrial) -> int:
    """The number of a trial's first attempt: what its folder is called after."""
    return trial.system_attrs.get("failed_trial", trial.number)


def retry_failed(study: optuna.Study) -> None:
    """Trials whose last attempt failed, or was lost with its worker, are waiting again."""
    for trial in latest(study):
        if trial.state == TrialState.FAIL:
            queue(study, trial)


def queue(study: optuna.Study, trial: FrozenTrial) -> None:
    """A new attempt at an ended trial waits; the workers that die of it are counted from here."""
    again = optuna.trial.create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={k: v for k, v in trial.user_attrs.items() if k != "reason"},
        system_attrs=trial.system_attrs | {"failed_trial": original(trial), "retry_history": []},
    )
    study.add_trial(again)


def latest(study: optuna.Study) -> list[FrozenTrial]:
    """Every trial once: its newest attempt, in the order of the first ones."""
    newest: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        newest[original(trial)] = trial
    return list(newest.values())


def left(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that wait or run."""
    states = (TrialState.WAITING, TrialState.RUNNING)
    return study.get_trials(deepcopy=False, states=states)


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna calls its heartbeats experimental each time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def hidden(url: str) -> str:
    """A URL without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return repr(url)


def in_use(path: Path) -> bool:
    """Some process trains in a run's folder at this moment."""
    lock = path / ".lock"  # of Folder.claim
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _lock(locks: Path, number: int) -> IO | None:
    """The lock of a trial, or None while another process holds it."""
    locks.mkdir(parents=True, exist_ok=True)
    file = (locks / f"{number}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    return str(cause).strip().splitlines()[0][:200] if str(cause).strip() else type(cause).__name__

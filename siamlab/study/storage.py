"""Storage of trials: Optuna's journal file, or any database that Optuna supports.

storage = open_storage("", out)                      # a journal file in the study's folder
storage = open_storage("postgresql://host/db", out)  # many machines
"""

import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, RDBStorage

from siamlab.component import UserError
from siamlab.machine.redact import without_passwords
from siamlab.machine.terminal import tell
from siamlab.study.journal import open_journal

LONGEST_BEAT = 3600  # seconds
GRACE = 4  # heartbeats that a worker may miss before it counts as dead
RETRY = 1.0  # seconds between two attempts to open a database
WAIT = 60  # seconds to wait for a database that restarts or has no free connection
# what drivers say of a database that will soon take connections
SOON = ("refused", "starting up", "shutting down", "recovery mode", "not accepting", "terminat",
        "too many", "connection slots", "closed the connection", "timeout", "timed out",
        "is the server running", "unavailable", "is locked")  # fmt: skip


class PatientStorage(RDBStorage):
    """A database whose restart does not end the heartbeats of running trials."""

    def record_heartbeat(self, trial_id: int) -> None:
        with suppress(StorageInternalError):  # the next heartbeat follows soon
            self.first_heartbeat(trial_id)

    def first_heartbeat(self, trial_id: int) -> None:
        """Record a heartbeat; StorageInternalError where that is not possible."""
        super().record_heartbeat(trial_id)


def open_storage(url: str, out: Path) -> BaseStorage:
    """Open the storage at a URL; without one, the journal in the study's folder.

    Waits up to WAIT seconds for a database that takes no connection now. Raises UserError for a URL
    that cannot be reached or a folder that cannot be made.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if not url:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"the folder {out} cannot be made ({error.strerror}); choose another --out"
            ) from error
        return open_journal(out / "journal.log")
    beat = heartbeat_seconds()
    with _explained(url):
        return _open_database(url, beat)


def check_url(url: str) -> None:
    """Raise UserError for a URL of no database that could be opened; nothing is opened or made."""
    from sqlalchemy.engine import make_url

    if url:
        with _explained(url):
            make_url(_for_optuna(url)).get_dialect()


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Raise UserError where a database cannot be opened."""
    try:
        yield
    except Exception as error:  # each driver has its own
        why = without_passwords(f"--storage {url} cannot be opened ({_first_line(error)})", url)
        raise UserError(
            f"{why}; write postgresql://USER@HOST/DATABASE or sqlite:///FILE, start the server, or "
            "leave it out for a file in the study's folder"
        ) from None


def open_existing(url: str, out: Path) -> BaseStorage:
    """Open a storage that must exist already, so that nothing is created by mistake."""
    if not url and not (out / "journal.log").exists():
        raise UserError(f"there is no study in {out} yet; `siamlab study run FILE` starts one")
    if (file := _sqlite_file(url)) and not file.exists():
        raise UserError(
            f"--storage {without_passwords(url, url)} has no study yet, since there is no file "
            f"{file}; `siamlab study run FILE --storage URL` starts one"
        )
    return open_storage(url, out)


def heartbeat_seconds() -> int:
    """Return the seconds between two heartbeats of a worker, from SIAMLAB_HEARTBEAT or 10.

    Raises UserError for anything but a whole number from 1 to LONGEST_BEAT.
    """
    text = os.environ.get("SIAMLAB_HEARTBEAT", "10")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LONGEST_BEAT):
        raise UserError(
            f"SIAMLAB_HEARTBEAT={text} must be a whole number of seconds from 1 to "
            f"{LONGEST_BEAT}; unset it for 10"
        )
    return int(text)


def _open_database(url: str, beat: int) -> PatientStorage:
    """Open a database, again where it takes no connection now or where its tables are just made."""
    until, said = time.monotonic() + WAIT, False
    while True:
        try:
            with ignore_experimental():
                return PatientStorage(
                    _for_optuna(url),
                    engine_kwargs={"pool_pre_ping": True},
                    heartbeat_interval=beat,
                    grace_period=GRACE * beat,
                )
        except Exception as error:
            waits = _opens_soon(error)
            if not waits and not _tables_are_made(error) or time.monotonic() > until:
                raise
            if waits and not said:
                why = without_passwords(_first_line(error), url)
                tell(f"siamlab: waits up to {WAIT} s for the database ({why})")
                said = True
        time.sleep(RETRY)


def _for_optuna(url: str) -> str:
    """Name the driver, and double the braces, between which Optuna puts values of its own."""
    named = url.replace("postgresql://", "postgresql+psycopg://", 1)
    return named.replace("{", "{{").replace("}", "}}")


def _opens_soon(error: Exception) -> bool:
    from sqlalchemy.exc import OperationalError

    cause = error if isinstance(error, OperationalError) else error.__cause__
    return isinstance(cause, OperationalError) and any(word in str(cause).lower() for word in SOON)


def _tables_are_made(error: Exception) -> bool:
    """Tell whether another worker makes the tables of a new database at this moment."""
    from sqlalchemy.exc import IntegrityError

    return isinstance(error, IntegrityError) or "already exists" in str(error)


@contextmanager
def ignore_experimental() -> Iterator[None]:
    """Silence Optuna's warning that heartbeats are experimental."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite database; None for another database, or one in memory."""
    from sqlalchemy.engine import make_url

    try:
        parsed = make_url(url)
        lies_in_file = parsed.get_backend_name() == "sqlite" and "uri" not in parsed.query
    except Exception:  # opening it explains what is wrong
        return None
    name = parsed.database
    return Path(name) if lies_in_file and name and name != ":memory:" else None


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    if "invalid literal for int()" in str(cause):
        return "its port is not a number"
    first = str(cause).strip().partition("\n")[0][:200]
    return re.sub(r"\[Errno -?\d+\] ", "", first) or type(cause).__name__

"""The journal of a study: Optuna's file, one operation per line; it survives a full disk.

storage = open_journal(out / "journal.log")

A write that a full disk or a kill interrupts leaves a line without an end, which readers ignore. It
is cut off before the next line is appended, under the lock, and kept next to the journal.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from siamlab.component import UserError
from siamlab.machine.files import atomic, hold
from siamlab.machine.terminal import tell

BEGIN = b'{"op_code"'  # how Optuna begins each line


class Journal(JournalFileBackend):
    """A journal that is locked by the system and appended to in whole lines."""

    def __init__(self, path: Path):
        super().__init__(str(path))
        self.path = path

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the operations from this one on. Raises UserError where the journal is gone."""
        with _there(self.path):
            yield from super().read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append all lines or none; a process that is killed meanwhile leaves an open line.

        Raises UserError where the journal is gone: a new one would have only these lines.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with _there(self.path):
            self.path.stat()  # before the lock, which would make the folder again
            with hold(lock_of(self.path), wait=True), self.path.open("r+b", buffering=0) as file:
                close_last_line(self.path)
                end = file.seek(0, os.SEEK_END)
                try:
                    _write(file.fileno(), lines.encode())
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(end)
                    raise


@contextmanager
def _there(path: Path) -> Iterator[None]:
    """Raise UserError where a journal was removed while its study runs."""
    try:
        yield
    except FileNotFoundError as error:
        folder = path.parent
        gone = f"folder {folder}" if not folder.exists() else f"journal {path}"
        raise UserError(
            f"the study's {gone} is gone, and the state of all trials with it, so the study ends "
            "here; put it back and start again to continue, or start again to begin anew"
        ) from error


def open_journal(path: Path) -> JournalStorage:
    """Open a journal, or make an empty one, and mend one that was damaged by an interrupted write.

    Raises UserError for a file that cannot be read or is not a journal.
    """
    try:
        _check_journal(path)
        return JournalStorage(Journal(path))
    except UserError:
        raise
    except OSError as error:
        raise UserError(
            f"the journal {path} cannot be opened ({error.strerror}); move what is there away, or "
            "choose another --out"
        ) from error
    except Exception:  # not JSON, or not Optuna's: the replay has many words for it
        mend(path)
    try:
        return JournalStorage(Journal(path))
    except Exception as error:
        raise UserError(
            f"the journal {path} cannot be replayed ({type(error).__name__}: {error}); it was "
            "written by another program or version of Optuna: choose another --out"
        ) from None


def close_last_line(path: Path) -> None:
    """Cut off a last line without an end; call with the lock held."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size == 0 or os.pread(file.fileno(), 1, size - 1) == b"\n":
            return
        text = os.pread(file.fileno(), size, 0)
        begin = text.rfind(b"\n") + 1
        kept = _keep(path, ".cut", text[begin:] + b"\n")
        file.truncate(begin)
    _say(
        f"the last line of {path} was incomplete, as happens after a full disk or a kill; its "
        f"{size - begin} bytes were cut off and are in {kept.name}, and all other lines are there"
    )


def mend(path: Path) -> None:
    """Leave out lines that are not operations, and keep the file as it was."""
    with hold(lock_of(path), wait=True):
        *lines, open_line = path.read_bytes().split(b"\n")
        found = [_operation(line) for line in lines]
        damaged = sum(line != op for line, op in zip(lines, found, strict=True)) + bool(open_line)
        if not damaged:
            return
        kept = _free(path, ".damaged")
        shutil.copy2(path, kept)
        with atomic(path) as draft:
            draft.write_bytes(b"".join(op + b"\n" for op in found if op))
    _say(
        f"{path} had {damaged} damaged line{'s' * (damaged > 1)}, as happens after a full disk, "
        f"and only what was written completely is left in it; {kept.name} is the file as it was"
    )


def _check_journal(path: Path) -> None:
    """Raise UserError for a file that does not begin as a journal does."""
    if not path.exists():
        return
    with path.open("rb") as file:
        begin = file.read(len(BEGIN))
    if not BEGIN.startswith(begin):
        raise UserError(
            f"{path} is not the journal of a study; move it away, or choose another --out"
        )


def lock_of(path: Path) -> Path:
    """Return the file that is locked while a line is written."""
    return path.parent / "locks" / "journal.lock"


def _operation(line: bytes) -> bytes:
    """Return the operation of a line, or at the end of one that was appended to an open line."""
    text = line[max(0, line.rfind(BEGIN)) :]
    with suppress(ValueError):
        return text if "op_code" in json.loads(text) else b""
    return b""


def _write(file: int, content: bytes) -> None:
    """Write all of it: a disk that becomes full takes a part, and refuses the next one."""
    while content:
        content = content[os.write(file, content) :]


def _keep(path: Path, suffix: str, content: bytes) -> Path:
    kept = _free(path, suffix)
    with kept.open("wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    return kept


def _free(path: Path, suffix: str) -> Path:
    """Return a free name next to the journal."""
    names: Iterable[str] = (f"{path.name}{suffix}{n or ''}" for n in range(10**6))
    return next(free for name in names if not (free := path.with_name(name)).exists())


def _say(sentence: str) -> None:
    tell(f"siamlab: {sentence}")

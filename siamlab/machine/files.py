"""Files that other processes see: written whole or not at all, and locked by one process at a time.

with atomic(path) as draft: draft.write_text(page)      # path is the old file, then the new one
append(path, line)                                      # on disk when it returns
if lock := hold(folder / ".lock"): ...                  # until lock.close() or this process's death
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from filelock import FileLock, Timeout

from siamlab.machine.messages import UserError


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A draft next to `path`, a file or a folder to make, that replaces `path` at the end.

    At the end it is on disk, so that a power cut leaves one of the two. After an error the old file
    stays and the draft is removed; a killed process leaves a draft that is ignored. Processes that
    write one path have a draft each: the last one stays. A link at `path` is replaced, not
    followed.
    """
    draft = path.with_name(f".{path.name}.{token_hex(4)}.draft")
    try:
        yield draft
        _to_disk(draft)
        if draft.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # a folder cannot replace another
        draft.replace(path)
        _to_disk(path.parent, deep=False)
    finally:
        _remove(draft)


def append(path: Path, data: bytes) -> None:
    """Write at the end of a file, and to the disk; a link is not followed.

    Raises OSError, and then leaves the file as it was.
    """
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        size = os.fstat(number).st_size
        try:
            while data:
                data = data[os.write(number, data) :]
            os.fsync(number)
        except OSError:
            os.ftruncate(number, size)
            raise
    finally:
        os.close(number)


def outward_link(folder: Path) -> Path | None:
    """Return a link in the folder, at any depth, that leads out of it; None if there is none.

    A link to itself leads nowhere.
    """
    home = folder.resolve()
    for path in folder.rglob("*"):  # which follows no links
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(home):
            return path
    return None


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return the path with ~ as the user's home; that of an unknown user stays as it is.

    Raises UserError for a path with a NUL character, which no system takes.
    """
    check_no_nul(path)
    return Path(os.path.expanduser(path))


def legible(name: str) -> str:
    r"""Return the name of a file as text that can be written: bytes that are no UTF-8 as \\xe9."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def check_has_name(path: Path, told: str, name: str, endings: Iterable[str]) -> None:
    """Raise UserError for a path that is nothing but an ending, such as .parquet.

    `told` is how a message calls the path, and `name` one that it may have.
    """
    if path.name in endings:
        raise UserError(f"{told} is an ending without a name; try {name}{path.name}")


def with_ending(path: Path, *endings: str, name: str = "") -> str:
    """Return a name like that of the path with one of the endings: x.onnx of x.bin or x.onnx.gz.

    `name` is that of a path without one.
    """
    stem = path.stem or name
    return stem if Path(stem).suffix.lower() in endings else f"{stem}{endings[0]}"


def check_no_nul(path: str | os.PathLike[str]) -> None:
    """Raise UserError for a path with a NUL character, which no system takes."""
    if "\0" in os.fspath(path):
        raise UserError(f"{path} cannot be a path: it holds a NUL character; take that out")


def check_file(path: Path) -> None:
    """Raise OSError if the path exists but is not a regular file; a read might block for ever."""
    if path.exists() and not path.is_file():
        number = errno.EISDIR if path.is_dir() else errno.EINVAL
        why = os.strerror(number) if path.is_dir() else "it is a pipe or a device, not a file"
        raise OSError(number, why, str(path))


def check_readable(path: str | os.PathLike[str]) -> None:
    """Raise UserError for a file that may not be read, or whose folder may not be entered.

    Libraries call such a file missing or damaged. UserError for a NUL character, too.
    """
    check_no_nul(path)
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            open(path, "rb").close()
    except PermissionError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); make it readable, with the folders that "
            "lead to it"
        ) from None
    except OSError:
        return  # it is not there


def may_write(folder: Path) -> bool:
    """Return whether this process may make files in a folder."""
    own = os.access in os.supports_effective_ids  # not those of who started it
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=own)


def text_in(path: Path) -> str:
    """Return the text of a file, without the mark that some editors put before it (BOM).

    Raises OSError, also for a pipe, and ValueError for a file that is no text.
    """
    check_file(path)
    return path.read_text("utf-8-sig")


@contextmanager
def permitted() -> Iterator[None]:
    """Turn a file or folder of images that may not be read into a UserError that names it."""
    try:
        yield
    except PermissionError as error:
        raise UserError(
            f"{error.filename} cannot be read ({error.strerror}); make it readable, or name other "
            "images"
        ) from error


@contextmanager
def no_new_folders(path: Path) -> Iterator[None]:
    """Remove, at the end, the folder and its parents that were not there before and are empty."""
    new = [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
    try:
        yield
    finally:
        with suppress(OSError):  # the first that is not empty ends it
            for folder in new:
                folder.rmdir()


def remove_drafts(folder: Path, name: str = "*") -> None:
    """Remove drafts of `name`, a pattern, left by killed processes; none may be in use."""
    for draft in folder.glob(f".{name}.*.draft"):
        _remove(draft)


def hold(path: Path, wait: bool = False) -> ExitStack | None:
    """Lock the file `path` until the object that comes back is closed; None if it is locked.

    With `wait`, return when it is free. The system releases the lock of a process that dies. The
    file is made with its folders, and stays. Raises OSError where it cannot be written.
    """
    held = ExitStack()
    try:
        held.enter_context(FileLock(path, blocking=wait, thread_local=False))
    except Timeout:
        return None
    return held


def _to_disk(path: Path, deep: bool = True) -> None:
    """Wait until a file, or a folder and with `deep` what is in it, is on disk."""
    if path.is_dir():
        for inside in path.iterdir() if deep else ():
            _to_disk(inside)
        with suppress(OSError):  # not every file system can do it for folders
            _sync(path)
    else:
        _sync(path)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

"""Access: files of a run that cannot be read or written, and links out of it, in one sentence.

with written(path), atomic(path) as draft: ...
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siamlab.component import UserError
from siamlab.machine.faults import LOCKED, way_out
from siamlab.machine.files import check_file, outward_link

ELSEWHERE = "name another place"  # where a file is not that of a run, which could go on


def check_links(folder: Path) -> None:
    """Raise UserError where a link leads out of a run's folder, which writing would follow."""
    try:
        link = outward_link(folder)
    except PermissionError as error:
        raise unreadable(folder, error) from None
    if link:
        raise UserError(
            f"{link} is a link to {link.resolve()}, outside the run's folder, where siamlab would "
            "write; replace it by the file or folder itself, or remove it"
        )


def unreadable(path: Path, error: OSError, way: str = "make it readable") -> UserError:
    """Return the sentence for a path that cannot be read, or for what is inside it."""
    return UserError(f"{error.filename or path} cannot be read ({error.strerror}); {way}")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise UserError if the file cannot be read."""
    try:
        check_file(path)
        yield
    except OSError as error:
        way = "make it readable" if error.errno in LOCKED else "restore it, or choose another --out"
        raise unreadable(path, error, way) from error


def listed(folder: Path) -> list[Path]:
    """Return what is in a folder, in order; nothing if it does not exist.

    Raises UserError where it may not be read: its files must not be taken for lost.
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        if isinstance(error, NotADirectoryError) and not os.path.lexists(folder):
            return []  # it would have to be inside a file
        raise unreadable(folder, error, way_out(error)) from error


@contextmanager
def written(path: Path, instead: str = "") -> Iterator[None]:
    """Raise UserError if the file cannot be written, because the disk is full or it may not be.

    The sentence ends with what to do: mend it, or `instead`; without that, and resume the run.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__  # torch.save hides it
        if not isinstance(cause, OSError):
            raise
        way = way_out(cause)
        if instead:
            way += f", or {instead}"
        else:
            way += ", or copy the run to another --out" if cause.errno in LOCKED else ""
            way += ", then continue with --resume"
        raise UserError(
            f"{path} could not be written ({cause.strerror or cause}); {way}"
        ) from error


def make_room(path: Path) -> None:
    """Make the folder of a file that is to be written. Raises UserError where none can be."""
    with written(path, ELSEWHERE):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))

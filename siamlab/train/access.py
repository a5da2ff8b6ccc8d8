"""Access: files of a run that cannot be read or written, and links out of it, in one sentence.

with written(path), atomic(path) as draft: ...
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siamlab.component import UserError
from siamlab.machine.files import check_file, outward_link


def check_links(folder: Path) -> None:
    """Raise UserError where a link leads out of a run's folder, which writing would follow."""
    if link := outward_link(folder):
        raise UserError(
            f"{link} is a link to {link.resolve()}, outside the run's folder, where siamlab would "
            "write; replace it by the file or folder itself, or remove it"
        )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise UserError if the file cannot be read."""
    try:
        check_file(path)
        yield
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); make it readable, or remove it"
        ) from error


@contextmanager
def written(path: Path, instead: str = "") -> Iterator[None]:
    """Raise UserError if the file cannot be written, because the disk is full or it may not be.

    The sentence ends with what to do: `instead`, or to mend it and continue the run.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__  # torch.save hides it
        if not isinstance(cause, OSError):
            raise
        locked = cause.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        way = "make it writable, or copy the run to another --out" if locked else "free some space"
        way = instead or f"{way}, then continue with --resume"
        raise UserError(
            f"{path} could not be written ({cause.strerror or cause}); {way}"
        ) from error

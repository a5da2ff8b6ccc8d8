"""Access: files of a run that cannot be read or written, and links out of it, in one sentence.

with written(path), atomic(path) as draft: ...
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siamlab.component import UserError
from siamlab.machine.files import outward_link


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
        yield
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); make it readable, or remove it"
        ) from error


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Raise UserError if the file cannot be written, because the disk is full or it may not be."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__  # torch.save hides it
        if not isinstance(cause, OSError):
            raise
        locked = cause.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        way = "make it writable, or copy the run to another --out" if locked else "free some space"
        raise UserError(
            f"{path} could not be written ({cause.strerror or cause}); {way}, then continue with "
            "--resume"
        ) from error

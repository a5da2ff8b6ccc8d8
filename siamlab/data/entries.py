"""Entries of the cache: their content, when they were last used, and how to remove them.

for e in entries(): print(e.name, e.images, e.size)
remove([e for e in entries() if e.idle_days > 30])
"""

import json
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from siamlab.component import UserError
from siamlab.data.cache import cache_root
from siamlab.machine.files import hold, text_in

DAY = 24 * 60 * 60  # seconds
NAME = re.compile(r"[^.].*-(train|test)-[0-9a-f]{16}")  # source, split and digest


class Entry(NamedTuple):
    """The decoded images of one split of a source."""

    path: Path
    images: int | None  # None where it is damaged
    size: int  # bytes on the disk
    idle_days: float  # since it was last opened

    @property
    def name(self) -> str:
        return self.path.name


def entries() -> list[Entry]:
    """Return the entries of the cache, the largest first; without a cache, none.

    Raises UserError for a cache that may not be read.
    """
    root = cache_root()
    try:
        folders = [path for path in root.iterdir() if path.is_dir() and _is_entry(path)]
        return sorted(map(_entry, folders), key=lambda entry: -entry.size)
    except PermissionError as error:
        raise UserError(
            f"the cache {error.filename or root} cannot be read ({error.strerror}); make it "
            "readable, or set SIAMLAB_CACHE to another folder"
        ) from None
    except NotADirectoryError:
        raise UserError(
            f"the cache {root} is not a folder; set SIAMLAB_CACHE to one, or move it away"
        ) from None
    except OSError:
        return []


def remove(unwanted: Iterable[Entry]) -> list[Entry]:
    """Remove entries, and return those that another process is building, which stay.

    A process that reads an entry can continue to do so. Raises UserError if one cannot be removed.
    """
    busy = []
    for entry in unwanted:
        try:
            lock = hold(cache_root() / f".{entry.name}.lock")
            if lock is None:
                busy.append(entry)
                continue
            with lock:
                shutil.rmtree(entry.path)
        except OSError as error:
            raise UserError(
                f"the entry {entry.path} of the cache cannot be removed ({error.strerror}); remove "
                "it as the user who owns it"
            ) from None
    return busy


def _is_entry(path: Path) -> bool:
    """Distinguish an entry from a folder of the user's: SIAMLAB_CACHE may name any place."""
    return bool(NAME.fullmatch(path.name)) and not path.is_symlink()


def _entry(folder: Path) -> Entry:
    sizes = [file.stat().st_size for file in folder.iterdir() if file.is_file()]
    idle = max(0.0, time.time() - folder.stat().st_mtime) / DAY
    return Entry(folder, _images(folder / "about.json"), sum(sizes), idle)


def _images(about: Path) -> int | None:
    try:
        return int(json.loads(text_in(about))["shapes"]["labels"][0])
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None

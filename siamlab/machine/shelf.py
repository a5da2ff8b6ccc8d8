"""Shelf: tensors on disk by key, so that what took minutes to compute is read in seconds.

shelf = Shelf(root, bound)
tokens = shelf.kept(folder, key, about, compute)      # computed the first time, then read

The shelf is bounded: the least recently used files are removed first. Each is written atomically,
with the checksums of its bytes; a damaged one is computed again. Where nothing can be written, one
sentence says so and everything is computed.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from siamlab.machine.faults import machine_fault
from siamlab.machine.files import atomic
from siamlab.machine.messages import UserError
from siamlab.machine.tensor_file import head, read_tensors, write_tensors
from siamlab.machine.terminal import caution

VARIABLE = "SIAMLAB_FEATURE_CACHE"  # a size, or off
MOST = 20 * 10**9  # bytes, unless VARIABLE says otherwise
FREE = 4  # and at most this fraction, a quarter, of the space that is free
UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
DAY = 24 * 60 * 60  # seconds; a draft as old belongs to a process that was killed
Compute = Callable[[], Sequence[Tensor]]


def bound(root: Path) -> int:
    """Return how many bytes a shelf at `root` may hold: SIAMLAB_FEATURE_CACHE, else 20 GB.

    Without the variable it is at most a quarter of the free space, too. 0 switches it off. Raises
    UserError for a value that is not a size.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if text.lower() == "off":
        return 0
    if not text:
        there = next(path for path in (root, *root.parents) if path.exists())
        return min(MOST, (shutil.disk_usage(there).free + _size(files(root))) // FREE)
    number = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([a-zA-Z]*)", text)
    units = {unit.lower(): size for unit, size in UNITS.items()}
    if not number or number[2].lower() not in units:
        raise UserError(
            f"{VARIABLE}={text} must be a size such as 5GB or 500MB, or off; correct or unset it"
        )
    return int(float(number[1]) * units[number[2].lower()])


class Shelf:
    """Tensors by folder and key. What this object has used is not removed to make room."""

    def __init__(self, root: Path, bound: int) -> None:
        self.root: Path = root
        self.bound: int = bound
        self._used: set[Path] = set()
        self._said: bool = False  # that something cannot be kept

    def kept(self, folder: str, key: str, about: str, compute: Compute) -> Sequence[Tensor]:
        """Return what `compute` returns, from the disk where an earlier call has kept it.

        `about` says whose tensors these are, for `siamlab cache`. Tensors that were read lie on
        the processor.
        """
        if not self.bound:
            return compute()
        path = self.root / folder / f"{key}.tensors"
        found = self._read(path)
        if found is None:
            found = compute()
            self._keep(path, about, found)
        return found

    def _read(self, path: Path) -> list[Tensor] | None:
        try:
            with open(path, "rb") as file:
                found = read_tensors(file)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            caution(f"{path} cannot be used ({why}), so it is computed again", stacklevel=4)
            return None
        with suppress(OSError):  # the oldest used go first
            os.utime(path)
        self._used.add(path)
        return found

    def _keep(self, path: Path, about: str, tensors: Sequence[Tensor]) -> None:
        if self._said:
            return
        held = [tensor.detach().cpu().contiguous() for tensor in tensors]
        size = sum(tensor.nbytes for tensor in held)
        try:
            if not self._room(size):
                return self._say(f"{size / 1e9:.2g} GB do not fit {self.bound / 1e9:.2g} GB")
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(path) as draft:
                write_tensors(draft, about, held)
        except OSError as error:
            return self._say(machine_fault(error) or f"it cannot be written ({error.strerror})")
        self._used.add(path)

    def _room(self, size: int) -> bool:
        """Remove the least recently used files until `size` bytes fit; return whether they do."""
        _remove_old_drafts(self.root)
        found = sorted(files(self.root), key=_time_used)
        total = _size(found)
        for path in (path for path in found if path not in self._used):
            if total + size <= self.bound:
                break
            total -= _size([path])
            path.unlink(missing_ok=True)
        return total + size <= self.bound

    def _say(self, why: str) -> None:
        self._said = True
        caution(
            f"some features are computed, but not kept in {self.root}: {why}; {VARIABLE}=50GB "
            f"allows more, {VARIABLE}=off keeps none, SIAMLAB_CACHE names another place",
            stacklevel=5,
        )


class Group(NamedTuple):
    """One folder of a shelf."""

    path: Path
    about: str  # whose tensors these are
    images: int | None  # first sides of its tensors, summed over files; None where one is damaged
    size: int  # bytes on the disk
    idle_days: float  # since one of its files was last used

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"


def groups(root: Path) -> list[Group]:
    """Return what lies on the shelf, folder by folder, the largest first."""
    with suppress(OSError):
        return sorted(map(_group, filter(_is_group, root.iterdir())), key=lambda g: -g.size)
    return []


def _is_group(path: Path) -> bool:
    """Distinguish a folder of features from one of the user's: it holds nothing else."""
    own = path.is_dir() and not path.is_symlink()
    return own and all(file.suffix in (".tensors", ".draft") for file in path.iterdir())


def files(root: Path) -> list[Path]:
    """Return the files of the shelf."""
    return list(root.glob("*/*.tensors"))


def _group(folder: Path) -> Group:
    found = list(folder.glob("*.tensors"))
    idle = max(0.0, time.time() - max(map(_time_used, found), default=0.0)) / DAY
    try:
        heads = [head(path) for path in found]
        images = sum(each["arrays"][0]["shape"][0] for each in heads)
        return Group(folder, heads[0]["about"] if heads else "", images, _size(found), idle)
    except (OSError, ValueError):
        return Group(folder, "", None, _size(found), idle)


def _time_used(path: Path) -> float:
    with suppress(FileNotFoundError):  # another process has removed it
        return path.stat().st_mtime
    return 0.0


def _size(paths: Iterable[Path]) -> int:
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _remove_old_drafts(root: Path) -> None:
    """Remove what killed processes left half written."""
    for draft in root.glob("*/.*.draft"):
        if _time_used(draft) < time.time() - DAY:
            draft.unlink(missing_ok=True)

"""The cache: images are decoded or drawn once, then memory-mapped.

images = cached({"kind": "fashion", "split": "train"}, build)

An entry (`siamlab.data.entry`) is written atomically and to the disk, so that a crash leaves no
half of one; a lock lets one process build it while others wait.
"""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.entry import ARRAYS, entry, problem, seal
from siamlab.data.images import Images, Objects
from siamlab.machine.files import atomic, expanded, hold, remove_drafts
from siamlab.machine.sums import Sums
from siamlab.machine.terminal import caution

FEATURES = "features"  # folder of the cache: features of models, see siamlab.machine.shelf
FORMAT = 3  # of the entries; another number, another entry

Build = Callable[[list[str]], Iterable[Images]]


def cache_root() -> Path:
    """SIAMLAB_CACHE, else ~/.cache/siamlab. Raises UserError if ~ is not a home folder."""
    named = os.environ.get("SIAMLAB_CACHE", "")
    root = expanded(named if named.strip() else "~/.cache/siamlab")
    if str(root).startswith("~"):  # it would be a folder of that name, wherever one happens to be
        raise UserError(
            f"the cache {root} cannot be found: there is no home {root.parts[0]} on this machine; "
            "set SIAMLAB_CACHE to a folder by its whole path"
        )
    return root


def check_split(split: object) -> None:
    """Raise UserError for a split that no source has."""
    if split not in ("train", "test"):
        raise UserError(f"split={split!r} must be 'train' or 'test'; images to test on are 'test'")


def cached(key: dict[str, Any], build: Build) -> Images:
    """Return the images that `build(skipped)` yields piece by piece; later calls do not build.

    `build` appends to `skipped` the names of what it could not read, and every call warns of them.
    Damaged entries are built again, with a warning. Raises UserError where the disk is full or the
    cache cannot be written or read.
    """
    check_split(key["split"])
    name = f"{key['kind']}-{key['split']}-{_digest(key)}"
    folder = cache_root() / name
    if problem(folder):
        with _hold(name):
            if wrong := problem(folder):  # no other process has built it
                if folder.exists():
                    caution(f"{folder}: {wrong}, so it is built again", stacklevel=3)
                _write(folder, build)
    with suppress(OSError):  # `siamlab cache` shows when it was last used
        os.utime(folder)
    return _open(folder)


def fingerprint(files: Iterable[Path]) -> str:
    """Return a hash of names, sizes and times of change, for the key of a cache entry."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(repr((str(file), _change(file))).encode())
    return digest.hexdigest()


def _change(file: Path) -> tuple[int, int] | None:
    """Return size and time of change; None for a dangling link, an image that cannot be read."""
    try:
        state = os.stat(file)
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def _digest(key: dict[str, Any]) -> str:
    text = json.dumps({"format": FORMAT} | key, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _hold(name: str) -> ExitStack:
    """Wait until no other process builds the entry, and lock it."""
    try:
        return hold(cache_root() / f".{name}.lock", wait=True)
    except OSError as error:
        raise _unwritable(error) from error


def _write(folder: Path, build: Build) -> None:
    remove_drafts(folder.parent, folder.name)
    filled = False
    try:
        with atomic(folder) as draft:
            _fill(draft, build)
            filled = True
    except _Unwritable as error:
        raise _unwritable(error.args[0]) from error
    except OSError as error:
        if not filled:  # an error of the data
            raise
        raise _unwritable(error) from error


def _fill(draft: Path, build: Build) -> None:
    skipped: list[str] = []
    shapes: dict[str, list[int]] = {}
    sums = {name: Sums() for name in ARRAYS}
    with _disk():
        draft.mkdir()
    for images in build(skipped):
        for name, array in _arrays(images).items():
            array = array.to(ARRAYS[name]).contiguous()
            _append(draft / name, array)
            sums[name].add(array.numpy().reshape(-1).view(np.uint8))
            rows = shapes.get(name, [0])[0] + len(array)
            shapes[name] = [rows, *array.shape[1:]]
    about = {"shapes": shapes, "skipped": skipped}
    about |= {"classes": images.classes, "regions": images.regions}
    with _disk():
        seal(draft, about, sums)


def _append(path: Path, array: Tensor) -> None:
    with _disk(), open(path, "ab") as file:
        file.write(array.contiguous().numpy())


def _arrays(images: Images) -> dict[str, Tensor]:
    everything = images._asdict() | images.objects._asdict()
    return {name: array for name, array in everything.items() if name in ARRAYS}


def _open(folder: Path) -> Images:
    about, arrays = entry(folder)
    pixels, labels, masks, *objects = arrays.values()
    if about["skipped"]:
        caution(_skipped(about["skipped"], len(labels)), stacklevel=4)
    names = tuple(about["classes"]), tuple(about["regions"])
    return Images(pixels, labels, masks, *names, Objects(*objects))


def _skipped(names: list[str], kept: int) -> str:
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{len(names)} of {kept + len(names)} images could not be read and were skipped: {shown}"


class _Unwritable(Exception):
    """The cache could not be written; carries the OSError."""


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _Unwritable(error) from error


def _unwritable(error: OSError) -> UserError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    why = "the disk is full" if full else f"it cannot be written ({error.strerror})"
    way = "free some space" if full else "make it writable"
    return UserError(
        f"the cache SIAMLAB_CACHE={cache_root()} must be a folder with room for the decoded "
        f"images, but {why}; {way} or set SIAMLAB_CACHE to another folder"
    )

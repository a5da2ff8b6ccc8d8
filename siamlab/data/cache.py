"""The cache: images are decoded or drawn once, then memory-mapped.

images = cached({"kind": "fashion", "split": "train"}, build)

An entry is a folder of raw arrays and one `about.json`. It is built in a folder of another name
and renamed when whole, so that a crash leaves nothing half-written; a lock lets one process
build while others wait.
"""

import errno
import fcntl
import hashlib
import json
import mmap
import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.images import Images, Objects

FORMAT = 2  # of the entries; another number, another entry
NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # a copy-on-write map may exceed the memory
ARRAYS = {
    "pixels": torch.uint8,
    "labels": torch.int64,
    "masks": torch.uint8,
    "instance": torch.int64,
    "box": torch.float32,
    "flip": torch.bool,
}

Build = Callable[[list[str]], Iterable[Images]]


def cache_root() -> Path:
    """SIAMLAB_CACHE, else ~/.cache/siamlab."""
    return Path(os.environ.get("SIAMLAB_CACHE") or "~/.cache/siamlab").expanduser()


def cached(key: dict[str, Any], build: Build) -> Images:
    """The images that `build(skipped)` yields piece by piece, decoded at the first call only.

    `build` appends to `skipped` what it could not read; that is kept and said at every opening.
    A full disk or a cache that cannot be written is a UserError.
    """
    name = f"{key['kind']}-{key['split']}-{_digest(key)}"
    folder = cache_root() / name
    if not _whole(folder):
        with _lock(name):
            if not _whole(folder):
                _write(folder, build)
    return _open(folder)


def fingerprint(files: Iterable[Path]) -> str:
    """Of names, sizes and times of change: other files, another cache entry."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(repr((str(file), _change(file))).encode())
    return digest.hexdigest()


def _change(file: Path) -> tuple[int, int] | None:
    """Size and time of change; None for a dangling link, which is an unreadable image."""
    try:
        state = os.stat(file)
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def _digest(key: dict[str, Any]) -> str:
    text = json.dumps({"format": FORMAT} | key, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def _lock(name: str) -> Iterator[None]:
    """Held by one process; let go by the system when that process dies."""
    root = cache_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = open(root / f".{name}.lock", "w")
    except OSError as error:
        raise _unwritable(error) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _write(folder: Path, build: Build) -> None:
    part = folder.with_name(f".{folder.name}.part")  # ours alone: the lock is held
    shutil.rmtree(part, ignore_errors=True)
    try:
        _fill(part, build)
        shutil.rmtree(folder, ignore_errors=True)  # a damaged entry
        part.rename(folder)
    except _Unwritable as error:
        raise _unwritable(error.args[0]) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fill(part: Path, build: Build) -> None:
    skipped: list[str] = []
    shapes: dict[str, list[int]] = {}
    with _disk():
        part.mkdir()
    for images in build(skipped):
        for name, array in _arrays(images).items():
            _append(part / name, array.to(ARRAYS[name]))
            rows = shapes.get(name, [0])[0] + len(array)
            shapes[name] = [rows, *array.shape[1:]]
    about = {"shapes": shapes, "skipped": skipped}
    about |= {"classes": images.classes, "regions": images.regions}
    with _disk():
        (part / "about.json").write_text(json.dumps(about))


def _append(path: Path, array: Tensor) -> None:
    with _disk(), open(path, "ab") as file:
        file.write(array.contiguous().numpy())


def _arrays(images: Images) -> dict[str, Tensor]:
    everything = images._asdict() | images.objects._asdict()
    return {name: array for name, array in everything.items() if name in ARRAYS}


def _whole(folder: Path) -> bool:
    """The entry is there and every array has its full length."""
    try:
        shapes = json.loads((folder / "about.json").read_text())["shapes"]
        return all((folder / n).stat().st_size == _bytes(n, shapes[n]) for n in ARRAYS)
    except (OSError, ValueError, KeyError):
        return False


def _open(folder: Path) -> Images:
    about = json.loads((folder / "about.json").read_text())
    arrays = {name: _map(folder / name, about["shapes"][name]) for name in ARRAYS}
    pixels, labels, masks, *objects = arrays.values()
    if about["skipped"]:
        warnings.warn(_skipped(about["skipped"], len(labels)), stacklevel=4)
    names = tuple(about["classes"]), tuple(about["regions"])
    return Images(pixels, labels, masks, *names, Objects(*objects))


def _map(path: Path, shape: list[int]) -> Tensor:
    """The array, read from disk as it is touched; writing into it changes only this process."""
    dtype = ARRAYS[path.name]
    if 0 in shape:
        return torch.empty(shape, dtype=dtype)
    with open(path, "rb") as file:
        flags = mmap.MAP_PRIVATE | NORESERVE
        prot = mmap.PROT_READ | mmap.PROT_WRITE
        memory = mmap.mmap(file.fileno(), 0, flags=flags, prot=prot)
    return torch.frombuffer(memory, dtype=dtype).view(shape)


def _bytes(name: str, shape: list[int]) -> int:
    return torch.Size(shape).numel() * ARRAYS[name].itemsize


def _skipped(names: list[str], kept: int) -> str:
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{len(names)} of {kept + len(names)} images could not be read and were skipped: {shown}"


class _Unwritable(Exception):
    """The disk, not the data, failed; carries the OSError."""


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _Unwritable(error) from error


def _unwritable(error: OSError) -> UserError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    why = "the disk is full" if full else f"it cannot be written ({error.strerror})"
    return UserError(
        f"the cache SIAMLAB_CACHE={cache_root()} must be a folder with room for the decoded "
        f"images, but {why}; free some space or set SIAMLAB_CACHE to another folder"
    )

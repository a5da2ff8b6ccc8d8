"""An entry of the cache: a folder of raw arrays, the checksums of their blocks, and `about.json`.

if not problem(folder): about, arrays = entry(folder)        # memory-mapped

An array of up to AT_ONCE bytes is compared with its checksums at the first opening in a process,
0.3 s if it is in memory. A larger one would take minutes, so each of its blocks is compared when it
is first read, by `take`, `sample` and training: no byte is read from the disk for that alone.
"""

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from siamlab.component import UserError
from siamlab.machine.files import text_in
from siamlab.machine.memory import mapped
from siamlab.machine.sums import KEY, Blocks, Sums, check_when_read, signed, unsigned

AT_ONCE = 2**30  # bytes of an array that are compared with their checksums when it is opened
ARRAYS = {
    "pixels": torch.uint8,
    "labels": torch.int64,
    "masks": torch.uint8,
    "instance": torch.int64,
    "box": torch.float32,
    "flip": torch.bool,
}


def seal(folder: Path, about: dict[str, Any], sums: dict[str, Sums]) -> None:
    """Write the checksums of the arrays of an entry, and what it is about, with their own."""
    for name, each in sums.items():
        each.values().tofile(folder / f"{name}.sums")
    own = {name: _sum_of(folder / f"{name}.sums") for name in sums}
    (folder / "about.json").write_text(json.dumps(signed(about | {"sums": own})))


_opened: set[tuple] = set()  # entries of this process that were compared with their checksums


def problem(folder: Path) -> str:
    """Return what is wrong with an entry; "" if there is nothing that `entry` does not find."""
    try:
        about = _about(folder)
        wrong = [name for name in ARRAYS if not _full_length(folder / name, about)]
        if not wrong and (state := _state(folder)) not in _opened:
            wrong = [name for name in ARRAYS if _changed(folder / name)]
            if not wrong:
                _opened.add(state)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "its about.json or a checksum is missing or damaged"
    return f"{', '.join(wrong)} changed since it was written" if wrong else ""


def _about(folder: Path) -> dict[str, Any]:
    """Return what an entry holds. Raises ValueError, KeyError or OSError where it is damaged."""
    about = json.loads(text_in(folder / "about.json"))
    if KEY not in about:
        raise ValueError("no checksum")
    return unsigned(about)


def _full_length(path: Path, about: dict[str, Any]) -> bool:
    size = _bytes(path.name, about["shapes"][path.name])
    whole_sums = _sum_of(path.with_name(f"{path.name}.sums")) == about["sums"][path.name]
    return path.stat().st_size == size and whole_sums


def _state(folder: Path) -> tuple:
    """Return what changes with an entry: of each file, its number, size and time of change."""
    states = [(folder / name).stat() for name in ARRAYS]
    return (str(folder), *((s.st_ino, s.st_size, s.st_mtime_ns) for s in states))


def _changed(path: Path) -> bool:
    """Return whether a block of an array that is not large is not as it was written."""
    try:
        if path.stat().st_size <= AT_ONCE and (blocks := _blocks(path)):
            blocks.check_all()
    except UserError:
        return True
    return False


def _blocks(path: Path) -> Blocks | None:
    """Return the blocks of an array as they are on disk, to compare; None for an empty array."""
    if not path.stat().st_size:
        return None
    sums = np.fromfile(path.with_name(f"{path.name}.sums"), dtype="<u4")
    return Blocks(mapped(path, shared=True), sums, lambda: _damaged(path))


def entry(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what an entry is about, and its arrays. Raises UserError where it cannot be read."""
    try:
        about = _about(folder)
        return about, {name: _map(folder / name, about["shapes"][name]) for name in ARRAYS}
    except OSError as error:
        raise UserError(
            f"the cache entry {folder} cannot be read ({error.strerror}); make it readable, or set "
            "SIAMLAB_CACHE to another folder"
        ) from error


def _map(path: Path, shape: list[int]) -> Tensor:
    """Return the array, read from disk as it is touched; writes into it stay in this process."""
    dtype = ARRAYS[path.name]
    if 0 in shape:
        return torch.empty(shape, dtype=dtype)
    data = mapped(path)
    array = torch.frombuffer(data, dtype=dtype).view(shape)
    if array.nbytes > AT_ONCE and (blocks := _blocks(path)):
        check_when_read(array, data, blocks)
    return array


def _bytes(name: str, shape: list[int]) -> int:
    return torch.Size(shape).numel() * ARRAYS[name].itemsize


def _sum_of(path: Path) -> int:
    return crc32(path.read_bytes())


def _damaged(path: Path) -> UserError:
    return UserError(
        f"{path} of the cache is damaged: it changed since it was written; remove the folder "
        f"{path.parent}, and the same command builds it again"
    )

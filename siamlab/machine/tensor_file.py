"""Tensor files: one line of JSON with shapes, types and checksums, then the bytes of the tensors.

write_tensors(path, "whose they are", [tokens]); head(path)["about"]
with open(path, "rb") as file: [tokens] = read_tensors(file)
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

import torch
from torch import Tensor

from siamlab.machine.sums import KEY, signed, unsigned

HEADER = 2**20  # bytes of a first line, at most


def write_tensors(path: Path, about: str, tensors: Sequence[Tensor]) -> None:
    """Write tensors of the processor. Raises OSError where the file cannot be written."""
    arrays = [_bytes(tensor) for tensor in tensors]
    described = [
        {"shape": list(tensor.shape), "dtype": _name(tensor.dtype), "sum": crc32(array)}
        for tensor, array in zip(tensors, arrays, strict=True)
    ]
    with open(path, "wb") as file:
        file.write(json.dumps(signed({"about": about, "arrays": described})).encode() + b"\n")
        for array in arrays:
            file.write(array)


def head(path: Path) -> dict[str, Any]:
    """Return `about` and `arrays`. Raises ValueError if the first line is damaged."""
    with open(path, "rb") as file:
        return _first_line(file)


def _first_line(file: BinaryIO) -> dict[str, Any]:
    """Return what a file holds, and leave it at its first tensor. Raises ValueError if damaged."""
    fields = json.loads(file.readline(HEADER))
    if not isinstance(fields, dict) or KEY not in fields:
        raise ValueError("it is damaged")
    return unsigned(fields)


def read_tensors(file: BinaryIO) -> list[Tensor]:
    """Return the tensors of a file. Raises ValueError where it is damaged or cut short."""
    try:
        arrays = _first_line(file)["arrays"]
    except ValueError:
        raise ValueError("it is damaged") from None
    sizes = [torch.Size(a["shape"]).numel() * _dtype(a["dtype"]).itemsize for a in arrays]
    if os.fstat(file.fileno()).st_size != file.tell() + sum(sizes):
        raise ValueError("it is damaged: its length differs")
    found = []
    for array in arrays:
        # not mapped: torch's own memory is aligned as that of computed tensors, so that products
        # of them are equal to the bit
        tensor = torch.empty(array["shape"], dtype=_dtype(array["dtype"]))
        data = _bytes(tensor)
        if file.readinto(data) != data.nbytes or crc32(data) != array["sum"]:
            raise ValueError("it is damaged: its checksum differs")
        found.append(tensor)
    return found


def _bytes(tensor: Tensor) -> memoryview:
    return memoryview(tensor.reshape(-1).view(torch.uint8).numpy())


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _dtype(name: str) -> torch.dtype:
    return getattr(torch, name)

"""Memory of the processor: freed blocks are reused, files are mapped, their rows read in advance.

keep_freed()                # once per process, before the first step
data = mapped(path)         # bytes of a file, read from disk as they are touched
read_ahead(pixels, index)   # then pixels[index] waits for the disk once, not for each page
"""

import ctypes
import mmap
import os
import sys
from functools import lru_cache
from pathlib import Path
from weakref import finalize

from jaxtyping import Int64
from torch import Tensor

# of mallopt, in glibc's malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
PAD = 64 * 2**20  # bytes by which the heap grows at once
WILL_NEED = 3  # of madvise, in the C library's mman.h
NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # a copy-on-write map may exceed the memory
FAILED = ctypes.c_void_p(-1).value


@lru_cache(maxsize=1)
def keep_freed() -> bool:
    """Make the C library keep freed memory; return False where it is not glibc.

    By default glibc maps every tensor of more than 32 MB afresh and unmaps it when it is freed, and
    the system fills each new page with zeros, which takes a sixth of a step of a ViT-S/16. Peak
    memory stays about the same, but returns to the system only when the process ends.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return False
    settings = {MMAP_MAX: 0, TRIM_THRESHOLD: -1, TOP_PAD: PAD}  # −1: never
    return all(mallopt(name, value) for name, value in settings.items())


def read_ahead(rows: Tensor, index: Int64[Tensor, " k"]) -> None:
    """Ask the system to read these rows of a mapped file at once; does nothing elsewhere.

    Without it, a row that is not in memory is read page by page, ten times as slowly
    (docs/speed.md).
    """
    if rows.is_cuda or not rows.is_contiguous() or not sys.platform.startswith("linux"):
        return
    advise = ctypes.CDLL(None).madvise
    size = rows[0].nbytes
    for row in index.tolist():
        start = rows.data_ptr() + row * size
        page = start - start % mmap.PAGESIZE
        advise(ctypes.c_void_p(page), ctypes.c_size_t(start + size - page), WILL_NEED)


def mapped(path: Path, shared: bool = False) -> "ctypes.Array[ctypes.c_ubyte]":
    """Return the bytes of a file as a buffer; writes into it stay in this process.

    With `shared` it cannot be written, and shows what is in the file. Unlike Python's mmap, which
    keeps the file open as long as the map lives, this leaves no file open. Raises OSError.
    """
    size = path.stat().st_size
    prot = mmap.PROT_READ if shared else mmap.PROT_READ | mmap.PROT_WRITE
    flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE | NORESERVE
    file = os.open(path, os.O_RDONLY)
    try:
        address = _library().mmap(None, size, prot, flags, file, 0)
    finally:
        os.close(file)
    if address == FAILED:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(path))
    data = (ctypes.c_ubyte * size).from_address(address)
    finalize(data, _library().munmap, address, size).atexit = False  # a thread may still read it
    return data


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """Return the C library with the types of mmap and munmap."""
    library = ctypes.CDLL(None, use_errno=True)
    place, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    library.mmap.argtypes = [place, size, number, number, number, ctypes.c_longlong]
    library.mmap.restype = place
    library.munmap.argtypes = [place, size]
    return library

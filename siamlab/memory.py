"""Memory of the processor: freed blocks are kept, and rows of a mapped file are asked for early.

keep_freed()                # once a process, before the first step
read_ahead(pixels, index)   # then pixels[index] waits for the disk once, not for each page
"""

import ctypes
import mmap
import sys
from functools import lru_cache

from jaxtyping import Int64
from torch import Tensor

# of mallopt, in glibc's malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
PAD = 64 * 2**20  # bytes by which the heap grows at once
WILL_NEED = 3  # of madvise, in the C library's mman.h


@lru_cache(maxsize=1)
def keep_freed() -> bool:
    """Whether the C library does so from now on; False where it is not glibc.

    By default glibc maps every tensor of more than 32 MB anew and unmaps it when it is freed, and
    the system fills each fresh page with zeros: a step of a ViT-S/16 pays a sixth of its time for
    that. Peak memory stays about the same, but is given back only when the process ends.
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
    """Have the system read these rows of a mapped file together; elsewhere nothing is done.

    A row that is not in memory would be read page by page as it is touched, ten times as slowly
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

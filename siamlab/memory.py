"""Memory of the processor: freed blocks are kept for the next step instead of given back.

keep_freed()        # once a process, before the first step
"""

import ctypes
import sys
from functools import lru_cache

# of mallopt, in glibc's malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
PAD = 64 * 2**20  # bytes by which the heap grows at once


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

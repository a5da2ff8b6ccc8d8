"""A user who may read and write only what the permissions of files say, as root may not be asked.

with unprivileged(): ...        # in this thread; root without its capabilities, which come back
"""

import ctypes
import os
from contextlib import contextmanager

import pytest

VERSION = 0x20080522  # of the kernel's interface, three words for each of two halves


@contextmanager
def unprivileged():
    """The permissions of files count, for root too; skips where that cannot be had."""
    if os.getuid() != 0:
        yield
        return
    library = ctypes.CDLL(None, use_errno=True)
    head, kept = (ctypes.c_uint32 * 2)(VERSION, 0), (ctypes.c_uint32 * 6)()
    if not hasattr(library, "capset") or library.capget(head, kept):
        pytest.skip("this system has no capabilities that could be laid down")
    less = (ctypes.c_uint32 * 6)(*kept)
    less[0] = less[3] = 0  # effective; what is permitted stays, to come back
    library.capset(head, less)
    try:
        yield
    finally:
        library.capset(head, kept)

"""Memory of the processor: a step takes the pages of the step before it."""

import ctypes
import mmap
import os
import subprocess
import sys
import time

import pytest
import torch

from siamlab.machine.memory import read_ahead

FAULTS = """
import resource, torch
from siamlab.machine.memory import keep_freed
from siamlab.recipes import demo_size, mae
from siamlab.train.device import build
from siamlab.train.step import gradients
assert keep_freed()
torch.set_num_threads(1)
run = demo_size(mae())
state = build(run, torch.device("cpu"))
images = torch.zeros(run.batch, 3, 48, 48, dtype=torch.uint8)
for step in range(30):
    if step == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    gradients(run, state.model, state.teacher, images, step, torch.float32)
    state.optimiser.zero_grad(set_to_none=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_a_step_takes_the_pages_of_the_one_before():
    """The pages that twenty steps ask of the system; without it they are 12,000 to 37,000."""
    words = [sys.executable, "-c", FAULTS]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert int(said) < 2000


def resident(rows, row):
    """Share of a row's pages that are in memory, whether or not this process has touched them."""
    size, pages = rows[0].nbytes, rows[0].nbytes // mmap.PAGESIZE
    told = (ctypes.c_ubyte * pages)()
    start = ctypes.c_void_p(rows.data_ptr() + row * size)
    assert ctypes.CDLL(None).mincore(start, ctypes.c_size_t(size), told) == 0
    return sum(byte & 1 for byte in told) / pages


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of the system's page cache")
def test_rows_that_are_asked_for_are_read_and_no_others(tmp_path):
    pages = 64 * mmap.PAGESIZE
    path = tmp_path / "rows"
    torch.arange(40 * pages, dtype=torch.uint8).numpy().tofile(path)
    file = os.open(path, os.O_RDWR)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    rows = torch.frombuffer(mmap.mmap(file, 0, flags=mmap.MAP_PRIVATE), dtype=torch.uint8)
    rows = rows.view(40, pages)
    if any(resident(rows, row) for row in (5, 20, 35)):
        pytest.skip("this file system keeps all of it in memory")
    read_ahead(rows, torch.tensor([5, 35]))
    until = time.monotonic() + 20
    while min(resident(rows, 5), resident(rows, 35)) < 1 and time.monotonic() < until:
        time.sleep(0.01)
    assert [resident(rows, row) for row in (5, 20, 35)] == [1, 0, 1]


def test_rows_that_are_no_file_are_left_as_they_are():
    rows = torch.arange(12.0).view(4, 3)
    read_ahead(rows, torch.tensor([0, 3]))
    read_ahead(rows.T, torch.tensor([1]))
    assert torch.equal(rows, torch.arange(12.0).view(4, 3))

"""Decoding continues while images are written, a few at a time; the cache costs no memory."""

import os
import threading
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from siamlab.data import Folder, cache
from siamlab.data.decode import AHEAD, CHUNK, cores, decode, decode_all, stacked
from siamlab.machine import workers
from siamlab.run import Run
from siamlab.train.batches import Batches

ORIENTATION = 0x0112  # the tag of EXIF
SMALL, LARGE, SIDE = 300, 2400, 128
LITTLE = 50e6  # bytes; the pixels of LARGE are 118e6, those of SMALL 15e6


def anonymous():
    """Bytes of this process that are not pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def measure(root, told):
    """In a process of its own: the most while building, and what there is after 200 batches."""
    most, append = [0], cache._append

    def watched(path, array):
        append(path, array)
        most.append(max(most.pop(), anonymous()))

    def opened(name):
        return Folder(path=f"{root}/{name}", test_path=f"{root}/{name}", side=SIDE)("train").pixels

    cache._append = watched
    built, drawn = {}, {}
    for name in ("small", "large"):
        opened(name)
        built[name] = most[0]
    for name in ("small", "large"):
        pixels = opened(name)
        for batch in Batches(pixels, Run(batch=32, steps=200), torch.device("cpu")).read(0):
            batch.sum()
        drawn[name] = anonymous()
        for reader in set(threading.enumerate()) - {threading.main_thread()}:
            reader.join()  # a process that ends while it is in torch is aborted
    told.put({"images": len(pixels), "built": built, "drawn": drawn})


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    """Anonymous bytes of a new process: at most while building, and after 200 batches."""
    if "RssAnon" not in Path("/proc/self/status").read_text():
        pytest.skip("only Linux reports the memory that is not pages of files")
    root = tmp_path_factory.mktemp("memory")
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(root / "one.jpg")
    for name, n in (("small", SMALL), ("large", LARGE)):
        (root / name).mkdir()
        for i in range(n):
            os.link(root / "one.jpg", root / name / f"{i}.jpg")
    told = workers.CONTEXT.SimpleQueue()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIAMLAB_CACHE", str(root / "cache"))
        process = workers.start(measure, str(root), told)
    process.join()
    assert process.exitcode == 0
    return told.get()


@pytest.mark.slow
def test_building_a_larger_cache_takes_no_more_memory(memory):
    assert memory["images"] == LARGE
    assert memory["built"]["large"] - memory["built"]["small"] < LITTLE


def test_random_batches_of_a_larger_cache_take_no_more_memory(memory):
    assert memory["drawn"]["large"] - memory["drawn"]["small"] < LITTLE


def test_the_next_images_are_decoded_while_a_list_is_written():
    begun, next_list = [], Event()

    def work(job):
        begun.append(job)
        if job == CHUNK:
            next_list.set()
        return job

    lists = decode_all(range(CHUNK * (3 + AHEAD * cores())), work, [], str)
    assert next(lists) == [(i, i) for i in range(CHUNK)]
    assert next_list.wait(60), "nothing is decoded until the next list is asked for"
    assert len(begun) <= CHUNK + AHEAD * cores()


@pytest.mark.parametrize(
    "n", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK * (3 + AHEAD * cores()) + 1]
)
def test_all_that_can_be_read_comes_in_order_and_the_rest_is_named(n):
    def work(job):
        if job % 3 == 1:
            raise OSError("not an image")
        return -job

    skipped = []
    found = [pair for some in decode_all(range(n), work, skipped, "job {}".format) for pair in some]
    assert found == [(i, -i) for i in range(n) if i % 3 != 1]
    assert skipped == [f"job {i}" for i in range(n) if i % 3 == 1]


def test_only_the_cores_that_the_process_may_use_are_used(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 6}, raising=False)
    assert cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == os.cpu_count()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "size, suffix", [((90, 61), "png"), ((90, 61), "jpg"), ((400, 300), "jpg"), ((20, 9), "png")]
)
def test_decoding_is_within_a_level_of_pillows_resizing(size, suffix, orientation, tmp_path):
    noise = np.random.default_rng(orientation).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = tmp_path / f"1.{suffix}"
    Image.fromarray(noise).resize(size).save(file, exif=exif)
    with Image.open(file) as image:
        image.draft("RGB", (64, 64))
        upright = ImageOps.exif_transpose(image)
    left, top = ((length - min(upright.size)) // 2 for length in upright.size)
    square = upright.crop((left, top, left + min(upright.size), top + min(upright.size)))
    plain = square.resize((32, 32), Image.Resampling.BICUBIC)
    difference = decode(file, 32).int() - torch.from_numpy(np.array(plain)).permute(2, 0, 1).int()
    assert difference.abs().max() <= 1 and (difference != 0).float().mean() < 0.02


def test_stacking_keeps_order_and_shape():
    arrays = [torch.arange(6, dtype=torch.uint8).view(1, 2, 3) + i for i in range(3)]
    assert stacked(arrays).shape == (3, 1, 2, 3)
    assert stacked(arrays)[:, 0, 1, 2].tolist() == [5, 6, 7]

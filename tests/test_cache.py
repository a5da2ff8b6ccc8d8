"""The cache: built once, whole or not at all, by one process at a time."""

import errno
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from siamlab.component import UserError
from siamlab.data import cache, entry
from siamlab.data.cache import cache_root, cached
from siamlab.data.images import plain, sample, take
from siamlab.machine import workers
from siamlab.run import Run
from siamlab.train.batches import Batches

KEY = {"kind": "toy", "split": "train"}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path))
    return tmp_path


def ramp(n=3):
    pixels = torch.arange(n * 3 * 4 * 4, dtype=torch.uint8).view(n, 3, 4, 4)
    return plain(pixels, torch.arange(n), ("a", "b", "c"))


def no_build(_):
    raise AssertionError("decoded again")


def test_the_second_opening_is_equal_and_decodes_nothing():
    first, second = cached(KEY, lambda _: [ramp()]), cached(KEY, no_build)
    assert torch.equal(first.pixels, ramp().pixels) and torch.equal(second.pixels, first.pixels)
    assert second.labels.tolist() == [0, 1, 2] and second.classes == ("a", "b", "c")
    assert second.masks.shape == (0, 4, 4) and second.objects.box.shape == (3, 0, 4)


def test_pieces_are_joined_in_order():
    images = cached(KEY, lambda _: iter([ramp(2), ramp(3)]))
    assert images.labels.tolist() == [0, 1, 0, 1, 2]
    assert torch.equal(images.pixels[2:], ramp(3).pixels)


def test_every_part_of_the_key_counts():
    cached(KEY, lambda _: [ramp()])
    for change in [{"split": "test"}, {"kind": "other"}, {"side": 4}]:
        assert len(cached(KEY | change, lambda _: [ramp(2)]).labels) == 2


def test_writing_into_the_images_leaves_the_cache_alone():
    cached(KEY, lambda _: [ramp()]).pixels.zero_()
    assert torch.equal(cached(KEY, no_build).pixels, ramp().pixels)


def test_a_damaged_entry_is_built_again(root):
    cached(KEY, lambda _: [ramp()])
    pixels = next(root.glob("toy-*/pixels"))
    pixels.write_bytes(pixels.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="pixels changed since it was written, so it is built"):
        again = cached(KEY, lambda _: [ramp()])
    assert torch.equal(again.pixels, ramp().pixels)


def test_an_error_while_building_leaves_nothing(root):
    def half(_):
        yield ramp()
        raise UserError("no more")

    with pytest.raises(UserError, match="no more"):
        cached(KEY, half)
    assert [f.name for f in root.iterdir() if f.is_dir()] == []


def die_while_building():
    """Work of a process that is killed halfway."""

    def half(_):
        yield ramp()
        os.kill(os.getpid(), signal.SIGKILL)

    cached(KEY, half)


def test_killed_in_the_middle_it_starts_afresh(root):
    killed = workers.start(die_while_building)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert [f.suffix for f in root.iterdir() if f.is_dir()] == [".draft"]
    assert torch.equal(cached(KEY, lambda _: [ramp()]).pixels, ramp().pixels)
    assert [f.suffix for f in root.iterdir() if f.is_dir()] == [""]


def build_slowly(log):
    """The work of a process that may be one of two."""

    def build(_):
        with open(log, "a") as file:
            file.write("built ")
        time.sleep(1)
        yield ramp()

    assert cached(KEY, build).labels.tolist() == [0, 1, 2]


def test_of_two_processes_at_once_one_builds(root):
    both = [workers.start(build_slowly, str(root / "log")) for _ in range(2)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert (root / "log").read_text() == "built "


def test_a_full_disk_is_said_in_a_sentence(root, monkeypatch):
    append = cache._append
    monkeypatch.setattr(cache, "_append", lambda _, array: append(Path("/dev/full"), array))
    with pytest.raises(UserError, match="SIAMLAB_CACHE=.*disk is full; free some space"):
        cached(KEY, lambda _: [ramp()])
    assert [f.name for f in root.iterdir() if f.is_dir()] == []


def test_a_cache_that_is_no_folder_is_said_in_a_sentence(root, monkeypatch):
    (root / "file").write_text("")
    monkeypatch.setenv("SIAMLAB_CACHE", str(root / "file"))
    with pytest.raises(UserError, match="cannot be written .*set SIAMLAB_CACHE to another folder"):
        cached(KEY, lambda _: [ramp()])


def test_an_error_of_the_data_is_not_blamed_on_the_disk():
    def build(_):
        raise OSError(errno.ENOSPC, "of the data")
        yield

    with pytest.raises(OSError, match="of the data"):
        cached(KEY, build)


def test_what_was_skipped_is_said_at_every_opening():
    def build(skipped):
        skipped.extend(f"{i}.jpg" for i in range(7))
        yield ramp()

    for _ in range(2):
        with pytest.warns(UserWarning, match=r"7 of 10 images .* skipped: 0.jpg, .*4.jpg, …$"):
            cached(KEY, build)


def flip(file, place, bit=0):
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= 1 << bit
    file.write_bytes(data)


@pytest.mark.parametrize("name", ["pixels", "labels", "pixels.sums", "about.json"])
def test_a_flipped_bit_is_seen_and_the_entry_is_built_again(name, root):
    cached(KEY, lambda _: [ramp()])
    file = next(root.glob(f"toy-*/{name}"))
    for place in range(0, file.stat().st_size, 7):
        flip(file, place)
        with pytest.warns(UserWarning, match=r"toy-train-.*: .* so it is built again"):
            again = cached(KEY, lambda _: [ramp()])
        assert torch.equal(again.pixels, ramp().pixels) and again.labels.tolist() == [0, 1, 2]
        assert again.classes == ("a", "b", "c")


@pytest.mark.parametrize("text", ["", "{}", "[1]", "null", '{"shapes": 1}', "\xff"])
def test_an_entry_that_does_not_say_what_it_holds_is_built_again(text, root):
    cached(KEY, lambda _: [ramp()])
    next(root.glob("toy-*/about.json")).write_text(text, "latin1")
    with pytest.warns(UserWarning, match="about.json or a checksum is missing or damaged, so"):
        assert torch.equal(cached(KEY, lambda _: [ramp()]).pixels, ramp().pixels)


def test_an_unchanged_entry_is_compared_once_in_a_process(root, monkeypatch):
    compared = []
    monkeypatch.setattr(entry, "_changed", lambda path: compared.append(path.name))
    for _ in range(3):
        cached(KEY, lambda _: [ramp()])
    assert sorted(compared) == sorted(entry.ARRAYS)


def test_rows_of_a_large_entry_are_compared_when_they_are_first_read(root, monkeypatch):
    monkeypatch.setattr(entry, "AT_ONCE", 1000)
    images = plain(torch.randint(256, (40, 3, 64, 64), dtype=torch.uint8), torch.arange(40), "a")
    cached(KEY, lambda _: [images])
    flip(next(root.glob("toy-*/pixels")), 30 * 3 * 64 * 64)  # in the eighth block, images 26 to 31
    kept = cached(KEY, no_build)
    assert torch.equal(take(kept, torch.arange(20)).pixels, images.pixels[:20])
    assert len(sample(kept, 3).pixels) == 3
    way = r"toy-.*pixels of the cache is damaged: .* remove the folder .*toy-train-\w+, and the"
    for read in (lambda: take(kept, torch.tensor([30])), lambda: sample(kept, None)):
        with pytest.raises(UserError, match=way):
            read()
    batches = Batches(kept.pixels, Run(batch=8, steps=5), torch.device("cpu"))
    with pytest.raises(UserError, match=way):
        list(batches.read(0))
    kept.pixels.zero_()  # of this process alone: not damage
    assert not take(kept, torch.arange(20)).pixels.any()


def test_open_images_keep_no_file_open():
    cached(KEY, lambda _: [ramp()])
    before = len(os.listdir("/dev/fd"))
    kept = [cached(KEY, no_build) for _ in range(3)]
    assert len(os.listdir("/dev/fd")) == before and len(kept) == 3


def test_a_blank_name_of_the_cache_names_none(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SIAMLAB_CACHE", "  ")
    assert cache_root() == tmp_path / ".cache" / "siamlab"

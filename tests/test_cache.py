"""The cache: built once, whole or not at all, by one process at a time."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from siamlab.component import UserError
from siamlab.data import cache
from siamlab.data.cache import cached
from siamlab.data.images import plain

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


def run(code, **environment):
    header = """
        import os, signal, sys, time
        sys.path.insert(0, os.getcwd())
        from tests.test_cache import KEY, ramp
        from siamlab.data.cache import cached
    """
    program = textwrap.dedent(header) + textwrap.dedent(code)
    here = Path(__file__).parent.parent
    return subprocess.Popen([sys.executable, "-c", program], cwd=here, env=os.environ | environment)


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
    assert torch.equal(cached(KEY, lambda _: [ramp()]).pixels, ramp().pixels)


def test_an_error_while_building_leaves_nothing(root):
    def half(_):
        yield ramp()
        raise UserError("no more")

    with pytest.raises(UserError, match="no more"):
        cached(KEY, half)
    assert [f.name for f in root.iterdir() if f.is_dir()] == []


def test_killed_in_the_middle_it_starts_afresh(root):
    killed = run("""
        def half(_):
            yield ramp()
            os.kill(os.getpid(), signal.SIGKILL)
        cached(KEY, half)
    """)
    assert killed.wait(300) == -signal.SIGKILL
    assert [f.suffix for f in root.iterdir() if f.is_dir()] == [".part"]
    assert torch.equal(cached(KEY, lambda _: [ramp()]).pixels, ramp().pixels)
    assert [f.suffix for f in root.iterdir() if f.is_dir()] == [""]


def test_of_two_processes_at_once_one_builds(root):
    code = """
        def build(_):
            with open(os.environ["LOG"], "a") as log:
                log.write("built ")
            time.sleep(1)
            yield ramp()
        assert cached(KEY, build).labels.tolist() == [0, 1, 2]
    """
    both = [run(code, LOG=str(root / "log")) for _ in range(2)]
    assert [process.wait(300) for process in both] == [0, 0]
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

"""The shelf: what is read is what was computed, within the bound; faults cost a sentence only."""

import errno
import os

import pytest
import torch

from siamlab.component import UserError
from siamlab.machine import shelf as module
from siamlab.machine.shelf import VARIABLE, Shelf, bound, files, groups

TENSORS = [torch.randn(5, 3), torch.arange(4), torch.randn(2, 2).bfloat16(), torch.empty(0, 7)]
ROOMY = 10**6  # bytes
KB = torch.zeros(250)  # 1,000 bytes and a first line


def kept(shelf, key="k", compute=lambda: TENSORS):
    return shelf.kept("model", key, "mae", compute)


def never():
    raise AssertionError("computed again")


def test_what_is_read_is_what_was_computed_in_memory_as_torch_aligns_it(tmp_path):
    kept(Shelf(tmp_path, ROOMY))
    found = kept(Shelf(tmp_path, ROOMY), compute=never)
    for one, two in zip(TENSORS, found, strict=True):
        assert one.dtype == two.dtype and one.shape == two.shape and torch.equal(one, two)
        assert two.data_ptr() % 64 == 0


def test_another_key_or_folder_is_another_entry_and_nothing_is_kept_without_room(tmp_path):
    shelf = Shelf(tmp_path, ROOMY)
    kept(shelf)
    assert kept(shelf, "other", lambda: [KB])[0] is KB
    assert shelf.kept("another", "k", "mae", lambda: [KB])[0] is KB
    assert kept(Shelf(tmp_path, 0), compute=lambda: [KB])[0] is KB
    assert len(files(tmp_path)) == 3


@pytest.mark.parametrize("place", [3, -3, None], ids=["first line", "tensor", "cut short"])
def test_a_damaged_file_is_computed_again_with_a_sentence(place, tmp_path):
    kept(Shelf(tmp_path, ROOMY))
    [path] = files(tmp_path)
    data = bytearray(path.read_bytes())
    if place is None:
        del data[-1]
    else:
        data[place] ^= 1
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="cannot be used .*damaged.*, so it is computed again"):
        kept(Shelf(tmp_path, ROOMY))
    kept(Shelf(tmp_path, ROOMY), compute=never)


def test_the_oldest_used_go_first_and_never_what_this_probe_used(tmp_path):
    first = Shelf(tmp_path, 3500)
    for age, key in enumerate("abc"):
        kept(first, key, lambda: [KB])
        os.utime(tmp_path / "model" / f"{key}.tensors", (age, age))
    second = Shelf(tmp_path, 3500)
    kept(second, "a", never)  # used last, from now on
    kept(second, "d", lambda: [KB])
    assert {path.stem for path in files(tmp_path)} == {"a", "c", "d"}
    kept(second, "c", never)
    with pytest.warns(UserWarning, match=f"not kept in .*do not fit.*{VARIABLE}=50GB allows more"):
        kept(second, "e", lambda: [KB])
    kept(second, "f", lambda: [KB])  # said once
    assert {path.stem for path in files(tmp_path)} == {"a", "c", "d"}


@pytest.mark.parametrize(
    "number, why", [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only")]
)
def test_a_disk_that_takes_nothing_costs_one_sentence(number, why, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "write_tensors", refuse)
    shelf = Shelf(tmp_path, ROOMY)
    with pytest.warns(UserWarning, match=f"not kept in {tmp_path}: the .*{why}.*=off keeps none"):
        assert kept(shelf) is TENSORS
    assert kept(shelf, "other") is TENSORS and files(tmp_path) == []
    assert [path.name for path in (tmp_path / "model").iterdir()] == []


def test_a_file_where_the_folder_should_be_costs_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="not kept in .*file: it cannot be written"):
        kept(Shelf(tmp_path / "file", ROOMY))


def test_half_written_files_of_killed_processes_go_after_a_day(tmp_path):
    kept(Shelf(tmp_path, ROOMY))
    old, new = (tmp_path / "model" / f".{name}.draft" for name in ("old", "new"))
    for draft in (old, new):
        draft.write_text("")
    os.utime(old, (0, 0))
    kept(Shelf(tmp_path, ROOMY), "other")
    assert new.exists() and not old.exists()


def test_what_lies_there_is_listed_by_model(tmp_path):
    assert groups(tmp_path / "none") == []
    shelf = Shelf(tmp_path, ROOMY)
    kept(shelf), kept(shelf, "other", lambda: [KB])
    [group] = groups(tmp_path)
    assert group.name == f"{tmp_path.name}/model" and group.about == "mae"
    assert group.images == 5 + 250 and group.idle_days < 0.01
    assert group.size == sum(path.stat().st_size for path in files(tmp_path))
    files(tmp_path)[0].write_text("{")
    assert groups(tmp_path)[0].images is None


@pytest.mark.parametrize(
    "text, size",
    [("off", 0), ("0", 0), ("5GB", 5 * 10**9), ("1.5 kb", 1500), (" 70 MB", 7 * 10**7)],
)
def test_the_variable_is_a_size(text, size, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, text)
    assert bound(tmp_path) == size


def test_without_it_a_quarter_of_what_is_free_is_the_most(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    for free, most in [(4 * 10**9, 10**9), (10**12, module.MOST)]:
        usage = lambda _, free=free: type("Usage", (), {"free": free})  # noqa: E731
        monkeypatch.setattr(module.shutil, "disk_usage", usage)
        assert bound(tmp_path / "not" / "there") == most


@pytest.mark.parametrize("text", ["much", "5 potatoes", "-3GB"])
def test_another_value_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UserError, match=f"{VARIABLE}={text} must be a size such as 5GB"):
        bound(tmp_path)

"""`siamlab cache`: what lies in the caches of images and features, and how it is removed."""

import os
import time

import pytest
import torch
from test_cache import KEY, no_build, ramp

from siamlab.cli.main import main
from siamlab.data.cache import cached
from siamlab.data.entries import entries, remove
from siamlab.machine.files import hold
from siamlab.machine.shelf import VARIABLE, Shelf, groups


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill():
    cached(KEY, lambda _: [ramp(3)])
    cached(KEY | {"split": "test"}, lambda _: [ramp(2)])


def age(entry, days):
    then = time.time() - days * 24 * 3600
    os.utime(entry.path, (then, then))


def test_entries_are_listed_with_their_images_and_bytes(capsys):
    fill()
    large, small = entries()
    assert (large.images, small.images) == (3, 2) and large.name.startswith("toy-train-")
    assert large.size == sum(file.stat().st_size for file in large.path.iterdir())
    assert main(["cache"]) == 0
    shown = capsys.readouterr().out
    assert large.name in shown and small.name in shown and "0 days" in shown


def test_an_empty_cache_is_said(capsys):
    assert main(["cache", "list"]) == 0
    assert "is empty" in capsys.readouterr().out


def test_a_removed_entry_is_made_again_and_others_stay(capsys):
    fill()
    large, small = entries()
    assert main(["cache", "remove", large.name]) == 0
    assert "removed: 1" in capsys.readouterr().out
    assert [entry.name for entry in entries()] == [small.name]
    assert len(cached(KEY, lambda _: [ramp(1)]).labels) == 1
    assert main(["cache", "remove", "--all"]) == 0 and entries() == []


def test_only_entries_that_nobody_opened_for_so_long_go():
    fill()
    for entry in entries():
        age(entry, 40)
    cached(KEY, no_build)  # opened now
    assert main(["cache", "remove", "--unused", "30"]) == 0
    assert [entry.images for entry in entries()] == [3]


def test_an_entry_in_the_making_stays(root, capsys):
    fill()
    large, _ = entries()
    with hold(root / f".{large.name}.lock"):
        assert [entry.name for entry in remove(entries())] == [large.name]
        main(["cache", "remove", "--all"])
    assert f"left, since another process is making them: {large.name}" in capsys.readouterr().out


def test_a_damaged_entry_is_listed_as_such_and_can_go(capsys):
    fill()
    (entries()[0].path / "about.json").write_text("{")
    main(["cache"])
    assert "damaged" in capsys.readouterr().out
    assert main(["cache", "remove", "--all"]) == 0 and entries() == []


def test_a_file_is_no_empty_cache(root, capsys):
    root.write_text("")
    assert main(["cache"]) == 2
    assert "cache is not a folder; set SIAMLAB_CACHE to one" in capsys.readouterr().err


def test_a_damaged_entry_may_be_nested_without_end(root, capsys):
    fill()
    for about in root.glob("*/about.json"):
        about.write_text("[" * 10_000)
    assert main(["cache"]) == 0 and "damaged" in capsys.readouterr().out


def test_features_are_listed_by_model_and_removed_by_name_or_age(root, capsys, monkeypatch):
    monkeypatch.setenv(VARIABLE, "5GB")
    fill()
    shelf = Shelf(root / "features", 10**6)
    for folder, model in [("0a", "runs/mine"), ("0b", "zoo:mae")]:
        shelf.kept(folder, "key", model, lambda: [torch.zeros(7, 3)])
    (root / "downloads").mkdir()  # of public sets: no entry
    assert main(["cache"]) == 0
    shown = " ".join(capsys.readouterr().out.split())  # a long path breaks lines
    assert "decoded images" in shown and "features" in shown and "at most 5.0 GB" in shown
    assert "features/0a" in shown and "runs/mine" in shown and "downloads" not in shown
    assert main(["cache", "remove", "features/0a"]) == 0 and len(entries()) == 2
    assert [group.about for group in groups(root / "features")] == ["zoo:mae"]
    os.utime(root / "features" / "0b" / "key.tensors", (0, 0))
    assert main(["cache", "remove", "--unused", "30"]) == 0
    assert groups(root / "features") == [] and len(entries()) == 2
    assert main(["cache", "remove", "--all"]) == 0 and (root / "downloads").is_dir()


@pytest.mark.parametrize(
    "words, message",
    [
        (["remove"], "needs names of entries, --all, or --unused DAYS"),
        (["remove", "toy-trian"], "has no entry 'toy-trian'"),
        (["list", "--all"], "cache takes nothing, or `remove`"),
        (["prune"], "cache takes nothing, or `remove`"),
        (["remove", "--unused", "many"], "'many' is not a whole number"),
    ],
)
def test_mistakes_remove_nothing(words, message, capsys):
    fill()
    assert main(["cache", *words]) == 2
    assert message in capsys.readouterr().err and len(entries()) == 2


def test_folders_of_the_user_are_no_entries_and_stay(root, tmp_path, capsys):
    """SIAMLAB_CACHE may be a home folder, and its features may lie on another disk."""
    fill()
    photos = tmp_path / "photos"
    for folder in (root / "thesis", photos / "cat"):
        folder.mkdir(parents=True)
        (folder / "1.png").touch()
    (root / "toy-train-0123456789abcdef").symlink_to(photos)
    (root / "features").symlink_to(photos)
    shelf = Shelf(root / "features", 10**6)
    shelf.kept("0a", "key", "zoo:mae", lambda: [torch.zeros(7, 3)])
    assert main(["cache"]) == 0
    shown = capsys.readouterr().out
    assert "features/0a" in shown and "thesis" not in shown and "cat" not in shown
    assert main(["cache", "remove", "--all"]) == 0 and "removed: 3" in capsys.readouterr().out
    assert (root / "thesis" / "1.png").exists() and (photos / "cat" / "1.png").exists()
    assert not (photos / "0a").exists()


def test_a_pipe_in_an_entry_is_not_waited_for(capsys):
    fill()
    about = entries()[0].path / "about.json"
    about.unlink()
    os.mkfifo(about)
    assert main(["cache"]) == 0 and "damaged" in capsys.readouterr().out
    with pytest.warns(UserWarning, match="so it is built again"):
        assert len(cached(KEY, lambda _: [ramp(1)]).labels) == 1

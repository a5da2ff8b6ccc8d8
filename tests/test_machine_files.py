"""A reader sees the old file or the new one; a lock is held by one process and dies with it."""

import errno
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import siamlab
from siamlab.machine.files import append, atomic, hold, outward_link, remove_drafts


def child(code, path):
    """Another process that runs the code with `path` and prints a line once it is there."""
    program = "import os, signal, sys, time\nfrom pathlib import Path\n"
    program += "from siamlab.machine.files import atomic, hold\npath = Path(sys.argv[1])\n"
    return subprocess.Popen(
        [sys.executable, "-c", program + textwrap.dedent(code), str(path)],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


WRITES = re.compile(r"\.write_(?:text|bytes|parquet|csv|json)\(.*")
IN_A_DRAFT = {"data/entry.py", "explore/site/site.py", "train/checkpoint.py"}  # of their callers


def test_files_are_written_whole_or_not_at_all():
    """Whatever is written goes to the draft of an `atomic`, or into a folder that is one."""
    package = Path(siamlab.__file__).parent
    for path in package.rglob("*.py"):
        for line in path.read_text().splitlines():
            inside = str(path.relative_to(package)) in IN_A_DRAFT
            assert inside or not WRITES.search(line) or "draft" in line, f"{path}: {line.strip()}"


def make(path, kind, text):
    if kind == "folder":
        path.mkdir()
        path = path / "inside"
    path.write_text(text)


def read(path):
    return (path / "inside" if path.is_dir() else path).read_text()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_draft_replaces_the_old_one_and_does_not_stay(kind, tmp_path):
    for text in ("old", "new"):
        with atomic(tmp_path / "it") as draft:
            make(draft, kind, text)
            assert text == "old" or read(tmp_path / "it") == "old"
        assert read(tmp_path / "it") == text
    assert [p.name for p in tmp_path.iterdir()] == ["it"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_error_leaves_the_old_one(kind, tmp_path):
    make(tmp_path / "it", kind, "old")
    with pytest.raises(ZeroDivisionError), atomic(tmp_path / "it") as draft:
        make(draft, kind, "new")
        1 / 0  # noqa: B018
    assert read(tmp_path / "it") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["it"]


def test_two_that_write_at_once_do_not_mix(tmp_path):
    path = tmp_path / "it"
    with atomic(path) as first, atomic(path) as second:
        first.write_text("first")
        second.write_text("2nd")
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_a_killed_process_leaves_the_old_one_and_a_draft_that_can_be_removed(tmp_path):
    path, beside = tmp_path / "it", tmp_path / ".other.12345678.draft"
    path.write_text("old"), beside.write_text("of another file")
    killed = child(
        """
        with atomic(path) as draft:
            draft.write_text("ne")
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        path,
    )
    killed.communicate(timeout=300)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 3
    remove_drafts(tmp_path, "it")
    assert sorted(tmp_path.iterdir()) == [beside, path]


def test_one_process_holds_a_lock_until_it_is_killed(tmp_path):
    path = tmp_path / "made" / "lock"
    other = child("held = hold(path)\nprint(flush=True)\nsys.stdin.read()", path)
    other.stdout.readline()
    assert hold(path) is None
    other.kill()
    other.communicate(timeout=300)
    with hold(path):
        assert hold(path) is None
    hold(path).close()


def test_who_waits_gets_the_lock_once_it_is_released(tmp_path):
    path, log = tmp_path / "lock", tmp_path / "log"
    held = hold(path)
    other = child(
        """
        print(flush=True)
        with hold(path, wait=True):
            print(path.with_name("log").read_text())
        """,
        path,
    )
    other.stdout.readline()
    time.sleep(0.5)  # so that it waits, and would fail if it did not
    log.write_text("written before the release")
    held.close()
    assert other.communicate(timeout=300)[0] == "written before the release\n"


def test_a_lock_that_cannot_be_written_is_an_os_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        hold(tmp_path / "file" / "lock")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_new_one_is_on_disk_before_it_replaces_the_old_and_its_name_after(
    kind, tmp_path, monkeypatch
):
    done, sync, replace = [], os.fsync, os.replace

    def synced(number):
        done.append(os.fstat(number).st_ino)
        sync(number)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replaced"), replace(*paths)))
    with atomic(tmp_path / "it") as draft:
        make(draft, kind, "new")
    written = tmp_path / "it" / "inside" if kind == "folder" else tmp_path / "it"
    numbers = {p.stat().st_ino for p in (written, tmp_path / "it")}
    assert set(done[: done.index("replaced")]) == numbers
    assert done[done.index("replaced") + 1 :] == [tmp_path.stat().st_ino]


def test_what_is_appended_is_whole_or_not_there(tmp_path, monkeypatch):
    path, write = tmp_path / "log", os.write
    append(path, b"one\n")

    def full(number, data):
        if len(data) < 5:
            raise OSError(errno.ENOSPC, "full")
        return write(number, data[:3])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="full"):
            append(path, b"another\n")
    assert path.read_bytes() == b"one\n"
    append(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_nothing_is_appended_through_a_link(tmp_path):
    (tmp_path / "outside").write_text("precious")
    (tmp_path / "log").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError):
        append(tmp_path / "log", b"more")
    assert (tmp_path / "outside").read_text() == "precious"


def test_links_that_lead_out_are_found_at_any_depth(tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "file").touch()
    (folder / "deep" / "inward").symlink_to("../file")
    assert outward_link(folder) is None
    (folder / "deep" / "out").symlink_to("../../other")  # which need not exist
    assert outward_link(folder) == folder / "deep" / "out"


def test_a_link_to_itself_leads_nowhere(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    assert outward_link(tmp_path) is None

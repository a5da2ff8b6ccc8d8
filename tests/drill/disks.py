"""Disks: full and read-only ones under the run, the cache and the temporary folder."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands import Command

from drill import Row
from drill._tiny import state, tiny, trained, warm
from siamlab.machine import workers
from siamlab.train import RunFolder

ROOM = "64m"
RUN = tiny("siameseim", "steps=6", "save_every=2", "log_every=2")


@contextmanager
def disk(path: Path, size: str) -> Iterator[None]:
    """A disk of this size at the path."""
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "drill", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def remount(path: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", path], check=True)


class Tally:
    """Commands that ended in a sentence, and those that did not."""

    def __init__(self) -> None:
        self.commands = self.tracebacks = self.unexpected = 0

    def command(self, *words: object, status: int | None = None) -> str:
        """Run a command; `status` is how it must end, None: with 0 or a sentence."""
        command = Command(*words)
        printed = command.finish()
        self.commands += 1
        self.tracebacks += "Traceback" in printed
        wrong = command.status not in ((0, 2) if status is None else (status,))
        self.unexpected += wrong
        if wrong or "Traceback" in printed:
            print(*words, command.status, printed, sep="\n")
        return printed

    def rows(self, fault: str, **counts: int) -> Iterator[Row]:
        fault = f"{fault}, {self.commands} commands"
        yield Row(fault, "tracebacks", self.tracebacks, 0)
        yield Row(fault, "unexpected ends", self.unexpected, 0)
        for measure, count in counts.items():
            yield Row(fault, measure.replace("_", " "), count, 0)


def drill(scratch: Path, short: bool) -> Iterator[Row]:
    if os.getuid() or not shutil.which("mount"):
        yield Row("full and read-only disks", "left out: they need root to mount a disk", 0)
        return
    os.environ["SIAMLAB_CACHE"] = str(scratch / "cache")
    warm()
    toml = scratch / "run.toml"
    toml.write_text(RUN.toml())
    workers.start(trained, RUN.toml(), str(scratch / "whole")).join()
    sizes = (48, 192) if short else (4, 16, 32, 48, 64, 96, 128, 160, 192, 256, 320, 400, 512)
    yield from full_run(scratch, toml, sizes)
    yield from full_cache(scratch, toml, sizes[:1] if short else sizes[:4])
    yield from full_temporary(scratch, toml)
    yield from read_only(scratch, toml)


def full_run(scratch: Path, toml: Path, sizes: tuple[int, ...]) -> Iterator[Row]:
    """A run on disks of different sizes, then resumed with room: as if nothing had happened."""
    whole, tally, differ = state(RunFolder(scratch / "whole")), Tally(), 0
    for size in sizes:
        place = scratch / f"disk-{size}"
        with disk(place, f"{size}k"):
            tally.command("train", toml, "--out", place / "run")
            remount(place, f"size={ROOM}")
            tally.command("train", toml, "--out", place / "run", "--resume", status=0)
            differ += state(RunFolder(place / "run")) != whole
            differ += bool(list(place.rglob("*.draft")))
    yield from tally.rows("full disk under the run", runs_that_differ=differ)


def full_cache(scratch: Path, toml: Path, sizes: tuple[int, ...]) -> Iterator[Row]:
    whole, tally, differ, before = (
        state(RunFolder(scratch / "whole")), Tally(), 0, os.environ["SIAMLAB_CACHE"]
    )  # fmt: skip
    for size in sizes:
        cache, out = scratch / f"cache-{size}", scratch / f"run-{size}"
        with disk(cache, f"{min(size, 24)}k"):
            os.environ["SIAMLAB_CACHE"] = str(cache)
            said = tally.command("train", toml, "--out", out, status=2)
            differ += "disk is full" not in said or out.exists()
            differ += bool(list(cache.rglob("*.draft")))
            remount(cache, f"size={ROOM}")
            tally.command("train", toml, "--out", out, status=0)
            differ += state(RunFolder(out)) != whole
    os.environ["SIAMLAB_CACHE"] = before
    yield from tally.rows("full disk under the cache", runs_that_differ=differ)


def full_temporary(scratch: Path, toml: Path) -> Iterator[Row]:
    """A temporary folder on a full disk, then on a read-only one."""
    whole, tally, differ = state(RunFolder(scratch / "whole")), Tally(), 0
    place, before = scratch / "temporary", os.environ.get("TMPDIR")
    with disk(place, "4k"):
        (place / "filler").write_bytes(bytes(4096))
        os.environ["TMPDIR"] = str(place)
        for options in ("size=4k", "ro"):
            remount(place, options)
            out = scratch / f"temporary-{options}"
            tally.command("train", toml, "--out", out, status=0)
            tally.command("probe", out, "--images", 20, "--test-images", 20, status=0)
            differ += state(RunFolder(out)) != whole
        del os.environ["TMPDIR"]
        if before is not None:
            os.environ["TMPDIR"] = before
    yield from tally.rows("full or read-only temporary folder", runs_that_differ=differ)


def read_only(scratch: Path, toml: Path) -> Iterator[Row]:
    """A read-only run and cache: what needs no writing works, the rest ends in a sentence."""
    tally, differ, before = Tally(), 0, os.environ["SIAMLAB_CACHE"]
    place = scratch / "still"
    with disk(place, ROOM):
        run = place / "run"
        tally.command("train", toml, "--out", run, status=0)
        os.environ["SIAMLAB_CACHE"] = str(place / "cache")
        tally.command("train", toml, "--out", scratch / "beside", status=0)
        few = "--images", 20, "--test-images", 20
        tally.command("probe", scratch / "beside", *few, status=0)
        remount(place, "ro")
        said = tally.command("train", toml, "--out", run, "--resume", status=2)
        differ += "Read-only" not in said
        differ += "not kept in" not in tally.command("probe", run, *few, status=0)
        tally.command("train", toml, "--out", scratch / "third", status=0)
        other = tally.command("train", toml, "data.seed=7", "--out", scratch / "no", status=2)
        differ += "SIAMLAB_CACHE" not in other
        tally.command("train", toml, "--out", place / "new", status=2)
        os.environ["SIAMLAB_CACHE"] = before
    yield from tally.rows("read-only disk under run and cache", unsaid=differ)

"""All that is asked of a GPU in one command of limited time, which goes on where it was cut off.

python -m benchmarks gpu --minutes 9 --out results/h200

Parts run one after another, each in a process of its own that is ended when the time is up. OUT
holds their tables in gpu.md, their parquet files and the trace of a step's profile; a part whose
tables are there is not run again.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from benchmarks.measure import folder
from benchmarks.peer import PACKAGES

PARTS = ("step", "loop", "profile", "views", "loss", "growth", "probes")  # in this order
LEAST = 20.0  # seconds below which no part is begun


def main() -> None:
    """Run the parts that are missing; the exit status says whether all are there."""
    words = argparse.ArgumentParser(
        "python -m benchmarks gpu", description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )  # fmt: skip
    here = "cuda" if torch.cuda.is_available() else "cpu"
    words.add_argument("parts", nargs="*", metavar="PART", default=PARTS, help=", ".join(PARTS))
    words.add_argument("--device", default=here, choices=["cpu", "cuda"])
    words.add_argument("--minutes", type=float, default=9, help="that all of it may take")
    words.add_argument("--repeats", type=int, default=5, help="rounds")
    words.add_argument("--peer", default="", choices=["", *PACKAGES], help="of step and views")
    words.add_argument("--out", type=folder, default="runs/gpu", help="folder")
    given = words.parse_args()
    for part in given.parts:
        if part not in PARTS:
            words.error(f"part {part!r} is none of {', '.join(PARTS)}")
    until = time.monotonic() + 60 * given.minutes
    missing = [
        part
        for part in given.parts
        if not done(given.out, part) and not run(part, command(part, given), given.out, until)
    ]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; the same command goes on with them")


def command(part: str, given: argparse.Namespace) -> list[str]:
    """The command line of a part."""
    words = [sys.executable, "-m", "benchmarks", part, "--device", given.device]
    if part == "profile":
        return [*words, "--trace", str(given.out / "profile.json.gz")]
    beside = ["--peer", given.peer] if given.peer and part in ("step", "views") else []
    return [*words, *beside, "--repeats", str(given.repeats), "--out", str(given.out)]


def done(out: Path, part: str) -> bool:
    """Whether the tables of a part are in OUT."""
    tables = out / "gpu.md"
    return tables.exists() and f"\n## {part}\n" in tables.read_text()


def run(part: str, words: Sequence[str], out: Path, until: float) -> bool:
    """Whether the part ended well before `until`; then its tables are kept."""
    left = until - time.monotonic()
    if left < LEAST:
        print(f"{part}: no time left", file=sys.stderr)
        return False
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            told, _ = process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            print(f"{part}: ended, {left:.0f} s were too few", file=sys.stderr)
            return False
        finally:  # processes of its own too
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        print(f"{part}: failed", file=sys.stderr)
        return False
    with (out / "gpu.md").open("a") as tables:
        tables.write(f"\n## {part}\n\n{told.strip()}\n")
    print(told, flush=True)
    return True

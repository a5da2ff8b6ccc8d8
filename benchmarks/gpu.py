"""All that is asked of a GPU in one command of limited time, which goes on where it was cut off.

python -m benchmarks gpu --minutes 9 --out results/h200

Parts run one after another, each in a process of its own that is ended when the time is up; one
that fails leaves the others alone. OUT holds their tables in gpu.md, their parquet files and the
trace of a step's profile; a part whose tables are there is not run again.
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

from benchmarks import loop, step
from benchmarks.measure import folder
from benchmarks.peer import PACKAGES

LEAST = 20.0  # seconds below which no part is begun


def main() -> None:
    """Run the parts that are missing; the exit status says whether all are there."""
    words = argparse.ArgumentParser(
        "python -m benchmarks gpu", description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )  # fmt: skip
    here = "cuda" if torch.cuda.is_available() else "cpu"
    words.add_argument(
        "parts", nargs="*", metavar="PART", help="some of them alone; a wrong name lists all"
    )
    words.add_argument("--device", default=here, choices=["cpu", "cuda"])
    words.add_argument("--minutes", type=float, default=9, help="that all of it may take")
    words.add_argument("--repeats", type=int, default=5, help="rounds")
    words.add_argument("--peer", default="", choices=["", *PACKAGES], help="of step and views")
    words.add_argument("--out", type=folder, default="runs/gpu", help="folder")
    given = words.parse_args()
    commands = parts(given)
    for part in given.parts:
        if part not in commands:
            words.error(f"part {part!r} is none of {', '.join(map(repr, commands))}")
    until = time.monotonic() + 60 * given.minutes
    missing = [
        part
        for part in given.parts or commands
        if not done(given.out, part) and not run(part, commands[part], given.out, until)
    ]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; the same command goes on with them")


def parts(given: argparse.Namespace) -> dict[str, list[str]]:
    """The command line of each part; what is compiled, and so may fail, comes late."""
    device, beside = torch.device(given.device), [given.peer] if given.peer else []
    by_case = {
        f"{suite}: {case}": [suite, "--case", case]
        for suite, cases in (
            ("step", [*step.cases(device), *beside]),
            ("loop", loop.cases(device)),
        )
        for case in cases
    }
    late = [part for part in by_case if "compiled" in part]
    words = {part: by_case[part] for part in by_case if part not in late}
    words |= {"views": ["views"], "profile": ["profile"], "loss": ["loss"]}
    words |= {part: by_case[part] for part in late} | {p: [p] for p in ("growth", "probes")}
    return {part: command(words[part], given) for part in words}


def command(words: Sequence[str], given: argparse.Namespace) -> list[str]:
    """Of a suite, with what all are given."""
    words = [sys.executable, "-m", "benchmarks", *words, "--device", given.device]
    if "profile" in words:
        return [*words, "--trace", str(given.out / "profile.json.gz")]
    peer = ["--peer", given.peer] if given.peer else []
    return [*words, *peer, "--repeats", str(given.repeats), "--out", str(given.out)]


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

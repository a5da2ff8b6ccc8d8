"""All suites for a GPU in one command of limited time, which resumes where it was cut off.

python -m benchmarks gpu --minutes 9 --out results/h200

Parts run one after another, each in a separate process that is ended when time is up; a failure
of one does not affect the others. OUT has their tables in gpu.md, their Parquet files and the
trace of a profiled step; a part with tables in gpu.md is not run again.
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

MIN_SECONDS = 20.0  # remaining time below which no part starts


def main() -> None:
    """Run the missing parts; exit with an error if some are still missing."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks gpu", description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )  # fmt: skip
    here = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help="default: all; a wrong name lists them",
    )
    parser.add_argument("--device", default=here, choices=["cpu", "cuda"])
    parser.add_argument("--minutes", type=float, default=9, help="time limit")
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument(
        "--peer", default="", choices=["", *PACKAGES], help="also measure this tool"
    )
    parser.add_argument("--out", type=folder, default="runs/gpu", help="folder")
    options = parser.parse_args()
    commands = parts(options)
    for part in options.parts:
        if part not in commands:
            parser.error(f"part {part!r} is none of {', '.join(map(repr, commands))}")
    until = time.monotonic() + 60 * options.minutes
    missing = [
        part
        for part in options.parts or commands
        if not is_done(options.out, part) and not run(part, commands[part], options.out, until)
    ]
    if missing:
        sys.exit(f"missing: {', '.join(missing)}; the same command continues with them")


def parts(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the command line of each part; compiled ones, which may fail, come late."""
    device, beside = torch.device(options.device), [options.peer] if options.peer else []
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
    return {part: command(words[part], options) for part in words}


def command(words: Sequence[str], options: argparse.Namespace) -> list[str]:
    """Return the command line of a suite, with the options of all."""
    words = [sys.executable, "-m", "benchmarks", *words, "--device", options.device]
    if "profile" in words:
        return [*words, "--trace", str(options.out / "profile.json.gz")]
    peer = ["--peer", options.peer] if options.peer else []
    return [*words, *peer, "--repeats", str(options.repeats), "--out", str(options.out)]


def is_done(out: Path, part: str) -> bool:
    """Return whether the tables of a part are in OUT."""
    tables = out / "gpu.md"
    return tables.exists() and f"\n## {part}\n" in tables.read_text()


def run(part: str, words: Sequence[str], out: Path, until: float) -> bool:
    """Run a part and save its tables; return whether it succeeded before `until`."""
    left = until - time.monotonic()
    if left < MIN_SECONDS:
        print(f"{part}: no time left", file=sys.stderr)
        return False
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=left)
        except subprocess.TimeoutExpired:
            print(f"{part}: ended, it takes longer than {left:.0f} s", file=sys.stderr)
            return False
        finally:  # its child processes too
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        print(f"{part}: failed", file=sys.stderr)
        return False
    with (out / "gpu.md").open("a") as tables:
        tables.write(f"\n## {part}\n\n{output.strip()}\n")
    print(output, flush=True)
    return True

"""At once: two processes on one folder and on one cache."""

import os
from collections.abc import Iterator
from pathlib import Path

from drill import Row
from drill._tiny import ended, state, tiny, trained, warm
from siamlab.component import UserError
from siamlab.data.cache import cached
from siamlab.machine import workers
from siamlab.run import Run
from siamlab.train import RunFolder, train


def begun(run: str, path: str) -> None:
    """The work of a process: train a new run, or end with 2 where that is refused."""
    try:
        train(Run.parse(run), path)
    except UserError:
        os._exit(2)


def built(log: str) -> None:
    """The work of a process: open images, and note whether it built them."""

    def build(_: list[str]):
        with open(log, "a") as file:
            file.write("built ")
        yield tiny("mae").data("train")

    cached({"kind": "shared", "split": "train"}, build)


def drill(scratch: Path, short: bool) -> Iterator[Row]:
    os.environ["SIAMLAB_CACHE"] = str(scratch / "cache")
    warm()
    pairs, mixed, refused = 4 if short else 20, 0, 0
    runs = [tiny("mae", f"seed={seed}") for seed in range(2)]
    for run in runs:
        workers.start(trained, run.toml(), str(scratch / f"whole-{run.seed}")).join()
    wholes = [state(RunFolder(scratch / f"whole-{run.seed}")) for run in runs]
    for number in range(pairs):
        path = scratch / f"run-{number}"
        both = [workers.start(begun, run.toml(), str(path)) for run in runs]
        codes = [ended(process) for process in both]
        refused += codes.count(2)
        mixed += state(RunFolder(path)) != wholes[codes.index(0)]
    yield Row(f"{pairs} pairs of runs in one folder", "folders that mix two runs", mixed, 0)
    yield Row(f"{pairs} pairs of runs in one folder", "refused", refused, pairs, least=pairs)
    log = scratch / "log"
    both = [workers.start(built, str(log)) for _ in range(2)]
    assert [ended(process) for process in both] == [0, 0]
    times = len(log.read_text().split())
    yield Row("two processes on one cache entry", "times built", times, 1, least=1)

"""Growth: memory, open files and threads stay the same over many steps, probings and clicks."""

import gc
import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from drill import Row
from drill._tiny import tiny
from siamlab.data import Scenes, sample
from siamlab.evaluate.models import open_model
from siamlab.explore import EyeExplorer, ModelsExplorer, PairExplorer
from siamlab.probe import probe_model
from siamlab.train import Metrics, steps

PAGE = os.sysconf("SC_PAGESIZE")
MOST = 24.0  # MB by which the memory may grow, after the first third


class Use(NamedTuple):
    memory: float  # resident, MB
    files: int
    threads: int


def use() -> Use:
    """Return what this process uses now."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(os.listdir("/proc/self/fd"))
    return Use(resident * PAGE / 1e6, files, threading.active_count())


def rows(what: str, count: int, act: Callable[[int], None]) -> Iterator[Row]:
    """Do it `count` times; yield the growth from the first third on."""
    for number in range(count // 3):
        act(number)
    before = use()
    for number in range(count // 3, count):
        act(number)
    after, fault = use(), f"{count:,} {what}"
    yield Row(fault, "memory, MB more", after.memory - before.memory, MOST)
    yield Row(fault, "files more", after.files - before.files, 0)
    yield Row(fault, "threads more", after.threads - before.threads, 0)


def drill(scratch: Path, short: bool) -> Iterator[Row]:
    if not Path("/proc/self/statm").exists():
        yield Row("growth", "left out: only Linux reports it", 0)
        return
    os.environ["SIAMLAB_CACHE"] = str(scratch / "cache")
    yield from of_steps(scratch, 600 if short else 10_000)
    yield from of_probings(6 if short else 100)
    yield from of_clicks(90 if short else 1000)
    yield from of_explorers(6 if short else 30)


def of_steps(scratch: Path, count: int) -> Iterator[Row]:
    run = tiny("siameseim", f"steps={count + 1}", "log_every=1", f"save_every={count // 6}")
    events = steps(run, scratch / "run")
    logged = (event for event in events if isinstance(event, Metrics))
    yield from rows("steps", count, lambda _: next(logged))
    for _ in logged:
        pass


def of_probings(count: int) -> Iterator[Row]:
    model = open_model("zoo:scenes_mae").model
    train, test = (sample(Scenes(images=60, test_images=40)(s), 40) for s in ("train", "test"))
    yield from rows("probings", count, lambda _: probe_model(model, train, test))


def of_clicks(count: int) -> Iterator[Row]:
    explorers = [PairExplorer("zoo:scenes_mae"), ModelsExplorer(["zoo:scenes_mae"]), EyeExplorer()]
    rng = random.Random(0)

    def click(number: int) -> None:
        explorer = explorers[number % len(explorers)]
        panel = rng.choice([panel for panel in explorer.scene().panels if panel.parts])
        explorer.select(panel.id, rng.randrange(panel.parts))
        explorer.data_uris()

    yield from rows("clicks", count, click)


def of_explorers(count: int) -> Iterator[Row]:
    yield from rows("explorers dropped", count, lambda _: PairExplorer("zoo:scenes_mae").images())

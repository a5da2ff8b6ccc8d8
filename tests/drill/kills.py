"""Kills: a run ends bit for bit as one that was never stopped, whenever and wherever it dies."""

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path

import torch
import torch.distributed as dist

from drill import Row
from drill._tiny import drawn, ended, killed_at, state, tiny, trained, wait_and_kill, warm
from siamlab.machine import workers
from siamlab.recipes import RECIPES
from siamlab.run import Run
from siamlab.train import RunFolder, train

LONG = ("steps=24", "save_every=3", "log_every=2")
PLAIN = {name: tiny(name, *LONG) for name in RECIPES}
OTHERS = {
    "probes": tiny("siameseim", *LONG, "probe_every=6", "probe_images=20"),
    "accumulation": tiny("moco_v3", *LONG, "compute.accumulate=2"),
}


def drill(scratch: Path, short: bool) -> Iterator[Row]:
    os.environ["SIAMLAB_CACHE"] = str(scratch / "cache")
    warm()
    yield from at_random(scratch / "random", 20 if short else 100)
    yield from two_processes(scratch / "two", 3 if short else 12)
    yield from at_every_operation(scratch / "saving", 5 if short else 1)
    yield from while_building(scratch / "building", 6 if short else 1)


def at_random(scratch: Path, kills: int) -> Iterator[Row]:
    """SIGKILL at random moments of all recipes, resumed until they end."""
    rng, took, dead, differ, ends = random.Random(0), {}, 0, 0, 0
    wholes = {}
    for turn, (name, run) in zip(count(), cycle((PLAIN | OTHERS).items()), strict=False):
        if dead >= kills and turn >= len(PLAIN | OTHERS):
            break
        if name not in wholes:
            workers.start(drawn, run.toml()).join()
            begun = time.monotonic()
            assert ended(workers.start(trained, run.toml(), str(scratch / name))) == 0
            took[name] = time.monotonic() - begun
            wholes[name] = state(RunFolder(scratch / name))
        path = scratch / f"{turn}-{name}"
        for _ in range(max(2, kills // len(PLAIN | OTHERS))):
            process = workers.start(trained, run.toml(), str(path))
            if not wait_and_kill(process, took[name], rng):
                break
            dead += 1
        assert ended(workers.start(trained, run.toml(), str(path))) == 0
        ends += 1
        differ += state(RunFolder(path)) != wholes[name]
    yield Row(f"{dead} kills at random, {len(wholes)} kinds of run", "runs that differ", differ, 0)
    yield Row(f"{dead} kills at random, {len(wholes)} kinds of run", "runs ended", ends)


def shared(rank: int, run: str, path: str, port: int) -> None:
    """One of two processes that train together."""
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    train(Run.parse(run), path, resume=True)
    dist.destroy_process_group()


def together(run: Run, path: Path, port: int) -> list:
    return [workers.start(shared, rank, run.toml(), str(path), port) for rank in range(2)]


def two_processes(scratch: Path, kills: int) -> Iterator[Row]:
    """Two processes of one run, of which one dies at random and the other is ended with it."""
    run, rng, ports = PLAIN["byol"], random.Random(1), count(21000 + os.getpid() % 20000)
    begun = time.monotonic()
    assert [ended(p) for p in together(run, scratch / "whole", next(ports))] == [0, 0]
    took, dead = time.monotonic() - begun, 0
    for _ in range(2 * kills):
        if dead == kills:
            break
        pair = together(run, scratch / "killed", next(ports))
        dead += wait_and_kill(pair[dead % 2], took, rng)
        for process in pair:  # as torchrun does
            process.kill()
            process.join()
    assert [ended(p) for p in together(run, scratch / "killed", next(ports))] == [0, 0]
    differ = state(RunFolder(scratch / "killed")) != state(RunFolder(scratch / "whole"))
    yield Row(f"{dead} kills, two processes", "runs that differ", differ, 0)


def at_every_operation(scratch: Path, every: int) -> Iterator[Row]:
    """SIGKILL at each operation on a file of a run's folder, checkpoints above all."""
    run = tiny("siameseim", "steps=4", "save_every=2", "log_every=2")
    trained(run.toml(), str(scratch / "whole"))
    whole, dead, differ = state(RunFolder(scratch / "whole")), 0, 0
    for operation in count(1, every):
        path = scratch / str(operation)
        work = (killed_at, operation, str(path), trained, run.toml(), str(path))
        code = ended(workers.start(*work))
        if code == 0:
            break
        assert code == -signal.SIGKILL
        dead += 1
        assert ended(workers.start(trained, run.toml(), str(path))) == 0
        differ += state(RunFolder(path)) != whole or bool(list(path.rglob("*.draft")))
        shutil.rmtree(path)
    yield Row(f"{dead} kills at operations on a run's files", "runs that differ", differ, 0)
    yield Row(f"{dead} kills at operations on a run's files", "kills", dead, least=10)


def while_building(scratch: Path, every: int) -> Iterator[Row]:
    """SIGKILL at each operation on a file of the cache while it is built."""
    run, before = tiny("mae", "data.seed=1"), os.environ["SIAMLAB_CACHE"]
    whole, dead, differ = run.data("train"), 0, 0
    for operation in count(1, every):
        cache = scratch / str(operation)
        os.environ["SIAMLAB_CACHE"] = str(cache)
        code = ended(workers.start(killed_at, operation, str(cache), drawn, run.toml()))
        if code == 0:
            break
        assert code == -signal.SIGKILL
        dead += 1
        again = run.data("train")
        differ += not torch.equal(again.pixels, whole.pixels)
        differ += not torch.equal(again.objects.box, whole.objects.box)
        differ += bool(list(cache.rglob("*.draft")))
        shutil.rmtree(cache)
    os.environ["SIAMLAB_CACHE"] = before
    yield Row(f"{dead} kills while the cache is built", "sets that differ", differ, 0)
    yield Row(f"{dead} kills while the cache is built", "kills", dead, least=5)

"""Helpers that the parts share: tiny runs that end in a second, in processes that can be killed."""

import os
import random
import signal
import sys
import time

from safetensors.torch import load_file

from siamlab.machine import workers
from siamlab.recipes import RECIPES, demo_size
from siamlab.run import Run
from siamlab.train import RunFolder, checkpoint, train

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
TINY = (
    *("batch=8", "size=12", "model.patch=4", "model.width=16", "model.depth=1", "model.heads=2"),
    *("data.side=16", "data.images=40", "data.test_images=24"),
    *("steps=6", "log_every=2", "save_every=2"),
)
OWN = {  # of a kind of prediction
    "dense": ("prediction.width=16", "prediction.heads=2"),
    "linear": (),
    "global": ("prediction.hidden=8", "prediction.width=8", "prediction.bottleneck=8"),
}


def tiny(name: str, *changes: str) -> Run:
    """A run of a recipe that takes milliseconds a step."""
    run = demo_size(RECIPES[name]())
    own = OWN.get(run.prediction.kind, OWN["global"])
    return run.change(*TINY, *own, *changes)


def warm() -> None:
    """Start the server from which processes are forked, with all that they import."""
    workers.warm("drill._tiny")


def trained(run: str, path: str, resume: bool = True) -> None:
    """The work of a process: train a run to its end."""
    train(Run.parse(run), path, resume=resume)


def drawn(run: str) -> None:
    """The work of a process: build the cache of a run's images."""
    Run.parse(run).data("train")


def killed_at(operation: int, folder: str, work, *given) -> None:
    """The work of a process that kills itself at one of its operations on files in the folder."""
    left = [operation]

    def count(event: str, arguments: tuple) -> None:
        if event not in EVENTS or not str(arguments[0]).startswith(folder):
            return
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    work(*given)


def ended(process, seconds: float = 300) -> int:
    """Return how a process ended; it is killed after this time."""
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError("a process did not end")
    return process.exitcode


def state(folder: RunFolder) -> dict:
    """All that a finished run has: its last weights, encoder and logged losses."""
    last = checkpoint.found(folder.checkpoints)[-1]
    found = {"step": last.name, "damage": checkpoint.damage(last)}
    files = [*(last / f"{n}.safetensors" for n in ("model", "teacher")), folder.encoder]
    for file in files:
        found |= {f"{file.stem} {k}": v.numpy().tobytes() for k, v in load_file(file).items()}
    beside = ("seconds", "rate", "wait")
    lines = [{k: v for k, v in line.items() if k not in beside} for line in folder.lines()]
    return found | {"lines": repr(lines), "run": folder.run()}


def wait_and_kill(process, most: float, rng: random.Random) -> bool:
    """Kill a process at a random moment; return whether it was still alive."""
    until = time.monotonic() + rng.uniform(0, most)
    process.join(max(0, until - time.monotonic()))
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL

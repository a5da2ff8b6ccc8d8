"""Meter: when something is due, and how fast it goes."""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from siamlab import processes
from siamlab.run import Run
from siamlab.train.batches import Batches
from siamlab.train.folder import Line


class Due(NamedTuple):
    """What is to be done after a step."""

    check: bool  # read the loss
    log: bool
    probe: bool
    save: bool
    stop: bool


def due(run: Run, done: int, device: torch.device, stopped: Callable[[], bool]) -> Due:
    """What is due after `done` steps; all processes agree on it."""
    final = done == run.steps
    probe = run.probe_every > 0 and (done % run.probe_every == 0 or final)
    log = done % run.log_every == 0 or done == 1 or final or probe
    stop = processes.any_of(stopped()) and not final
    save = done % run.save_every == 0 or final or stop
    return Due(log or save or device.type == "cpu", log, probe, save, stop)


class Meter:
    """Time since the last line, and the share of all time that was spent waiting for data.

    `before`: seconds in the loop until this start.
    """

    def __init__(self, batch: int, first: int, batches: Batches, before: float):
        self.batch, self.batches, self.before = batch, batches, before
        self.began = time.perf_counter()
        self.restart(first)

    def restart(self, step: int) -> None:
        self.step, self.last = step, time.perf_counter()

    def line(self, step: int, values: dict[str, float]) -> Line:
        """The part of a logged line that is about progress, speed and loss."""
        now = time.perf_counter()
        return {
            "step": step,
            "images": step * self.batch,
            "seconds": self.before + now - self.began,
            "rate": (step - self.step) * self.batch / (now - self.last),  # images/s
            "wait": self.batches.waited / (now - self.began),
            "loss": sum(values.values()),
        } | {f"loss/{name}": value for name, value in values.items()}

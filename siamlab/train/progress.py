"""Progress: how far a run has come, and how fast it goes."""

import time

from siamlab.train.batches import Batches
from siamlab.train.events import Metrics


class Meter:
    """Time since the last logged step, and the share of all time spent waiting for data.

    `before`: seconds in the loop at earlier starts of the run.
    """

    def __init__(self, batch: int, first: int, batches: Batches, before: float):
        self.batch = batch
        self.batches = batches
        self.before = before
        self.began: float = time.perf_counter()
        self.restart(first)

    def restart(self, step: int) -> None:
        """Measure the rate from this step on."""
        self.step = step
        self.last: float = time.perf_counter()

    def metrics(self, step: int, terms: dict[str, float], **others: float) -> Metrics:
        """Progress, speed and loss after `step`, and the other values."""
        now = time.perf_counter()
        return Metrics(
            step=step,
            images=step * self.batch,
            seconds=self.before + now - self.began,
            rate=(step - self.step) * self.batch / (now - self.last),
            wait=self.batches.waited / (now - self.began),
            loss=sum(terms.values()),
            values={f"loss/{name}": value for name, value in terms.items()} | others,
        )

"""Events: what a run reports while it trains, in the order in which it happens.

for event in steps(run, path): ...      # Notice("resumes after step 4 of 9"), Metrics(step=5, ...)
"""

from typing import Any, NamedTuple

Line = dict[str, Any]  # one line of metrics.jsonl


class Notice(NamedTuple):
    """A sentence for the person who started the run."""

    text: str


class Metrics(NamedTuple):
    """One logged step; `line()` is its line of metrics.jsonl."""

    step: int  # steps done
    images: int  # seen until now
    seconds: float  # in the loop, over all starts of the run
    rate: float  # images/s since the line before
    wait: float  # 0..1, share of this start's time that was spent waiting for data
    loss: float
    values: dict[str, float]  # loss/..., lr, grad_norm, context/..., target/..., probe/...

    def line(self) -> Line:
        """All values under their names, in this order."""
        fields = self._asdict()
        return fields | fields.pop("values")


Event = Notice | Metrics

"""Training: the loop, schedules, checkpoints, distribution."""

from siamlab.train.events import Metrics, Notice
from siamlab.train.export import load_branches, run_of, untrained
from siamlab.train.folder import RunFolder
from siamlab.train.frame import runs
from siamlab.train.loop import steps, train
from siamlab.train.signals import Stopped

__all__ = [
    "Metrics",
    "Notice",
    "RunFolder",
    "Stopped",
    "load_branches",
    "run_of",
    "runs",
    "steps",
    "train",
    "untrained",
]

"""Training: the loop, schedules, checkpoints, distribution."""

from siamlab.train.export import load_branches, load_encoder, run_of, untrained
from siamlab.train.folder import Folder, runs
from siamlab.train.loop import steps, train
from siamlab.train.signals import Stopped

__all__ = [
    "Folder",
    "Stopped",
    "load_branches",
    "load_encoder",
    "run_of",
    "runs",
    "steps",
    "train",
    "untrained",
]

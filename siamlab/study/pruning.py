"""Pruning of searches: trials that most others dominate stop at a quarter or half of their steps.

Trials are compared by scores, never by loss, since losses of different forms have no order.
Optuna's own pruners handle one objective only; here a trial stops if more than half of the trials
that came this far are better on both the semantic and the spatial score.
"""

from pathlib import Path

import optuna
import torch
from torch.utils.flop_counter import FlopCounterMode

from siamlab.run import Run
from siamlab.study.claims import latest_attempts
from siamlab.study.definition import SCORES, Search
from siamlab.study.images import StudyImages
from siamlab.study.trial import network_rows, probe_trial
from siamlab.train.device import build
from siamlab.train.events import Event, Metrics
from siamlab.train.folder import RunFolder
from siamlab.train.step import gradients

STAGES = (0.25, 0.5)  # shares of the steps after which trials are compared
MIN_OTHERS = 8  # trials that must have reached a stage before one is stopped there


class DominationPruner:
    """Called with each event of a run; raises TrialPruned at a stage if it is dominated."""

    def __init__(
        self,
        search: Search,
        study: optuna.Study,
        trial: optuna.Trial,
        run: Run,
        path: Path,
        images: StudyImages,
    ):
        self.search = search
        self.study = study
        self.trial = trial
        self.run = run
        self.folder: RunFolder = RunFolder(path)
        self.images = images

    def __call__(self, event: Event) -> None:
        for share in STAGES:
            if stage_key(share) not in self.trial.user_attrs and self._reached(share, event):
                self._compare(share)

    def _reached(self, share: float, event: Event) -> bool:
        """Return whether the checkpoint at this share of the steps has been written."""
        step, every = int(share * self.run.steps), self.run.save_every
        checkpoint = self.folder.checkpoints / f"step_{step // every * every:08d}"
        return isinstance(event, Metrics) and event.step > step and checkpoint.exists()

    def _compare(self, share: float) -> None:
        key = stage_key(share)
        rows = network_rows(probe_trial(self.run, self.folder.path, self.search, self.images))
        values = {row["probe"]: row["value"] for row in rows}
        mine = [values.get(name, 0.0) for name in SCORES]
        others = [t.user_attrs[key] for t in latest_attempts(self.study) if key in t.user_attrs]
        self.trial.set_user_attr(key, mine)
        if is_dominated(mine, others):
            raise optuna.TrialPruned(
                f"at {share:.0%} of its steps more than half of {len(others)} earlier trials "
                "were better on both scores"
            )


def stage_key(share: float) -> str:
    """Return the name of the user attribute with a trial's scores at a stage."""
    return f"rung {share}"  # as existing storages have it


def is_dominated(mine: list[float], others: list[list[float]]) -> bool:
    """Return whether more than half of MIN_OTHERS or more others are better on every score."""
    better = sum(all(o > m for o, m in zip(other, mine, strict=True)) for other in others)
    return len(others) >= MIN_OTHERS and better > len(others) / 2


def training_gflop(run: Run) -> float:
    """Return GFLOP per training image, counted over forward and backward of a batch of two."""
    cpu = torch.device("cpu")
    plain = ("compute.device=cpu", "compute.precision=float32")  # the same count on every machine
    state = build(run.change(*plain, batch=2), cpu)
    batch = torch.zeros(2, 3, *run.size, dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter:
        gradients(run, state.model, state.teacher, batch, 0, torch.float32)
    return counter.get_total_flops() / 2 / 1e9

"""Rungs: a search stops, at a quarter and at half of its steps, what most others dominate.

On the scores, never on the loss: losses of different forms have no order. Optuna's own pruners
know one objective only, so the rule is of both: stop if more than half of the trials that were
here before are better on the semantic and on the spatial score.
"""

from pathlib import Path

import optuna
import torch
from torch.utils.flop_counter import FlopCounterMode

from siamlab.run import Run
from siamlab.study.definition import SCORES, Search
from siamlab.study.images import StudyImages
from siamlab.study.storage import latest
from siamlab.study.trial import kept, probed
from siamlab.train.folder import Folder, Line
from siamlab.train.setup import build
from siamlab.train.step import gradients

RUNGS = (0.25, 0.5)
LEAST = 8  # trials that must have been at a rung before one is stopped there


class Rungs:
    """Hears the logged lines of one run; raises TrialPruned."""

    def __init__(
        self,
        search: Search,
        study: optuna.Study,
        trial: optuna.Trial,
        run: Run,
        path: Path,
        images: StudyImages,
    ):
        self.search, self.study, self.trial = search, study, trial
        self.run, self.folder, self.images = run, Folder(path), images

    def __call__(self, line: Line) -> None:
        for share in RUNGS:
            if f"rung {share}" not in self.trial.user_attrs and self._passed(share, line):
                self._judge(share)

    def _passed(self, share: float, line: Line) -> bool:
        """The checkpoint at this share of the steps is written."""
        step, every = int(share * self.run.steps), self.run.save_every
        checkpoint = self.folder.checkpoints / f"step_{step // every * every:08d}"
        return line.get("step", 0) > step and checkpoint.exists()

    def _judge(self, share: float) -> None:
        key = f"rung {share}"
        scores = kept(probed(self.run, self.folder.path, self.search, self.images))
        found = {row["probe"]: row["value"] for row in scores}
        mine = [found.get(name, 0.0) for name in SCORES]
        others = [t.user_attrs[key] for t in latest(self.study) if key in t.user_attrs]
        self.trial.set_user_attr(key, mine)
        if dominated(mine, others):
            raise optuna.TrialPruned(
                f"at {share:.0%} of its steps more than half of {len(others)} earlier trials "
                "were better on both scores"
            )


def dominated(mine: list[float], others: list[list[float]]) -> bool:
    """More than half of the others, of LEAST or more, are better on every score."""
    better = sum(all(o > m for o, m in zip(other, mine, strict=True)) for other in others)
    return len(others) >= LEAST and better > len(others) / 2


def cost(run: Run) -> float:
    """GFLOP of training an image: forward and backward of two images, counted, over two."""
    cpu = torch.device("cpu")
    plain = ("compute.device=cpu", "compute.precision=float32")  # counted alike on every machine
    state = build(run.change(*plain, batch=2), cpu)
    batch = torch.zeros(2, 3, *run.size, dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter:
        gradients(run, state.model, state.teacher, batch, 0, torch.float32)
    return counter.get_total_flops() / 2 / 1e9

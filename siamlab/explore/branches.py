"""Branches: the online model and the target of a run, at its end or after a step that kept them.

branches = Branches("runs/mine", "cpu");  model, teacher = branches.at("1000")
"""

from pathlib import Path

import torch
from torch import nn

from siamlab import zoo
from siamlab.component import UserError
from siamlab.explore.kept import kept
from siamlab.interop.weights import is_foreign
from siamlab.machine.device import device_named
from siamlab.run import Run
from siamlab.train import load_branches
from siamlab.train.kept import branch_steps, branches_at


class Branches:
    """Both branches of the folder of a run, or of a model such as `zoo:siameseim`, on a device.

    Raises UserError for a model of which there is only the encoder.
    """

    def __init__(self, place: str | Path, device: str | torch.device):
        name = str(place)
        if is_foreign(name):
            raise UserError(
                f"{name} is an encoder only, and predictions need the predictor and the target "
                "too: name the folder of a run, such as one of siameseim or mae"
            )
        if name.startswith(zoo.PREFIX):
            place = zoo.branches(name.removeprefix(zoo.PREFIX))
        run, model, teacher = load_branches(place)
        self.place: str | Path = place
        self.run: Run = run
        self.device: torch.device = device_named(device)
        self.model: nn.Module = model.to(self.device)
        self.teacher: nn.Module = teacher.to(self.device)
        self.steps: list[int] = branch_steps(place)
        self._opened = kept(self._opened, 2)  # per object

    def at(self, step: str) -> tuple[nn.Module, nn.Module]:
        """Online model and target after a step; "" is the end of the training."""
        if not step or int(step) == self.steps[-1]:
            return self.model, self.teacher
        return self._opened(int(step))

    def _opened(self, step: int) -> tuple[nn.Module, nn.Module]:
        model, teacher = branches_at(self.place, step)
        return model.to(self.device), teacher.to(self.device)

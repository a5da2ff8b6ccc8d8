"""Setup: all that a run trains with, made before its first step.

setup = prepare(run, RunFolder("runs/mae"), images, resume, test)
"""

from typing import NamedTuple

import torch
from torch import nn

from siamlab.data.images import Images
from siamlab.run import Run
from siamlab.train import checkpoint
from siamlab.train.batches import Batches
from siamlab.train.device import build, choose_device, parallel
from siamlab.train.folder import RunFolder
from siamlab.train.online_probes import Probes, online_probes
from siamlab.train.precision import choose_precision
from siamlab.train.returned import check_returned, own_images


class Setup(NamedTuple):
    folder: RunFolder
    device: torch.device
    precision: torch.dtype
    batches: Batches
    probes: Probes
    state: checkpoint.State  # networks and optimiser
    model: nn.Module  # the online network, as a step calls it


def prepare(
    run: Run, folder: RunFolder, images: Images | None, resume: bool, test: Images | None
) -> Setup:
    """Return networks, images and probes; weights to start from only for a run without checkpoint.

    Writes nothing. Raises UserError for a missing GPU, too little memory, too few images, and
    choices of one's own that return something else than their base class says.
    """
    device = choose_device(run.compute)
    precision = choose_precision(run, device)
    probes = online_probes(run, images, test)
    train = images or own_images(run)
    batches = Batches(train.pixels, run, device)
    started = resume and folder.made() and bool(checkpoint.found(folder.checkpoints))
    state = build(run, device, start=not started)
    check_returned(run, train, state)
    model = parallel(state, run.compute, device)
    return Setup(folder, device, precision, batches, probes, state, model)

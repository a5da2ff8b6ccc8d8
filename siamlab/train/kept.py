"""Kept branches: the online model and the target of earlier steps, with `keep=branches`.

keep_branches(folder, done, state)      # runs/mae/branches/step_00001000/
model, teacher = branches_at("runs/mae", branch_steps("runs/mae")[1])
"""

from pathlib import Path

import torch
from torch import nn

from siamlab.component import UserError
from siamlab.machine.arguments import typed
from siamlab.machine.files import atomic, remove_drafts
from siamlab.model.siamese import Siamese
from siamlab.run import Run
from siamlab.train import checkpoint
from siamlab.train.access import written
from siamlab.train.folder import RunFolder
from siamlab.train.seeds import seed_of
from siamlab.train.start import start_from

FOLDER = "branches"


def keep_branches(folder: RunFolder, step: int, state: checkpoint.State) -> None:
    """Write the weights of both branches after a step; they are never removed."""
    folder.check_there()
    final = folder.path / FOLDER / f"step_{step:08d}"
    remove_drafts(final.parent)
    with written(final), atomic(final) as draft:
        checkpoint.write_branches(draft, state)


@typed
def branch_steps(path: str | Path) -> list[int]:
    """Return the steps after which both branches of a run are there; 0 is before training.

    The last is that of the newest checkpoint. Empty for a run that kept none.
    """
    folder = RunFolder(path)
    kept = [_step(each) for each in checkpoint.found(folder.path / FOLDER)]
    newest, _ = checkpoint.newest(folder.checkpoints, checkpoint.WEIGHTS)
    if not kept or newest is None:
        return []
    last = _step(newest)
    return sorted({0, last, *(step for step in kept if step < last)})


@typed
def branches_at(path: str | Path, step: int) -> tuple[nn.Module, nn.Module]:
    """Return online model and target after a step that was kept, or 0, in evaluation mode.

    Raises UserError for another step, and for damaged files.
    """
    folder = RunFolder(path)
    model, teacher = _untrained(folder.run())
    if step == 0:
        return model.eval(), teacher.eval()
    place = folder.path / FOLDER / f"step_{step:08d}"
    if problem := checkpoint.damage(place, checkpoint.WEIGHTS):
        raise UserError(
            f"{place} does not hold the branches of step {step} ({problem}); choose one of "
            f"{branch_steps(path)}, or train the run again with keep=branches"
        )
    checkpoint.read_weights(model, place / "model.safetensors")
    checkpoint.read_weights(teacher, place / "teacher.safetensors")
    return model.eval(), teacher.eval()


def _untrained(run: Run) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(seed_of(run.seed, "weights"))
    model = Siamese(run, run.target.widths(run))
    if run.model.starts_from:
        start_from(model.encoder, run)
    return model, run.target.build(model, run)


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step_"))

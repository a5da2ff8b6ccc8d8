"""The course of a run: its encoder before training, at the steps that were kept, and at the end.

course("runs/siameseim")        # {0: the untrained network, 1000: ..., 4000: the finished one}
at_step(named, kept_steps(named)[1])        # only one of them
"""

from pathlib import Path

from torch import nn

from siamlab.component import UserError
from siamlab.evaluate.models import NamedModel
from siamlab.interop.resize import resize
from siamlab.train import RunFolder, untrained
from siamlab.train.checkpoint import found
from siamlab.train.export import load_encoder


def course(path: str | Path) -> dict[int, nn.Module]:
    """Return the plain timm models of a run, by the step after which each was kept.

    Raises UserError for a run that kept none: `keep_every=1000` keeps one after every 1,000 steps.
    """
    folder = RunFolder(path)
    run, kept = folder.run(), folder.kept_encoders()
    if not kept:
        raise UserError(
            f"{folder.path} has kept no encoders of earlier steps; train it with keep_every="
            f"{max(1, run.steps // 10)}"
        )
    models = {0: untrained(run)} | {step: load_encoder(file) for step, file in kept.items()}
    if folder.encoder.is_file():
        models[run.steps] = load_encoder(folder.path)
    return models


def kept_steps(named: NamedModel) -> list[int]:
    """Steps after which the encoder of a run is there; 0 is before training, the last is `named`.

    Empty for anything but a run, and for a run that kept no encoders.
    """
    if named.folder is None or named.run is None:
        return []
    folder = RunFolder(named.folder)
    kept = folder.kept_encoders()
    if not kept:
        return []
    if folder.encoder.is_file():
        last = named.run.steps
    else:  # still training: the newest checkpoint
        last = max(int(path.name.removeprefix("step_")) for path in found(folder.checkpoints))
    return sorted({0, last, *(step for step in kept if step < last)})


def at_step(named: NamedModel, step: int) -> nn.Module:
    """The encoder after one of the `kept_steps`, for images of the model's size, on its device."""
    steps = kept_steps(named)
    if step not in steps:
        raise UserError(f"step {step} of {named.name} was not kept; choose one of {steps}")
    if step == steps[-1]:
        return named.model
    folder = RunFolder(named.folder)
    model = load_encoder(folder.kept_encoders()[step]) if step else untrained(named.run)
    size = named.model.patch_embed.img_size
    if model.patch_embed.img_size != size:
        resize(model, size)
    return model.to(next(named.model.parameters()).device)

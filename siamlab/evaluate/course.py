"""The course of a run: its encoder before training, at the steps that were kept, and at the end.

course("runs/siameseim")        # {0: the untrained network, 1000: ..., 4000: the finished one}
"""

from pathlib import Path

from torch import nn

from siamlab.component import UserError
from siamlab.train import RunFolder, untrained
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

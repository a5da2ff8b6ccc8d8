"""Subject: what is probed, by the name a user gives it.

subject("runs/mae")     subject("zoo:mae")      subject("timm:vit_base_patch16_224.mae")
"""

from pathlib import Path
from typing import NamedTuple

from torch import nn

from siamlab import zoo
from siamlab.component import UserError
from siamlab.run import Run
from siamlab.train.export import load_encoder, run_of, untrained


class Subject(NamedTuple):
    name: str
    model: nn.Module  # a plain timm vision transformer
    run: Run | None  # what trained it, where that is known


def subject(name: str, weights: bool = True) -> Subject:
    """A run's folder, an encoder file, `zoo:NAME` or `timm:NAME`.

    `weights=False` leaves a timm model at random weights. Raises UserError for what is not there.
    """
    if name.startswith("timm:"):
        from siamlab.probe import load

        return Subject(name, load(name, weights), None)
    path = zoo.file(name.removeprefix("zoo:")) if name.startswith("zoo:") else Path(name)
    model, run = load_encoder(path), run_of(path)
    return Subject(name if path.is_file() else path.name, model, run)


def at_size(s: Subject, size: int) -> Subject:
    """The same model for square inputs of `size` pixels, its position table resampled by timm."""
    check_size(s, size)
    s.model.set_input_size((size, size))
    return s


def check_size(s: Subject, size: int) -> None:
    """Raises UserError for a model that cannot take square inputs of `size` pixels."""
    patch = s.model.patch_embed.patch_size[0]
    if size % patch:
        low, high = size // patch * patch, -(-size // patch) * patch
        near = f"{low} and {high}" if low else f"{high}"
        raise UserError(
            f"--size {size} must be a multiple of {s.name}'s patch of {patch} pixels; nearest are "
            f"{near}"
        )
    if not hasattr(s.model, "set_input_size"):
        raise UserError(
            f"--size {size}: {s.name} takes {tuple(s.model.patch_embed.img_size)} pixels only; "
            "leave --size out and probe it by itself"
        )


def before_training(trained: Subject, name: str = "untrained") -> Subject:
    """The same network with the random weights it started from (of a timm model: drawn anew)."""
    if trained.run:
        return Subject(name, untrained(trained.run), trained.run)
    from siamlab.probe import load

    return Subject(name, load(trained.name, weights=False), None)

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
    folder: Path | None = None  # of that run, with its metrics


def subject(name: str, weights: bool = True) -> Subject:
    """A run's folder, an encoder file, `zoo:NAME` or `timm:NAME`.

    `weights=False` leaves a timm model at random weights. Raises UserError for what is not there.
    """
    if name.startswith("timm:"):
        from siamlab.probe import load

        return Subject(name, load(name, weights), None)
    shipped = name.startswith("zoo:")
    path = zoo.file(name.removeprefix("zoo:")) if shipped else Path(name)
    model, run = load_encoder(path), run_of(path)
    if shipped or path.is_file():
        return Subject(name, model, run)
    return Subject(path.name, model, run, path)


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
            f"--size {size} (in Python: size={size}) must be a multiple of {s.name}'s patch of "
            f"{patch} pixels; nearest are {near}"
        )
    if not hasattr(s.model, "set_input_size"):
        raise UserError(
            f"--size {size} (in Python: size={size}): {s.name} takes "
            f"{tuple(s.model.patch_embed.img_size)} pixels only; leave it out and take this model "
            "by itself"
        )


def before_training(trained: Subject, name: str = "untrained") -> Subject:
    """The same network with the random weights it started from (of a timm model: drawn anew)."""
    if trained.run:
        start = Subject(name, untrained(trained.run), trained.run)
    else:
        from siamlab.probe import load

        start = Subject(name, load(trained.name, weights=False), None)
    size = trained.model.patch_embed.img_size
    if start.model.patch_embed.img_size != size:  # the trained one was brought to another
        start.model.set_input_size(size)
    return start


def distinct(names: list[str], subjects: list[Subject]) -> list[Subject]:
    """The subjects by names of their own: runs/a/mae and runs/b/mae would both be mae."""
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name} is named twice; name each model once")
    short = [s.name for s in subjects]
    return [
        s if short.count(s.name) == 1 else s._replace(name=name)
        for name, s in zip(names, subjects, strict=True)
    ]


def one_size(subjects: list[Subject]) -> list[Subject]:
    """The subjects; a UserError, before any work, if they take images of different sizes."""
    from siamlab.probe import inputs

    sizes = {inputs(s.model).size: s.name for s in reversed(subjects)}
    if len(sizes) > 1:
        (one, first), (other, second) = list(sizes.items())[:2]
        raise UserError(
            f"{first} and {second} would not be measured alike: their inputs have {one} and "
            f"{other} pixels; give all of them one size (--size, or size=), or take each by itself"
        )
    return subjects

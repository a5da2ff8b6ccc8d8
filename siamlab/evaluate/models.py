"""The one door to models: open them by name, or hand them over.

open_model("runs/mae")      open_model("zoo:mae")      open_model("timm:vit_base_patch16_224.mae")
models = open_models(["runs/mae", "zoo:mae", vit], size=64)
"""

import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from math import isqrt
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
from torch import nn

from siamlab import zoo
from siamlab.component import Allowed, UserError
from siamlab.geometry import MOST_PATCHES
from siamlab.interop.adapter import TokenGrid
from siamlab.interop.resize import resize
from siamlab.machine.arguments import typed
from siamlab.machine.device import device_named, on_device
from siamlab.machine.files import expanded, legible
from siamlab.machine.shortage import explain_shortage
from siamlab.machine.wording import described
from siamlab.run import Run
from siamlab.train.export import open_by_name, run_of, untrained


class NamedModel(NamedTuple):
    """A model, the name it has in tables and figures, and the run that trained it."""

    name: str
    model: nn.Module  # a plain timm vision transformer
    run: Run | None  # what trained it, where that is known
    folder: Path | None = None  # of that run, with its metrics
    about: str = ""  # what a checkpoint of another project is, in one line
    start: Callable[[], nn.Module] | None = None  # makes the network that it started from


ModelLike = Annotated[
    str | os.PathLike[str] | NamedModel | nn.Module,
    Allowed("a name such as 'zoo:mae', a path, what open_model returns or a vision transformer"),
]


@typed
def open_model(
    model: ModelLike,
    weights: bool = True,
    size: int | None = None,
    device: str | torch.device | None = None,
) -> NamedModel:
    """Return a model by name: a run's folder, an encoder file, `zoo:NAME`, `timm:NAME`, or weights
    of another project (a checkpoint file, a Hugging Face folder, `hf:NAME`, `timm:NAME@FILE`).

    A NamedModel or a timm module is taken too. `weights=False` leaves a timm model at random
    weights; `size` is the side of square inputs in pixels, for which timm resamples a learned
    position table and one of sines is computed anew; `device` is where it is to lie (cpu, cuda,
    mps, or auto: a GPU if there is one). A model that was handed over is copied first where either
    changes it. Raises UserError for a name that does not exist, a module that is not a vision
    transformer, a size that the model cannot take, and a GPU that is not there.
    """
    place = None if device is None else device_named(device)
    named = _opened(model, weights, size)
    return named if place is None else named._replace(model=on_device(named.model, place))


def _opened(model: ModelLike, weights: bool, size: int | None) -> NamedModel:
    if isinstance(model, NamedModel):
        named = model
    elif isinstance(model, nn.Module):
        named = _from_module(model)
    elif not str(model).strip():
        raise UserError("model='' is empty; name a run's folder, a file of weights, or zoo:mae")
    else:
        named = _by_name(str(model), weights)
    if size is None:
        return named
    check_size(named, size)
    if named.model is model or named is model:
        named = named._replace(model=deepcopy(named.model))
    with explain_shortage(f"lower --size {size} (in Python: size={size})"):
        resize(named.model, (size, size))
    return named


@typed
def open_models(
    models: ModelLike | Sequence[ModelLike],
    weights: bool = True,
    size: int | None = None,
    device: str | torch.device | None = None,
) -> list[NamedModel]:
    """Return one or several models, each as by `open_model`, under distinct names.

    Raises UserError as `open_model` does, for an empty list, for a model that is named twice, and
    for models whose inputs differ in size.
    """
    alone = isinstance(models, str | os.PathLike | NamedModel | nn.Module)
    models = [models] if alone else list(models)
    if not models:
        raise UserError(
            "models must name one or more: a run's folder, a checkpoint, zoo:NAME or timm:NAME"
        )
    opened = [open_model(model, weights, size, device) for model in models]
    names = [
        str(model) if isinstance(model, str | os.PathLike) else named.name
        for model, named in zip(models, opened, strict=True)
    ]
    check_one_size(opened)
    return distinct(names, opened)


def check_size(named: NamedModel, size: int) -> None:
    """Raise UserError for a model that cannot take square inputs of `size` pixels."""
    patch = named.model.patch_embed.patch_size[0]
    if not isinstance(size, int) or size < 1:
        raise UserError(
            f"--size {size} (in Python: size={size!r}) must be a whole number of pixels, 1 or more"
        )
    if size % patch:
        low, high = size // patch * patch, -(-size // patch) * patch
        near = f"{low} and {high}" if low else f"{high}"
        raise UserError(
            f"--size {size} (in Python: size={size}) must be a multiple of {named.name}'s patch of "
            f"{patch} pixels; nearest are {near}"
        )
    if (size // patch) ** 2 > MOST_PATCHES:
        raise UserError(
            f"--size {size} (in Python: size={size}) makes {(size // patch) ** 2:,} patches of "
            f"{named.name}'s {patch} pixels; at most {MOST_PATCHES:,} are allowed, --size "
            f"{isqrt(MOST_PATCHES) * patch}"
        )
    if not hasattr(named.model, "set_input_size"):
        raise UserError(
            f"--size {size} (in Python: size={size}): {named.name} takes "
            f"{tuple(named.model.patch_embed.img_size)} pixels only; leave the size out and probe "
            "this model by itself"
        )


def check_one_size(models: Sequence[NamedModel]) -> None:
    """Raise UserError if the models take images of different sizes."""
    from siamlab.probe import inputs

    names: dict[tuple[int, int], str] = {}  # the first model of each size
    for named in models:
        names.setdefault(inputs(named.model).size, named.name)
    if len(names) > 1:
        (size, name), (other_size, other) = list(names.items())[:2]
        raise UserError(
            f"{name} and {other} cannot be compared: their inputs have {size} and {other_size} "
            "pixels; give all models one size (--size, or size=), or take each by itself"
        )


def distinct(names: Sequence[str], models: Sequence[NamedModel]) -> list[NamedModel]:
    """Return the models under distinct names: runs/a/mae and runs/b/mae would both be mae.

    Those that share a name get their full one. Raises UserError for a model that is named twice.
    """
    places = [os.path.realpath(expanded(name)) for name in names]  # runs/a/ is runs/a
    for name, place in zip(names, places, strict=True):
        if places.count(place) > 1:
            raise UserError(f"{name} is named twice; name each model once")
    short = [m.name for m in models]
    return [
        m if short.count(m.name) == 1 else m._replace(name=legible(name))
        for name, m in zip(names, models, strict=True)
    ]


def before_training(trained: NamedModel, name: str = "untrained") -> NamedModel:
    """Return the network that training started from, on the device of the trained one.

    Of a timm model it is one with new random weights. Raises UserError for a module that was handed
    over, whose start is not known.
    """
    if trained.run:
        start = NamedModel(name, untrained(trained.run), trained.run)
    elif trained.start:
        start = NamedModel(name, trained.start(), None)
    else:
        raise UserError(
            f"{trained.name} does not say which run or which timm model it is, so the network it "
            "started from is not known; open it by name, or leave the untrained network out"
        )
    size = trained.model.patch_embed.img_size
    if start.model.patch_embed.img_size != size:  # the trained one was opened at another size
        resize(start.model, size)
    start.model.to(next(trained.model.parameters()).device)
    return start


def check_opened(what: str, named: object) -> None:
    """Raise UserError for anything but a NamedModel, such as a model's name."""
    if not isinstance(named, NamedModel):
        raise UserError(
            f"{what} takes what open_model returns, not {described(named)}; write "
            f"{what}(open_model(...), ...)"
        )


def last_layer(named: NamedModel) -> int:
    """Return the number of blocks; layers are counted from 1."""
    return len(named.model.blocks)


def _by_name(name: str, weights: bool) -> NamedModel:
    model, about, start, own = open_by_name(name, weights)
    name = legible(name)  # tables and pages have it
    if own is None:
        return NamedModel(name, model, None, None, about, start)
    if name.startswith(zoo.PREFIX) or own.is_file():
        return NamedModel(name, model, run_of(own))
    return NamedModel(legible(own.name), model, run_of(own), own)


def _from_module(model: nn.Module) -> NamedModel:
    name = model.name if isinstance(model, TokenGrid) else type(model).__name__
    if not (hasattr(model, "patch_embed") and hasattr(model, "blocks")):
        raise UserError(
            f"{name} is not a vision transformer with a grid of patch tokens; choose one such as "
            "timm:vit_tiny_patch16_224, or wrap another network: siamlab.TokenGrid(network)"
        )
    return NamedModel(name, model.eval(), None)

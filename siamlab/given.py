"""What users hand over: models by any of their names, images in any of their forms.

models, train, test = models_and_images(["runs/mine", "zoo:mae"], "photos", train=3000)
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from siamlab.component import UserError, unknown, variants
from siamlab.data import Data, Folder, Images, Photographs, Scenes, subset
from siamlab.data.published import Published
from siamlab.probe import inputs
from siamlab.run import Run
from siamlab.subject import Subject, at_size, distinct, one_size, subject

MOST = 100  # images that can be leafed through
FIRST = 4  # the image that is shown at first, where there are as many
ROOM = 1.15  # sides of stored images over a model's input, for the crops that views are


class Given(NamedTuple):
    models: list[Subject]
    train: Images
    test: Images


def models_and_images(
    models: str | os.PathLike | Sequence[str | os.PathLike],
    data: str | os.PathLike | Data | None = None,
    train: int | None = None,
    test: int | None = None,
    size: int | None = None,
    weights: bool = True,
) -> Given:
    """Models by name, and images for them: at most `train` to fit probes on, `test` to measure on.

    `data` is a folder of images, a source's name or fields; without it, images of what the first
    run was trained on, or scenes. `size` is a side of all models' inputs, in pixels. `weights` as
    in `subject`. Raises UserError for names that are not there, or inputs of different sizes.
    """
    one = isinstance(models, str | os.PathLike)
    names = [str(model) for model in ([models] if one else models)]
    if not names:
        raise UserError("models must name one or more: a run's folder, zoo:NAME or timm:NAME")
    subjects = distinct(names, [subject(name, weights) for name in names])
    subjects = [at_size(s, size) for s in subjects] if size else one_size(subjects)
    source = chosen_data(data, subjects)
    return Given(subjects, at_most(source("train"), train), at_most(source("test"), test))


def chosen_data(data: str | os.PathLike | Data | None, subjects: Sequence[Subject]) -> Data:
    """The source: `data` itself, or the one of that name, or the folder, or what a run had."""
    run = run_or_scenes(*(s.run for s in subjects))
    kinds = [source.model_fields["kind"].default for source in variants(Data)]
    if data is None:
        return run.data
    if not isinstance(data, str | os.PathLike):
        return data
    data = str(data)
    if Path(data).expanduser().is_dir():
        side = max(max(inputs(s.model).size) for s in subjects)
        return Folder(path=data, side=round(ROOM * side))
    if data in kinds:
        return run.change(f"data={data}").data
    what = f"data: there is no folder {data!r} in {Path.cwd()}, and no source"
    raise UserError(unknown(what, data, kinds))


def one_image(images: Images, number: int) -> UInt8[Tensor, "3 H W"]:
    """The image of that number, from 0. Raises UserError where there is none."""
    if not 0 <= number < len(images.pixels):
        raise UserError(f"image={number} must be 0 to {len(images.pixels) - 1}: there are no more")
    return images.pixels[number]


def at_most(images: Images, n: int | None) -> Images:
    """The images, or `n` of them where there are more, those with a label first."""
    return images if n is None or n >= len(images.labels) else subset(images, n)


Model = str | os.PathLike | Subject | nn.Module


def chosen_subject(model: Model) -> Subject:
    """A subject; of a name, a run's folder or a timm module.

    Raises UserError for a name that is not there, or a module that is no vision transformer.
    """
    if isinstance(model, Subject):
        return model
    if not isinstance(model, nn.Module):
        return subject(str(model))
    name = type(model).__name__
    if not (hasattr(model, "patch_embed") and hasattr(model, "blocks")):
        raise UserError(
            f"{name} is no vision transformer with a grid of patch tokens; choose one such as "
            "timm:vit_tiny_patch16_224"
        )
    return Subject(name, model.eval(), None)


def chosen_subjects(models: Model | Sequence[Model]) -> list[Subject]:
    """One or more, by names of their own. Raises UserError as `chosen_subject`, or for none."""
    models = [models] if isinstance(models, Model) else list(models)
    if not models:
        raise UserError("models must name one model or more; there are none")
    subjects = [chosen_subject(model) for model in models]
    named = [isinstance(model, str | os.PathLike) for model in models]
    names = [str(m) if n else s.name for m, n, s in zip(models, named, subjects, strict=True)]
    return distinct(names, subjects)


def chosen_images(
    images: Images | UInt8[Tensor, "n 3 H W"] | None, run: Run | None
) -> UInt8[Tensor, "n 3 H W"]:
    """At most MOST images; without any, those of `test_images`.

    Raises UserError for what is no images, or none.
    """
    images = test_images(run) if images is None else images
    pixels = getattr(images, "pixels", images)
    if not (isinstance(pixels, Tensor) and pixels.dtype == torch.uint8 and pixels.ndim == 4
            and pixels.shape[1] == 3):  # fmt: skip
        raise UserError(
            f"images must be Images or a uint8 tensor [n, 3, H, W], not {_told(pixels)}; "
            "a folder's are read by siamlab.given.models_and_images(model, folder)"
        )
    if len(pixels) == 0:
        raise UserError("images must hold one image or more; there are none")
    return pixels[:MOST]


def _told(value: Any) -> str:
    """What was handed over, in words: the numbers of an array are not told."""
    kind = type(value).__name__
    if not hasattr(value, "shape"):
        return repr(value) if isinstance(value, str | os.PathLike) else f"a {kind}"
    dtype = str(value.dtype).removeprefix("torch.")
    return f"{kind} of {dtype} {list(value.shape)}"


def test_images(run: Run | None) -> Images:
    """Those of what a run was trained on, or scenes; photographs where a public set is not here."""
    data = run_or_scenes(run).data
    try:
        return data("test")
    except UserError:
        if not isinstance(data, Published) or data.path:
            raise
        return Photographs()("test")


def run_or_scenes(*runs: Run | None) -> Run:
    """The first run that is known, or one on scenes."""
    return next((run for run in runs if run), Run(data=Scenes()))


def first_image(pixels: UInt8[Tensor, "n 3 H W"]) -> int:
    """The number of the image that is shown at first."""
    return min(FIRST, len(pixels) - 1)


def last_layer(s: Subject) -> int:
    """Number of blocks: layers are counted from 1."""
    return len(s.model.blocks)

"""What users hand over: models by any of their names, images in any of their forms.

models, train, test = models_and_images(["runs/mine", "zoo:mae"], "photos", train=3000)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxtyping import UInt8
from torch import Tensor, nn

from siamlab.component import UserError, unknown, variants
from siamlab.data import Data, Folder, Images, Scenes, subset
from siamlab.probe import inputs
from siamlab.run import Run
from siamlab.subject import Subject, at_size, distinct, one_size, subject

MOST = 100  # images that can be leafed through
ROOM = 1.15  # sides of stored images over a model's input, for the crops that views are


class Given(NamedTuple):
    models: list[Subject]
    train: Images
    test: Images


def models_and_images(
    models: str | Sequence[str],
    data: str | Data | None = None,
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
    names = [models] if isinstance(models, str) else list(models)
    if not names:
        raise UserError("models must name one or more: a run's folder, zoo:NAME or timm:NAME")
    subjects = distinct(names, [subject(name, weights) for name in names])
    subjects = [at_size(s, size) for s in subjects] if size else one_size(subjects)
    source = chosen_data(data, subjects)
    return Given(subjects, at_most(source("train"), train), at_most(source("test"), test))


def chosen_data(data: str | Data | None, subjects: Sequence[Subject]) -> Data:
    """The source: `data` itself, or the one of that name, or the folder, or what a run had."""
    run = run_or_scenes(*(s.run for s in subjects))
    kinds = [source.model_fields["kind"].default for source in variants(Data)]
    if data is None:
        return run.data
    if not isinstance(data, str):
        return data
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
    """The images, or `n` of them where there are more."""
    return images if n is None or n >= len(images.labels) else subset(images, n)


def chosen_subject(model: str | Subject | nn.Module) -> Subject:
    """A subject; of a name, a run's folder or a timm module."""
    if isinstance(model, Subject):
        return model
    if isinstance(model, nn.Module):
        return Subject(type(model).__name__, model.eval(), None)
    return subject(model)


def chosen_images(
    images: Images | UInt8[Tensor, "n 3 H W"] | None, of: Subject
) -> UInt8[Tensor, "n 3 H W"]:
    """At most MOST images; without any, test images of what the model was trained on, or scenes."""
    images = test_images(of.run) if images is None else images
    pixels = getattr(images, "pixels", images)
    if len(pixels) == 0:
        raise UserError("images must hold one image or more; there are none")
    return pixels[:MOST]


def test_images(run: Run | None) -> Images:
    """Those of what a run was trained on, or scenes."""
    return run_or_scenes(run).data("test")


def run_or_scenes(*runs: Run | None) -> Run:
    """The first run that is known, or one on scenes."""
    return next((run for run in runs if run), Run(data=Scenes()))


def last_layer(s: Subject) -> int:
    """Number of blocks: layers are counted from 1."""
    return len(s.model.blocks)

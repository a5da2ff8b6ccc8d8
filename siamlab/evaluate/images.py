"""Open images in one place: those a run was trained on, a folder, or a named source.

train, test = open_images("photos", models, train=3000, test=2000)
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor

from siamlab.component import Allowed, UserError, unknown
from siamlab.data import DataChoice, Folder, Images, Photographs, Scenes
from siamlab.data.published import PublishedSet
from siamlab.evaluate.models import NamedModel
from siamlab.machine.arguments import typed
from siamlab.machine.files import expanded, permitted
from siamlab.machine.sums import check_rows
from siamlab.probe import inputs
from siamlab.run import Run
from siamlab.run.choices import axis_choices

MOST = 100  # images that an explorer can leaf through
FIRST = 4  # the image that is shown first, if there are as many
MARGIN = 1.15  # side of stored images over a model's input, so that crops need no enlarging


DataLike = Annotated[
    str | os.PathLike[str] | DataChoice,
    Allowed("a folder, the name of a source, or one such as siamlab.data.Scenes()"),
]


class Splits(NamedTuple):
    train: Images  # to fit probes on
    test: Images  # to measure on


@typed
def open_images(
    data: DataLike | None = None,
    models: NamedModel | Sequence[NamedModel] = (),
    train: int | None = None,
    test: int | None = None,
) -> Splits:
    """Return training and test images for models: at most `train` and `test` of them.

    `data` is a folder of images, a source's name or fields; without it, the images that the first
    of the runs behind `models` was trained on, or scenes. A folder is read at a side that suits
    the models' inputs. Raises UserError for a folder or source that does not exist.
    """
    models = [models] if isinstance(models, NamedModel) else models
    source = open_source(data, models)
    with permitted():
        splits = source.sample("train", train), source.sample("test", test)
    return Splits(*(drawn.images for drawn in splits))


def open_source(
    data: str | os.PathLike[str] | DataChoice | None, models: Sequence[NamedModel]
) -> DataChoice:
    """Return the source of images that `open_images` reads."""
    if isinstance(models, str):
        raise UserError(f"open_images expects the models that open_models returns, not {models!r}")
    run = run_or_scenes(*(m.run for m in models))
    kinds = list(axis_choices("data"))
    if data is None:
        return run.data
    if isinstance(data, DataChoice):
        return data
    data = str(data)
    if data in kinds:
        return run.change(f"data={data}").data
    if expanded(data).is_dir():
        sides = [max(inputs(m.model).size) for m in models]
        return Folder(path=data, **({"side": round(MARGIN * max(sides))} if sides else {}))
    if is_path(data):
        raise no_folder(data)
    problem = f"data: there is no folder {data!r} in {Path.cwd()}, and no source"
    raise UserError(unknown(problem, data, kinds))


def is_folder(data: str) -> bool:
    """Return whether a name is that of a folder; a source's name is not, though ./NAME is."""
    return is_path(data) or (data not in axis_choices("data") and expanded(data).is_dir())


def is_path(name: str) -> bool:
    """Return whether a name can only be that of a folder: no source of images has such a one."""
    return "/" in name or os.sep in name or name.startswith("~")


def no_folder(name: str) -> UserError:
    """Return the error for the path of images that are not there."""
    return UserError(
        f"data: there is no folder {name}, as seen from {Path.cwd()}; name a folder of images, or "
        "a source that `siamlab data list` lists"
    )


def one_image(images: Images, number: int) -> UInt8[Tensor, "3 H W"]:
    """Return the image of that number, from 0. Raises UserError if there is none."""
    if not 0 <= number < len(images.pixels):
        raise UserError(f"image={number} must be 0 to {len(images.pixels) - 1}: there are no more")
    check_rows(images.pixels[number : number + 1])
    return images.pixels[number]


def pixels_to_show(
    images: Images | UInt8[Tensor, "n 3 H W"] | None, run: Run | None
) -> UInt8[Tensor, "n 3 H W"]:
    """Return at most MOST images for an explorer: those handed over, else test images of `run`.

    Raises UserError for anything but images, and for none at all.
    """
    images = test_images(run) if images is None else images
    pixels = getattr(images, "pixels", images)
    if not (isinstance(pixels, Tensor) and pixels.dtype == torch.uint8 and pixels.ndim == 4
            and pixels.shape[1] == 3):  # fmt: skip
        raise UserError(
            f"images must be Images or a uint8 tensor [n, 3, H, W], not {_description(pixels)}; "
            "siamlab.open_images(folder) reads those of a folder"
        )
    if pixels.numel() == 0:
        raise UserError(
            f"images must hold one image or more, of one pixel or more; got {list(pixels.shape)}"
        )
    check_rows(pixels[:MOST])
    return pixels[:MOST]


def test_images(run: Run | None) -> Images:
    """Return the test images of what a run was trained on, or scenes, as probes see them.

    Photographs stand in for a public set that is not on this machine.
    """
    data = run_or_scenes(run).data
    try:
        return data.evaluated(data("test"), "test")
    except UserError:
        if not isinstance(data, PublishedSet) or data.path:
            raise
        return Photographs()("test")


def run_or_scenes(*runs: Run | None) -> Run:
    """Return the first run that is known, or one on scenes."""
    return next((run for run in runs if run), Run(data=Scenes()))


def first_image(pixels: UInt8[Tensor, "n 3 H W"]) -> int:
    """Return the number of the image that is shown first."""
    return min(FIRST, len(pixels) - 1)


def _description(value: Any) -> str:
    """Describe a wrong argument without printing the numbers of an array."""
    kind = type(value).__name__
    if not hasattr(value, "shape"):
        return repr(value) if isinstance(value, str | os.PathLike) else f"a {kind}"
    dtype = str(value.dtype).removeprefix("torch.")
    return f"{kind} of {dtype} {list(value.shape)}"

"""NYU Depth v2: surface normals predicted by a head on frozen features (degrees).

readings = Normals(path="dsine_eval/nyuv2")()(eye, report)
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from siamlab.data.frames import middle, squares
from siamlab.data.nyu_normals import NormalPairs, normals, read_normals
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import Measurement, Published
from siamlab.evaluate.standard.heads import (
    DPT,
    Fitted,
    Head,
    HeadName,
    Part,
    PixelSet,
    See,
    Some,
    Task,
    four_blocks,
    in_order,
    patches,
    trained_dpt,
)
from siamlab.geometry import Grid
from siamlab.probe.dpt import BATCH, finer
from siamlab.probe.linear_map import RIDGE
from siamlab.probe.normals import (
    facing,
    fit_normals,
    normal_errors,
    normals_by_patch,
    unknown_normals,
)
from siamlab.probe.score import Direction

PART = 32  # images at a time
CLOSE: tuple[str, Direction] = ("share of pixels", "higher")
NUMBERS: dict[str, tuple[str, Direction]] = {
    "normals": ("degrees", "lower"),
    "normals_median": ("degrees", "lower"),
    "normals_11": CLOSE,
    "normals_22": CLOSE,
    "normals_30": CLOSE,
}


class NormalsProtocol(NamedTuple):
    """The form in which the model sees photographs, and what is fitted."""

    source: str
    side: int  # of the middle square as the model sees it, pixels; rounded to patches of the model
    features: str
    head: str
    published: tuple[Published, ...]


def _visbench(model: str, *values: float) -> tuple[Published, ...]:
    return tuple(
        Published(f"{model}, linear", key, value, "VisBench leaderboard, 2026")
        for key, value in zip(NUMBERS, values, strict=True)
    )


PROTOCOLS: Mapping[str, NormalsProtocol] = MappingProxyType(
    {
        "visbench": NormalsProtocol(
            "VisBench leaderboard, 2026, after Probe3D, El Banani et al. 2024", 224,
            "patches, after the final norm", f"ridge ({RIDGE}) to normals of patches",
            (
                *_visbench("MAE ViT-B/16", 27.522, 20.878, 0.270, 0.545, 0.656),
                *_visbench("DINO ViT-B/16", 34.305, 30.105, 0.172, 0.378, 0.500),
                *_visbench("DINOv2 ViT-B/14", 30.114, 24.455, 0.210, 0.473, 0.598),
            ),
        ),
    }
)  # fmt: skip


class Normals(PixelSet):
    """NYU Depth v2 with surface normals: 795 photographs to train on, 654 to test on."""

    title: ClassVar[str] = "NYU Depth v2 normals"
    licence: ClassVar[str] = "none stated; for research"
    origin: ClassVar[str] = "https://github.com/baegwangbin/DSINE"
    protocols: ClassVar[Mapping[str, Any]] = PROTOCOLS

    kind: Literal["normals"] = "normals"
    path: str = Field(
        default="", description="folder of train/ and test/, with 000002_img.png, 000002_normal.png"
    )
    protocol: Literal["visbench"] = Field(
        default="visbench", description="visbench: middle square at 224 pixels, a linear layer"
    )

    def __call__(self) -> Measurement:
        train, test = read_normals(self.path, self.images)
        names = (file.name for file in (*train.images, *test.images))
        shown = self.chosen.side, self.chosen.side
        task = Task(HEADS[self.head], shown, _part, _errors, NUMBERS)
        return self.measurement(task, train, test, names)


def _part(
    pairs: NormalPairs, frame: Grid, see: See, eye: AnySize, some: Some
) -> tuple[Tensor, Float[Tensor, "n 3 S S"]]:
    """Features and normals of the middle square of some images."""
    features = see(eye.passes(frame), squares([pairs.images[i] for i in some], frame[0]))
    truth = middle(normals([pairs.normals[i] for i in some]))
    return features, truth.to(features.device)


def _errors(
    found: Fitted, features: Tensor, truth: Float[Tensor, "n 3 S S"], grid: Grid
) -> Float[Tensor, "n 3 6"]:
    """Errors of the head, of one direction for all pixels, and of the true normals on the grid."""
    size = tuple(truth.shape[2:])
    blind = found.constant.float().view(1, 3, 1, 1).expand_as(truth)
    best = facing(normals_by_patch(truth, grid)[0], grid, size)
    ways = found.answer(features, size), blind, best
    return torch.stack([normal_errors(way, truth) for way in ways], dim=1).cpu()


def _linear(part: Part, count: int, grid: Grid) -> Fitted:
    found = fit_normals(map(part, in_order(count, PART)), grid)
    answer = lambda features, size: facing(found.of(features), grid, size)  # noqa: E731
    return Fitted(answer, found.constant)


def _dpt(part: Part, count: int, grid: Grid) -> Fitted:
    fine = finer(grid)
    target = partial(normals_by_patch, grid=fine)
    found = trained_dpt(part, count, grid, target, unknown_normals)
    answer = lambda features, size: facing(found.answers(features), fine, size)  # noqa: E731
    return Fitted(answer, found.constant)


HEADS: Mapping[HeadName, Head] = MappingProxyType(
    {"linear": Head(patches, PART, _linear, {}), "dpt": Head(four_blocks, BATCH, _dpt, DPT)}
)

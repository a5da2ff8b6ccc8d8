"""NYU Depth v2: depth predicted by a head on frozen features (δ₁, rmse, relative error).

readings = Nyu(path="nyu_depth_v2/official_splits")()(eye, report)
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.frames import framed, middle, squares, stretched
from siamlab.data.nyu import DepthPairs, depths, read_nyu
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import Measurement, Published
from siamlab.evaluate.standard.heads import (
    DPT,
    Fitted,
    Head,
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
from siamlab.probe.depth import (
    by_patch,
    depth_errors,
    fit_depth,
    predicted,
    unmeasured,
    upsampled,
)
from siamlab.probe.dpt import BATCH, finer
from siamlab.probe.linear_map import RIDGE
from siamlab.probe.score import Direction
from siamlab.probe.suite.passes import Passes

EIGEN = (480, 640)  # size of the photographs whose pixels the crop counts
PART = 32  # images at a time
CROPS = {"eigen": (slice(45, 471), slice(41, 601)), "whole": (slice(None), slice(None))}
Features = Literal["patch and class token, after the final norm", "patches, after the final norm"]
CropName = Literal["eigen", "whole"]
NUMBERS: dict[str, tuple[str, Direction]] = {
    "nyu": ("share of pixels", "higher"),
    "nyu_rmse": ("metres", "lower"),
    "nyu_relative": ("share of depth", "lower"),
}


class NyuProtocol(NamedTuple):
    """The form in which the model sees photographs, and what is fitted."""

    source: str
    size: Grid  # pixels, rounded to patches of the model; a square shows the middle square
    features: Literal[
        "patch and class token, after the final norm", "patches, after the final norm"
    ]
    head: str
    crop: CropName  # pixels that are scored
    published: tuple[Published, ...]


def _visbench(model: str, *values: float) -> tuple[Published, ...]:
    return tuple(
        Published(f"{model}, linear", key, value, "VisBench leaderboard, 2026")
        for key, value in zip(NUMBERS, values, strict=True)
    )


def _dinov2(model: str, rmse: float) -> Published:
    return Published(f"{model}, lin. 1", "nyu_rmse", rmse, "Oquab et al. 2023")


PROTOCOLS: Mapping[str, NyuProtocol] = MappingProxyType(
    {
        "dinov2": NyuProtocol(
            "DINOv2, Oquab et al. 2023", (480, 640), "patch and class token, after the final norm",
            f"ridge ({RIDGE}) to log depth of patches", "eigen",
            (
                _dinov2("MAE ViT-H/14", 0.517), _dinov2("DINO ViT-B/8", 0.555),
                _dinov2("DINOv2 ViT-B/14", 0.399),
            ),
        ),
        "visbench": NyuProtocol(
            "VisBench leaderboard, 2026, after Probe3D, El Banani et al. 2024", (224, 224),
            "patches, after the final norm", f"ridge ({RIDGE}) to log depth of patches", "whole",
            (
                *_visbench("MAE ViT-B/16", 0.695, 0.633, 0.199),
                *_visbench("DINO ViT-B/16", 0.675, 0.671, 0.203),
                *_visbench("DINOv2 ViT-B/14", 0.785, 0.531, 0.154),
            ),
        ),
    }
)  # fmt: skip


class Nyu(PixelSet):
    """NYU Depth v2, official splits: 795 photographs to train on, 654 to test on."""

    title: ClassVar[str] = "NYU Depth v2"
    licence: ClassVar[str] = "none stated; for research"
    origin: ClassVar[str] = "https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html"
    protocols: ClassVar[Mapping[str, Any]] = PROTOCOLS

    kind: Literal["nyu"] = "nyu"
    path: str = Field(default="", description="folder of train/ and test/, with scenes inside")
    train_path: str = Field(
        default="", description="folder of other training scenes, such as sync/; empty: path/train"
    )
    protocol: Literal["dinov2", "visbench"] = Field(
        default="dinov2",
        description="a linear layer; dinov2: 480 × 640 pixels; visbench: middle square at 224",
    )
    crop: Literal["protocol", "eigen", "whole"] = Field(
        default="protocol",
        description="scored pixels: as the protocol says; rows 45 to 470, columns 41 to 600; all",
    )

    def __call__(self) -> Measurement:
        train, test = read_nyu(self.path, self.train_path, self.images)
        size, crop = self.chosen.size, self.crop if self.crop != "protocol" else self.chosen.crop
        square = size[0] == size[1]
        if crop == "eigen":
            self._check_eigen(test.size, square)
        head = DPT_HEAD if self.head == "dpt" else LINEAR[self.chosen.features]
        errors = partial(_errors, crop=CROPS[crop])
        task = Task(head, size, _square if square else _whole, errors, NUMBERS)
        names = (f"{file.parent.name}/{file.name}" for file in (*train.images, *test.images))
        return self.measurement(task, train, test, names, crop=crop)

    def _check_eigen(self, size: Grid, square: bool) -> None:
        if square:
            raise UserError(
                f"data.crop=eigen counts pixels of whole photographs, and data.protocol="
                f"{self.protocol} shows their middle square; leave data.crop out"
            )
        if size != EIGEN:
            height, width = size
            raise UserError(
                f"data.crop=eigen counts pixels of {EIGEN[1]} × {EIGEN[0]} photographs, and these "
                f"have {width} × {height}; add data.crop=whole, or extract them at their own size"
            )


def _whole(
    pairs: DepthPairs, frame: Grid, see: See, eye: AnySize, some: Some
) -> tuple[Tensor, Float[Tensor, "n H W"]]:
    """Features and depth of some images."""
    files = [pairs.images[i] for i in some]
    boxes = stretched(torch.tensor([pairs.size] * len(files)), frame)
    features = see(eye.passes(frame), framed(files, boxes, frame))
    return features, depths([pairs.depths[i] for i in some]).to(features.device)


def _square(
    pairs: DepthPairs, frame: Grid, see: See, eye: AnySize, some: Some
) -> tuple[Tensor, Float[Tensor, "n S S"]]:
    """Features and depth of the middle square of some images."""
    features = see(eye.passes(frame), squares([pairs.images[i] for i in some], frame[0]))
    truth = middle(depths([pairs.depths[i] for i in some]))
    return features, truth.to(features.device)


def _errors(
    found: Fitted,
    features: Tensor,
    depth: Float[Tensor, "n H W"],
    grid: Grid,
    crop: tuple[slice, slice],
) -> Float[Tensor, "n 3 4"]:
    """Errors of the head, of one answer for all pixels, and of the true depth on the grid."""
    size = tuple(depth.shape[1:])
    blind = found.constant.exp().float().expand_as(depth)
    best = upsampled(by_patch(depth, grid)[0], grid, size)
    ways = found.answer(features, size), blind, best
    rows, columns = crop
    truth = depth[:, rows, columns]
    return torch.stack([depth_errors(way[:, rows, columns], truth) for way in ways], dim=1).cpu()


def _with_class(passes: Passes, pixels: Tensor) -> Float[Tensor, "n N D"]:
    """Patches, each with the class token appended."""
    seen = passes.features(pixels)
    whole = seen.cls[:, None].expand(-1, seen.patches.shape[1], -1)
    return torch.cat([seen.patches, whole], dim=2)


def _linear(part: Part, count: int, grid: Grid) -> Fitted:
    found = fit_depth(map(part, in_order(count, PART)), grid)
    return Fitted(lambda features, size: predicted(found, features, grid, size), found.constant)


def _dpt(part: Part, count: int, grid: Grid) -> Fitted:
    fine = finer(grid)

    def target(depth: Tensor) -> tuple[Tensor, Tensor]:
        logs, share = by_patch(depth, fine)
        return logs[:, :, None], share

    found = trained_dpt(part, count, grid, target, unmeasured)
    answer = lambda x, size: upsampled(found.answers(x)[:, :, 0], fine, size)  # noqa: E731
    return Fitted(answer, found.constant[0])


DPT_HEAD = Head(four_blocks, BATCH, _dpt, DPT)
LINEAR: Mapping[Features, Head] = MappingProxyType(
    {
        "patch and class token, after the final norm": Head(_with_class, PART, _linear, {}),
        "patches, after the final norm": Head(patches, PART, _linear, {}),
    }
)

"""NYU Depth v2: depth predicted by a linear layer on frozen features (δ₁, rmse, relative error).

readings = Nyu(path="nyu_depth_v2/official_splits")()(eye, report)
"""

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.frames import framed, stretched
from siamlab.data.nyu import DepthPairs, depths, read_nyu
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import (
    Measurement,
    Published,
    Report,
    StandardSet,
    content,
    image_means,
    settings,
)
from siamlab.geometry import Grid
from siamlab.probe.depth import (
    DepthHead,
    by_patch,
    depth_errors,
    fit_depth,
    predicted,
    upsampled,
)
from siamlab.probe.linear_map import RIDGE
from siamlab.probe.score import Direction, Reading, Settings

EIGEN = (480, 640)  # size of the photographs whose pixels the crop counts
PART = 32  # images at a time
CROPS = {"eigen": (slice(45, 471), slice(41, 601)), "whole": (slice(None), slice(None))}
NUMBERS: dict[str, tuple[str, Direction]] = {
    "nyu": ("share of pixels", "higher"),
    "nyu_rmse": ("metres", "lower"),
    "nyu_relative": ("share of depth", "lower"),
}


class NyuProtocol(NamedTuple):
    """The form in which the model sees photographs, and what is fitted."""

    source: str
    size: Grid  # pixels; rounded to patches of the model
    features: str
    head: str
    published: tuple[Published, ...]


def _dinov2(model: str, rmse: float) -> Published:
    return Published(f"{model}, lin. 1", "nyu_rmse", rmse, "Oquab et al. 2023")


PROTOCOLS: Mapping[str, NyuProtocol] = MappingProxyType(
    {
        "dinov2": NyuProtocol(
            "DINOv2, Oquab et al. 2023", (480, 640), "patch and class token, after the final norm",
            f"ridge ({RIDGE}) to log depth of patches",
            (
                _dinov2("MAE ViT-H/14", 0.517), _dinov2("DINO ViT-B/8", 0.555),
                _dinov2("DINOv2 ViT-B/14", 0.399),
            ),
        ),
    }
)  # fmt: skip


class Nyu(StandardSet):
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
    protocol: Literal["dinov2"] = Field(
        default="dinov2", description="dinov2: 480 × 640 pixels, a linear layer"
    )
    crop: Literal["eigen", "whole"] = Field(
        default="eigen", description="scored pixels: rows 45 to 470, columns 41 to 600; or all"
    )
    images: int = Field(
        default=0, ge=0, description="most training images, drawn by a seed; 0: all"
    )

    def __call__(self) -> Measurement:
        train, test = read_nyu(self.path, self.train_path, self.images)
        if self.crop == "eigen" and test.size != EIGEN:
            height, width = test.size
            raise UserError(
                f"data.crop=eigen counts pixels of {EIGEN[1]} × {EIGEN[0]} photographs, and these "
                f"have {width} × {height}; add data.crop=whole, or extract them at their own size"
            )
        fields = PROTOCOLS[self.protocol]._asdict() | {"crop": self.crop}
        fields |= {"protocol": self.protocol, "train_images": len(train.images)}
        names = [f"{file.parent.name}/{file.name}" for file in (*train.images, *test.images)]
        fields |= {"test_images": len(test.images), "content": content(names)}
        chosen = PROTOCOLS[self.protocol].size, CROPS[self.crop]
        return partial(_measured, train, test, *chosen, settings(self.title, fields))


def _measured(
    train: DepthPairs,
    test: DepthPairs,
    shown: Grid,
    crop: tuple[slice, slice],
    about: Settings,
    eye: AnySize,
    report: Report,
) -> Iterator[Reading]:
    report(f"{Nyu.title}, training images")
    frame = eye.rounded(shown[0]), eye.rounded(shown[1])
    grid = frame[0] // eye.patch, frame[1] // eye.patch
    head = fit_depth(_parts(train, frame, eye), grid)
    report(f"{Nyu.title}, test images")
    rows = [
        _errors(head, features, depth, grid, crop) for features, depth in _parts(test, frame, eye)
    ]
    yield from image_means(torch.cat(rows), NUMBERS, about)


def _parts(
    pairs: DepthPairs, frame: Grid, eye: AnySize
) -> Iterator[tuple[Float[Tensor, "n N D"], Float[Tensor, "n H W"]]]:
    """Yield features of the patches with the class token appended, and depth, of some images."""
    passes = eye.passes(frame)
    for start in range(0, len(pairs.images), PART):
        files = pairs.images[start : start + PART]
        boxes = stretched(torch.tensor([pairs.size] * len(files)), frame)
        seen = passes.features(framed(files, boxes, frame))
        whole = seen.cls[:, None].expand(-1, seen.patches.shape[1], -1)
        depth = depths(pairs.depths[start : start + PART]).to(whole.device)
        yield torch.cat([seen.patches, whole], dim=2), depth


def _errors(
    head: DepthHead,
    features: Float[Tensor, "n N D"],
    depth: Float[Tensor, "n H W"],
    grid: Grid,
    crop: tuple[slice, slice],
) -> Float[Tensor, "n 3 4"]:
    """Errors of the head, of one answer for all pixels, and of the true depth on the grid."""
    size = tuple(depth.shape[1:])
    blind = head.constant.exp().float().expand_as(depth)
    best = upsampled(by_patch(depth, grid)[0], grid, size)
    ways = predicted(head, features, grid, size), blind, best
    rows, columns = crop
    truth = depth[:, rows, columns]
    return torch.stack([depth_errors(way[:, rows, columns], truth) for way in ways], dim=1).cpu()

"""Your own images and homographies of them: patches matched between the two views (recall).

readings = Warps(path="imagenette2/val")()(eye, report)
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, UInt8
from pydantic import Field
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.blank import check_blank, is_blank
from siamlab.data.folder import find_files
from siamlab.data.frames import drawn, squares
from siamlab.data.warps import homographies, warped
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import Measurement, Published, Report, StandardSet
from siamlab.geometry import patch_centres
from siamlab.probe.matching import distinct, matched
from siamlab.probe.score import Reading, Settings, bootstrap, ratio

LIMITS = (1, 2, 5, 10)  # pixels of the square that the model sees
PART = 32  # images at a time


class WarpsProtocol(NamedTuple):
    """The squares that the model sees, how they are warped, and which patches are matched."""

    source: str
    side: int  # pixels; rounded to patches of the model
    warp: float  # most that a corner moves along each side, of the side
    ratio: float  # of the distances to the nearest and the second nearest, at most
    most: int  # matches of a pair, the surest first
    published: tuple[Published, ...]


def _visbench(model: str, *values: float) -> tuple[Published, ...]:
    return tuple(
        Published(model, f"warps_{limit}", value, "VisBench leaderboard, 2026")
        for limit, value in zip(LIMITS, values, strict=True)
    )


PROTOCOLS: Mapping[str, WarpsProtocol] = MappingProxyType(
    {
        "visbench": WarpsProtocol(
            "VisBench leaderboard, 2026, after Probe3D, El Banani et al. 2024", 224, 0.2, 0.9,
            1000,
            (
                *_visbench("MAE ViT-B/16", 0.0202, 0.0776, 0.3577, 0.7325),
                *_visbench("DINO ViT-B/16", 0.0195, 0.0765, 0.3566, 0.7842),
                *_visbench("DINOv2 ViT-B/14", 0.0145, 0.0563, 0.2816, 0.6260),
                *_visbench("CLIP ViT-B/16", 0.0175, 0.0652, 0.2689, 0.5725),
            ),
        ),
    }
)  # fmt: skip


class Warps(StandardSet):
    """Your own images, and each seen through a random homography, which is known exactly."""

    title: ClassVar[str] = "images and homographies of them"
    licence: ClassVar[str] = "that of your files"
    origin: ClassVar[str] = "data.path"
    protocols: ClassVar[Mapping[str, Any]] = PROTOCOLS

    kind: Literal["warps"] = "warps"
    path: str = Field(default="", description="folder of images, or of one folder for each class")
    protocol: Literal["visbench"] = Field(
        default="visbench",
        description="visbench: middle square at 224 pixels, corners moved by up to a fifth",
    )
    images: int = Field(default=0, ge=0, description="most images, drawn by a seed; 0: all")

    def __call__(self) -> Measurement:
        found = find_files(self.path, "data.path")
        files = drawn(found.paths, self.images)
        names = ((str(f.relative_to(found.root)), _bytes(f)) for f in files)
        return partial(_measured, files, self.chosen, self.settings(names, images=len(files)))


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise UserError(
            f"data.path: the image {file} cannot be read ({error.strerror}); replace it, or remove "
            "the link"
        ) from None


def _measured(
    files: Sequence[Path], chosen: WarpsProtocol, about: Settings, eye: AnySize, report: Report
) -> Iterator[Reading]:
    side, rows, blank = eye.rounded(chosen.side), [], []
    maps = homographies(len(files), side, chosen.warp)
    for part in torch.arange(len(files)).split(PART):
        report(f"{Warps.title}, image {1 + int(part[0]):,} of {len(files):,}")
        pixels = squares([files[i] for i in part.tolist()], side)
        blank.append(is_blank(pixels))
        rows += _part(pixels, maps[part], chosen, eye)
    _say_blank(files, torch.cat(blank))
    terms = torch.stack(rows).double()  # [n, A, hit, random, possible, and all]
    for i, limit in enumerate(LIMITS):
        own = terms[:, i][:, [0, 3]]
        chance, ceiling = (ratio(terms[:, i][:, [j, 3]].sum(dim=0)).item() for j in (1, 2))
        score = bootstrap(own, ratio, chance, ceiling, "share of matches")
        yield Reading(f"warps_{limit}", score, about | {"pixels": limit})


def _say_blank(files: Sequence[Path], blank: Bool[Tensor, " n"]) -> None:
    """Warn of blank images; UserError where all are."""
    if blank.any():
        check_blank(blank, "images", files[int(blank.nonzero()[0])].name)


def _part(
    pixels: UInt8[Tensor, "n 3 S S"],
    maps: Float[Tensor, "n 3 3"],
    chosen: WarpsProtocol,
    eye: AnySize,
) -> Iterator[Float[Tensor, "A 4"]]:
    """Yield sums over the matches of each image, at each tolerance."""
    side = pixels.shape[-1]
    passes = eye.passes((side, side))
    first, second = (passes.features(x) for x in (pixels, warped(pixels, maps)))
    device = first.patches.device
    places = (patch_centres(first.grid) * side).to(device)  # [N, 2]
    limits = torch.tensor(LIMITS, dtype=torch.float, device=device)
    for a, b, there in zip(first.patches, second.patches, maps.float().to(device), strict=True):
        rows, index = distinct(a, b, chosen.ratio, chosen.most)
        found = matched(places[rows], places, index, there, limits)
        sums = [part.float().sum(dim=0) for part in found]
        yield torch.stack([*sums, torch.full_like(sums[0], len(rows))], dim=1).cpu()

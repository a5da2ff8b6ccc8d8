"""HPatches: patches matched between photographs of a flat scene (mean matching accuracy).

readings = Hpatches(path="hpatches-sequences-release")()(eye, report)
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from siamlab.data.frames import framed, padded, to_image
from siamlab.data.hpatches import LARGE, Scene, read_hpatches
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import Measurement, Published, Report, StandardSet
from siamlab.geometry import patch_centres
from siamlab.probe.matching import matched, mutual
from siamlab.probe.score import Reading, Score, Settings, bootstrap, ratio

LIMITS = (1, 3, 5, 10)  # pixels of the photograph
BY_CHANGE = 5  # pixels of the numbers by kind of change
UNIT = "share of matches"


class HpatchesProtocol(NamedTuple):
    """The sequences that are matched, and the size at which the model sees them."""

    source: str
    side: int  # of the square frame that holds a photograph, pixels; rounded to patches
    points: str
    leave_out: tuple[str, ...]
    published: tuple[Published, ...]


PROTOCOLS: Mapping[str, HpatchesProtocol] = MappingProxyType(
    {
        "d2-net": HpatchesProtocol(
            "D2-Net, Dusmanu et al. 2019", 1024, "centres of all patches, mutual nearest",
            tuple(LARGE),
            (
                Published("R2D2, at keypoints of its own", "hpatches_3", 0.686,
                          "Revaud et al. 2019"),
            ),
        ),
    }
)  # fmt: skip


class Hpatches(StandardSet):
    """HPatches' sequences: 108 flat scenes, six photographs each, by viewpoint or illumination."""

    title: ClassVar[str] = "HPatches"
    licence: ClassVar[str] = "MIT for the set; photographs under terms of their own"
    origin: ClassVar[str] = "https://github.com/hpatches/hpatches-dataset"
    protocols: ClassVar[Mapping[str, Any]] = PROTOCOLS

    kind: Literal["hpatches"] = "hpatches"
    path: str = Field(
        default="", description="folder of i_NAME/ and v_NAME/, of hpatches-sequences"
    )
    protocol: Literal["d2-net"] = Field(
        default="d2-net", description="d2-net: 108 sequences, mutual nearest patches, 1024 pixels"
    )
    sequences: int = Field(
        default=0, ge=0, description="only the first N sequences of each kind; 0: all"
    )

    def __call__(self) -> Measurement:
        scenes = read_hpatches(self.path, self.chosen.leave_out, self.sequences)
        files = ((scene.name, scene.homographies.tolist()) for scene in scenes)
        about = self.settings(files, sequences=len(scenes))
        return partial(_measured, scenes, self.chosen.side, about)


def _measured(
    scenes: Sequence[Scene], side: int, about: Settings, eye: AnySize, report: Report
) -> Iterator[Reading]:
    rows = []
    for scene in scenes:
        report(f"{Hpatches.title}, {scene.name}")
        rows.append(_scene(scene, eye.rounded(side), eye))
    terms = torch.stack(rows)  # [scenes, pairs, A, 3]
    for i, limit in enumerate(LIMITS):
        yield Reading(f"hpatches_{limit}", _score(terms[:, :, i]), about | {"pixels": limit})
    for change in ("illumination", "viewpoint"):
        these = torch.tensor([scene.change == change for scene in scenes])
        if these.any():
            score = _score(terms[these][:, :, LIMITS.index(BY_CHANGE)])
            yield Reading(f"hpatches_{change}", score, about | {"pixels": BY_CHANGE})


def _scene(scene: Scene, side: int, eye: AnySize) -> Float[Tensor, "5 A 3"]:
    """Shares of the matches of each pair that are right, would be by chance, and could be."""
    boxes = padded(scene.sizes, side)
    seen = eye.passes((side, side)).features(framed(scene.images, boxes, (side, side)))
    centres = patch_centres(seen.grid) * side  # [N, 2], pixels of the frame
    shown = [_inside(centres, box) for box in boxes]
    places = [to_image(centres[on], *at) for on, *at in zip(shown, scene.sizes, boxes, strict=True)]
    device = seen.patches.device
    patches = [p[on.to(device)] for p, on in zip(seen.patches, shown, strict=True)]
    limits = torch.tensor(LIMITS, dtype=torch.float, device=device)
    rows = []
    for k in range(1, len(scene.images)):
        a, b = mutual(patches[0], patches[k])
        there = places[0].to(device)[a], places[k].to(device), b
        found = matched(*there, scene.homographies[k - 1].to(device), limits)
        rows.append(torch.stack([part.float().mean(dim=0) for part in found], dim=1))
    return torch.stack(rows).cpu()


def _inside(centres: Float[Tensor, "N 2"], box: Tensor) -> Bool[Tensor, " N"]:
    """Return which patches have their centre on the photograph, not on the black around it."""
    return ((centres >= box[:2]) & (centres < box[:2] + box[2:])).all(dim=1)


def _score(terms: Float[Tensor, "S P 3"]) -> Score:
    """Mean over pairs; the interval draws sequences, whose pairs share an image."""
    groups = torch.arange(len(terms)).repeat_interleave(terms.shape[1])
    value, chance, ceiling = terms.flatten(0, 1).double().unbind(dim=1)
    own = torch.stack([value, torch.ones_like(value)], dim=1)
    return bootstrap(own, ratio, chance.mean().item(), ceiling.mean().item(), UNIT, groups=groups)

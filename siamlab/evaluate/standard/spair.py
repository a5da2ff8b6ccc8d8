"""SPair-71k: the share of keypoints that a model's nearest feature finds in another object (PCK).

readings = Spair(path="SPair-71k", protocol="dift")()(eye, report)
"""

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor

from siamlab.data.frames import cornered, framed, padded, stretched
from siamlab.data.spair import VIEWPOINTS, KeypointPairs, SpairSplit, read_spair
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import Measurement, Published, Report, StandardSet
from siamlab.probe.features import Features
from siamlab.probe.keypoints import Answers, Placed, at_points, pck, transfer
from siamlab.probe.score import Reading, Score, Settings

ALPHAS = {"": 0.1, "_05": 0.05}  # tolerance, of the longer side of the target's box
UNIT = "share of points"
BLACK, WHITE = 0, 255


class SpairProtocol(NamedTuple):
    """The form in which the model sees images, and what can be an answer."""

    source: str
    side: int  # of the square frame, pixels; rounded to patches of the model
    # aspect kept, the rest black; not kept; kept, in the upper left corner, the rest white
    fit: Literal["padded", "stretched", "cornered"]
    queries: Answers  # the feature of a point: of its patch, or between patches
    answers: Answers
    tokens: Literal["before the final norm", "after the final norm"]
    published: tuple[Published, ...]


def _tale(probe: str, value: float) -> Published:
    return Published("DINOv2 ViT-B/14", probe, value, "Zhang et al. 2023 and 2024")


PROTOCOLS: Mapping[str, SpairProtocol] = MappingProxyType(
    {
        "sd-dino": SpairProtocol(
            "A Tale of Two Features, Zhang et al. 2023", 840, "padded", "patch", "patch",
            "before the final norm", (_tale("spair", 0.556), _tale("spair_image", 0.539)),
        ),
        "dift": SpairProtocol(
            "Emergent Correspondence from Image Diffusion, Tang et al. 2023", 768, "stretched",
            "pixel", "pixel", "after the final norm",
            (
                Published("Stable Diffusion 2.1", "spair", 0.595, "Tang et al. 2023"),
                Published("Stable Diffusion 2.1", "spair_image", 0.529, "Tang et al. 2023"),
            ),
        ),
        "probe3d": SpairProtocol(  # the paper takes 200 pairs of each category and viewpoint change
            "Probing the 3D Awareness of Visual Foundation Models, El Banani et al. 2024", 800,
            "cornered", "pixel", "patch", "before the final norm", (),
        ),
    }
)  # fmt: skip


class Spair(StandardSet):
    """SPair-71k: 12,234 test pairs of 18 categories, with the keypoints that both show."""

    title: ClassVar[str] = "SPair-71k"
    licence: ClassVar[str] = "images of PASCAL 3D+ and VOC 2012, under Flickr's terms"
    origin: ClassVar[str] = "https://cvlab.postech.ac.kr/research/SPair-71k"
    protocols: ClassVar[Mapping[str, Any]] = PROTOCOLS

    kind: Literal["spair"] = "spair"
    path: str = Field(default="", description="folder of JPEGImages/, PairAnnotation/ and Layout/")
    split: SpairSplit = Field(default="test", description="test, val or trn")
    protocol: Literal["sd-dino", "dift", "probe3d"] = Field(
        default="sd-dino",
        description="sd-dino: 840 pixels, padded, nearest patch; dift: 768 pixels, nearest pixel; "
        "probe3d: 800 pixels, nearest patch to a feature between patches",
    )
    pairs: int = Field(
        default=0, ge=0, description="most pairs of each category, drawn by a seed; 0: all"
    )

    def __call__(self) -> Measurement:
        found = read_spair(self.path, self.split, self.pairs)
        files = found.pairs.tolist(), found.target.tolist()
        about = self.settings(files, split=self.split, pairs=len(found.pairs))
        return partial(_measured, found, self.chosen, about)


def _measured(
    found: KeypointPairs, chosen: SpairProtocol, about: Settings, eye: AnySize, report: Report
) -> Iterator[Reading]:
    terms = torch.zeros(*found.known.shape, len(ALPHAS), 3)  # hit, random, possible
    for number, category in enumerate(found.categories):
        report(f"{Spair.title}, {category}")
        index = (found.category == number).nonzero()[:, 0]
        terms[index] = _category(eye, found, index, chosen)
    yield from _readings(found, terms, about)


class _Seen(NamedTuple):
    """The images of one category, as the model sees them."""

    features: Features
    placed: list[Placed]
    pairs: Int64[Tensor, "p 2"]  # source and target, index into these


def _category(
    eye: AnySize, found: KeypointPairs, index: Int64[Tensor, " p"], chosen: SpairProtocol
) -> Float[Tensor, "p K A 3"]:
    """The terms of pairs of one category, whose images pass through the model once."""
    seen = _seen(eye, found, index, chosen)
    terms = torch.zeros(len(index), found.known.shape[1], len(ALPHAS), 3)
    for target in seen.pairs[:, 1].unique().tolist():
        some = (seen.pairs[:, 1] == target).nonzero()[:, 0]  # pairs with this target
        terms[some] = _to_one_target(seen, found, index[some], seen.pairs[some], chosen)
    return terms


def _seen(
    eye: AnySize, found: KeypointPairs, index: Int64[Tensor, " p"], chosen: SpairProtocol
) -> _Seen:
    images = found.pairs[index].unique()
    side = eye.rounded(chosen.side)
    frame, sizes = (side, side), found.sizes[images]
    boxes = stretched(sizes, frame)
    if chosen.fit != "stretched":
        boxes = (padded if chosen.fit == "padded" else cornered)(sizes, side)
    grey = WHITE if chosen.fit == "cornered" else BLACK
    pixels = framed([found.images[i] for i in images.tolist()], boxes, frame, grey)
    passes = eye.passes(frame)
    raw = chosen.tokens == "before the final norm"
    features = passes.residual(pixels) if raw else passes.features(pixels)
    placed = [Placed(size, box, frame) for size, box in zip(sizes, boxes, strict=True)]
    return _Seen(features, placed, torch.searchsorted(images, found.pairs[index]))


def _to_one_target(
    seen: _Seen,
    found: KeypointPairs,
    index: Int64[Tensor, " q"],
    pairs: Int64[Tensor, "q 2"],
    chosen: SpairProtocol,
) -> Float[Tensor, "q K A 3"]:
    """The terms of pairs that share their target: one product for all their points."""
    patches, known = seen.features.patches, found.known[index]  # [q, K]
    sources = zip(pairs[:, 0].tolist(), found.source[index], known, strict=True)
    queries = [
        at_points(patches[s], points[on], seen.features.grid, seen.placed[s], chosen.queries)
        for s, points, on in sources
    ]
    limits = found.box[index, None, None] * torch.tensor([*ALPHAS.values()])  # [q, 1, A]
    asked = found.target[index][known], limits.expand(*known.shape, -1)[known]
    target = int(pairs[0, 1])
    hits = transfer(
        torch.cat(queries), patches[target], seen.features.grid, seen.placed[target],
        *(part.to(patches.device) for part in asked), chosen.answers,
    )  # fmt: skip
    terms = torch.zeros(*known.shape, len(ALPHAS), 3)
    terms[known] = torch.stack([part.float() for part in hits], dim=-1).cpu()
    return terms


def _readings(
    found: KeypointPairs, terms: Float[Tensor, "P K A 3"], about: Settings
) -> Iterator[Reading]:
    """PCK per point and per image at each tolerance, of all categories and of each."""
    points = found.known.sum(dim=1, keepdim=True).double()  # [P, 1]
    for number, (name, alpha) in enumerate(ALPHAS.items()):
        sums = terms[:, :, number].sum(dim=1).double()[..., None]  # [P, 3, 1]
        own = about | {"alpha": alpha}
        yield Reading(f"spair{name}", pck(sums, points, found.pairs, UNIT), own)
        shares = sums / points[..., None]
        by_image = pck(shares, torch.ones_like(points), found.pairs, "mean share of points")
        yield Reading(f"spair_image{name}", by_image, own)
        if not name:
            yield from _by_category(found, sums, points, own)
            yield from _by_viewpoint(found, sums, points, own)


def _by_category(
    found: KeypointPairs, sums: Float[Tensor, "P 3 1"], points: Float[Tensor, "P 1"], own: Settings
) -> Iterator[Reading]:
    everything = torch.arange(len(found.pairs))
    yield Reading("spair_categories", _category_mean(found, everything, sums, points), own)
    for number, category in enumerate(found.categories):
        index = (found.category == number).nonzero()[:, 0]
        score = pck(sums[index], points[index], found.pairs[index], UNIT)
        yield Reading(f"spair_{category}", score, own)


def _by_viewpoint(
    found: KeypointPairs, sums: Float[Tensor, "P 3 1"], points: Float[Tensor, "P 1"], own: Settings
) -> Iterator[Reading]:
    for change in VIEWPOINTS:
        index = (found.viewpoint == change).nonzero()[:, 0]
        if len(index):
            score = _category_mean(found, index, sums, points)
            yield Reading(f"spair_viewpoint_{change}", score, own)


def _category_mean(
    found: KeypointPairs,
    index: Int64[Tensor, " p"],
    sums: Float[Tensor, "P 3 1"],
    points: Float[Tensor, "P 1"],
) -> Score:
    """Mean over categories of the share of points in these pairs."""
    each = F.one_hot(found.category[index], len(found.categories)).double()  # [p, C]
    return pck(sums[index] * each[:, None], points[index] * each, found.pairs[index], UNIT)

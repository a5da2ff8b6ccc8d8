"""DAVIS 2017: objects outlined in the first frame of a video, followed by a model's features (J&F).

readings = Davis(path="DAVIS")()(eye, report)
"""

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from pydantic import Field
from torch import Tensor

from siamlab.data.davis import DavisSplit, Video, masks_of, read_davis
from siamlab.data.frames import framed, stretched
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import Measurement, Published, Report, StandardSet
from siamlab.geometry import Grid
from siamlab.probe.propagation import Around, answers, contour_score, overlap, propagate
from siamlab.probe.score import Reading, Settings, bootstrap, ratio

UNIT = {"davis": "mean of J and F", "davis_j": "mean IoU", "davis_f": "mean F of contours"}
PART = 8  # frames that are enlarged and scored together


class DavisProtocol(NamedTuple):
    """Size of the frames, and what a patch takes over from earlier frames."""

    source: str
    side: int  # of the shorter side, pixels; rounded to patches of the model
    multiple: int  # the longer side is cut down to a multiple of this many pixels
    context: int  # frames before, besides the first one
    k: int
    radius: int  # patches
    around: Around
    temperature: float
    published: tuple[Published, ...]


def _dinov3(model: str, value: float) -> Published:
    return Published(model, "davis", value, "Siméoni et al. 2025")


def _dino(model: str, *values: float) -> tuple[Published, ...]:
    return tuple(
        Published(f"DINO {model}", key, value, "Caron et al. 2021")
        for key, value in zip(UNIT, values, strict=True)
    )


PROTOCOLS: Mapping[str, DavisProtocol] = MappingProxyType(
    {
        "dino": DavisProtocol(
            "Emerging Properties in Self-Supervised ViTs, Caron et al. 2021", 480, 64, 7, 5, 12,
            "square", 0.1, (
                *_dino("ViT-S/16", 0.618, 0.602, 0.634), *_dino("ViT-B/16", 0.623, 0.607, 0.639),
                *_dino("ViT-B/8", 0.714, 0.679, 0.749),
            ),
        ),
        "dinov3": DavisProtocol(
            "DINOv3, Siméoni et al. 2025", 960, 1, 7, 5, 12, "circle", 0.2, (
                _dinov3("DINOv2 ViT-S/14", 0.736), _dinov3("DINOv2 ViT-B/14", 0.729),
                _dinov3("DINOv3 ViT-S/16", 0.727), _dinov3("DINOv3 ViT-B/16", 0.772),
                _dinov3("DINOv3 ViT-L/16", 0.799),
            ),
        ),
    }
)  # fmt: skip


class Davis(StandardSet):
    """DAVIS 2017 at 480p: 30 validation videos with 61 objects."""

    title: ClassVar[str] = "DAVIS 2017"
    licence: ClassVar[str] = "CC BY-NC 4.0"
    origin: ClassVar[str] = "https://davischallenge.org/davis2017/code.html"
    protocols: ClassVar[Mapping[str, Any]] = PROTOCOLS

    kind: Literal["davis"] = "davis"
    path: str = Field(
        default="", description="folder of JPEGImages/480p/, Annotations/480p/ and ImageSets/2017/"
    )
    split: DavisSplit = Field(default="val", description="val or train")
    protocol: Literal["dino", "dinov3"] = Field(
        default="dino",
        description="first and 7 earlier frames, 5 nearest patches; dino: 480 pixels, of 25²; "
        "dinov3: 960 pixels, in a circle",
    )
    videos: int = Field(default=0, ge=0, description="only the first N videos; 0: all")

    def __call__(self) -> Measurement:
        videos = read_davis(self.path, self.split, self.videos)
        files = ((video.name, len(video.frames), video.objects) for video in videos)
        about = self.settings(files, split=self.split, videos=len(videos))
        return partial(_measured, videos, self.chosen, about)


def _measured(
    videos: tuple[Video, ...], chosen: DavisProtocol, about: Settings, eye: AnySize, report: Report
) -> Iterator[Reading]:
    rows = []
    for video in videos:
        report(f"{Davis.title}, {video.name}")
        rows.append(_video(video, chosen, eye))
    terms = torch.cat(rows)  # [objects, 3 ways, J and F]
    groups = torch.cat([torch.full((len(r),), i) for i, r in enumerate(rows)])
    whole = torch.cat([terms.mean(dim=2, keepdim=True), terms], dim=2)  # J&F, J, F
    chance, ceiling = whole[:, 1:].mean(dim=0)
    for i, (key, unit) in enumerate(UNIT.items()):
        own = torch.stack([whole[:, 0, i], torch.ones(len(whole))], dim=1)
        levels = chance[i].item(), ceiling[i].item()
        yield Reading(key, bootstrap(own, ratio, *levels, unit, groups=groups), about)


def _video(video: Video, chosen: DavisProtocol, eye: AnySize) -> Float[Tensor, "O 3 2"]:
    """J and F of each object: followed by features, left where it was, and as the grid allows."""
    frame = _frame(video.size, chosen, eye)
    boxes = stretched(torch.tensor([video.size] * len(video.frames)), frame)
    seen = eye.passes(frame).features(framed(video.frames, boxes, frame))
    masks = masks_of(video).clamp(max=video.objects + 1)
    known = _on_grid(masks, seen.grid, video.objects + 1).to(seen.patches.device)  # [T, N, C]
    how = chosen.context, chosen.k, chosen.radius, chosen.temperature, chosen.around
    found = propagate(seen.patches, known[0], seen.grid, *how)
    shape = seen.grid, frame, video.size
    sums = torch.zeros(video.objects, 3, 2, dtype=torch.double)
    # the first frame is given and the last one not scored, as in the benchmark's own code
    for part in torch.arange(1, len(masks) - 1).split(PART):
        truth = masks[part].to(found.device)
        still = masks[:1].expand(len(part), -1, -1).to(found.device)
        ways = answers(found[part], *shape), still, answers(known[part], *shape)
        sums += torch.stack([_scores(way, truth, video.objects) for way in ways], dim=1).cpu()
    return sums / (len(masks) - 2)


def _frame(size: Grid, chosen: DavisProtocol, eye: AnySize) -> Grid:
    """Height and width that frames are shown at."""
    longer = chosen.side * max(size) / min(size) // chosen.multiple * chosen.multiple
    sides = eye.rounded(chosen.side), eye.rounded(int(longer))
    return sides if size[0] <= size[1] else sides[::-1]


def _on_grid(masks: UInt8[Tensor, "T H W"], grid: Grid, count: int) -> Float[Tensor, "T N C"]:
    """One-hot objects of the pixel in the middle of each patch; of unknown ones, none."""
    small = F.interpolate(masks[:, None].float(), grid, mode="nearest-exact").long()
    return F.one_hot(small.flatten(1), count + 1)[..., :count].float()


def _scores(answer: Tensor, truth: Tensor, objects: int) -> Float[Tensor, "O 2"]:
    """J and F of each object, summed over frames."""
    each = [(answer == o, truth == o) for o in range(1, objects + 1)]
    pairs = [(overlap(*pair).sum(), contour_score(*pair).sum()) for pair in each]
    return torch.stack([torch.stack(pair) for pair in pairs])

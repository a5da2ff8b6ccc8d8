"""Label propagation: do features of a video carry the outlines of its first frame to the others?

shares = propagate(features, first, grid)       # of every frame's patches
region, contour = overlap(answer, truth), contour_score(answer, truth)
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from siamlab.geometry import Grid
from siamlab.probe.checks import check_patches

Around = Literal["square", "circle"]  # the shape within which patches are compared
BLOCK = 2**26  # similarities in memory at once
TOLERANCE = 0.008  # of the diagonal: how far a contour may lie from the true one


def propagate(
    features: Float[Tensor, "T N D"],
    first: Float[Tensor, "N C"],
    grid: Grid,
    context: int = 7,
    k: int = 5,
    radius: int = 12,
    temperature: float = 0.1,
    around: Around = "square",
) -> Float[Tensor, "T N C"]:
    """Shares of C objects in each patch of each frame, from those of the first frame.

    Each patch takes the mean of the `k` nearest patches by cosine, weighted by exp(cos /
    temperature), among those of the first frame and of the `context` frames before that lie within
    `radius` rows and columns (Jabri et al. 2020, Caron et al. 2021), or patches `around` in a
    circle (Siméoni et al. 2025). Unchanged when features are rotated or scaled. Cost: T · (context
    + 1) · N² · D; memory: BLOCK similarities.
    """
    check_patches("features", features, grid)
    unit = F.normalize(features, dim=2)
    near = _neighbours(grid, radius, around).to(unit.device)
    found = [first.to(unit)]
    for t in range(1, len(unit)):
        sources = [0, *range(max(1, t - context), t)]
        known = torch.cat([found[s] for s in sources])  # [S N, C]
        found.append(_carried(unit[t], unit[sources], known, near, k, temperature))
    return torch.stack(found)


def answers(
    shares: Float[Tensor, "T N C"], grid: Grid, frame: Grid, size: Grid
) -> Int64[Tensor, "T H W"]:
    """The object with the largest share at each pixel of frames of `size` pixels.

    Shares are upsampled bilinearly to the `frame` that the model saw, each object's are stretched
    to 0..1, and the largest is taken there and brought to the size by the nearest pixel.
    """
    maps = shares.mT.unflatten(2, grid)  # [T, C, rows, columns]
    maps = F.interpolate(maps, frame, mode="bilinear", align_corners=False)
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    spread = torch.where(high > 0, (maps - low) / (high - low).clamp(min=1e-12), maps)
    best = spread.argmax(dim=1, keepdim=True).float()
    return F.interpolate(best, size, mode="nearest-exact")[:, 0].long()


def overlap(answer: Bool[Tensor, "*T H W"], truth: Bool[Tensor, "*T H W"]) -> Float[Tensor, "*T"]:
    """J: intersection over union of each mask; 1 where both are empty (Perazzi et al. 2016)."""
    both = (answer & truth).sum(dim=(-2, -1)).double()
    either = (answer | truth).sum(dim=(-2, -1)).double()
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def contour_score(
    answer: Bool[Tensor, "T H W"], truth: Bool[Tensor, "T H W"], tolerance: float = TOLERANCE
) -> Float[Tensor, " T"]:
    """F: harmonic mean of the shares of each contour near the other one (Perazzi et al. 2016).

    0..1. Near: within a disk of `tolerance` · diagonal, rounded up to pixels. Without a contour in
    both 1, and in one of them 0.
    """
    reach = math.ceil(tolerance * math.hypot(*answer.shape[-2:]))
    ours, true = _contour(answer), _contour(truth)
    right = [(a & _grown(b, reach)).sum(dim=(1, 2)) for a, b in ((ours, true), (true, ours))]
    counts = [contour.sum(dim=(1, 2)) for contour in (ours, true)]
    precision, recall = (r / n.clamp(min=1).double() for r, n in zip(right, counts, strict=True))
    harmonic = 2 * precision * recall / (precision + recall).clamp(min=1e-12)
    return torch.where((counts[0] == 0) & (counts[1] == 0), 1.0, harmonic)


def _neighbours(grid: Grid, radius: int, around: Around) -> Bool[Tensor, "N N"]:
    """Return which patches lie in the square or the circle around each patch."""
    places = torch.cartesian_prod(*(torch.arange(n) for n in grid)).int()  # [N, 2]
    rows, columns = ((part[:, None] - part).abs() for part in places.T)  # [N, N]
    if around == "circle":
        return rows.square() + columns.square() <= radius**2
    return (rows <= radius) & (columns <= radius)


def _carried(
    queries: Float[Tensor, "N D"],
    sources: Float[Tensor, "S N D"],
    known: Float[Tensor, "M C"],
    near: Bool[Tensor, "N N"],
    k: int,
    temperature: float,
) -> Float[Tensor, "N C"]:
    """Shares of one frame's patches from those of other frames, M = S N."""
    flat, frames = sources.flatten(0, 1), len(sources)
    parts = []
    for some, close in zip(*(t.split(max(1, BLOCK // len(flat))) for t in (queries, near)),
                           strict=True):  # fmt: skip
        cosine = (some @ flat.T).masked_fill(~close.repeat(1, frames), -torch.inf)
        best, index = cosine.topk(min(k, len(flat)), dim=1)  # [q, k]
        weight = (best / temperature).softmax(dim=1)
        parts.append((weight[..., None] * known[index]).sum(dim=1))
    return torch.cat(parts)


def _contour(masks: Bool[Tensor, "T H W"]) -> Bool[Tensor, "T H W"]:
    """Pixels that differ from the one to the right, below or both."""
    # a copy of the last row and column beyond the border: nothing differs there
    more = F.pad(masks.float()[:, None], (0, 1, 0, 1), mode="replicate")[:, 0] > 0.5
    here = more[:, :-1, :-1]
    return (here ^ more[:, :-1, 1:]) | (here ^ more[:, 1:, :-1]) | (here ^ more[:, 1:, 1:])


def _grown(masks: Bool[Tensor, "T H W"], reach: int) -> Bool[Tensor, "T H W"]:
    """Pixels within `reach` pixels of one that is on."""
    steps = torch.arange(-reach, reach + 1, device=masks.device)
    disk = (steps[:, None] ** 2 + steps[None] ** 2 <= reach**2).float()
    return F.conv2d(masks.float()[:, None], disk[None, None], padding=reach)[:, 0] > 0.5

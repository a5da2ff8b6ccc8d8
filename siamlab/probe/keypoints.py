"""Keypoint transfer: does the nearest feature of another image lie at the same part?

found = transfer(queries, target, grid, view, points)        # of all points with one target image
score = pck(hits, images, "share of points")
"""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from siamlab.data.frames import to_frame, to_image
from siamlab.geometry import Grid, patch_centres
from siamlab.probe.score import DRAWS, SEED, Score, interval, resamples

CLOSE = 1 + 1e-5  # a place exactly at the tolerance counts, however its distance was rounded
BLOCK = 2**25  # numbers in memory at once
Answers = Literal["patch", "pixel"]  # what can be an answer: centres of patches, or all pixels


class Placed(NamedTuple):
    """Position of an image in the frame that a model has seen."""

    size: Int64[Tensor, " 2"]  # of the image: height, width, pixels
    box: Int64[Tensor, " 4"]  # in the frame: top, left, height, width, pixels
    frame: Grid  # height, width, pixels


class Found(NamedTuple):
    """Per point and tolerance: correct, chance and attainable."""

    hit: Bool[Tensor, "Q A"]  # the nearest feature lies there
    random: Float[Tensor, "Q A"]  # share of all possible answers that lie there
    possible: Bool[Tensor, "Q A"]  # one of them does


def at_points(
    features: Float[Tensor, "N D"],
    points: Float[Tensor, "Q 2"],
    grid: Grid,
    placed: Placed,
    answers: Answers,
) -> Float[Tensor, "Q D"]:
    """Return the feature at each point (y, x) of an image, in pixels of it.

    That of the patch that holds the point, or the bilinear mean of the four around it ("pixel").
    """
    places = to_frame(points, placed.size, placed.box) / _sides(placed.frame, points)
    mode = "nearest" if answers == "patch" else "bilinear"
    return _sampled(features, places, grid, mode)


def transfer(
    queries: Float[Tensor, "Q D"],
    target: Float[Tensor, "N D"],
    grid: Grid,
    placed: Placed,
    points: Float[Tensor, "Q 2"],
    limits: Float[Tensor, "Q A"],
    answers: Answers,
) -> Found:
    """Tell which queries find their point in the target image within each limit, in pixels of it.

    The answer is the place with the largest cosine: the centre of a patch, or ("pixel") a pixel of
    the image, to which the features are upsampled bilinearly. Unchanged when features are
    rotated or scaled. Cost: Q · N · D, and for pixels H · W · (D + Q); memory: BLOCK numbers.
    """
    places = _places(grid, placed, answers).to(target.device)  # [C, 2]
    lengths = target.norm(dim=1) if answers == "patch" else _lengths(target, places, grid, placed)
    size = max(1, BLOCK // (4 * len(places)))
    parts = []
    for some, true, limit in zip(*(t.split(size) for t in (queries, points, limits)), strict=True):
        similar = some @ target.T  # [q, N]
        if answers == "pixel":
            similar = _sampled(similar.T, _relative(places, placed), grid, "bilinear").T  # [q, C]
        best = (similar / lengths.clamp(min=1e-12)).argmax(dim=1)
        # not by a matrix product, whose rounding is that of the squares of hundreds of pixels
        far = torch.cdist(true, places, compute_mode="donot_use_mm_for_euclid_dist")  # [q, C]
        near = [far <= at[:, None] * CLOSE for at in limit.T]  # A of [q, C]
        hit = torch.stack([n.gather(1, best[:, None])[:, 0] for n in near], dim=1)
        random = torch.stack([n.float().mean(dim=1) for n in near], dim=1)
        parts.append((hit, random, torch.stack([n.any(dim=1) for n in near], dim=1)))
    return Found(*map(torch.cat, zip(*parts, strict=True)))


def pck(
    sums: Float[Tensor, "P 3 G"],
    counted: Float[Tensor, "P G"],
    images: Int64[Tensor, "P 2"],
    unit: str,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Score:
    """Share of right answers (PCK: Yang & Ramanan 2013), the mean over G groups of pairs.

    `sums` are, of each pair, what was right, what random answers would have right and what could
    be right; `counted` the number they are out of. 0..1, higher is better. The interval is over
    images: one that is drawn twice counts twice in each of its pairs (a pair is drawn as often as
    both of its images together: Owen 2007), so that pairs that share an image are not taken for
    independent.
    """
    sums, counted = sums.double().cpu(), counted.double().cpu()
    value, chance, ceiling = (_mean(s.sum(0), counted.sum(0)).item() for s in sums.unbind(1))
    rows = [
        _mean(weight @ sums[:, 0], weight @ counted)
        for weight in _weights(images.cpu(), draws, seed)
    ]
    values = torch.cat(rows)  # [R]
    low, high = interval(values) if len(images.unique()) > 2 else (math.nan, math.nan)
    return Score(value, low, high, chance, ceiling, unit, "higher", values)


def _weights(images: Int64[Tensor, "P 2"], draws: int, seed: int) -> Iterator[Float[Tensor, "_ P"]]:
    """Yield how often each pair is in each resample of the images, in blocks."""
    index = images.unique(return_inverse=True)[1]
    size = max(1, BLOCK // (4 * len(images)))
    for counts in resamples(int(index.max()) + 1, draws, seed):
        for some in counts.split(size):
            yield some[:, index[:, 0]] * some[:, index[:, 1]]


def _mean(right: Float[Tensor, "*R G"], counted: Float[Tensor, "*R G"]) -> Float[Tensor, "*R"]:
    """Mean over the groups that have a pair."""
    return (right / counted).nanmean(dim=-1)


def _places(grid: Grid, placed: Placed, answers: Answers) -> Float[Tensor, "C 2"]:
    """All possible answers, in pixels of the image."""
    if answers == "patch":
        centres = patch_centres(grid) * torch.tensor(placed.frame)
        return to_image(centres, placed.size.cpu(), placed.box.cpu())
    return torch.cartesian_prod(*(torch.arange(float(n)) for n in placed.size.tolist()))


def _lengths(
    target: Float[Tensor, "N D"], places: Float[Tensor, "C 2"], grid: Grid, placed: Placed
) -> Float[Tensor, " C"]:
    """Lengths of the features that are upsampled to these places, never held all at once."""
    parts = places.split(max(1, BLOCK // (2 * target.shape[1])))
    relative = (_relative(part, placed) for part in parts)
    return torch.cat([_sampled(target, part, grid, "bilinear").norm(dim=1) for part in relative])


def _relative(places: Float[Tensor, "C 2"], placed: Placed) -> Float[Tensor, "C 2"]:
    """Places of the image as fractions of the frame."""
    size, box = (part.to(places.device) for part in placed[:2])
    return to_frame(places, size, box) / _sides(placed.frame, places)


def _sides(frame: Grid, like: Tensor) -> Float[Tensor, " 2"]:
    return torch.tensor(frame, dtype=like.dtype, device=like.device)


def _sampled(
    maps: Float[Tensor, "N D"], places: Float[Tensor, "C 2"], grid: Grid, mode: str
) -> Float[Tensor, "C D"]:
    """The maps at these places, fractions of the frame."""
    image = maps.T.unflatten(1, grid)[None]  # [1, D, rows, columns]
    where = (2 * places - 1).flip(1)[None, None].to(maps)  # x, y in −1..1
    return F.grid_sample(image, where, mode, padding_mode="border", align_corners=False)[0, :, 0].T

"""Steps about the representation: its spectrum, each layer by itself, and the attention."""

import warnings
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from siamlab.geometry import Match
from siamlab.geometry import correspondence as places
from siamlab.probe.attend import attention_profile, class_attention, is_readable
from siamlab.probe.attention import as_scores, saliency
from siamlab.probe.correspondence import ALPHA, correspondence, without_positions
from siamlab.probe.features import features
from siamlab.probe.fourier import fourier_amplitude
from siamlab.probe.knn import knn
from siamlab.probe.layers import Part, by_layer, residual_features
from siamlab.probe.outliers import outlier_tokens
from siamlab.probe.pairs import pairs
from siamlab.probe.score import Score, point
from siamlab.probe.spectrum import alpha_req, directions, lidar, participation_ratio, rankme
from siamlab.probe.suite.bench import Seen, crops, some
from siamlab.probe.suite.semantic import POOLED, labelled, neighbours
from siamlab.probe.suite.spatial import CENTRED, centrable, masks_of, segmented
from siamlab.probe.table import Measured

UNREADABLE = "attention probes are left out: a model's blocks have no one matrix a head to read"
MASS = 0.6  # of the class token's attention, that saliency takes
VIEWS = 10  # of each image, for LiDAR
FIRST = 4  # principal axis from which α-ReQ's slope is fitted


def whole(seen: Seen) -> Iterator[Measured]:
    """How many directions the last layer uses, and whether it keeps notes in patches."""
    pooled = seen.test.pooled
    width = min(pooled.shape)
    yield seen.measured("rankme", _rank(rankme(pooled), width), **POOLED)
    yield seen.measured("participation", _rank(participation_ratio(pooled), width), **POOLED)
    if width > 2 * FIRST and len(directions(pooled)) > FIRST:
        slope = point(alpha_req(pooled, FIRST), torch.nan, torch.nan, "no unit", "neither")
        yield seen.measured("alpha_req", slope, **POOLED, first=FIRST)
    index, how = some(seen)
    images, groups = seen.bench.test.pixels[index], seen.grouped(index)
    views = _views(seen, images)
    score = _rank(lidar(views), min(len(views), width))
    yield seen.measured("lidar", score, **POOLED, views=VIEWS, **how)
    score = fourier_amplitude(seen.test.patches, seen.test.grid, seen.groups).difference
    yield seen.measured("fourier", score)
    residual = residual_features(seen.model, images, *seen.want, seen.bench.batch).patches
    score = outlier_tokens(residual, groups).share
    yield seen.measured("outlier_tokens", score, **how, norm="before the final norm")


def layers(seen: Seen) -> Iterator[Measured]:
    """k-NN, correspondence, spectrum and frequency after each block."""
    index, few = some(seen)
    images, groups = seen.bench.test.pixels[index], seen.grouped(index)
    learned = _by_layer(seen, seen.bench.train.pixels, "pooled")
    a, b, match = _crops_by_layer(seen, images)
    for i, patches in enumerate(_by_layer(seen, images, "patches")):
        pooled, own = patches.mean(dim=1), dict(layer=i + 1, **few)
        if found := labelled(seen, learned[i], pooled, index):
            k, near = neighbours(found)
            yield seen.measured("knn", knn(*found.arrays, k, found.groups), **own, **near)
        if centrable(seen):
            parts = without_positions(a[i], b[i])
            score = correspondence(*parts, match, seen.test.grid, seen.want.size, groups=groups)
            how = dict(alpha=ALPHA) | crops(seen.bench) | CENTRED
            yield seen.measured("correspondence_centred", score, **own, **how)
        score = _rank(rankme(pooled), min(pooled.shape))
        yield seen.measured("rankme", score, **own, **POOLED)
        score = fourier_amplitude(patches, seen.test.grid, groups).difference
        yield seen.measured("fourier", score, **own)


def attention(seen: Seen) -> Iterator[Measured]:
    """How far, how sharply and how differently each head looks; not of all timm's modules."""
    if not is_readable(seen.model):
        warnings.warn(UNREADABLE, stacklevel=2)
        return
    index, own = some(seen)
    images, groups = seen.bench.test.pixels[index], seen.grouped(index)
    grid = seen.test.grid
    patch = max(side / n for side, n in zip(seen.want.size, grid, strict=True))
    profile = attention_profile(seen.model, images, *seen.want)
    found = as_scores(profile, grid, patch, groups)
    for name in ("distance", "entropy", "nmi"):
        for layer, heads in enumerate(getattr(found, name), 1):
            for head, score in enumerate(heads, 1):
                yield seen.measured(f"attention_{name}", score, layer, head, **own)
    for layer, score in enumerate(found.js, 1):
        yield seen.measured("head_divergence", score, layer, **own)
    yield from _saliency(seen)


def _saliency(seen: Seen) -> Iterator[Measured]:
    """Where the class token of the last block looks, against the objects' masks."""
    index, how = some(seen)
    masks = masks_of(seen.bench.test, index)
    if not segmented(masks):
        return
    rows = class_attention(seen.model, seen.bench.test.pixels[index], *seen.want)  # [n, heads, N]
    found = saliency(rows, masks, seen.test.grid, MASS, seen.bench.seed, seen.grouped(index))
    own = how | dict(mass=MASS)
    yield seen.measured("saliency", found.mean, **own)
    yield seen.measured("saliency_best", found.best, **own)
    last = len(seen.model.blocks)
    for head, score in enumerate(found.each, 1):
        yield seen.measured("saliency", score, last, head, **own)


def _by_layer(seen: Seen, images: Tensor, part: Part) -> list[Tensor]:
    return by_layer(seen.model, images, *seen.want, part, seen.bench.batch)


def _crops_by_layer(seen: Seen, images: Tensor) -> tuple[list[Tensor], list[Tensor], Match]:
    """Patches after each block of two crops of each image, and where one's lie in the other."""
    rng = Generator().manual_seed(seen.bench.seed)
    a, b = zip(*pairs(images, seen.want.size, rng), strict=True)
    match = [places(*pair, seen.test.grid) for pair in zip(a, b, strict=True)]
    seen_by = (torch.cat([view.image for view in views]) for views in (a, b))
    one, two = (_by_layer(seen, crop, "patches") for crop in seen_by)
    device = one[0].device
    return one, two, Match(*(torch.cat(part).to(device) for part in zip(*match, strict=True)))


def _views(seen: Seen, images: Tensor) -> Float[Tensor, "n q D"]:
    """Pooled features of several crops of each image."""
    rng = Generator().manual_seed(seen.bench.seed)
    found = []
    for _ in range(VIEWS // 2):
        for side in zip(*pairs(images, seen.want.size, rng), strict=True):
            crop = torch.cat([view.image for view in side])
            found.append(features(seen.model, crop, *seen.want, seen.bench.batch).pooled)
    return torch.stack(found, dim=1)


def _rank(value: float, most: int) -> Score:
    return point(value, 1.0, float(most), "directions", "higher")

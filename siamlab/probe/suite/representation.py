"""Measures of the representation: its spectrum and frequencies, and each layer by itself."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from siamlab.geometry import Match, match_patches
from siamlab.probe.correspondence import ALPHA, correspondence, without_positions
from siamlab.probe.fourier import fourier_amplitude
from siamlab.probe.knn import knn
from siamlab.probe.pairs import crop_pairs
from siamlab.probe.score import Reading, Score, point
from siamlab.probe.spectrum import alpha_req, directions, lidar, participation_ratio, rank_or_one
from siamlab.probe.suite.bench import Extracted, crop_settings, small_sample
from siamlab.probe.suite.semantic import POOLED, labelled, neighbours
from siamlab.probe.suite.spatial import CENTRED, centrable

VIEWS = 10  # of each image, for LiDAR
FIRST = 4  # principal axis from which α-ReQ's slope is fitted


def spectrum(x: Extracted) -> Iterator[Reading]:
    """Number of directions that the pooled features of the last layer use."""
    pooled = x.test.pooled
    width = min(pooled.shape)
    yield x.reading("rankme", _rank(rank_or_one(pooled), width), **POOLED)
    yield x.reading("participation", _rank(participation_ratio(pooled), width), **POOLED)
    if width > 2 * FIRST and len(directions(pooled)) > FIRST:
        slope = point(alpha_req(pooled, FIRST), torch.nan, torch.nan, "no unit", "neither")
        yield x.reading("alpha_req", slope, **POOLED, first=FIRST)
    index, settings = small_sample(x)
    views = _views(x, x.bench.test.pixels[index])
    score = _rank(lidar(views), min(len(views), width))
    yield x.reading("lidar", score, **POOLED, views=VIEWS, **settings)


def frequencies(x: Extracted) -> Iterator[Reading]:
    """Coarseness of the feature maps of the last layer."""
    score = fourier_amplitude(x.test.patches, x.test.grid, x.groups).difference
    yield x.reading("fourier", score)


def layers(x: Extracted) -> Iterator[Reading]:
    """k-NN, correspondence, spectrum and frequencies after each block."""
    index, settings = small_sample(x)
    images, groups = x.bench.test.pixels[index], x.groups_of(index)
    learned = x.passes.by_layer(x.bench.train.pixels, "pooled")
    a, b, match = _crops_by_layer(x, images)
    for i, patches in enumerate(x.passes.by_layer(images, "patches")):
        pooled, common = patches.mean(dim=1), dict(layer=i + 1, **settings)
        if data := labelled(x, learned[i], pooled, index):
            k, protocol = neighbours(data)
            yield x.reading("knn", knn(*data.arrays, k, data.groups), **common, **protocol)
        if centrable(x):
            parts = without_positions(a[i], b[i])
            score = correspondence(*parts, match, x.test.grid, x.inputs.size, groups=groups)
            protocol = dict(alpha=ALPHA) | crop_settings() | CENTRED
            yield x.reading("correspondence_centred", score, **common, **protocol)
        score = _rank(rank_or_one(pooled), min(pooled.shape))
        yield x.reading("rankme", score, **common, **POOLED)
        score = fourier_amplitude(patches, x.test.grid, groups).difference
        yield x.reading("fourier", score, **common)


def _crops_by_layer(x: Extracted, images: Tensor) -> tuple[list[Tensor], list[Tensor], Match]:
    """Patches after each block of two crops of each image, and where one's lie in the other."""
    rng = Generator().manual_seed(x.bench.seed)
    a, b = zip(*crop_pairs(images, x.inputs.size, rng), strict=True)
    match = [match_patches(*pair, x.test.grid) for pair in zip(a, b, strict=True)]
    crops = (torch.cat([view.image for view in views]) for views in (a, b))
    one, two = (x.passes.by_layer(crop, "patches") for crop in crops)
    device = one[0].device
    return one, two, Match(*(torch.cat(part).to(device) for part in zip(*match, strict=True)))


def _views(x: Extracted, images: Tensor) -> Float[Tensor, "n q D"]:
    """Pooled features of several crops of each image."""
    rng = Generator().manual_seed(x.bench.seed)
    views = []
    for _ in range(VIEWS // 2):
        for side in zip(*crop_pairs(images, x.inputs.size, rng), strict=True):
            crop = torch.cat([view.image for view in side])
            views.append(x.passes.pooled(crop))
    return torch.stack(views, dim=1)


def _rank(value: float, most: int) -> Score:
    return point(value, 1.0, float(most), "directions", "higher")

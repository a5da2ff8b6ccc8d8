"""Measures of attention: each head of each block, saliency, and tokens that stand apart."""

import warnings
from collections.abc import Iterator

from siamlab.probe.attention import as_scores
from siamlab.probe.attention_maps import is_readable
from siamlab.probe.outliers import outlier_tokens
from siamlab.probe.saliency import saliency
from siamlab.probe.score import Reading
from siamlab.probe.suite.bench import Extracted, small_sample
from siamlab.probe.suite.spatial import masks_of, segmented

UNREADABLE = "attention probes are left out: a model's blocks do not have one matrix per head"
MASS = 0.6  # share of the class token's attention that saliency takes


def outliers(x: Extracted) -> Iterator[Reading]:
    """Patches of unusual norm before the final norm."""
    index, settings = small_sample(x)
    images = x.bench.test.pixels[index]
    patches = x.passes.residual(images).patches
    score = outlier_tokens(patches, x.groups_of(index)).share
    yield x.reading("outlier_tokens", score, **settings, norm="before the final norm")


def profile(x: Extracted) -> Iterator[Reading]:
    """Distance, entropy and divergence of the heads' attention; a warning if unreadable."""
    if not is_readable(x.model):
        warnings.warn(UNREADABLE, stacklevel=2)
        return
    index, settings = small_sample(x)
    grid = x.test.grid
    patch = max(side / n for side, n in zip(x.inputs.size, grid, strict=True))
    numbers = x.passes.attention_profile(x.bench.test.pixels[index])
    scores = as_scores(numbers, grid, patch, x.groups_of(index))
    for name in ("distance", "entropy", "nmi"):
        for layer, heads in enumerate(getattr(scores, name), 1):
            for head, score in enumerate(heads, 1):
                yield x.reading(f"attention_{name}", score, layer, head, **settings)
    for layer, score in enumerate(scores.js, 1):
        yield x.reading("head_divergence", score, layer, **settings)


def class_saliency(x: Extracted) -> Iterator[Reading]:
    """The class token's attention in the last block against the masks of objects."""
    index, settings = small_sample(x)
    masks = masks_of(x.bench.test, index)
    if not segmented(masks) or not is_readable(x.model):
        return
    rows = x.passes.class_attention(x.bench.test.pixels[index])  # [n, heads, N]
    scores = saliency(rows, masks, x.test.grid, MASS, x.bench.seed, x.groups_of(index))
    protocol = settings | dict(mass=MASS)
    yield x.reading("saliency", scores.mean, **protocol)
    yield x.reading("saliency_best", scores.best, **protocol)
    last = len(x.model.blocks)
    for head, score in enumerate(scores.each, 1):
        yield x.reading("saliency", score, last, head, **protocol)

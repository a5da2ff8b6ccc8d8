"""Regions of photographs by a linear layer that is trained step by step on random crops.

classifier = trained(train, sizes, recipe, eye, report)      # the features of each crop anew
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch

from siamlab.component import UserError
from siamlab.data.annotated import Annotated, photograph, unreadable
from siamlab.data.decode import cores, stacked
from siamlab.data.masks import whole
from siamlab.data.random_crops import Crop, random_crop
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import Report
from siamlab.evaluate.standard.sliding import Classifier, Sliding
from siamlab.probe.batches import Triple
from siamlab.probe.pixel_head import SEED, Batch, PixelRecipe, fit_pixels
from siamlab.probe.windows import oracle_logits

TOLD = 100  # steps between two reports
Job = tuple[int, int]  # number of an image, and a seed


def trained(
    train: Annotated, sizes: Sliding, recipe: PixelRecipe, eye: AnySize, report: Report
) -> Classifier:
    """The layer after all steps. No crop is seen twice, so their features are not kept."""
    unkept = AnySize(eye.named, eye.device, None, eye.precision)
    batches = _batches(train, sizes, recipe, unkept, report)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # its remarks on odd but readable files
        head = fit_pixels(batches, len(train.layout.regions), recipe)
    return Classifier(head, oracle_logits)


def _batches(
    train: Annotated, sizes: Sliding, recipe: PixelRecipe, eye: AnySize, report: Report
) -> Iterator[Batch]:
    passes = eye.passes((sizes.window, sizes.window))
    jobs = drawn(len(train.images), recipe.batch, recipe.steps)
    for step, found in enumerate(ahead(partial(_crop, train, sizes, passes.inputs.mean), jobs)):
        if step % TOLD == 0:
            report(f"step {step + 1:,} of {recipe.steps:,}")
        pixels, regions = (stacked(part) for part in zip(*map(whole, found), strict=True))
        seen = passes.features(pixels)
        yield seen.patches, regions.to(seen.patches.device), seen.grid


def drawn(count: int, batch: int, steps: int) -> Iterator[list[Job]]:
    """Yield the images of each step, and a seed for each; all in a new order in each epoch."""
    rng, order = torch.Generator().manual_seed(SEED), []
    for step in range(steps):
        while len(order) < batch:
            order += torch.randperm(count, generator=rng).tolist()
        which, order = order[:batch], order[batch:]
        yield [(image, step * batch + i) for i, image in enumerate(which)]


def ahead(work: Callable[[Any], Any], lists: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
    """Yield `work(job)` of each job of a list, on all cores; the next list is begun meanwhile."""
    with ThreadPoolExecutor(cores()) as pool:
        begun = None
        for jobs in lists:
            following = [pool.submit(work, job) for job in jobs]
            if begun is not None:
                yield [each.result() for each in begun]
            begun = following
        if begun is not None:
            yield [each.result() for each in begun]


def _crop(train: Annotated, sizes: Sliding, fill: Triple, job: Job) -> Crop | UserError:
    which, seed = job
    try:
        found = photograph(train, which)
    except Exception:  # Pillow raises a dozen kinds for files that are not whole images
        return UserError(
            f"data.path: {unreadable(train, job)} cannot be read; unpack the set again, or replace "
            "it"
        )
    if isinstance(found, UserError):
        return found
    rng = np.random.default_rng((SEED, seed))
    return random_crop(*found, sizes.side, sizes.window, fill, rng)

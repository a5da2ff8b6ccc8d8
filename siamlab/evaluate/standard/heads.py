"""What stands between frozen features and the numbers of each pixel: a linear or a DPT head.

head = HEADS["dpt"]                         # of a set
found = head.fit(part, count, grid)         # part(some) is (features, truth) of some images
found.answer(head.see(passes, pixels), size)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from siamlab.component import UserError
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.evaluate.standard.base import (
    Images,
    Measurement,
    Published,
    Report,
    StandardSet,
    image_means,
)
from siamlab.geometry import Grid
from siamlab.probe.dpt import ABOUT, BATCH, BLOCKS, SEED, Batch, Dpt, fit_dpt
from siamlab.probe.score import Direction, Reading, Settings
from siamlab.probe.suite.passes import Passes

HeadName = Literal["linear", "dpt"]
HEAD = "linear, or dpt: convolutions on four blocks, trained by gradient descent"
Some = Sequence[int]  # numbers of images
See = Callable[[Passes, Tensor], Tensor]
Part = Callable[[Some], tuple[Tensor, Tensor]]
DPT: dict[str, Any] = {"features": "patches of 4 blocks, through the final norm", "head": ABOUT}


class Fitted(NamedTuple):
    """A head after its training."""

    answer: Callable[[Tensor, Grid], Tensor]  # of each pixel, from features and a size
    constant: Tensor  # the best blind answer, as it was fitted


class Head(NamedTuple):
    """A head of one set."""

    see: See  # features of pixels
    part: int  # images at a time
    fit: Callable[[Part, int, Grid], Fitted]  # from parts, number of images and grid
    settings: dict[str, Any]  # what it changes of the protocol


class Task(NamedTuple):
    """What a head predicts on one set."""

    head: Head
    size: Grid  # of photographs as the model sees them, pixels; rounded to its patches
    read: Callable[[Any, Grid, See, AnySize, Some], tuple[Tensor, Tensor]]  # features, truth
    errors: Callable[[Fitted, Tensor, Tensor, Grid], Tensor]  # [n, 3, K] for `image_means`
    numbers: Mapping[str, tuple[str, Direction]]


class PixelSet(StandardSet):
    """Base of the sets with numbers for each pixel, which a head predicts."""

    head: HeadName = Field(default="linear", description=HEAD)
    images: Images = 0

    def published(self) -> tuple[Published, ...]:
        """Return what was published of other models with this protocol and a linear layer."""
        return super().published() if self.head == "linear" else ()

    def measurement(
        self, task: Task, train: Any, test: Any, files: Iterable[object], **own: Any
    ) -> Measurement:
        """Return what measures a model by training and test pairs, whose names are `files`."""
        own |= {"train_images": len(train.images), "test_images": len(test.images)}
        return partial(
            _measured, task, train, test, self.settings(files, **task.head.settings, **own)
        )


def _measured(
    task: Task, train: Any, test: Any, about: Settings, eye: AnySize, report: Report
) -> Iterator[Reading]:
    report(f"{about['set']}, training images")
    frame = eye.rounded(task.size[0]), eye.rounded(task.size[1])
    grid = frame[0] // eye.patch, frame[1] // eye.patch
    part = lambda pairs: partial(task.read, pairs, frame, task.head.see, eye)  # noqa: E731
    found = task.head.fit(part(train), len(train.images), grid)
    report(f"{about['set']}, test images")
    parts = map(part(test), in_order(len(test.images), task.head.part))
    rows = [task.errors(found, features, truth, grid) for features, truth in parts]
    errors = torch.cat(rows)
    if not errors[..., -1].any():  # the last number is 1 for an image that counts
        raise UserError(
            f"data.path: no test image of {about['set']} has a pixel whose truth is known; unpack "
            "the set again"
        )
    yield from image_means(errors, task.numbers, about)


def patches(passes: Passes, pixels: Tensor) -> Float[Tensor, "n N D"]:
    """Patches after the last block and the final norm."""
    return passes.features(pixels).patches


def four_blocks(passes: Passes, pixels: Tensor) -> Float[Tensor, "n 4 N D"]:
    """Patches after each quarter of the blocks. Raises UserError for a model without four."""
    model = passes.model
    depth = len(getattr(model, "blocks", ()))
    if depth < BLOCKS or not hasattr(model, "forward_intermediates"):
        raise UserError(
            f"data.head=dpt needs the features of {BLOCKS} blocks, and {type(model).__name__} has "
            f"{depth} that can be read; use data.head=linear, or choose another model"
        )
    return passes.blocks(pixels, [depth * k // BLOCKS for k in range(1, BLOCKS + 1)])


def in_order(count: int, part: int) -> Iterator[Some]:
    """Yield the numbers of all images, `part` at a time."""
    yield from (range(start, min(count, start + part)) for start in range(0, count, part))


def trained_dpt(
    part: Part,
    count: int,
    grid: Grid,
    target: Callable[[Tensor], tuple[Tensor, Tensor]],
    unmeasured: Callable[[], UserError],
) -> Dpt:
    """Train on `target(truth)`: numbers of cells [n, M, K] and their weight [n, M].

    Batches are drawn once, and read again in every epoch.
    """

    def batch(some: Some) -> Batch:
        features, truth = part(some)
        return features, *target(truth)

    drawn = torch.randperm(count, generator=torch.Generator().manual_seed(SEED)).split(BATCH)
    found = fit_dpt([partial(batch, some.tolist()) for some in drawn], grid)
    if found is None:
        raise unmeasured()
    return found

"""Regions of photographs through sliding windows, by a linear layer or by the nearest patches.

sizes = Sliding.of(eye, side=512, window=512, stride=341)
classifier = fitted(train, sizes, patches, eye)     # or remembered(train, sizes, patches, eye)
rows = scored(test, range(8), sizes, classifier, eye)
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Generator, Tensor

from siamlab.component import UserError
from siamlab.data.annotated import Annotated, Shown, shown
from siamlab.evaluate.standard.any_size import AnySize
from siamlab.geometry import Grid
from siamlab.probe.in_context import K, rarest, recall, remember
from siamlab.probe.segmentation import pixel_counts
from siamlab.probe.votes import fit_votes
from siamlab.probe.windows import (
    Window,
    answers,
    blended,
    fit_regions,
    oracle_logits,
    window_corners,
    window_shares,
)

PART = 8  # photographs at a time


class Sliding(NamedTuple):
    """Sizes of a protocol for one model, in pixels: a window is whole patches of it."""

    side: int  # shorter side of a photograph
    window: int
    stride: int

    @classmethod
    def of(cls, eye: AnySize, side: int, window: int, stride: int) -> "Sliding":
        """The sizes, all scaled by as much as rounds the window to patches of the model."""
        rounded = eye.rounded(window)
        return cls(*(max(1, round(n * rounded / window)) for n in (side, window, stride)))

    def frame(self, size: Grid) -> Grid:
        """Height and width at which a photograph of `size` is shown, with its aspect kept."""
        height, width = (max(self.side, round(n * self.side / min(size))) for n in size)
        return height, width


class Part(NamedTuple):
    """Some photographs as they are shown, and their windows."""

    photographs: list[Shown]
    windows: list[list[Window]]  # of each photograph

    @property
    def pixels(self) -> UInt8[Tensor, "W 3 S S"]:
        """The windows of all photographs, one after another."""
        return torch.stack(
            [
                photograph.pixels[:, top : top + side, left : left + side]
                for photograph, own in zip(self.photographs, self.windows, strict=True)
                for (top, left), side, _ in own
            ]
        )


class Classifier(NamedTuple):
    """What tells the regions of patches."""

    logits: Callable[[Float[Tensor, "W N D"]], Float[Tensor, "W N C"]]  # of features
    oracle: Callable[[Float[Tensor, "W N C"]], Float[Tensor, "W N C"]]  # of the true shares


def fitted(train: Annotated, sizes: Sliding, patches: int, eye: AnySize) -> Classifier:
    """The linear layer fitted to patches drawn at random."""
    head = fit_regions(*_learned(train, sizes, patches, eye, _any))
    return Classifier(lambda x: x @ head.weight + head.bias, oracle_logits)


def remembered(train: Annotated, sizes: Sliding, patches: int, eye: AnySize) -> Classifier:
    """The memory of patches, those of rare regions first, whose nearest ones vote."""
    features, shares = _learned(train, sizes, patches, eye, _rare)
    if (known := int((shares.sum(dim=1) > 0).sum())) < K:
        raise UserError(
            f"data.patches={patches}: the memory has {known} patches that are not void, but {K} "
            "must be found in it; raise data.patches, or add training images"
        )
    memory = remember(features, shares)
    vote = lambda x: recall(x.flatten(0, 1), memory).unflatten(0, x.shape[:2])  # noqa: E731
    return Classifier(vote, lambda shares: shares)


def voted(train: Annotated, sizes: Sliding, patches: int, eye: AnySize) -> Classifier:
    """The commonest region of the nearest patches; a tenth of the images chooses how many."""
    count = len(train.images)
    if count < 2:
        raise UserError(
            "data.protocol=capi needs two training images or more, of which one is held out; "
            "add some"
        )
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    tenth = max(1, count // 10)
    held, known = (train.some(part.sort().values.tolist())
                   for part in (order[:tenth], order[tenth:]))  # fmt: skip
    shares = (round(patches * len(part.images) / count) for part in (known, held))
    memory = fit_votes(*(_learned(part, sizes, most, eye, _any)
                         for part, most in zip((known, held), shares, strict=True)))  # fmt: skip
    vote = lambda x: memory.of(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # noqa: E731
    return Classifier(vote, lambda x: F.one_hot(x.argmax(dim=-1), x.shape[-1]).to(x.dtype))


def _any(shares: Float[Tensor, "N C"], each: int, rng: Generator) -> Int64[Tensor, " c"]:
    return torch.randperm(len(shares), generator=rng)[:each]


def _rare(shares: Float[Tensor, "N C"], each: int, rng: Generator) -> Int64[Tensor, " c"]:
    return rarest(shares[None], min(each, len(shares)), rng)[0]


def _learned(
    train: Annotated, sizes: Sliding, patches: int, eye: AnySize, chosen: Callable[..., Tensor]
) -> tuple[Float[Tensor, "n D"], Float[Tensor, "n C"]]:
    """Features of at most `patches` patches, as many of each photograph, and shares of regions.

    They are chosen from one window of each, which is drawn by a seed; one patch of each photograph
    is taken at least.
    """
    rng, count = torch.Generator().manual_seed(0), len(train.layout.regions)
    each, rows = max(1, patches // len(train.images)), []
    passes = eye.passes((sizes.window, sizes.window))
    for which in torch.arange(len(train.images)).split(PART):
        part = _part(train, which.tolist(), sizes, rng)
        seen = passes.features(part.pixels)
        for photograph, (window,), own in zip(*part, seen.patches, strict=True):
            shares = window_shares(photograph.regions, window, seen.grid, count)
            keep = chosen(shares, each, rng)
            rows.append((own[keep.to(own.device)], shares[keep].to(own.device)))
    features, shares = (torch.cat(column) for column in zip(*rows, strict=True))
    return features, shares


def scored(
    test: Annotated, which: Sequence[int], sizes: Sliding, classifier: Classifier, eye: AnySize
) -> Iterator[Float[Tensor, "2 K"]]:
    """Yield pixels right, true and answered of each photograph: by classifier, and by the truth.

    The truth is that of the model's patches, and takes the same way through windows to pixels.
    """
    part, count = _part(test, which, sizes), len(test.layout.regions)
    seen = eye.passes((sizes.window, sizes.window)).features(part.pixels)
    features = seen.patches.split([len(own) for own in part.windows])
    for photograph, windows, own in zip(*part, features, strict=True):
        regions, there = photograph.regions.to(own.device), _present(photograph.regions, count)
        among, here, size = there.tolist(), there.to(own.device), tuple(regions.shape)
        true = torch.stack([window_shares(regions, w, seen.grid, count, among) for w in windows])
        found = answers(blended(classifier.logits(own), windows, seen.grid), size)
        best = answers(blended(classifier.oracle(true[..., here]), windows, seen.grid), size)
        both = torch.stack([found, here[best]])
        counts = pixel_counts(both, regions.expand(2, -1, -1), count)
        yield counts.double()


def _present(regions: UInt8[Tensor, "H W"], count: int) -> Int64[Tensor, " c"]:
    """The regions of an image, and the first of all, which is the answer where all shares are 0.

    Others have a share of 0 everywhere, so the truth needs none of their logits.
    """
    found = regions.unique().long()
    return torch.cat([found.new_zeros(1), found[(found > 0) & (found < count)]])


def _part(
    pairs: Annotated, which: Sequence[int], sizes: Sliding, rng: torch.Generator | None = None
) -> Part:
    """Photographs with all of their windows, or with one at a place that `rng` draws."""
    frames = [sizes.frame(pairs.shape(i)) for i in which]
    windows = []
    for frame in frames:
        corners = window_corners(frame, sizes.window, sizes.stride)
        if rng is not None:
            room = torch.tensor(frame) - sizes.window + 1
            corners = [tuple((torch.rand(2, generator=rng) * room).long().tolist())]
        windows.append([Window(corner, sizes.window, frame) for corner in corners])
    return Part(shown(pairs, which, frames), windows)

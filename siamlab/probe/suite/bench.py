"""Bench: what all models of a comparison are measured on, and what one of them makes of it.

bench = Bench(train, test)
seen = look(model, bench)          # features of images and of pairs of crops, and their protocol
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Int64
from torch import Generator, Tensor, nn

from siamlab.component import UserError
from siamlab.data.images import Images, is_paired
from siamlab.geometry import Match, correspondence
from siamlab.probe.features import Features, Inputs, features, inputs, view_features
from siamlab.probe.pairs import CROPS, pairs
from siamlab.probe.score import Score
from siamlab.probe.table import Measured, Settings

REVISION = 1  # of the definitions of the probes; numbers of another revision are not comparable
CONTENT = 2**26  # bytes of each split that decide whether images are the same
LAST: Settings = {"layer": "last, after the final norm"}
PLACES = ("path", "test_path", "download")  # where images lie says nothing
SOME = 500  # test images of the probes that need a pass of their own or no more, at most
PAIRS = 2000  # test images that are cut into two crops, at most; even: pairs of scenes stay whole


class Bench(NamedTuple):
    train: Images
    test: Images
    about: Mapping[str, Any] = {}  # fields of the data source, to say what differs
    batch: int = 256  # images that pass a model at once
    seed: int = 0  # of crops, subsets and corruptions


class Chosen(NamedTuple):
    """Some of the images, for a probe that does not take all."""

    index: Int64[Tensor, " k"]
    how: Settings  # number of images; and that they were drawn, where they were


class Seen(NamedTuple):
    """One model's features of the bench."""

    model: nn.Module
    want: Inputs
    bench: Bench
    train: Features
    test: Features
    cut: Chosen  # the test images that two crops are cut of
    a: Features  # of the first crop of each of these
    b: Features  # of the second
    match: Match  # where a's patches lie in b
    groups: Tensor | None  # test images that are drawn together
    settings: Settings  # of every number: data, resolution, seed

    def measured(
        self,
        probe: str,
        score: Score,
        layer: int | None = None,
        head: int | None = None,
        **own: Any,
    ) -> Measured:
        """The number with its whole protocol; `own` is what this probe alone depends on."""
        depth = LAST if layer is None else {"layer": layer}
        return Measured(probe, score, self.settings | depth | own, layer, head)

    def grouped(self, index: Int64[Tensor, " k"]) -> Tensor | None:
        """The groups of some test images."""
        return None if self.groups is None else self.groups[index]


def look(model: nn.Module, bench: Bench, want: Inputs | None = None) -> Seen:
    """All passes of the model over the images and pairs of crops that the probes share."""
    if len(bench.train.pixels) == 0 or len(bench.test.pixels) == 0:
        raise UserError("a probe must have training and test images; one of the two sets is empty")
    want = want or inputs(model)
    train, test = (
        features(model, images.pixels, *want, bench.batch) for images in (bench.train, bench.test)
    )
    _check_finite(model, train, test)
    cut = chosen(bench.test, PAIRS, bench.seed)
    return Seen(
        model, want, bench, train, test, cut, *_crops(model, bench, want, cut.index),
        together(bench.test), settings(bench, want),
    )  # fmt: skip


def some(seen: Seen) -> Chosen:
    """Test images for probes that need passes of their own."""
    return chosen(seen.bench.test, SOME, seen.bench.seed)


def left_out(seen: Seen) -> Settings:
    """The part of a protocol that says which test images crops were cut of, unless of all."""
    whole = len(seen.cut.index) == len(seen.bench.test.labels)
    return {} if whole else seen.cut.how


def chosen(
    images: Images, most: int, seed: int = 0, among: Int64[Tensor, " m"] | None = None
) -> Chosen:
    """At most so many of the images (or of those `among`, by index), in their order.

    The first ones, where images come in an order of chance; else, and where labels do not tell,
    drawn: the first ones of a folder are all of one class.
    """
    among = torch.arange(len(images.labels)) if among is None else among
    if len(among) <= most or by_chance(images):
        return Chosen(among[:most], {"images": min(most, len(among))})
    rng = Generator().manual_seed(seed)
    index = among[torch.randperm(len(among), generator=rng)[:most].sort().values]
    return Chosen(index, {"images": most, "drawn": "at random, by the seed"})


def by_chance(images: Images) -> bool:
    """The images come in an order of chance: pairs of scenes do; and where neighbours that have a
    label differ in it at least half as often as they would in a random order."""
    if is_paired(images):
        return True
    labels = images.labels[images.labels >= 0]
    expected = 1 - (labels.bincount() / len(labels)).square().sum()
    differ = (labels[1:] != labels[:-1]).float().mean()  # nan, so unknown, of fewer than two
    return bool(differ > expected / 2)


def together(images: Images) -> Tensor | None:
    """Two scenes of one object are no two independent images: they are drawn together."""
    return torch.arange(len(images.labels)) // 2 if is_paired(images) else None


def settings(bench: Bench, want: Inputs) -> Settings:
    """What every number of a bench depends on."""
    sets = {"train": bench.train, "test": bench.test}
    return (
        {"revision": REVISION, "resolution": list(want.size), "seed": bench.seed}
        | {f"data.{k}": v for k, v in bench.about.items() if k.split(".")[-1] not in PLACES}
        | {f"data.{name}_images": len(images.labels) for name, images in sets.items()}
        | {f"data.{name}_content": content(images) for name, images in sets.items()}
    )


def content(images: Images) -> str:
    """Ten digits that stand for the labels and (a part of) the pixels, wherever they lie."""
    step = max(1, images.pixels.nbytes // CONTENT)
    hashed = hashlib.sha256(images.labels.numpy().tobytes())
    hashed.update(repr(tuple(images.pixels.shape)).encode())
    hashed.update(images.pixels[::step].contiguous().numpy().data)
    return hashed.hexdigest()[:10]


def crops(bench: Bench) -> Settings:
    """The part of a protocol that says which crops were compared."""
    crop = CROPS.crop
    return {"crops": f"area {list(crop.area)}, IoU at least {CROPS.iou}, flips {crop.flip}"}


def _check_finite(model: nn.Module, *found: Features) -> None:
    """A mean over patches is not finite where one of them is not."""
    if not all(part.isfinite().all() for each in found for part in (each.pooled, each.cls)):
        raise UserError(
            f"features of {type(model).__name__} are not finite (NaN or infinite), so they say "
            "nothing: training has diverged, or the weights are broken; leave the model out, or "
            "train it again with a lower learning rate"
        )


def _crops(
    model: nn.Module, bench: Bench, want: Inputs, index: Int64[Tensor, " k"]
) -> tuple[Features, Features, Match]:
    """Features of two crops of some test images, and where the one's patches lie in the other."""
    rng = Generator().manual_seed(bench.seed)
    found: tuple[list, list, list] = ([], [], [])
    for a, b in pairs(bench.test.pixels[index], want.size, rng):
        one, two = (view_features(model, v, want.mean, want.std, bench.batch) for v in (a, b))
        match = Match(*(part.to(one.patches.device) for part in correspondence(a, b, one.grid)))
        for part, value in zip(found, (one, two, match), strict=True):
            part.append(value)
    return _joined(found[0]), _joined(found[1]), Match(*map(torch.cat, zip(*found[2], strict=True)))


def _joined(parts: list[Features]) -> Features:
    pooled, cls, patches, grid = zip(*parts, strict=True)
    return Features(torch.cat(pooled), torch.cat(cls), torch.cat(patches), grid[0])

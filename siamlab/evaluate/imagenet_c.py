"""ImageNet-C: the errors of one linear probe on all its corruptions, and their mean (mCE).

data = ImageNet(path="imagenet", test="c", test_path="imagenet-c")
errors = corruption_errors(open_model("zoo:mae"), data)      # errors.mean, errors.each
"""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.about import about_data
from siamlab.data.imagenet import ImageNet
from siamlab.evaluate.evaluate import feature_shelf
from siamlab.evaluate.models import NamedModel
from siamlab.machine.device import device_named, lent
from siamlab.probe.batches import Inputs
from siamlab.probe.catalogue import join_rows
from siamlab.probe.corruption_error import (
    ALEXNET,
    CORRUPTIONS,
    SEVERITIES,
    UNIT,
    CorruptionErrors,
    mean_corruption_error,
)
from siamlab.probe.linear import linear_answers
from siamlab.probe.score import Reading, Settings, bootstrap, ratio
from siamlab.probe.suite.bench import REVISION, content
from siamlab.probe.suite.passes import Kept, Passes, Precision, told
from siamlab.probe.suite.semantic import HEAD, POOLED
from siamlab.probe.table import table

if TYPE_CHECKING:
    import polars


class Answers(NamedTuple):
    """The answers of one model's linear probe on all 75 sets."""

    wrong: Bool[Tensor, "15 5 n"]  # corruptions as in ALEXNET, severities 1 to 5, the same images
    classes: int
    about: Settings


def corruption_scores(
    models: Sequence[NamedModel],
    data: ImageNet,
    train: int | None = None,
    test: int | None = None,
    device: str = "auto",
    report: Callable[[str], None] = lambda step: None,
    precision: Precision = "float32",
) -> "polars.DataFrame":
    """Return the long table of mCE and the error of each corruption, as `corruption_errors` has.

    With intervals over images, the level of chance, and the protocol. `report` is called with each
    model and set.
    """
    found = {}
    for named in models:
        step = lambda name, of=named.name: report(f"{of}: {name}")  # noqa: E731
        answers = _answers(named, data, train, test, device, step, precision)
        found[named.name] = list(join_rows(readings(answers), CORRUPTIONS))
    return table(found)


def corruption_errors(
    named: NamedModel,
    data: ImageNet,
    train: int | None = None,
    test: int | None = None,
    device: str = "auto",
    report: Callable[[str], None] = lambda step: None,
    precision: Precision = "float32",
) -> CorruptionErrors:
    """Return mCE and the CE of each corruption, for a linear probe that is fitted once.

    On at most `train` training images and `test` images of each of the 75 sets, the same ones
    everywhere; whole sets give numbers of the published protocol, of frozen features. Corrupted
    images are decoded each time, 2,000 at once, and not kept; their features are. `report` is
    called with each set. Raises UserError for a set that is missing.
    """
    wrong = _answers(named, data, train, test, device, report, precision).wrong
    shares = wrong.double().mean(dim=2).tolist()
    return mean_corruption_error(dict(zip(ALEXNET, shares, strict=True)))


def readings(answers: Answers) -> Iterator[Reading]:
    """Yield mCE and the error of each corruption, with intervals over images."""
    alexnet = torch.tensor(list(ALEXNET.values()), dtype=torch.float64)
    errors = answers.wrong.double().mean(dim=1) / alexnet[:, None]
    chance = (1 - 1 / answers.classes) / alexnet
    each = zip([f"mce_{name}" for name in ALEXNET], errors, chance, strict=True)
    for key, values, level in [("mce", errors.mean(dim=0), chance.mean()), *each]:
        terms = torch.stack([values, torch.ones_like(values)], dim=1)
        score = bootstrap(terms, ratio, level.item(), 0.0, UNIT, "lower")
        yield Reading(key, score, answers.about)


def _answers(
    named: NamedModel,
    data: ImageNet,
    train: int | None,
    test: int | None,
    device: str,
    report: Callable[[str], None],
    precision: Precision = "float32",
) -> Answers:
    _check(data)
    report("comparing the names of images")
    _check_alike(data)
    learned = data.sample("train", train).images
    with lent(named.model, device_named(device)):
        kept, taken = Kept(feature_shelf(), named.name), Inputs.of(named.model)
        passes = Passes(named.model, taken, kept=kept, precision=precision)
        known = passes.pooled(learned.pixels)
        sets = [_features(passes, one, learned.classes, test) for one in _sets(data, report)]
        seen = [features for features, _ in sets]
        labels = learned.labels.to(known.device)
        guesses = linear_answers(known, labels, seen, len(learned.classes))
    wrong = [guess.cpu() != labels for guess, (_, labels) in zip(guesses, sets, strict=True)]
    about = {"revision": REVISION, "set": "ImageNet-C", "resolution": list(taken.size)}
    about |= POOLED | HEAD | {"side": data.side, "train_content": content(learned)}
    about |= {"crop": data.crop} if "crop" in about_data(data) else {}
    about |= {"train_images": len(learned.labels), "test_images": len(wrong[0])} | told(precision)
    shape = len(ALEXNET), len(SEVERITIES), -1
    return Answers(torch.stack(wrong).view(shape), len(learned.classes), about)


def _check(data: ImageNet) -> None:
    """Refuse another set than ImageNet-C, and one that is not whole."""
    if data.test != "c":
        raise UserError(f"data.test={data.test} must be c (ImageNet-C) for corruption errors")
    missing = [name for name in ALEXNET for s in SEVERITIES if not _there(data, name, s)]
    if missing:
        raise UserError(
            f"data.test_path={data.test_path!r} must hold 15 corruptions at severities 1 to 5, but "
            f"lacks {', '.join(dict.fromkeys(missing))}; unpack all archives of ImageNet-C there"
        )


def _check_alike(data: ImageNet) -> None:
    """Refuse sets of different images, before hours of passes: each row is one image in all."""
    first: tuple[ImageNet, list[str]] | None = None
    for one in _sets(data, lambda step: None):
        names = one.test_names()
        first = first or (one, names)
        if names != first[1]:
            name = min(set(names) ^ set(first[1]))
            where = [f"{each.corruption}/{each.severity}" for each in (first[0], one)]
            raise UserError(
                f"data.test_path={data.test_path!r} must hold the same images in all sets, but "
                f"only one of {where[0]} and {where[1]} has {name}; unpack the archives of "
                "ImageNet-C again"
            )


def _sets(data: ImageNet, report: Callable[[str], None]) -> Iterator[ImageNet]:
    """Yield the source of each corruption at each severity, and report it."""
    for name in ALEXNET:
        for severity in SEVERITIES:
            report(f"{name}, severity {severity}")
            yield data.replace(corruption=name, severity=severity)


def _features(
    passes: Passes, data: ImageNet, classes: tuple[str, ...], test: int | None
) -> tuple[Float[Tensor, "n D"], Int64[Tensor, " n"]]:
    """Return the pooled features and the labels of one set, whose images are not kept."""
    parts = [(passes.pooled(p.pixels), p.labels) for p in data.test_parts(classes, test)]
    features, labels = (torch.cat(both) for both in zip(*parts, strict=True))
    return features, labels


def _there(data: ImageNet, corruption: str, severity: int) -> bool:
    try:
        folder = data.replace(corruption=corruption, severity=severity)._test_folder()
        return os.path.isdir(folder)
    except UserError:
        return False

"""ImageNet-C: the errors of one linear probe on all its corruptions, and their mean (mCE).

data = ImageNet(path="imagenet", test="c", test_path="imagenet-c")
errors = corruption_errors(open_model("zoo:mae"), data)      # errors.mean, errors.each
"""

import os
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from siamlab.component import UserError
from siamlab.data.imagenet import ImageNet
from siamlab.evaluate.evaluate import feature_shelf
from siamlab.evaluate.models import NamedModel
from siamlab.machine.device import device_named, lent
from siamlab.probe import inputs
from siamlab.probe.corruption_error import (
    ALEXNET,
    SEVERITIES,
    CorruptionErrors,
    mean_corruption_error,
)
from siamlab.probe.linear import linear_answers
from siamlab.probe.suite.passes import Kept, Passes


def corruption_errors(
    named: NamedModel,
    data: ImageNet,
    train: int | None = None,
    test: int | None = None,
    device: str = "auto",
    report: Callable[[str], None] = lambda step: None,
) -> CorruptionErrors:
    """Return mCE and the CE of each corruption, for a linear probe that is fitted once.

    On at most `train` training images and `test` images of each of the 75 sets, the same ones
    everywhere; whole sets give numbers of the published protocol, of frozen features. Corrupted
    images are decoded each time, 2,000 at once, and not kept; their features are. `report` is
    called with each set. Raises UserError for a set that is missing.
    """
    if data.test != "c":
        raise UserError(f"data.test={data.test} must be c (ImageNet-C) for corruption errors")
    missing = [name for name in ALEXNET for s in SEVERITIES if not _there(data, name, s)]
    if missing:
        raise UserError(
            f"data.test_path={data.test_path!r} must hold 15 corruptions at severities 1 to 5, but "
            f"lacks {', '.join(dict.fromkeys(missing))}; unpack all archives of ImageNet-C there"
        )
    learned = data.sample("train", train).images
    with lent(named.model, device_named(device)):
        kept = Kept(feature_shelf(), named.name)
        passes = Passes(named.model, inputs(named.model), kept=kept)
        known = passes.pooled(learned.pixels)
        sets = [_features(passes, one, learned.classes, test) for one in _sets(data, report)]
        seen = [features for features, _ in sets]
        labels = learned.labels.to(known.device)
        guesses = linear_answers(known, labels, seen, len(learned.classes))
    answers = [labels.to(known.device) for _, labels in sets]
    wrong = [(g != a).double().mean().item() for g, a in zip(guesses, answers, strict=True)]
    each = torch.tensor(wrong).view(len(ALEXNET), len(SEVERITIES)).tolist()
    return mean_corruption_error(dict(zip(ALEXNET, each, strict=True)))


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

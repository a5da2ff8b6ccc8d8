"""Semantic measures of the suites: what is in the image?"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from siamlab.data.images import take
from siamlab.probe.clusters import alignment, class_separation, uniformity
from siamlab.probe.corruption import KINDS, corrupted
from siamlab.probe.fewshot import few_shot_per_class, few_shot_share
from siamlab.probe.finetune import Epoch, fine_tune
from siamlab.probe.finetune_recipe import FineTune
from siamlab.probe.knn import TEMPERATURE, knn, knn_standardised
from siamlab.probe.linear import linear
from siamlab.probe.longtail import long_tail
from siamlab.probe.retrieval import retrieval
from siamlab.probe.robustness import robustness
from siamlab.probe.score import Reading, Settings, averaged
from siamlab.probe.suite.bench import Extracted, crop_settings, cropped_settings, subsample

K = 20
OTHER_K = (10, 100, 200)
PER_CLASS = (1, 5)
SHARE = 0.01
IMBALANCE = 100.0
SEVERITIES = (1, 2, 3, 4, 5)
CORRUPTED = 500  # most test images that are corrupted
POOLED = {"pooling": "mean of patches"}
TOKEN = {"pooling": "class token"}
PRESENT = "classes of the test images"
HEAD = {"classifier": "logistic regression, standardised features, C = 1"}
FEW_SHOT_HEAD = {"classifier": "logistic regression, unit length, λ = 0.1 / n"}


class Labelled(NamedTuple):
    """Features, pooled or of patches, and labels of the images that have one."""

    train: Tensor
    labels: Tensor
    test: Tensor
    answers: Tensor
    groups: Tensor | None

    @property
    def arrays(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self[:4]


def nearest(x: Extracted) -> Iterator[Reading]:
    """k-NN on pooled features, on standardised ones, and on class tokens."""
    if (data := pooled(x)) is None:
        return
    k, protocol = neighbours(data)
    yield x.reading("knn", knn(*data.arrays, k, data.groups), **protocol)
    score = knn_standardised(*data.arrays, k, data.groups)
    yield x.reading("knn_standardised", score, **protocol, standardised="by the training features")
    if x.model.cls_token is not None:
        tokens = labelled(x, x.train.cls, x.test.cls)
        score = knn(*tokens.arrays, k, tokens.groups)
        yield x.reading("knn_class_token", score, **protocol | TOKEN)


def linear_probe(x: Extracted) -> Iterator[Reading]:
    """Logistic regression; also among the classes of the test images, if these lack some."""
    if (data := pooled(x)) is None:
        return
    yield x.reading("linear", linear(*data.arrays, data.groups), **POOLED, **HEAD)
    if len(data.answers.unique()) < len(data.labels.unique()):
        score = linear(*data.arrays, data.groups, present=True)
        yield x.reading("linear_present", score, **POOLED, **HEAD, answers=PRESENT)


def two_views(x: Extracted) -> Iterator[Reading]:
    """Alignment of two crops, and uniformity; neither needs labels."""
    score = alignment(x.a.pooled, x.b.pooled, x.groups_of(x.cropped.index))
    yield x.reading("alignment", score, **POOLED, **crop_settings(), **cropped_settings(x))
    yield x.reading("uniformity", uniformity(x.test.pooled, x.groups), **POOLED)


def other_neighbours(x: Extracted) -> Iterator[Reading]:
    """k-NN with other k, as far as there are training images."""
    if data := pooled(x):
        yield from with_other_k(x, data, "knn", POOLED)


def with_other_k(x: Extracted, data: Labelled, key: str, pooling: Settings) -> Iterator[Reading]:
    """k-NN with each other k for which there are training images."""
    for k in OTHER_K:
        if k <= len(data.labels):
            score = knn(*data.arrays, k, data.groups)
            yield x.reading(f"{key}_{k}", score, **pooling, k=k, temperature=TEMPERATURE)


def few_shot(x: Extracted) -> Iterator[Reading]:
    """Few labels per class, as far as each class has that many, and a share of all labels."""
    if (data := pooled(x)) is None:
        return
    counts = data.labels.bincount()
    protocol = POOLED | FEW_SHOT_HEAD
    how = dict(seed=x.bench.seed, groups=data.groups)
    for n in PER_CLASS:
        if n <= counts[counts > 0].min():
            score = few_shot_per_class(*data.arrays, n, **how).accuracy
            yield x.reading(f"few_shot_{n}", score, **protocol, per_class=n)
    score = few_shot_share(*data.arrays, SHARE, **how).accuracy
    yield x.reading("few_shot_share", score, **protocol, share=SHARE)


def tail(x: Extracted) -> Iterator[Reading]:
    """The linear probe fitted on imbalanced classes."""
    if (data := pooled(x)) is None:
        return
    scores = long_tail(*data.arrays, IMBALANCE, x.bench.seed, data.groups)
    for part, score in scores._asdict().items():
        key = "long_tail" if part == "overall" else f"long_tail_{part}"
        yield x.reading(key, score, **POOLED, **HEAD, imbalance=IMBALANCE)


def ranking(x: Extracted) -> Iterator[Reading]:
    """Nearness of images of one class to each other."""
    if (data := pooled(x)) is None:
        return
    if data.answers.bincount().max() > 1:  # two images of one class
        score = retrieval(data.test, data.answers, data.groups)
        yield x.reading("retrieval", score, **POOLED, ranked="test images, self excluded")
    score = class_separation(data.test, data.answers, data.groups)
    yield x.reading("class_separation", score, **POOLED)


def corruptions(x: Extracted) -> Iterator[Reading]:
    """One linear probe, fitted on clean images, for each corruption at each severity."""
    if (data := pooled(x)) is None:
        return
    test = x.bench.test
    known = (test.labels >= 0).nonzero()[:, 0]
    index, settings = subsample(test, CORRUPTED, x.bench.seed, known)
    protocol = POOLED | HEAD | settings | {"severities": list(SEVERITIES)}

    def passed(kind: str, severity: int) -> Tensor:
        worse = corrupted(test.pixels[index], kind, severity, x.bench.seed)
        return x.passes.pooled(worse)

    bad = torch.stack([passed(kind, severity) for kind in KINDS for severity in SEVERITIES])
    clean, answers = x.test.pooled[index], test.labels[index].to(data.labels.device)
    scores = robustness(data.train, data.labels, clean, bad, answers, x.groups_of(index))
    yield x.reading("robustness", scores.accuracy, **protocol, kinds=list(KINDS))
    yield x.reading("robustness_drop", scores.drop, **protocol, kinds=list(KINDS))
    for i, kind in enumerate(KINDS):
        score = averaged(scores.each[i * len(SEVERITIES) : (i + 1) * len(SEVERITIES)])
        yield x.reading(f"robustness_{kind}", score, **protocol, kinds=[kind])


def fine_tuned(x: Extracted, recipe: FineTune, report: Callable[[str], None]) -> Iterator[Reading]:
    """Accuracy of a copy of the model after training it, or its head, on the labelled images."""
    train, test = (take(s, (s.labels >= 0).nonzero()[:, 0]) for s in x.bench[:2])
    if not varied(train.labels) or not varied(test.labels):
        return

    def report_epoch(epoch: Epoch) -> None:
        report(f"fine-tuning, epoch {epoch.number} of {recipe.epochs}, loss {epoch.loss:.3f}")

    groups = x.groups_of((x.bench.test.labels >= 0).nonzero()[:, 0])
    score = fine_tune(x.model, train, test, recipe, x.inputs, x.bench.seed, report_epoch, groups)
    protocol = {f"fine_tune.{key}": value for key, value in recipe.model_dump().items()}
    yield x.reading("linear_augmented" if recipe.frozen else "fine_tuning", score, **protocol)


def pooled(x: Extracted) -> Labelled | None:
    """Mean patch features of all labelled images; None without two classes to distinguish."""
    return labelled(x, x.train.pooled, x.test.pooled)


def labelled(
    x: Extracted,
    train: Float[Tensor, "n ..."],
    test: Float[Tensor, "m ..."],
    index: Int64[Tensor, " m"] | None = None,
) -> Labelled | None:
    """Features and labels of training images and of test images (all, or those of `index`).

    Images without a label are left out. None if there are no two classes to distinguish.
    """
    index = torch.arange(len(test)) if index is None else index
    labels, answers = x.bench.train.labels, x.bench.test.labels[index]
    keep, tested = labels >= 0, answers >= 0
    if not varied(labels[keep]) or not varied(answers[tested]):
        return None
    groups = x.groups_of(index[tested])
    keep, tested, labels, answers = (t.to(train.device) for t in (keep, tested, labels, answers))
    return Labelled(train[keep], labels[keep], test[tested], answers[tested], groups)


def neighbours(data: Labelled) -> tuple[int, Settings]:
    """k of the plain k-NN, and its protocol."""
    k = min(K, len(data.labels))
    return k, POOLED | {"k": k, "temperature": TEMPERATURE}


def varied(values: Tensor) -> bool:
    """Tell whether there are at least two different values."""
    return len(values) > 0 and bool(values.min() < values.max())

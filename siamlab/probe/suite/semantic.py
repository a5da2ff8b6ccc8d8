"""Semantic steps of the suites: what is in the image?"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from siamlab.data.images import take
from siamlab.probe.clusters import alignment, class_separation, uniformity
from siamlab.probe.corruption import KINDS, corrupted
from siamlab.probe.features import features
from siamlab.probe.fewshot import few_shot_per_class, few_shot_share
from siamlab.probe.finetune import Epoch, fine_tune
from siamlab.probe.finetune_recipe import FineTune
from siamlab.probe.knn import TEMPERATURE, knn, knn_standardised
from siamlab.probe.linear import linear
from siamlab.probe.longtail import long_tail
from siamlab.probe.retrieval import retrieval
from siamlab.probe.robustness import robustness
from siamlab.probe.score import averaged
from siamlab.probe.suite.bench import Seen, chosen, crops, left_out
from siamlab.probe.table import Measured, Settings

K = 20
OTHER_K = (10, 100, 200)
PER_CLASS = (1, 5)
SHARE = 0.01
IMBALANCE = 100.0
SEVERITIES = (1, 2, 3, 4, 5)
CORRUPTED = 500  # test images that are corrupted, at most
POOLED = {"pooling": "mean of patches"}
HEAD = {"classifier": "logistic regression, standardised features, C = 1"}


class Labelled(NamedTuple):
    """Pooled features and labels of the images that have one."""

    train: Tensor
    labels: Tensor
    test: Tensor
    answers: Tensor
    groups: Tensor | None

    @property
    def arrays(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self[:4]


def quick(seen: Seen) -> Iterator[Measured]:
    """The probes of the semantic score, and those that explain it."""
    if (found := labelled(seen, seen.train.pooled, seen.test.pooled)) is None:
        return
    k, near = neighbours(found)
    yield seen.measured("knn", knn(*found.arrays, k, found.groups), **near)
    score = knn_standardised(*found.arrays, k, found.groups)
    yield seen.measured("knn_standardised", score, **near, standardised="by the training features")
    if seen.model.cls_token is not None:
        by_class = labelled(seen, seen.train.cls, seen.test.cls)
        score = knn(*by_class.arrays, k, found.groups)
        yield seen.measured("knn_class_token", score, **near | {"pooling": "class token"})
    yield seen.measured("linear", linear(*found.arrays, found.groups), **POOLED, **HEAD)


def rest(seen: Seen) -> Iterator[Measured]:
    """All other semantic probes."""
    yield from _of_views(seen)
    if (found := labelled(seen, seen.train.pooled, seen.test.pooled)) is None:
        return
    for k in OTHER_K:
        if k <= len(found.labels):
            score = knn(*found.arrays, k, found.groups)
            yield seen.measured(f"knn_{k}", score, **POOLED, k=k, temperature=TEMPERATURE)
    yield from _few_shot(seen, found)
    tail = long_tail(*found.arrays, IMBALANCE, seen.bench.seed, found.groups)
    for part, score in tail._asdict().items():
        name = "long_tail" if part == "overall" else f"long_tail_{part}"
        yield seen.measured(name, score, **POOLED, **HEAD, imbalance=IMBALANCE)
    score = retrieval(found.test, found.answers, found.groups)
    yield seen.measured("retrieval", score, **POOLED, ranked="test images, self excluded")
    score = class_separation(found.test, found.answers, found.groups)
    yield seen.measured("class_separation", score, **POOLED)
    yield from _robustness(seen, found)


def fine_tuned(seen: Seen, recipe: FineTune, said: Callable[[str], None]) -> Iterator[Measured]:
    """Accuracy after all weights of a copy were trained on the images with a label."""
    train, test = (take(x, (x.labels >= 0).nonzero()[:, 0]) for x in seen.bench[:2])
    if not varied(train.labels) or not varied(test.labels):
        return

    def heard(epoch: Epoch) -> None:
        said(f"fine-tuning, epoch {epoch.number} of {recipe.epochs}, loss {epoch.loss:.3f}")

    groups = seen.grouped((seen.bench.test.labels >= 0).nonzero()[:, 0])
    score = fine_tune(seen.model, train, test, recipe, seen.want, seen.bench.seed, heard, groups)
    own = {f"fine_tune.{key}": value for key, value in recipe.model_dump().items()}
    yield seen.measured("fine_tuning", score, **own)


def labelled(
    seen: Seen,
    learned: Float[Tensor, "n D"],
    tested: Float[Tensor, "m D"],
    index: Int64[Tensor, " m"] | None = None,
) -> Labelled | None:
    """Features of training images and of test images (all, or those), where they have a label.

    None where there are not two classes to tell apart.
    """
    index = torch.arange(len(tested)) if index is None else index
    train, test = seen.bench.train.labels, seen.bench.test.labels[index]
    keep, asked = train >= 0, test >= 0
    if not varied(train[keep]) or not varied(test[asked]):
        return None
    device = learned.device
    groups = seen.grouped(index[asked])
    keep, asked, train, test = (t.to(device) for t in (keep, asked, train, test))
    return Labelled(learned[keep], train[keep], tested[asked], test[asked], groups)


def neighbours(found: Labelled) -> tuple[int, Settings]:
    """k of the plain k-NN, and its protocol."""
    k = min(K, len(found.labels))
    return k, POOLED | {"k": k, "temperature": TEMPERATURE}


def varied(values: Tensor) -> bool:
    """There are two different values at least: something to tell apart."""
    return len(values) > 0 and bool(values.min() < values.max())


def _of_views(seen: Seen) -> Iterator[Measured]:
    score = alignment(seen.a.pooled, seen.b.pooled, seen.grouped(seen.cut.index))
    own = POOLED | crops(seen.bench) | left_out(seen)
    yield seen.measured("alignment", score, **own)
    yield seen.measured("uniformity", uniformity(seen.test.pooled, seen.groups), **POOLED)


def _few_shot(seen: Seen, found: Labelled) -> Iterator[Measured]:
    counts = found.labels.bincount()
    common = POOLED | {"classifier": "logistic regression, unit length, λ = 0.1 / n"}
    for n in PER_CLASS:
        if n <= counts[counts > 0].min():
            few = few_shot_per_class(*found.arrays, n, seed=seen.bench.seed, groups=found.groups)
            yield seen.measured(f"few_shot_{n}", few.accuracy, **common, per_class=n)
    few = few_shot_share(*found.arrays, SHARE, seed=seen.bench.seed, groups=found.groups)
    yield seen.measured("few_shot_share", few.accuracy, **common, share=SHARE)


def _robustness(seen: Seen, found: Labelled) -> Iterator[Measured]:
    """One head, fitted on clean images; each corruption at each severity."""
    test = seen.bench.test
    known = (test.labels >= 0).nonzero()[:, 0]
    index, how = chosen(test, CORRUPTED, seen.bench.seed, known)
    pixels, own = test.pixels[index], POOLED | HEAD | how | {"severities": list(SEVERITIES)}

    def passed(kind: str, severity: int) -> Tensor:
        worse = corrupted(pixels, kind, severity, seen.bench.seed)
        return features(seen.model, worse, *seen.want, seen.bench.batch).pooled

    fit = found.train, found.labels, seen.test.pooled[index]
    answers = test.labels[index].to(found.labels.device)
    bad = torch.stack([passed(kind, severity) for kind in KINDS for severity in SEVERITIES])
    every = robustness(*fit, bad, answers, seen.grouped(index))
    yield seen.measured("robustness", every.accuracy, **own, kinds=list(KINDS))
    yield seen.measured("robustness_drop", every.drop, **own, kinds=list(KINDS))
    for i, kind in enumerate(KINDS):
        score = averaged(every.each[i * len(SEVERITIES) : (i + 1) * len(SEVERITIES)])
        yield seen.measured(f"robustness_{kind}", score, **own, kinds=[kind])

"""Measures of the suites by protocols of papers: what is in the image, as they ask it."""

from collections.abc import Iterator

from siamlab.probe.attentive import EPOCHS, QUERIES, RATES, attentive
from siamlab.probe.fewshot import few_shot_share
from siamlab.probe.linear_lars import RECIPE, STEPS, linear_lars
from siamlab.probe.linear_tuned import FIT_STEPS, HELD_OUT, PENALTIES, linear_tuned
from siamlab.probe.score import Reading, Settings
from siamlab.probe.suite.bench import Extracted
from siamlab.probe.suite.semantic import (
    FEW_SHOT_HEAD,
    POOLED,
    TOKEN,
    Labelled,
    labelled,
    pooled,
    with_other_k,
)

LIST = "subset"  # the field of a source that names a list of its training images


def other_token_neighbours(x: Extracted) -> Iterator[Reading]:
    """k-NN with other k on class tokens, where the model has one."""
    if data := tokens(x):
        yield from with_other_k(x, data, "knn_class_token", TOKEN)


def tuned(x: Extracted) -> Iterator[Reading]:
    """Logistic regression with the penalty that is best on held-out training images."""
    if data := pooled(x):
        yield _tuned(x, "linear_tuned", data, POOLED)


def tuned_token(x: Extracted) -> Iterator[Reading]:
    """The same on class tokens, as the papers have it."""
    if data := tokens(x):
        yield _tuned(x, "linear_tuned_class_token", data, TOKEN)


def _tuned(x: Extracted, key: str, data: Labelled, pooling: Settings) -> Reading:
    score = linear_tuned(*data.arrays, seed=x.bench.seed, groups=data.groups).accuracy
    about = (
        f"logistic regression, standardised features, C of {len(PENALTIES)} values, log-spaced "
        f"from {PENALTIES[0]:g} to {PENALTIES[-1]:g}, at most {FIT_STEPS} steps each"
    )
    return x.reading(key, score, **pooling, classifier=about, held_out=HELD_OUT)


def listed(x: Extracted) -> Iterator[Reading]:
    """The head of few labels on class tokens of all training images, if a list names these."""
    if x.bench.about.get(LIST) and (data := tokens(x)):
        how = dict(draws=1, seed=x.bench.seed, groups=data.groups)
        score = few_shot_share(*data.arrays, 1.0, **how).accuracy
        yield x.reading("few_shot_listed", score, **TOKEN, **FEW_SHOT_HEAD, labels="those listed")


def stepwise(x: Extracted) -> Iterator[Reading]:
    """The linear layer that MAE's linear probe trains by LARS, on features."""
    if data := pooled(x):
        score = linear_lars(*data.arrays, seed=x.bench.seed, groups=data.groups)
        protocol = {"classifier": "BatchNorm without weights, linear layer", "optimiser": "lars"}
        sizes = {"epochs": RECIPE.epochs, "batch": RECIPE.batch, "lr": RECIPE.lr, "steps": STEPS}
        yield x.reading("linear_lars", score, **POOLED, **protocol, **sizes, warmup=RECIPE.warmup)


def attending(x: Extracted) -> Iterator[Reading]:
    """A classifier that learns which patches to look at."""
    if data := labelled(x, x.train.patches, x.test.patches):
        score = attentive(*data.arrays, seed=x.bench.seed, groups=data.groups)
        protocol = {"queries": QUERIES, "epochs": EPOCHS, "rates": list(RATES)}
        yield x.reading("attentive", score, **protocol, pooling="learned", held_out=HELD_OUT)


def tokens(x: Extracted) -> Labelled | None:
    """Class tokens of all labelled images; None without, or without two classes."""
    return labelled(x, x.train.cls, x.test.cls) if x.model.cls_token is not None else None

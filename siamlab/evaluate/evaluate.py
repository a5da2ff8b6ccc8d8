"""Evaluate: the scores of several models on the same images.

found = evaluate(with_untrained(models), data)          # found.scores, found.test
scores = probe_all(with_untrained(models), train, test)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from siamlab.component import UserError
from siamlab.data import DataChoice, Images, is_paired
from siamlab.data.about import about_data
from siamlab.data.cache import FEATURES, cache_root
from siamlab.data.images import Drawn
from siamlab.evaluate.models import NamedModel, before_training
from siamlab.machine.console import Console
from siamlab.machine.device import device_named
from siamlab.machine.files import permitted
from siamlab.machine.memory import keep_freed
from siamlab.machine.shelf import Shelf, bound
from siamlab.machine.terminal import cell, is_watched
from siamlab.probe import inputs
from siamlab.probe.finetune_recipe import FineTune

if TYPE_CHECKING:
    import polars

    from siamlab.probe.suite import Suite
    from siamlab.probe.suite.passes import Precision


class Evaluation(NamedTuple):
    scores: "polars.DataFrame"  # the long table of all models
    test: Images  # on which they were measured
    drawn: str = ""  # how many of the images of each split were drawn; empty if all were taken


def evaluate(
    models: Sequence[NamedModel],
    data: DataChoice,
    train: int = 3000,
    test: int = 2000,
    suite: "Suite | str" = "quick",
    recipe: FineTune | None = None,
    device: str = "auto",
    cache: bool = True,
    precision: "Precision" = "float32",
) -> Evaluation:
    """Probe all models on the same images of a source: at most `train` and `test` of them.

    This is `probe_all` on images that are sampled here; call that with images of your own.

    The protocol of each number records the source and whether the test images were sampled. Of a
    source of files only the sampled ones are decoded. Raises UserError for an odd `test` of a
    source whose test images are pairs, and as `probe_all` does.
    """
    if isinstance(models, str):
        raise UserError(f"evaluate expects the models that open_models returns, not {models!r}")
    if not isinstance(data, DataChoice):
        raise UserError(
            f"evaluate expects a source of images such as siamlab.data.Scenes(), not {data!r}"
        )
    with permitted():
        tested = sample_test(data, test)  # first: it is where words are missing most often
        learned = data.sample("train", train)
    sampled = {"test_drawn": f"at random, of {tested.total}"} if tested.total > test else {}
    how = suite, about_data(data) | sampled, recipe, device, cache, precision
    scores = probe_all(models, learned.images, tested.images, *how)
    return Evaluation(scores, tested.images, _drawn((learned, train), (tested, test)))


def sample_test(data: DataChoice, n: int) -> Drawn:
    """Return at most `n` test images. Raises UserError for an odd number of paired ones."""
    drawn = data.sample("test", n)
    if n % 2 and n < drawn.total and is_paired(data.sample("test", n + 1).images):
        raise UserError(
            f"--test-images {n} must be even, as these test images are pairs of scenes with one "
            f"object; try {n + 1}"
        )
    return drawn


def _drawn(*splits: tuple[Drawn, int]) -> str:
    """Say how many of its images were asked for from each split that has more."""
    return " and ".join(
        f"{n:,} of {drawn.total:,} {name} images"
        for name, (drawn, n) in zip(("training", "test"), splits, strict=True)
        if n < drawn.total
    )


def probe_all(
    models: Sequence[NamedModel],
    train: Images,
    test: Images,
    suite: "Suite | str" = "quick",
    about: dict[str, Any] | None = None,
    recipe: FineTune | None = None,
    device: str = "auto",
    cache: bool = True,
    precision: "Precision" = "float32",
) -> "polars.DataFrame":
    """Return the long table of the scores of every model.

    `about` describes the images in the protocol of each number; `recipe` is that of fine-tuning.
    `device` is cpu, cuda, or auto: a GPU if there is one. `cache`: features are kept on disk for
    the next probe of the same model (`feature_shelf`); scores are the same to the bit.
    `precision` bfloat16 or float16: products of the models in 16 bits, faster on most GPUs; their
    scores are another protocol.
    Raises UserError if cuda is missing, and, before anything is measured, for images that
    fine-tuning cannot be trained on.
    """
    from siamlab.probe import probe_model, table
    from siamlab.probe.suite.passes import Kept

    if recipe is not None:
        check_recipe(train, test, recipe)
    keep_freed()
    measured, place, shelf = {}, device_named(device), feature_shelf() if cache else None
    # rich takes a notebook for a terminal and would show a widget there, unless that is ruled out
    terminal = dict(stderr=True, force_jupyter=False, force_terminal=is_watched())
    with Console(**terminal).status("probing") as status:
        for name, model, *_ in models:
            report = lambda step, name=name: status.update(cell(f"probing {name}: {step}"))  # noqa: E731
            options = dict(about=about, report=report, recipe=recipe, device=place)
            options |= dict(kept=Kept(shelf, name) if shelf else None, precision=precision)
            try:
                measured[name] = probe_model(model, train, test, suite, **options)
            except UserError as error:
                raise UserError(f"{name}: {error}") from None
    return table(measured)


def feature_shelf() -> Shelf:
    """Return where features are kept: SIAMLAB_CACHE/features, up to SIAMLAB_FEATURE_CACHE bytes."""
    root = cache_root() / FEATURES
    return Shelf(root, bound(root))


def check_recipe(train: Images, test: Images, recipe: FineTune) -> None:
    """Raise UserError for images without two labelled classes, or fewer than a batch of them."""
    from siamlab.probe.suite.semantic import varied

    known = [images.labels[images.labels >= 0] for images in (train, test)]
    if not all(map(varied, known)):
        raise UserError(
            "fine-tuning (fine_tune.key=value) needs labels of two classes or more in training and "
            "test images (class folders in data.path, or another data=NAME); choose such images, "
            "or leave those words out"
        )
    if recipe.batch > len(known[0]):
        raise UserError(
            f"fine_tune.batch={recipe.batch} must be at most {len(known[0])}, the number of "
            f"training images with a label; set fine_tune.batch={len(known[0]) // 2 * 2}, or more "
            "--images"
        )


def with_untrained(trained: Sequence[NamedModel]) -> list[NamedModel]:
    """Return the models, each preceded by the network it started from, equal networks once."""
    models: list[NamedModel] = []
    for named in trained:
        start = before_training(named, f"{named.name}, untrained")
        if not any(same_network(start.model, known.model) for known in models):
            models.append(start)
        models.append(named)
    references = [i for i, named in enumerate(models) if named not in trained]
    if len(references) == 1:
        models[references[0]] = models[references[0]]._replace(name="untrained")
    return models


def same_network(a: nn.Module, b: nn.Module) -> bool:
    """Return whether two models have equal inputs and weights.

    A norm after the last block is left out: before training it has learned nothing.
    """
    first, second = (
        {key: weight for key, weight in model.state_dict().items() if not key.startswith("norm.")}
        for model in (a, b)
    )
    comparable = first.keys() == second.keys() and inputs(a) == inputs(b)
    return comparable and all(torch.equal(first[key].cpu(), second[key].cpu()) for key in first)

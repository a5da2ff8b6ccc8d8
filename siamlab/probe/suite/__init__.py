"""The suites: many probes on one model, in one pass over its features.

measured = probe_model(load("timm:..."), data("train"), data("test"), suite="full")
scores = table({"mine": measured})
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import nn

from siamlab.component import UserError, unknown
from siamlab.data.images import Images
from siamlab.probe.features import Inputs
from siamlab.probe.finetune_recipe import FineTune
from siamlab.probe.score import Score, combine
from siamlab.probe.suite import representation, semantic, spatial
from siamlab.probe.suite.bench import Bench, Seen, look
from siamlab.probe.table import Measured

Step = Callable[[Seen], Iterator[Measured]]

SUITES: dict[str, dict[str, Step]] = {
    "quick": {"semantic": semantic.quick, "spatial": spatial.quick},
    "full": {
        "semantic": semantic.quick,
        "spatial": spatial.quick,
        "more semantic": semantic.rest,
        "more spatial": spatial.rest,
        "representation": representation.whole,
        "layers": representation.layers,
        "attention": representation.attention,
    },
}
# Why these: docs/scores.md. Each is the mean of its parts, from chance (0) to ceiling (1).
PARTS = {
    "semantic": ("knn", "linear"),
    "spatial": ("correspondence_centred", "scene_correspondence_centred"),
}


def probe_model(
    model: nn.Module,
    train: Images,
    test: Images,
    suite: str = "quick",
    want: Inputs | None = None,
    about: Mapping[str, Any] | None = None,
    batch: int = 256,
    seed: int = 0,
    said: Callable[[str], None] = lambda step: None,
    recipe: FineTune | None = None,
) -> list[Measured]:
    """What a suite's probes find on the frozen features, the two scores first.

    Probes that the images do not allow are left out: the semantic ones need labels of two classes
    (images without are left out), segmentation masks of two regions, scenes their pairs. `want`:
    size, mean and std of the model's inputs, by default as timm's configuration of it has them.
    `about`: fields of the data source, for the protocol. `said` hears the name of each step.
    `recipe`: fine-tune a copy of the model, too.
    """
    if suite not in SUITES:
        raise UserError(unknown("there is no suite", suite, SUITES))
    said("features")
    seen = look(model, Bench(train, test, about or {}, batch, seed), want)
    found: list[Measured] = []
    for name, step in SUITES[suite].items():
        said(name)
        found += step(seen)
    if recipe is not None:
        said("fine-tuning")
        found += semantic.fine_tuned(seen, recipe, said)
    return [*summary(found), *found]


def measurable(score: Score) -> bool:
    """There is room between chance and ceiling: a grid may be too coarse for the tolerance."""
    return score.ceiling > score.chance


def summary(found: list[Measured]) -> Iterator[Measured]:
    """The two scores of a model, from those of their parts that these images allow."""
    whole = {m.probe: m for m in found if m.layer is None and m.head is None}
    for name, parts in PARTS.items():
        here = [whole[part] for part in parts if part in whole and measurable(whole[part].score)]
        if here:
            own = {k: v for m in here for k, v in m.settings.items()}
            own |= {"parts": [m.probe for m in here]}
            yield Measured(name, combine([m.score for m in here]), own)

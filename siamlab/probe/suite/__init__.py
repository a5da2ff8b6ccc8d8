"""The suites: many probes on one model, in one pass over its features.

measured = probe_model(open_model("timm:...").model, data("train"), data("test"), suite=FULL)
scores = table({"mine": measured})

A suite is a value: `Suite((*QUICK.probes, PROBES["segmentation"]))`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import nn

from siamlab.component import UserError, unknown
from siamlab.data.images import Images
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.machine.device import lent
from siamlab.probe.batches import Inputs
from siamlab.probe.catalogue import Measure, Measured, Probe, join_rows
from siamlab.probe.checks import check_images
from siamlab.probe.corruption_error import CORRUPTIONS
from siamlab.probe.finetune_recipe import FineTune
from siamlab.probe.score import Score, combine
from siamlab.probe.suite import rows
from siamlab.probe.suite.bench import Bench, Extracted, extract
from siamlab.probe.suite.passes import Kept, Precision
from siamlab.probe.suite.semantic import fine_tuned
from siamlab.probe.suite.standard import STANDARD


class Suite(NamedTuple):
    """Probes that are measured together on one model."""

    probes: tuple[Probe, ...]
    by_layer: bool = False  # also after each block, and head by head, where a probe has that

    def measures(self) -> dict[Measure, str]:
        """The measures of the probes, each once, with the title of the first probe it serves."""
        titles: dict[Measure, str] = {}
        for probe in self.probes:
            titles.setdefault(probe.measure, probe.title)
        for probe in self.probes if self.by_layer else ():
            titles.setdefault(probe.by_layer, f"{probe.title}, layer by layer")
        return {function: title for function, title in titles.items() if function}


QUICK = Suite((*rows.NEAREST, *rows.CORRESPONDENCES))
FULL = Suite(
    (*QUICK.probes, *rows.SEMANTIC, *rows.SPATIAL, *rows.REPRESENTATION, *rows.ATTENTION),
    by_layer=True,
)
FEW_LABELS = tuple(probe for probe in rows.SEMANTIC if probe.key == "few_shot_share")
PUBLISHED = Suite((*QUICK.probes, *FEW_LABELS, *rows.PUBLISHED))
SUITES: Mapping[str, Suite] = MappingProxyType(
    {"quick": QUICK, "full": FULL, "published": PUBLISHED}
)
PROBES: Mapping[str, Probe] = MappingProxyType(
    {
        probe.key: probe
        for part in (
            rows.SUMMARIES,
            FULL.probes,
            rows.PUBLISHED,
            rows.TRAINED,
            STANDARD,
            CORRUPTIONS,
        )
        for probe in part
    }
)
# Why these: docs/scores.md. Each score is the mean of its parts, from chance (0) to ceiling (1).
PARTS = {
    "semantic": ("knn", "linear"),
    "spatial": ("correspondence_centred", "scene_correspondence_centred"),
}


@typed
def probe_model(
    model: nn.Module,
    train: Images,
    test: Images,
    suite: Suite | str = QUICK,
    inputs: Inputs | None = None,
    about: Mapping[str, Any] | None = None,
    batch: Count = 256,
    seed: int = 0,
    report: Callable[[str], None] = lambda step: None,
    recipe: FineTune | None = None,
    device: torch.device | None = None,
    kept: Kept | None = None,
    precision: Precision = "float32",
) -> list[Measured]:
    """Measure the probes of a suite on the frozen features of a model; the two scores come first.

    Probes that the images do not allow are left out: semantic ones need labels of two classes
    (images without a label are skipped), segmentation masks of two regions, scenes their pairs.
    `suite` is a suite or the name of one in SUITES. `inputs` are the model's own unless given.
    `about`: fields of the data source, for the protocol. `report` is called with each title.
    `recipe`: also fine-tune a copy of the model. Everything is computed on `device`, to which the
    model is moved for the time; by default where it lies. `kept`: where features are kept for the
    next probe of the model; the numbers are the same to the bit. `precision`: that of the model's
    products, of which 16 bits are part of the protocol.
    """
    check_images(model, train.pixels)
    suite, bench = suite_named(suite), Bench(train, test, about or {}, batch, seed)
    with lent(model, device or next(model.parameters()).device):
        report("features")
        extracted = extract(model, bench, inputs, kept, precision)
        measured = list(measure(extracted, suite, report))
        if recipe is not None:
            report("fine-tuning")
            measured += join_rows(fine_tuned(extracted, recipe, report), rows.TRAINED)
    return [*summary(measured), *measured]


def measure(
    extracted: Extracted, suite: Suite, report: Callable[[str], None] = lambda step: None
) -> Iterator[Measured]:
    """Yield the numbers of a suite's probes, without the two scores."""
    for function, title in suite.measures().items():
        report(title)
        yield from join_rows(function(extracted), suite.probes)


def suite_named(suite: Suite | str) -> Suite:
    """The suite of that name, or the suite itself. Raises UserError for an unknown name."""
    if isinstance(suite, Suite):
        probes = suite.probes if isinstance(suite.probes, tuple | list) else (suite.probes,)
        if wrong := [probe for probe in probes if not isinstance(probe, Probe)]:
            raise UserError(
                f"a suite is made of probes, such as Suite((PROBES['knn'],)), not of {wrong[0]!r}"
            )
        return suite
    if suite not in SUITES:
        raise UserError(unknown("there is no suite", suite, SUITES))
    return SUITES[suite]


def measurable(score: Score) -> bool:
    """Tell whether there is room above chance: a grid may be too coarse for the tolerance."""
    return score.ceiling > score.chance


def summary(measured: Iterable[Measured]) -> Iterator[Measured]:
    """Yield the two scores of a model, each from those of its parts that were measured."""
    by_key = {m.probe.key: m for m in measured if m.layer is None and m.head is None}
    for key, parts in PARTS.items():
        present = [by_key[p] for p in parts if p in by_key and measurable(by_key[p].score)]
        if present:
            settings = {k: v for m in present for k, v in m.settings.items()}
            settings |= {"parts": [m.probe.key for m in present]}
            yield Measured(PROBES[key], combine([m.score for m in present]), settings)

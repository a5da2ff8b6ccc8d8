"""The probes of the semantic-spatial plane on one model, and their table.

scores = probe_model(load("timm:..."), data("train"), data("test"))
table({"mae": scores, "untrained": others})
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Generator, Tensor, nn

from siamlab.component import UserError
from siamlab.data.images import Images
from siamlab.geometry import Match, correspondence
from siamlab.probe.correspondence import correspondence as pck
from siamlab.probe.features import Features, Inputs, features, inputs, view_features
from siamlab.probe.knn import knn, knn_standardised
from siamlab.probe.linear import linear
from siamlab.probe.pairs import pairs
from siamlab.probe.score import Score, combine
from siamlab.probe.segmentation import VOID, segmentation

if TYPE_CHECKING:
    import polars


class Probe(NamedTuple):
    title: str
    measures: Literal["semantic", "spatial"]


PROBES = {
    "knn": Probe("k-NN accuracy", "semantic"),
    "knn_standardised": Probe("k-NN accuracy, standardised features", "semantic"),
    "knn_class_token": Probe("k-NN accuracy, class token", "semantic"),
    "linear": Probe("Linear probe accuracy", "semantic"),
    "correspondence": Probe("Correspondence within one patch (PCK)", "spatial"),
    "segmentation": Probe("Linear segmentation mIoU", "spatial"),
    "semantic": Probe("Semantic alignment: k-NN and linear probe", "semantic"),
    "spatial": Probe("Spatial sensitivity: correspondence and segmentation", "spatial"),
}
PARTS = {"semantic": ("knn", "linear"), "spatial": ("correspondence", "segmentation")}


def probe_model(
    model: nn.Module,
    train: Images,
    test: Images,
    want: Inputs | None = None,
    batch: int = 256,
    seed: int = 0,
) -> dict[str, Score]:
    """The scores of PROBES that these images allow, in that order, on frozen features.

    The semantic ones need labels of two classes (images without are left out; k is 20, or all
    training images where there are fewer); segmentation needs masks of two regions; the spatial
    score needs both spatial probes. `want`: size, mean and std of the model's inputs, by default
    as timm's configuration of it has them. `seed` draws the pairs of crops.
    """
    if train.pixels.shape[0] == 0 or test.pixels.shape[0] == 0:
        raise UserError("a probe must have training and test images; one of the two sets is empty")
    want = want or inputs(model)
    seen = [features(model, images.pixels, *want, batch) for images in (train, test)]
    scores = _semantic(*seen, train.labels, test.labels)
    if _varied(train.masks[train.masks != VOID]) and _varied(test.masks[test.masks != VOID]):
        (_, _, first, grid), (_, _, second, _) = seen
        scores["segmentation"] = segmentation(first, train.masks, second, test.masks, grid)
    scores["correspondence"] = _correspondence(model, test, want, batch, seed)
    for name, parts in PARTS.items():
        if all(part in scores for part in parts):
            scores[name] = combine([scores[part] for part in parts])
    return {name: scores[name] for name in PROBES if name in scores}


def table(results: Mapping[str, Mapping[str, Score]]) -> "polars.DataFrame":
    """One row a model and probe: model, probe, title, property, value, low, high, chance, ceiling,
    unit, direction."""
    import polars

    rows = [
        {"model": model, "probe": name, "title": PROBES[name].title}
        | {"property": PROBES[name].measures}
        | {k: v for k, v in score._asdict().items() if k != "draws"}
        for model, scores in results.items()
        for name, score in scores.items()
    ]
    return polars.DataFrame(rows)


def _semantic(
    train: Features, test: Features, train_labels: Tensor, test_labels: Tensor
) -> dict[str, Score]:
    """The semantic probes on the images that have a label."""
    keep, asked = train_labels >= 0, test_labels >= 0
    if not _varied(train_labels[keep]) or not _varied(test_labels[asked]):
        return {}
    device = train.pooled.device
    keep, asked = keep.to(device), asked.to(device)
    labels, answers = train_labels.to(device)[keep], test_labels.to(device)[asked]
    pooled = train.pooled[keep], labels, test.pooled[asked], answers
    k = min(20, len(labels))
    return {
        "knn": knn(*pooled, k),
        "knn_standardised": knn_standardised(*pooled, k),
        "knn_class_token": knn(train.cls[keep], labels, test.cls[asked], answers, k),
        "linear": linear(*pooled),
    }


def _varied(values: Tensor) -> bool:
    """There are two different values at least: something to tell apart."""
    return len(values) > 0 and bool(values.min() < values.max())


def _correspondence(model: nn.Module, test: Images, want: Inputs, batch: int, seed: int) -> Score:
    """PCK within one patch between two crops of each test image."""
    rng = Generator().manual_seed(seed)
    first, second, points, inside = [], [], [], []
    for a, b in pairs(test.pixels, want.size, rng):
        seen = view_features(model, a, want.mean, want.std, batch)
        other = view_features(model, b, want.mean, want.std, batch)
        match = correspondence(a, b, seen.grid)
        for part, value in zip(
            (first, second, points, inside), (seen.patches, other.patches, *match), strict=True
        ):
            part.append(value.to(seen.patches.device))
    match = Match(torch.cat(points), torch.cat(inside))
    return pck(torch.cat(first), torch.cat(second), match, seen.grid, want.size)

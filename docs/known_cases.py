"""How the two scores rank cases with known answers: the table of docs/scores.md.

python docs/known_cases.py      # four minutes on two cores
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from siamlab import zoo
from siamlab.data import Images, Scenes, sample
from siamlab.evaluate.models import open_model
from siamlab.geometry import Match, match_patches
from siamlab.probe.batches import Inputs
from siamlab.probe.features import Features
from siamlab.probe.pairs import crop_pairs
from siamlab.probe.suite import PROBES, QUICK, Suite, measure, summary
from siamlab.probe.suite.bench import (
    PAIRED,
    Bench,
    Extracted,
    bootstrap_groups,
    extract,
    settings,
    subsample,
)
from siamlab.probe.suite.passes import Passes
from siamlab.probe.table import named
from siamlab.train import run_of, untrained

SIDE, PATCH = 40, 8
GRID = (SIDE // PATCH, SIDE // PATCH)
N = GRID[0] * GRID[1]
NOISE = torch.Generator().manual_seed(0)
INPUTS = Inputs((SIDE, SIDE), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
KEYS = ("knn", "linear", "correspondence", "correspondence_centred", "scene_correspondence",
        "scene_correspondence_centred", "segmentation", "semantic", "spatial")  # fmt: skip


class ByHand(nn.Module):
    """Stands for the model of features that are made by hand."""

    cls_token = None


def pixels(images: Tensor, labels: Tensor) -> Tensor:
    """The colours of each patch."""
    image = images.float() / (255 if images.dtype == torch.uint8 else 1)
    image = F.interpolate(image, (SIDE, SIDE), mode="bilinear", antialias=True)
    return F.unfold(image, PATCH, stride=PATCH).mT


def classes(images: Tensor, labels: Tensor) -> Tensor:
    """The class of the image, the same in each patch: what, and not where."""
    return F.one_hot(labels, 10).float()[:, None].repeat(1, N, 1)


def positions(images: Tensor, labels: Tensor) -> Tensor:
    """The number of the patch, the same in each image: where, and nothing else."""
    return torch.eye(N).repeat(len(images), 1, 1)


def noise(images: Tensor, labels: Tensor) -> Tensor:
    """Random numbers, different in every view."""
    return torch.randn(len(images), N, 64, generator=NOISE)


def cases(bench: Bench) -> Iterator[tuple[str, Extracted]]:
    for title, features in (
        ("random numbers", noise),
        ("one-hot positions", positions),
        ("one-hot classes of the images", classes),
        ("pixels of the patches", pixels),
    ):
        yield title, by_hand(features, bench)
    yield (
        "random network (SiameseIM's)",
        extract(untrained(run_of(zoo.file("scenes_siameseim"))), bench),
    )
    for name in ("moco_v3", "mae", "siameseim"):
        yield f"zoo:scenes_{name}", extract(open_model(f"zoo:scenes_{name}").model, bench)


def by_hand(features, bench: Bench) -> Extracted:
    """The features as if a model had extracted them."""
    of = lambda x, labels: _features(features(x, labels))  # noqa: E731
    cut = subsample(bench.test, PAIRED, bench.seed)
    rng = torch.Generator().manual_seed(bench.seed)
    crops = list(crop_pairs(bench.test.pixels[cut.index], INPUTS.size, rng))
    a, b = (torch.cat([pair[i].image for pair in crops]) for i in (0, 1))
    match = [match_patches(*pair, GRID) for pair in crops]
    labels = bench.test.labels
    return Extracted(
        ByHand(), INPUTS, bench, Passes(ByHand(), INPUTS),
        of(bench.train.pixels, bench.train.labels), of(bench.test.pixels, labels), cut,
        of(a, labels[cut.index]), of(b, labels[cut.index]),
        Match(*(torch.cat(part) for part in zip(*match, strict=True))),
        bootstrap_groups(bench.test), settings(bench, INPUTS),
    )  # fmt: skip


def _features(patches: Tensor) -> Features:
    return Features(patches.mean(dim=1), patches.mean(dim=1), patches, GRID)


def scores(extracted: Extracted) -> list[str]:
    """Values of KEYS as they stand in the table."""
    measured = list(measure(extracted, Suite((*QUICK.probes, PROBES["segmentation"]))))
    values = named([*summary(measured), *measured])
    return [f"{values[key].value:.3f}".replace("-0.000", "0.000") for key in KEYS]


def main(images: int = 4000) -> None:
    data = Scenes()
    train: Images = sample(data("train"), images)
    print("| features | " + " | ".join(KEYS) + " |")
    print("| --- |" + " --- |" * len(KEYS))
    for title, extracted in cases(Bench(train, data("test"))):
        print(f"| {title} | " + " | ".join(scores(extracted)) + " |", flush=True)


if __name__ == "__main__":
    main()

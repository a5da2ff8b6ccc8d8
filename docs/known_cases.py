"""How the two scores rank cases whose answer is known: the table of docs/scores.md.

python docs/known_cases.py      # four minutes on two cores
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from siamlab import zoo
from siamlab.data import Images, Scenes, subset
from siamlab.geometry import Match, correspondence
from siamlab.probe.features import Features, Inputs
from siamlab.probe.pairs import pairs
from siamlab.probe.suite import semantic, spatial, summary
from siamlab.probe.suite.bench import PAIRS, Bench, Seen, chosen, look, settings, together
from siamlab.probe.table import named
from siamlab.train import run_of, untrained

SIDE, PATCH = 40, 8
GRID = (SIDE // PATCH, SIDE // PATCH)
N = GRID[0] * GRID[1]
NOISE = torch.Generator().manual_seed(0)
WANT = Inputs((SIDE, SIDE), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
KEYS = ("knn", "linear", "correspondence", "correspondence_centred", "scene_correspondence",
        "scene_correspondence_centred", "segmentation", "semantic", "spatial")  # fmt: skip


def pixels(images: Tensor, labels: Tensor) -> Tensor:
    """The colours of each patch."""
    image = images.float() / (255 if images.dtype == torch.uint8 else 1)
    image = F.interpolate(image, (SIDE, SIDE), mode="bilinear", antialias=True)
    return F.unfold(image, PATCH, stride=PATCH).mT


def classes(images: Tensor, labels: Tensor) -> Tensor:
    """The class of the image, the same in each patch: knows what, not where."""
    return F.one_hot(labels, 10).float()[:, None].repeat(1, N, 1)


def positions(images: Tensor, labels: Tensor) -> Tensor:
    """The number of the patch, the same in each image: knows where it is, and nothing else."""
    return torch.eye(N).repeat(len(images), 1, 1)


def noise(images: Tensor, labels: Tensor) -> Tensor:
    """Random numbers, others in every view."""
    return torch.randn(len(images), N, 64, generator=NOISE)


def cases(bench: Bench) -> Iterator[tuple[str, Seen]]:
    for title, features in (
        ("random numbers", noise),
        ("one-hot positions", positions),
        ("one-hot classes of the images", classes),
        ("pixels of the patches", pixels),
    ):
        yield title, by_hand(features, bench)
    yield (
        "random network (SiameseIM's)",
        look(untrained(run_of(zoo.file("scenes_siameseim"))), bench),
    )
    for name in ("moco_v3", "mae", "siameseim"):
        yield f"zoo:scenes_{name}", look(zoo.load(f"scenes_{name}"), bench)


def by_hand(features, bench: Bench) -> Seen:
    """What a model would see whose features are these."""
    of = lambda x, labels: _features(features(x, labels))  # noqa: E731
    cut = chosen(bench.test, PAIRS, bench.seed)
    rng = torch.Generator().manual_seed(bench.seed)
    crops = list(pairs(bench.test.pixels[cut.index], WANT.size, rng))
    a, b = (torch.cat([pair[i].image for pair in crops]) for i in (0, 1))
    match = [correspondence(*pair, GRID) for pair in crops]
    labels = bench.test.labels
    return Seen(
        nn.Identity(), WANT, bench, of(bench.train.pixels, bench.train.labels),
        of(bench.test.pixels, labels), cut, of(a, labels[cut.index]), of(b, labels[cut.index]),
        Match(*(torch.cat(part) for part in zip(*match, strict=True))),
        together(bench.test), settings(bench, WANT),
    )  # fmt: skip


def _features(patches: Tensor) -> Features:
    return Features(patches.mean(dim=1), patches.mean(dim=1), patches, GRID)


def scores(seen: Seen) -> list[str]:
    """Values of KEYS as they stand in the table."""
    found = [*semantic.quick(seen), *spatial.quick(seen), *spatial.segmentations(seen)]
    values = named([*summary(found), *found])
    return [f"{values[key].value:.3f}".replace("-0.000", "0.000") for key in KEYS]


def main(images: int = 4000) -> None:
    data = Scenes()
    train: Images = subset(data("train"), images)
    print("| features | " + " | ".join(KEYS) + " |")
    print("| --- |" + " --- |" * len(KEYS))
    for title, seen in cases(Bench(train, data("test"))):
        print(f"| {title} | " + " | ".join(scores(seen)) + " |", flush=True)


if __name__ == "__main__":
    main()

"""The most expensive probes, compared with the product that bounds them and with scikit-learn.

Also the quick suite, whose time is that of its forward passes, and features of a ViT-B/16 beside
its bare forward pass. Features and images are random,
since the cost of a probe does not depend on their values.
"""

from importlib.util import find_spec
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.measure import Work, measured
from siamlab import probe
from siamlab.data.images import Images, plain
from siamlab.probe.knn import BLOCK
from siamlab.recipes import photo_size, siameseim
from siamlab.train import untrained

CLASSES, WIDTH = 100, 384
TRAIN, TEST = 50_000, 10_000  # of k-NN and retrieval
FEW, FEW_TEST = 10_000, 2_000  # of the linear probe
SUITE, SUITE_TEST = 3_000, 2_000  # images of the suite
LARGE = 64  # images of the ViT-B/16
TOLERANCE = 1e-6  # of the gradient, as in siamlab; the default of scikit-learn is 1e-4
Features = tuple[torch.Tensor, torch.Tensor]


def rows(device: torch.device, peer: str, repeats: int) -> list[dict[str, Any]]:
    """Return rows of k-NN, retrieval, RankMe, the linear probe, the quick suite and extraction.

    50,000 training and 10,000 test features, fewer for the linear probe. The rate of the suite is
    in images that pass the network: 3,000, 2,000 and two crops of the latter.
    """
    train, test = features(TRAIN, 0, device), features(TEST, 1, device)
    few, few_test = features(FEW, 2, device), features(FEW_TEST, 3, device)
    neighbours = [
        Work("bare product of all cosines", lambda: product(train[0], test[0]), TEST, "queries"),
        Work("k-NN, k = 20", lambda: probe.knn(*train, *test), TEST, "queries"),
        Work("retrieval among the test", lambda: probe.retrieval(*test), TEST, "queries"),
        Work("RankMe of the test", lambda: probe.rankme(test[0]), TEST, "features"),
    ]
    fitted = [Work("linear probe", lambda: probe.linear(*few, *few_test), FEW, "features")]
    if find_spec("sklearn"):
        neighbours += [Work("scikit-learn's k-NN", lambda: their_knn(train, test), TEST, "queries")]
        their_fit = lambda: their_linear(few, few_test)  # noqa: E731
        fitted += [Work("scikit-learn's linear probe", their_fit, FEW, "features")]
    groups = neighbours, fitted, [suite(device)], extraction(device)
    return [row for works in groups for row in measured(works, device, repeats)]


def suite(device: torch.device) -> Work:
    """Return the quick suite on an encoder of `photo_size`."""
    model = untrained(photo_size(siameseim())).to(device)
    train, test = images(SUITE, 4), images(SUITE_TEST, 5)
    name = f"quick suite of an encoder of 32-pixel photographs, {SUITE:,} and {SUITE_TEST:,} images"
    return Work(
        name, lambda: probe.probe_model(model, train, test), SUITE + 3 * SUITE_TEST, "passes"
    )


def extraction(device: torch.device) -> list[Work]:
    """Return the features of images under a ViT-B/16, and its forward pass on their floats."""
    model = timm.create_model("vit_base_patch16_224", num_classes=0).to(device).eval()
    pixels = images(LARGE, 6, 224).pixels
    floats = pixels.to(device).float() / 255
    return [
        Work("bare forward pass of a ViT-B/16", lambda: bare_pass(model, floats), LARGE, "images"),
        Work("features of a ViT-B/16", lambda: probe.features(model, pixels), LARGE, "images"),
    ]


@torch.no_grad()
def bare_pass(model: nn.Module, floats: torch.Tensor) -> None:
    """Pass standardised images through the blocks, which features cannot be faster than."""
    model.forward_features(floats)


def product(train: torch.Tensor, test: torch.Tensor) -> None:
    """Compute all cosines, one block at a time, which k-NN cannot be faster than."""
    keys = F.normalize(train, dim=1).T
    for queries in F.normalize(test, dim=1).split(max(1, BLOCK // len(train))):
        queries @ keys


def their_knn(train: Features, test: Features) -> float:
    """Return the accuracy of unweighted votes, which are less work than the weighted ones."""
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(20, metric="cosine", algorithm="brute")
    return model.fit(*(t.cpu().numpy() for t in train)).score(*(t.cpu().numpy() for t in test))


def their_linear(train: Features, test: Features) -> float:
    """Return the accuracy of the same objective and tolerance, C = 1, standardised in float64."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(train[0].cpu().double().numpy())
    x, y = (scale.transform(part[0].cpu().double().numpy()) for part in (train, test))
    model = LogisticRegression(C=1.0, max_iter=1000, tol=TOLERANCE).fit(x, train[1].cpu().numpy())
    return model.score(y, test[1].cpu().numpy())


def images(n: int, seed: int, side: int = 32) -> Images:
    """Return random images in ten classes."""
    rng = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (n, 3, side, side), generator=rng, dtype=torch.uint8)
    return plain(pixels, torch.randint(10, (n,), generator=rng), "0123456789")


def features(n: int, seed: int, device: torch.device) -> Features:
    """Return features of class means plus noise, and labels."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=rng)
    means = torch.randn(CLASSES, WIDTH, generator=torch.Generator().manual_seed(99))
    noisy = means[labels] + 3 * torch.randn(n, WIDTH, generator=rng)
    return noisy.to(device), labels.to(device)

"""k-NN segmentation by hard votes: against scikit-learn, and the choice of k and distance."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from siamlab.component import UserError
from siamlab.probe.votes import fit_votes


def patches(n, seed, classes=3, noise=1.0):
    rng = torch.Generator().manual_seed(seed)
    label = torch.randint(classes, (n,), generator=rng)
    x = noise * torch.randn(n, 5, generator=rng) + 2 * torch.eye(classes, 5)[label]
    return x * torch.tensor([1.0, 1.0, 1.0, 9.0, 30.0]), F.one_hot(label, classes).float()


@pytest.mark.parametrize("metric, distance", [("cosine", "cosine"), ("euclidean", "L2")])
def test_votes_are_those_of_scikit_learn(metric, distance):
    known, held, (asked, _) = patches(200, 0), patches(40, 1), patches(80, 2)
    memory = fit_votes(known, held)._replace(k=9, distance=distance)
    scaler = StandardScaler().fit(known[0])
    whole = (torch.cat(both) for both in zip(known, held, strict=True))
    features, shares = whole
    model = KNeighborsClassifier(9, metric=metric)
    expected = model.fit(scaler.transform(features), shares.argmax(dim=1)).predict(
        scaler.transform(asked)
    )
    assert memory.of(asked).argmax(dim=1).tolist() == expected.tolist()


def test_many_neighbours_are_chosen_where_single_ones_are_noise():
    known, held = patches(400, 0, noise=1.5), patches(200, 1, noise=1.5)
    assert fit_votes(known, held).k >= 10
    assert fit_votes(patches(400, 0, noise=0.01), patches(200, 1, noise=0.01)).k == 1


def test_length_decides_between_the_distances():
    """Rings around a point: cosine cannot tell them. Spokes of all lengths: L2 mixes them."""
    rng = torch.Generator().manual_seed(0)
    draw = lambda n: torch.rand(n, generator=rng)  # noqa: E731

    def part(n, rings):
        label = torch.arange(n) % 2
        angle = 6.28 * draw(n) if rings else 3.14 * label + 0.05 * draw(n)
        length = 1 + 2 * label + 0.2 * draw(n) if rings else 0.01 + draw(n)
        x = torch.stack([length * angle.cos(), length * angle.sin()], dim=1)
        return x, F.one_hot(label, 2).float()

    assert fit_votes(part(300, True), part(100, True)).distance == "L2"
    assert fit_votes(part(300, False), part(100, False)).distance == "cosine"  # of equals


def test_void_patches_are_not_remembered():
    x, shares = patches(30, 0)
    shares[:10] *= 0.3
    assert len(fit_votes((x, shares), patches(5, 1)).label) == 25
    with pytest.raises(UserError, match="only void"):
        fit_votes((x, 0 * shares), patches(5, 1))

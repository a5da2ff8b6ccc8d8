"""Linear CKA against its definition with whole n × n matrices, and its limits."""

import math

import numpy
import pytest
import torch

from siamlab.component import UserError
from siamlab.probe.cka import cka, cka_pairs


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def hsic(k, other):
    """HSIC₁ as Song et al. (2012) write it: Gram matrices without their diagonals."""
    n = len(k)
    k, other = (m - numpy.diag(numpy.diag(m)) for m in (k, other))
    one = numpy.ones(n)
    whole = one @ k @ one * (one @ other @ one) / ((n - 1) * (n - 2))
    return (numpy.trace(k @ other) + whole - 2 / (n - 2) * one @ k @ other @ one) / (n * (n - 3))


def whole(a, b):
    k, other = (x.double().numpy() @ x.double().numpy().T for x in (a, b))
    return hsic(k, other) / numpy.sqrt(hsic(k, k) * hsic(other, other))


def biased(a, b):
    a, b = (x - x.mean(dim=0) for x in (a, b))
    return ((a.T @ b).norm() ** 2 / ((a.T @ a).norm() * (b.T @ b).norm())).item()


@pytest.mark.parametrize("n, widths", [(4, (3, 2)), (30, (5, 8)), (12, (40, 7)), (50, (1, 90))])
def test_cka_is_that_of_the_gram_matrices(n, widths):
    a, b = noise(n, widths[0]) + 3, noise(n, widths[1], seed=1)
    b = b + a[:, :1]
    assert cka(a, b) == pytest.approx(whole(a, b), abs=1e-9)
    assert cka(b, a) == pytest.approx(cka(a, b), abs=1e-12)


@pytest.mark.parametrize("n, width", [(60, 9), (20, 50)])
def test_a_rotated_scaled_and_shifted_copy_is_the_same(n, width):
    a = noise(n, width)
    turn = torch.linalg.qr(noise(width, width, seed=1).double())[0]
    assert cka(a, a.double() @ turn * 7 - 40) == pytest.approx(1, abs=1e-9)
    assert cka(a, torch.cat([a, a], dim=1)) == pytest.approx(1, abs=1e-9)


def test_unrelated_features_are_at_0_whatever_the_width_where_the_biased_estimate_is_not():
    pairs = [(noise(40, 300, seed=s), noise(40, 200, seed=s + 100)) for s in range(20)]
    found = torch.tensor([cka(a, b) for a, b in pairs])
    assert found.mean().abs() < 0.01 and found.abs().max() < 0.1
    assert found.min() < 0 < found.max()
    assert min(biased(a, b) for a, b in pairs) > 0.8


def test_cka_lies_between_for_half_the_same_features():
    """CKA of x and [x, y], independent and equally wide, tends to 1 / √2."""
    x, y = noise(4000, 6), noise(4000, 6, seed=1)
    assert cka(x, torch.cat([x, y], dim=1)) == pytest.approx(0.5**0.5, abs=0.02)


def test_equal_features_are_like_nothing():
    same = (noise(1, 5).double() / 3).expand(37, -1)  # a mean of 37 is rounded
    assert (same - same.mean(dim=0)).any()
    for pair in ((same, noise(37, 5)), (noise(37, 5), same), (same, same)):
        with pytest.raises(UserError, match="has the same features for all 37 images"):
            cka(*pair)
    rows = cka_pairs({"collapsed": [same], "whole": [noise(37, 5)]})
    assert [math.isnan(row["cka"]) for row in rows] == [True, True, False]


def test_the_table_has_every_pair_of_layers_once():
    a, b = noise(30, 4), noise(30, 7, seed=1)
    c = torch.cat([a, b], dim=1)
    models = {"small": [a, b], "large": [c]}
    before = [t.clone() for t in (a, b, c)]
    rows = cka_pairs(models)
    layers = [("small", 1), ("small", 2), ("large", 1)]
    pairs = [(*layers[i], *layers[j]) for i in range(3) for j in range(i, 3)]
    assert [tuple(r.values())[:4] for r in rows] == pairs
    assert list(rows[0]) == ["model", "layer", "other_model", "other_layer", "cka"]
    for row in rows:
        one, two = (models[m][i - 1] for m, i in (list(row.values())[:2], list(row.values())[2:4]))
        assert row["cka"] == pytest.approx(whole(one, two), abs=1e-9)
    assert all(torch.equal(x, y) for x, y in zip(before, (a, b, c), strict=True))


def test_other_images_or_too_few_are_refused():
    with pytest.raises(UserError, match=r"got \[5, 6\]: give all layers the same images"):
        cka_pairs({"a": [noise(5, 2)], "b": [noise(6, 2)]})
    with pytest.raises(UserError, match=r"same 4 images or more in every layer, got \[3\]"):
        cka(noise(3, 2), noise(3, 2))

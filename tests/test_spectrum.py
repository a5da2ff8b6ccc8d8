"""Summaries of the spectrum, each against a closed form or a plain line of numpy or scipy."""

import numpy
import pytest
import scipy.linalg
import torch

from siamlab.component import UserError
from siamlab.probe.spectrum import alpha_req, eigenvalues, lidar, participation_ratio


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def with_variances(variances, n=400, seed=0):
    """Features [n, D] whose covariance has exactly these eigenvalues, rotated and shifted."""
    width, g = len(variances), rng(seed)
    x = torch.randn(n, width, generator=g, dtype=torch.double)
    x = torch.linalg.qr(x - x.mean(dim=0))[0] * (n - 1) ** 0.5
    turn = torch.linalg.qr(torch.randn(width, width, generator=g, dtype=torch.double))[0]
    return x * torch.as_tensor(variances).double().sqrt() @ turn + 3


def test_eigenvalues_are_those_of_the_covariance():
    x = torch.randn(40, 6, generator=rng()) * torch.tensor([5.0, 3, 1, 1, 0.3, 0.1]) + 10
    expected = numpy.linalg.eigvalsh(numpy.cov(x.double().numpy().T))[::-1]
    numpy.testing.assert_allclose(eigenvalues(x).numpy(), expected, rtol=1e-8)
    few = torch.randn(4, 6, generator=rng())
    expected = numpy.linalg.eigvalsh(numpy.cov(few.double().numpy().T))[::-1]
    assert eigenvalues(few).shape == (3,) and eigenvalues(few).dtype == torch.double
    numpy.testing.assert_allclose(eigenvalues(few).numpy(), expected[:3], rtol=1e-8)


def test_the_participation_ratio_counts_directions():
    assert participation_ratio(with_variances([2.0] * 7)) == pytest.approx(7)
    assert participation_ratio(with_variances([5.0, 0, 0])) == pytest.approx(1)
    assert participation_ratio(with_variances([4.0, 2, 1])) == pytest.approx(49 / 21)
    assert participation_ratio(torch.ones(5, 3)) == 0


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0, 2.5])
def test_a_power_law_gives_back_its_exponent(alpha):
    x = with_variances(torch.arange(1, 121).double() ** -alpha)
    assert alpha_req(x) == pytest.approx(alpha, abs=1e-6)
    assert alpha_req(9 * x - 5, 1, 120) == pytest.approx(alpha, abs=1e-6)


def test_alpha_is_fitted_from_the_4th_to_the_100th_and_weighed_by_1_over_the_index():
    i = numpy.arange(1, 131)
    variances = numpy.exp(-0.05 * i) * (i > 3) + (i <= 3) * 50.0 / i
    x = with_variances(variances)
    slope = numpy.polyfit(numpy.log(i[3:100]), numpy.log(variances[3:100]), 1, w=i[3:100] ** -0.5)
    assert alpha_req(x) == pytest.approx(-slope[0], rel=1e-6)


def test_variances_of_zero_are_left_out():
    x = with_variances(numpy.append(numpy.arange(1.0, 21) ** -1.5, numpy.zeros(10)))
    assert alpha_req(x) == pytest.approx(1.5, abs=1e-6)
    for flat in (torch.ones(50, 8), torch.randn(5, 8, generator=rng())):
        with pytest.raises(UserError, match="first=4 must be .* smaller first"):
            alpha_req(flat)


def test_lidar_is_the_entropy_of_discriminant_analysis():
    x = torch.randn(50, 1, 6, generator=rng()) * torch.tensor([4.0, 3, 2, 1, 1, 0.1])
    x = x + torch.randn(50, 5, 6, generator=rng(1)) * torch.tensor([1.0, 0.2, 2, 1, 0.1, 1])
    v = x.double().numpy()
    means = v.mean(axis=1)
    within = sum(numpy.cov(image.T, bias=True) for image in v) / 50 + 1e-4 * numpy.eye(6)
    values = scipy.linalg.eigh(numpy.cov(means.T, bias=True), within, eigvals_only=True)
    p = values / values.sum() + 1e-7
    assert lidar(x) == pytest.approx(numpy.exp(-(p * numpy.log(p)).sum()), rel=1e-6)


def test_lidar_counts_the_directions_that_views_share():
    """White noise between views, and images that lie along 3 of 12 axes, all alike."""
    images = torch.zeros(300, 12)
    images[:, :3] = 20 * torch.linalg.qr(torch.randn(300, 3, generator=rng()))[0] * 300**0.5
    views = images[:, None] + torch.randn(300, 50, 12, generator=rng(1))
    assert lidar(views) == pytest.approx(3, abs=0.02)
    turn = torch.linalg.qr(torch.randn(12, 12, generator=rng(2)))[0]
    assert lidar(views @ turn * 3 + 7) == pytest.approx(lidar(views), abs=1e-3)
    loud = views * torch.tensor([1.0] * 11 + [50])  # no matter: noise is measured in each direction
    assert lidar(loud) == pytest.approx(lidar(views), abs=1e-3)


def test_views_that_are_all_the_same_leave_delta_alone():
    """Then Σw = δ I, so the shares are those of the covariance of the images."""
    x = with_variances([4.0, 2, 1, 1])
    p = numpy.array([4, 2, 1, 1]) / 8
    expected = numpy.exp(-(p * numpy.log(p)).sum())
    assert lidar(x[:, None].expand(-1, 2, -1)) == pytest.approx(expected, rel=1e-5)


def test_lidar_refuses_single_views():
    x = torch.randn(8, 1, 4, generator=rng())
    with pytest.raises(UserError, match="2 or more of each; got 8 and 1"):
        lidar(x)
    with pytest.raises(UserError, match="delta=0.0 must be above 0"):
        lidar(x.expand(-1, 2, -1), delta=0.0)

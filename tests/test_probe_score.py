"""Scores: intervals, and how scores over the same images are put together."""

import numpy
import pytest
import torch

from siamlab.component import UserError
from siamlab.probe.score import Score, averaged, bootstrap, combine, normalised, ratio, resamples


def answers(n, share, seed=0):
    right = torch.rand(n, generator=torch.Generator().manual_seed(seed)) < share
    return torch.stack([right, torch.ones(n)], dim=1)


def scored(terms, chance=0.1, ceiling=1.0, **kwargs):
    return bootstrap(terms, ratio, chance, ceiling, "share", **kwargs)


def test_a_share_has_the_interval_of_a_binomial():
    terms = answers(2000, 0.7)
    score = scored(terms)
    p = terms[:, 0].mean().item()
    half = 1.96 * (p * (1 - p) / 2000) ** 0.5
    assert score.value == pytest.approx(p)
    assert score.low == pytest.approx(p - half, abs=0.1 * half)
    assert score.high == pytest.approx(p + half, abs=0.1 * half)


def test_draws_are_the_means_of_resampled_images():
    terms = answers(50, 0.4)
    rng = torch.Generator().manual_seed(0)
    picks = torch.stack([torch.randint(50, (50,), generator=rng) for _ in range(1000)])
    expected = terms[:, 0].numpy()[picks.numpy()].mean(axis=1)
    numpy.testing.assert_allclose(scored(terms).draws.numpy(), expected, rtol=1e-6)


def test_blocks_of_draws_do_not_change_them(monkeypatch):
    whole = torch.cat(list(resamples(30, 20, 0)))
    monkeypatch.setattr("siamlab.probe.score.BLOCK", 90)
    blocks = list(resamples(30, 20, 0))
    assert len(blocks) == 7 and torch.equal(torch.cat(blocks), whole)
    assert (whole.sum(dim=1) == 30).all()


def test_the_interval_of_one_probe_twice_is_its_own():
    one = scored(answers(300, 0.5))
    both = combine([one, one])
    alone = normalised(one)
    assert both[:3] == pytest.approx(alone[:3]) and both[3:5] == (0, 1)


def test_the_interval_of_opposite_probes_is_a_point():
    terms = answers(300, 0.5)
    other = torch.stack([1 - terms[:, 0], terms[:, 1]], dim=1)
    both = combine([scored(terms, 0.0), scored(other, 0.0)])
    assert both[:3] == pytest.approx((0.5, 0.5, 0.5))


def test_normalised_runs_from_chance_to_ceiling_whichever_is_better():
    up = Score(0.4, 0.3, 0.6, 0.2, 1.0, "share", "higher", torch.tensor([0.2, 1.0]))
    down = Score(30.0, 20.0, 40.0, 50.0, 10.0, "pixels", "lower", torch.tensor([50.0, 10.0]))
    assert normalised(up)[:5] == pytest.approx((0.25, 0.125, 0.5, 0, 1))
    assert normalised(down)[:5] == pytest.approx((0.5, 0.25, 0.75, 0, 1))
    assert normalised(down).direction == "higher" and normalised(down).draws.tolist() == [0, 1]
    assert combine([up, down]).value == pytest.approx(0.375)


def test_scores_without_the_same_draws_do_not_combine():
    terms = answers(30, 0.5)
    with pytest.raises(ValueError, match=r"share their draws, got \[1000, 10\]"):
        combine([scored(terms), scored(terms, draws=10)])
    with pytest.raises(ValueError, match="nothing can be measured"):
        normalised(scored(terms, chance=1.0))


def test_the_average_of_scores_is_the_score_of_the_average():
    one, two = answers(300, 0.5), answers(300, 0.8, seed=1)
    both = torch.stack([(one[:, 0] + two[:, 0]) / 2, one[:, 1]], dim=1)
    found, expected = averaged([scored(one), scored(two)]), scored(both)
    assert found[:7] == pytest.approx(expected[:7]) and found.draws.shape == (1000,)


def test_one_image_or_one_group_has_no_interval():
    for score in (scored(answers(1, 0.5)), scored(answers(2, 0.5), groups=torch.tensor([3, 3]))):
        assert score.value == score.value and score.low != score.low and score.high != score.high


@pytest.mark.parametrize("mean", [averaged, combine])
def test_the_mean_of_scores_without_an_interval_has_none(mean):
    one = scored(answers(2, 0.5), groups=torch.tensor([3, 3]))
    found = mean([one, scored(answers(2, 0.5, seed=1))])
    assert found.value == found.value and found.low != found.low and found.high != found.high


def test_images_of_one_group_are_drawn_together():
    """Each image twice: alone the interval is too narrow by √2, in pairs it is that of one."""
    terms = answers(500, 0.6)
    twice = terms.repeat_interleave(2, dim=0)
    pairs = torch.arange(500).repeat_interleave(2)
    width = lambda s: s.high - s.low  # noqa: E731
    assert scored(twice, groups=pairs)[:3] == pytest.approx(scored(terms)[:3])
    assert width(scored(twice)) == pytest.approx(width(scored(terms)) / 2**0.5, rel=0.1)
    mixed = torch.randperm(1000, generator=torch.Generator().manual_seed(0))
    assert scored(twice[mixed], groups=7 * pairs[mixed])[:3] == pytest.approx(scored(terms)[:3])
    with pytest.raises(UserError, match="one group for each of 1000 images"):
        scored(twice, groups=pairs[:9])

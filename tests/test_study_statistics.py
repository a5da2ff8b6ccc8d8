"""Intervals cover as often as they claim; verdicts are wrong no more often than they state."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from siamlab.component import UserError
from siamlab.study.statistics import effects, means

SIMULATIONS = 2000
PAIR = [("base", "changed")]


def studies(rng, seeds, effect=0.1, shared=0.5, count=SIMULATIONS, noise="normal"):
    """Many simulated studies of two points, each one probe of one frame."""
    draw = rng.normal if noise == "normal" else lambda *a: rng.uniform(-1.7, 1.7, a[-1])
    common = shared * rng.normal(size=(count, seeds))
    base = common + 0.1 * draw(0, 1, (count, seeds))
    changed = common + effect + 0.1 * draw(0, 1, (count, seeds))
    return frame({"base": base, "changed": changed})


def frame(values):
    rows = []
    for point, table in values.items():
        for probe, row in enumerate(table):
            about = dict(probe=f"p{probe}", title=f"P{probe}", unit="1", direction="higher")
            rows += [about | dict(point=point, seed=s, value=float(v)) for s, v in enumerate(row)]
    return pl.DataFrame(rows)


@pytest.mark.parametrize("noise", ["normal", "uniform"])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_cover_95_percent(seeds, noise):
    found = effects(studies(np.random.default_rng(seeds), seeds, noise=noise), PAIR)
    covered = ((found["low"] <= 0.1) & (0.1 <= found["high"])).mean()
    assert 0.93 <= covered <= 0.97


def test_a_percentile_bootstrap_would_not_cover():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(500, 3))
    draws = samples[:, rng.integers(0, 3, (400, 3))].mean(axis=-1)  # [500, 400]
    low, high = np.quantile(draws, [0.025, 0.975], axis=1)
    assert ((low <= 0) & (0 <= high)).mean() < 0.85


def test_no_study_of_many_comparisons_is_wrong_more_often_than_stated():
    rng, wrong, count = np.random.default_rng(1), 0, 400
    for _ in range(count):
        common = rng.normal(size=(2, 4))
        noise = lambda c=common: c + 0.1 * rng.normal(size=(2, 4))  # noqa: E731
        points = {name: noise() for name in ("base", "a", "b", "c")}
        pairs = [("base", name) for name in ("a", "b", "c")]
        found = effects(frame(points), pairs, family=("p0", "p1"))
        wrong += found["verdict"].is_in(["raises", "lowers"]).any()
    assert wrong / count <= 0.05 + 2 * (0.05 * 0.95 / count) ** 0.5


def test_a_real_difference_is_seldom_called_none():
    found = effects(
        studies(np.random.default_rng(2), 5, effect=0.1), PAIR, margin=0.09, family=["p0"]
    )
    assert (found["verdict"] == "no difference").mean() <= 0.05


def test_pairing_by_seed_makes_intervals_short():
    scores = studies(np.random.default_rng(3), 5, shared=5.0, count=50)
    found, alone = effects(scores, PAIR), means(scores)
    assert (found["high"] - found["low"]).mean() < 0.1 * (alone["high"] - alone["low"]).mean()


def test_interval_and_p_are_scipys():
    a, b = [0.1, 0.4, 0.2, 0.5], [0.3, 0.5, 0.5, 0.6]
    row = effects(frame({"base": [a], "changed": [b]}), PAIR).row(0, named=True)
    oracle = stats.ttest_rel(b, a)
    assert row["p"] == pytest.approx(oracle.pvalue)
    assert (row["low"], row["high"]) == pytest.approx(tuple(oracle.confidence_interval(0.95)))


def test_wide_intervals_are_corrected_for_all_comparisons():
    a, b = [0.1, 0.4, 0.2, 0.5], [0.3, 0.5, 0.5, 0.6]
    scores = frame({"base": [a, a], "changed": [b, b]})
    row = effects(scores, PAIR, family=("p0", "p1")).row(0, named=True)
    low, high = stats.ttest_rel(b, a).confidence_interval(1 - 0.05 / 2)
    assert (row["wide_low"], row["wide_high"], row["corrections"]) == pytest.approx((low, high, 2))


@pytest.mark.parametrize(
    "changed, verdict, words",
    [
        ([0.30, 0.41, 0.50], "raises", "changed raises the p0 by 0.20"),
        ([-0.10, 0.01, 0.10], "lowers", "changed lowers the p0 by 0.19"),
        ([0.101, 0.200, 0.301], "no difference", "no difference larger than 0.00"),
        ([0.0, 0.5, 0.3], "cannot tell", "cannot tell whether changed changes the p0"),
    ],
)
def test_verdicts_say_what_the_interval_says(changed, verdict, words):
    row = effects(frame({"base": [[0.1, 0.2, 0.3]], "changed": [changed]}), PAIR).row(0, named=True)
    assert row["verdict"] == verdict and words in row["sentence"], row["sentence"]


def test_so_many_more_seeds_would_do():
    row = effects(frame({"base": [[0.1, 0.2, 0.3]], "changed": [[0.0, 0.5, 0.4]]}), PAIR)
    row = row.row(0, named=True)
    spread = np.std([-0.1, 0.3, 0.1], ddof=1)
    half = lambda n: stats.t.isf(0.025, n - 1) * spread / n**0.5  # noqa: E731
    n = 3 + row["more_seeds"]
    assert half(n) < abs(row["difference"]) <= half(n - 1)


def test_only_seeds_that_both_have_are_compared():
    scores = frame({"base": [[0.1, 0.2, 0.3]], "changed": [[0.3, 0.5, 0.6]]})
    row = effects(scores.filter(~((pl.col("seed") == 1) & (pl.col("point") == "base"))), PAIR)
    assert row["pairs"][0] == 2 and row["difference"][0] == pytest.approx(0.25)


def test_one_pair_tells_nothing():
    row = effects(frame({"base": [[0.1]], "changed": [[0.9]]}), PAIR).row(0, named=True)
    assert row["verdict"] == "cannot tell" and "3 seeds" in row["sentence"]


def test_constant_differences_are_no_proof():
    row = effects(frame({"base": [[0.1, 0.1]], "changed": [[0.5, 0.5]]}), PAIR).row(0, named=True)
    assert row["verdict"] == "cannot tell"


@pytest.mark.parametrize(
    "given, words",
    [
        (dict(comparisons=[("base", "chnged")]), "did you mean 'changed'"),
        (dict(comparisons=PAIR, level=1.0), "level=1.0 must lie between"),
        (dict(comparisons=PAIR, margin=-1.0), "margin=-1.0 must be 0 or more"),
        (dict(comparisons=[]), "comparisons must name"),
    ],
)
def test_mistakes_are_one_sentence(given, words):
    with pytest.raises(UserError, match=words):
        effects(frame({"base": [[0.1, 0.2]], "changed": [[0.1, 0.3]]}), **given)

"""Intervals have the coverage they claim; verdicts are wrong no more often than they state."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from siamlab.component import UserError
from siamlab.study.statistics import effects, means

SIMULATIONS = 2000
EFFECT = 0.1
PAIR = [("base", "changed")]
NOISE = {  # of standard deviation 0.1
    "normal": lambda rng, size: rng.normal(0, 0.1, size),
    "uniform": lambda rng, size: rng.uniform(-0.1 * 3**0.5, 0.1 * 3**0.5, size),
    "laplace": lambda rng, size: rng.laplace(0, 0.1 / 2**0.5, size),
}


def studies(rng, seeds, effect=EFFECT, shared=0.5, count=SIMULATIONS, noise="normal"):
    """Simulated studies of two points, each one a probe of one table."""
    common = shared * rng.normal(size=(count, seeds))
    base = common + NOISE[noise](rng, (count, seeds))
    return frame({"base": base, "changed": common + effect + NOISE[noise](rng, (count, seeds))})


def frame(values, **more):
    """Turn {point: one row of values over seeds per probe} into a long table."""
    parts = []
    for point, table in values.items():
        value = np.array(table, dtype=float)
        probe, seed = np.indices(value.shape)
        names = [f"p{i}" for i in probe.ravel()]
        part = pl.DataFrame({"probe": names, "seed": seed.ravel(), "value": value.ravel()})
        parts.append(part.with_columns(point=pl.lit(point)))
    about = dict(title="Semantic score: k-NN", unit="share", direction="higher") | more
    return pl.concat(parts).with_columns(**{key: pl.lit(value) for key, value in about.items()})


def first(scores, comparisons=PAIR, **settings):
    return effects(scores, comparisons, **settings).row(0, named=True)


def differing(differences, base=0.5, **settings):
    """Return the row of one probe with these paired differences."""
    changed = [base + d for d in differences]
    return first(frame({"base": [[base] * len(changed)], "changed": [changed]}), **settings)


def half(spread, n, many=1):
    return stats.t.isf(0.025 / many, n - 1) * spread / n**0.5


def covered(found, low="low", high="high"):
    return ((found[low] <= EFFECT) & (EFFECT <= found[high])).mean()


@pytest.mark.parametrize("shared", [0.0, 5.0])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_cover_95_percent(seeds, shared):
    found = effects(studies(np.random.default_rng(seeds), seeds, shared=shared), PAIR)
    assert 0.93 <= covered(found) <= 0.97


@pytest.mark.parametrize("noise", ["uniform", "laplace"])
def test_intervals_cover_about_95_percent_of_other_noise(noise):
    assert 0.92 <= covered(effects(studies(np.random.default_rng(1), 4, noise=noise), PAIR)) <= 0.98


def test_means_cover_95_percent():
    found = means(studies(np.random.default_rng(4), 4))
    assert 0.93 <= covered(found.filter(pl.col("point") == "changed")) <= 0.97


def test_a_percentile_bootstrap_would_not_cover():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(500, 3))
    draws = samples[:, rng.integers(0, 3, (400, 3))].mean(axis=-1)  # [500, 400]
    low, high = np.quantile(draws, [0.025, 0.975], axis=1)
    assert ((low <= 0) & (0 <= high)).mean() < 0.85


def test_pairing_by_seed_makes_intervals_short():
    scores = studies(np.random.default_rng(3), 5, shared=5.0, count=50)
    found, alone = effects(scores, PAIR), means(scores)
    assert (found["high"] - found["low"]).mean() < 0.1 * (alone["high"] - alone["low"]).mean()


def test_no_study_of_many_comparisons_is_wrong_more_often_than_stated():
    """Nothing differs: 3 comparisons that share a base, 2 probes, 6 verdicts per study."""
    rng, wrong, count = np.random.default_rng(1), [], 400
    for _ in range(count):
        common = rng.normal(size=(2, 4))
        points = {name: common + 0.1 * rng.normal(size=(2, 4)) for name in ("base", *"abc")}
        found = effects(frame(points), [("base", name) for name in "abc"], family=("p0", "p1"))
        wrong.append(found["verdict"].is_in(["raises", "lowers"]).any())
    assert np.mean(wrong) <= 0.05 + 2 * (0.05 * 0.95 / count) ** 0.5


def test_a_difference_beyond_the_margin_is_seldom_called_none():
    scores = studies(np.random.default_rng(2), 5, effect=1.0)
    found = effects(scores, PAIR, margin=0.999, family=[f"p{i}" for i in range(SIMULATIONS)])
    assert (found["verdict"] == "no difference").sum() <= 5  # 0.05 / 2000 each
    alone = effects(scores, PAIR, margin=0.999)  # `high` is not corrected: the bound is met
    assert 0.015 <= (alone["high"] <= 0.999).mean() <= 0.035


def test_interval_and_p_are_scipys():
    a, b = [0.1, 0.4, 0.2, 0.5], [0.3, 0.5, 0.5, 0.6]
    for level in (0.5, 0.95, 0.99):
        row, oracle = (
            first(frame({"base": [a], "changed": [b]}), level=level),
            stats.ttest_rel(b, a),
        )
        assert row["p"] == pytest.approx(oracle.pvalue, rel=1e-14)
        ends = oracle.confidence_interval(level)
        assert (row["low"], row["high"]) == pytest.approx(tuple(ends), rel=1e-14)
        assert (row["base_mean"], row["mean"]) == pytest.approx((np.mean(a), np.mean(b)))
        assert row["difference"] == pytest.approx(np.mean(b) - np.mean(a))


@pytest.mark.parametrize(
    "family, corrections", [(["p0", "p1"], [4, 4, 2]), (["p2", "absent"], [4, 4, 2])]
)
def test_wide_intervals_are_corrected_for_the_comparisons_and_probes_of_a_kind(family, corrections):
    a, b = [0.1, 0.4, 0.2, 0.5], [0.3, 0.5, 0.5, 0.6]
    scores = frame({"base": [a] * 3, "changed": [b] * 3, "other": [a] * 3})
    found = effects(scores, [*PAIR, ("base", "other")], family=family)
    assert found["corrections"].to_list() == corrections * 2
    for row in found.head(3).iter_rows(named=True):
        ends = stats.ttest_rel(b, a).confidence_interval(1 - 0.05 / row["corrections"])
        assert (row["wide_low"], row["wide_high"]) == pytest.approx(tuple(ends))


def test_means_are_students_and_keep_their_order():
    scores = frame({"z": [[0.1, 0.4, 0.2]], "a": [[0.3, 0.5, 0.5]], "m": [[0.7]]})
    found = means(scores, level=0.9)
    assert found["point"].to_list() == ["z", "a", "m"] and found["seeds"].to_list() == [3, 3, 1]
    ends = stats.ttest_1samp([0.1, 0.4, 0.2], 0).confidence_interval(0.9)
    assert (found["low"][0], found["high"][0]) == pytest.approx(tuple(ends))
    assert found["mean"][2] == 0.7 and np.isnan([found["low"][2], found["high"][2]]).all()


@pytest.mark.parametrize(
    "differences, sentence",
    [
        ([-0.04, -0.05, -0.06], "lowers the semantic score by 0.050 [0.025, 0.075]"),
        ([0.04, 0.05, 0.06], "raises the semantic score by 0.050 [0.025, 0.075]"),
        ([-0.002, 0.0, 0.002], "no difference larger than 0.005 to the semantic score"),
        ([-0.0001, 0.0, 0.0001], "no difference larger than 0.001 to the semantic score"),  # up
        ([0.0, 0.0, 0.0], "no difference larger than 0.000 to the semantic score"),
        ([0.0003, 0.0003, 0.0004], "raises the semantic score by 0.0003 [0.0002, 0.0005]"),
        ([-0.03, 0.01, 0.05], "against base: 0.010 [−0.089, 0.109] over 3 seeds; about"),
        ([-3.0, 0.0, 3.0], "[−7.452, 7.452] over 3 seeds; more than 1,000 would."),
    ],
)
def test_sentence_and_verdict_say_what_the_wide_interval_says(differences, sentence):
    row = differing(differences)
    low, high = (
        stats.ttest_1samp(differences, 0).confidence_interval() if any(differences) else (0, 0)
    )
    verdict = "raises" if low > 0 else "lowers" if high < 0 else "no difference"
    verdict = "cannot tell" if low <= 0 <= high and max(-low, high) > 0.02 else verdict
    assert row["verdict"] == verdict
    assert sentence in row["sentence"] and row["sentence"].startswith(
        "cannot tell whether changed" if verdict == "cannot tell" else "changed "
    )


@pytest.mark.parametrize(
    "differences, words",
    [
        (
            [0.04, 0.05, 0.06],
            "raises the semantic score by 0.050 [0.025, 0.075] against base (3{}).",
        ),
        ([-0.002, 0.0, 0.002], "to the semantic score against base (3{})."),
        ([-0.03, 0.01, 0.05], "[−0.089, 0.109] over 3{}; about"),
        ([0.1], "it needs at least 3 seeds of both, and has 1{}."),
    ],
)
def test_a_sentence_says_that_seeds_are_missing(differences, words):
    sentences = {seeds: differing(differences, seeds=seeds)["sentence"] for seeds in (0, 3, 5)}
    short = len(differences) < 3
    assert words.format("" if short else " seeds") in sentences[0]
    assert words.format(" of 5" if short else " of 5 seeds; 2 missing") in sentences[5]
    assert short or sentences[3] == sentences[0]


def test_the_margin_is_a_share_of_the_way_from_chance_to_ceiling():
    values = {"base": [[0.0] * 4], "changed": [[-0.1, 0.0, 0.0, 0.1]]}
    ends = half(np.std(values["changed"], ddof=1), 4)
    for span in (2.0, 20.0):
        scores = frame(values, chance=span, ceiling=0.0)
        assert first(scores, margin=1.01 * ends / span)["verdict"] == "no difference"
        assert first(scores, margin=0.99 * ends / span)["verdict"] == "cannot tell"
    unknown = frame(values, chance=float("nan"), ceiling=5.0)
    assert first(unknown, margin=1.01 * ends)["verdict"] == "no difference"
    assert first(unknown, margin=0.99 * ends)["verdict"] == "cannot tell"


@pytest.mark.parametrize("many", [1, 4])
@pytest.mark.parametrize(
    "differences", [[-0.1, 0.3, 0.1], [-0.1, 0.1, 0.0, 0.01], [0.0, 0.05, -0.005]]
)
def test_the_estimated_number_of_seeds_suffices_and_one_less_does_not(differences, many):
    values = {"base": [[0.5] * len(differences)], "changed": [[0.5 + d for d in differences]]}
    row = first(frame(values), PAIR * many, family=["p0"])
    spread, size = np.std(differences, ddof=1), abs(np.mean(differences))
    aim = max(size, 0.02 - size)  # to leave out 0, or to lie within the margin
    n = len(differences) + row["more_seeds"]
    assert half(spread, n, many) < aim <= half(spread, n - 1, many)
    assert f"about {row['more_seeds']} more seeds would" in row["sentence"]


def test_more_seeds_are_counted_up_to_a_thousand():
    assert differing([-3.0, 0.0, 3.0])["more_seeds"] == 1000


def test_only_seeds_that_both_have_are_compared():
    scores = frame({"base": [[0.1, None, 0.3, np.inf]], "changed": [[0.3, 0.5, 0.6, 0.9]]})
    scores = pl.concat([scores.reverse(), scores.head(1).with_columns(seed=pl.lit(9, pl.Int64))])
    row = first(scores)
    assert row["pairs"] == 2 and row["difference"] == pytest.approx(0.25)


@pytest.mark.parametrize("changed, pairs", [([0.9, np.nan], 1), ([np.nan, np.nan], 0)])
def test_fewer_than_two_pairs_give_no_verdict(changed, pairs):
    row = first(frame({"base": [[0.1, 0.2]], "changed": [changed]}))
    assert (row["verdict"], row["pairs"], row["more_seeds"]) == ("cannot tell", pairs, 3 - pairs)
    assert "needs at least 3 seeds" in row["sentence"]
    assert np.isnan([row[key] for key in ("low", "high", "wide_low", "wide_high", "p")]).all()


@pytest.mark.parametrize("base", [[0.1, 0.1], [0.1, 0.2, 0.3], [0.7, 0.1, 0.4, 0.15]])
def test_equal_differences_give_no_verdict(base):
    row = first(frame({"base": [base], "changed": [[0.1 + b for b in base]]}))  # but for rounding
    assert row["verdict"] == "cannot tell" and row["more_seeds"] is None and np.isnan(row["p"])
    assert f"all {len(base)} differences are 0.100" in row["sentence"]
    rounded = [b + 0.1 - 0.1 for b in base]
    assert first(frame({"base": [base], "changed": [rounded]}))["verdict"] == "no difference"


@pytest.mark.parametrize(
    "title, name",
    [("Spatial score: all", "the spatial score"), ("RankMe", "the RankMe"), ("α-ReQ", "the α-ReQ")],
)
def test_titles_in_sentences_keep_the_capitals_of_names(title, name):
    scores = frame({"base": [[0.1, 0.2, 0.3]], "changed": [[0.3, 0.4, 0.6]]}, title=title)
    assert f"{name} " in first(scores)["sentence"]


@pytest.mark.parametrize(
    "given, words",
    [
        (dict(comparisons=[("base", "chnged")]), "did you mean 'changed'"),
        (dict(comparisons=PAIR, level=1.0), "level=1.0 must lie between"),
        (dict(comparisons=PAIR, level=0.0), "level=0.0 must lie between"),
        (dict(comparisons=PAIR, margin=-1.0), "margin=-1.0 must be 0 or more"),
        (dict(comparisons=[]), "comparisons must name"),
    ],
)
def test_mistakes_are_one_sentence_errors(given, words):
    with pytest.raises(UserError, match=words):
        effects(frame({"base": [[0.1, 0.2]], "changed": [[0.1, 0.3]]}), **given)


@pytest.mark.parametrize("found", [means, lambda scores: effects(scores, PAIR)])
def test_tables_without_numbers_or_with_two_of_one_run_are_refused(found):
    scores = frame({"base": [[0.1, 0.2]], "changed": [[0.1, 0.3]]})
    for empty in (scores.clear(), scores.with_columns(value=pl.lit(None))):
        with pytest.raises(UserError, match="must have a number"):
            found(empty)
    with pytest.raises(UserError, match="two numbers of p0 for 'base', seed 0"):
        found(pl.concat([scores, scores.head(1)]))


def test_means_refuse_an_invalid_level():
    with pytest.raises(UserError, match="level=95"):
        means(frame({"base": [[0.1, 0.2]]}), level=95.0)

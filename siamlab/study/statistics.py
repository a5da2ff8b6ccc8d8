"""Statistics over seeds: means, paired differences and their intervals.

table = effects(scores, [("UniGrad", "cosine")])        # differences, intervals, verdicts

Intervals are Student's t (1908) on the differences of runs that share a seed: variation that a
seed causes in both runs cancels, and with three to ten seeds the intervals have the coverage they
claim. A percentile bootstrap does not (resamples of three values never exceed their range, so it
covers about 80 % instead of 95 %); a bootstrap-t (Hall 1988) would correct that for skewed
values, but three values do not show a skew. Verdicts rest on intervals widened by Bonferroni (as
in Dunn 1961) for the number of comparisons, so that all of a study hold together, however they
depend on each other.

Distribution functions are those of scipy.stats. `ttest_rel` and its `confidence_interval` are not
used, though they give the same numbers (tested): they take 0.8 ms per row instead of 0.1, lose
digits of wide intervals (1e-9, since they compute 1 minus the corrected level), and warn where
all differences are equal.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from siamlab.component import UserError, unknown
from siamlab.study.verdicts import ROUNDING, judge, quantile

FAMILY = ("semantic", "spatial")  # the scores of verdicts; other probes are exploratory
PROBE = ("title", "unit", "direction")  # columns that describe a probe
KEY = ("point", "probe", "seed")  # columns that identify a value


def means(scores: pl.DataFrame, level: float = 0.95) -> pl.DataFrame:
    """Return the mean over seeds of each point and probe, with its Student-t interval.

    Columns: point, probe, title, unit, direction, seeds, mean, low, high. `scores` has one row per
    value: point, seed, probe, title, unit, direction, value. With one seed the interval is nan.
    Rows are in order of first appearance.
    Raises UserError if there are no values, two values of one run and probe, or an invalid level.
    """
    _check_level(level)
    rows = []
    for (point, probe), group in _finite(scores).group_by("point", "probe", maintain_order=True):
        values = group["value"].to_numpy()
        mean, half = values.mean(), quantile(level, 1, len(values)) * _standard_error(values)
        about = {key: group[key][0] for key in PROBE}
        interval = {"mean": mean, "low": mean - half, "high": mean + half}
        rows.append({"point": point, "probe": probe} | about | {"seeds": len(values)} | interval)
    return pl.DataFrame(rows, infer_schema_length=None)


def effects(
    scores: pl.DataFrame,
    comparisons: Sequence[tuple[str, str]],
    level: float = 0.95,
    margin: float = 0.02,
    family: Sequence[str] = FAMILY,
    seeds: int = 0,
) -> pl.DataFrame:
    """Return one row for each pair (base, changed) of points and each probe.

    Columns: base, point, probe, title, unit, direction, pairs (seeds of both), base_mean, mean,
    difference, low, high (of this comparison by itself), wide_low, wide_high (of all together), p
    (two-sided, not corrected), corrections, verdict, more_seeds, sentence. `corrections` is the
    number of comparisons times the number of probes of `family` in the table, or, for exploratory
    probes outside the family, times the number of those.

    Verdicts are about the value, not about good or bad. "raises" and "lowers": the wide interval
    excludes 0. "no difference": it lies within ± `margin` of the range from chance to ceiling (1
    where unknown). Otherwise "cannot tell", and `more_seeds` estimates how many would change that
    if difference and spread stay as they are: at most 1000, null where no estimate is possible.
    Equal differences have no spread: "no difference" if they are 0, otherwise "cannot tell". With
    fewer than two pairs intervals are nan. `seeds`: how many the study has; sentences mention
    missing ones. Raises UserError for an unknown point, no values or comparisons, two values of
    one run and probe, a `level` outside 0 to 1, or a negative `margin`.
    """
    _check(scores, comparisons, level, margin)
    finite = _finite(scores)
    values = _by_seed(finite)
    probes = finite.unique("probe", keep="first", maintain_order=True)
    in_family = probes["probe"].is_in(list(family)).sum()
    rows = []
    for (base, point), about in product(comparisons, probes.iter_rows(named=True)):
        probe = about["probe"]
        siblings = in_family if probe in family else len(probes) - in_family
        key = {"base": base, "point": point, "probe": probe} | {k: about[k] for k in PROBE}
        corrections = len(comparisons) * siblings
        row = key | _effect(values[base, probe], values[point, probe], level, corrections)
        rows.append(row | judge(row, margin * _span(about), level, seeds))
    integer = {"more_seeds": pl.Int64}  # also where all are null
    return pl.DataFrame(rows, schema_overrides=integer, infer_schema_length=None)


def _by_seed(finite: pl.DataFrame) -> dict[tuple[str, str], dict[int, float]]:
    """Return the values by seed of each point and probe."""
    values: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for point, probe, seed, value in finite.select(*KEY, "value").iter_rows():
        values[point, probe][seed] = value
    return values


def _effect(
    before: dict[int, float], after: dict[int, float], level: float, corrections: int
) -> dict[str, Any]:
    """Return the columns pairs to corrections of `effects`, from values by seed."""
    from scipy import stats

    shared = sorted(before.keys() & after.keys())
    a, b = (np.array([values[seed] for seed in shared]) for values in (before, after))
    n, scale = len(shared), max(map(abs, [*a, *b]), default=0.0)
    base_mean, mean, difference = (v.mean() if n else math.nan for v in (a, b, b - a))
    error = _standard_error(b - a, scale)
    difference = 0.0 if abs(difference) <= ROUNDING * scale else difference
    half, wide = (quantile(level, count, n) * error for count in (1, corrections))
    p = 2 * stats.t.sf(abs(difference) / error, n - 1) if error > 0 else math.nan
    return {
        "pairs": n,
        "base_mean": float(base_mean),
        "mean": float(mean),
        "difference": float(difference),
        "low": float(difference - half),
        "high": float(difference + half),
        "wide_low": float(difference - wide),
        "wide_high": float(difference + wide),
        "p": float(p),
        "corrections": corrections,
    }


def _standard_error(values: Float[np.ndarray, " n"], scale: float = 0.0) -> float:
    """Return the standard error of the mean; nan for fewer than two, 0 if all are equal.

    Values count as equal up to rounding errors of numbers as large as `scale`.
    """
    if len(values) < 2:
        return math.nan
    return float(values.std(ddof=1) / len(values) ** 0.5) * (np.ptp(values) > ROUNDING * scale)


def _span(about: dict[str, Any]) -> float:
    """Return the range from chance to ceiling; 1 where one of them is unknown."""
    ends = about.get("chance"), about.get("ceiling")
    known = all(end is not None and math.isfinite(end) for end in ends)
    return abs(ends[1] - ends[0]) if known else 1.0


def _finite(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with a finite value, checked to have one per run and probe."""
    finite = scores.cast({"value": pl.Float64}).filter(pl.col("value").is_finite())
    if finite.is_empty():
        raise UserError("scores must have a number of one run or more; it has none")
    duplicates = finite.filter(finite.select(KEY).is_duplicated())
    for row in duplicates.head(1).iter_rows(named=True):
        raise UserError(
            f"scores has two numbers of {row['probe']} for {row['point']!r}, seed {row['seed']}; "
            "keep one of them"
        )
    return finite


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise UserError(f"level={level} must lie between 0 and 1; 0.95 is usual")


def _check(
    scores: pl.DataFrame, comparisons: Sequence[tuple[str, str]], level: float, margin: float
) -> None:
    _check_level(level)
    if not margin >= 0:
        raise UserError(f"margin={margin} must be 0 or more: the least difference that matters")
    if scores.is_empty():
        raise UserError("scores must have a number of one run or more; it has none")
    if not comparisons:
        raise UserError("comparisons must name one (base, changed) pair of points or more")
    points = set(scores["point"])
    for name in (name for pair in comparisons for name in pair):
        if name not in points:
            raise UserError(unknown("scores has no point", name, points))

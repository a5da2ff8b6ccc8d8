"""Statistics over seeds: means, paired differences, and what may be said of them in words.

found = effects(scores, [("UniGrad", "cosine")])        # differences, intervals, verdicts

Intervals are Student's t (1908) on the differences of runs that share a seed: with three to ten
seeds they cover as often as they claim, where a percentile bootstrap does not (three values
resampled reach no further than their extremes). Verdicts rest on intervals widened by Bonferroni
for the number of comparisons, so that all of a study hold together.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from siamlab.component import UserError, unknown

FAMILY = ("semantic", "spatial")  # what verdicts are about; every other probe is exploratory
MOST = 1000  # more seeds are not counted
ABOUT = ("title", "unit", "direction")


def means(scores: pl.DataFrame, level: float = 0.95) -> pl.DataFrame:
    """point, probe, title, unit, direction, seeds, mean, low, high: Student's t over seeds.

    `scores` has a row a number: point, seed, probe, title, unit, direction, value. With one seed
    there is no interval (nan).
    """
    groups = _numbers(scores).group_by("point", "probe", maintain_order=True)
    rows = []
    for (point, probe), rest in groups:
        middle, half = _mean_and_half(rest["value"].to_list(), level, 1)
        about = {key: rest[key][0] for key in ABOUT}
        ends = {"mean": middle, "low": middle - half, "high": middle + half}
        rows.append({"point": point, "probe": probe} | about | {"seeds": len(rest)} | ends)
    return pl.DataFrame(rows)


def effects(
    scores: pl.DataFrame,
    comparisons: Sequence[tuple[str, str]],
    level: float = 0.95,
    margin: float = 0.02,
    family: Sequence[str] = FAMILY,
) -> pl.DataFrame:
    """A row for each (base, changed) pair of points and each probe.

    base, point, probe, title, unit, direction, pairs (seeds of both), base_mean, mean, difference,
    low, high (one comparison), wide_low, wide_high (all of them: Bonferroni over comparisons times
    the probes of `family`, or times all the others), p (two-sided, not corrected), corrections,
    verdict, more_seeds, sentence.

    Verdicts: "raises" and "lowers" where the wide interval excludes 0; "no difference" where it
    lies within ± margin of the way from chance to ceiling; else "cannot tell".
    Raises UserError for points without numbers and senseless levels or margins.
    """
    scores = _numbers(scores)
    _check(scores, comparisons, level, margin)
    probes = scores["probe"].unique(maintain_order=True).to_list()
    inside = len([p for p in probes if p in family])
    values = {
        key: dict(rest.select("seed", "value").iter_rows())
        for key, rest in scores.group_by("point", "probe")
    }
    about = {row["probe"]: row for row in scores.unique("probe").iter_rows(named=True)}
    rows = []
    for base, point in comparisons:
        for probe in probes:
            before, after = values.get((base, probe), {}), values.get((point, probe), {})
            many = len(comparisons) * (inside if probe in family else len(probes) - inside)
            row = _effect(before, after, level, many)
            row = {"base": base, "point": point, "probe": probe} | {
                key: about[probe][key] for key in ABOUT
            } | row  # fmt: skip
            rows.append(row | _verdict(row, margin * _span(about[probe]), level))
    return pl.DataFrame(rows, infer_schema_length=None)


def _effect(
    before: dict[int, float], after: dict[int, float], level: float, many: int
) -> dict[str, Any]:
    from scipy import special

    shared = sorted(before.keys() & after.keys())
    differences = [after[seed] - before[seed] for seed in shared]
    middle, half = _mean_and_half(differences, level, 1)
    _, wide = _mean_and_half(differences, level, many)
    error = half / _quantile(level, 1, len(shared)) if len(shared) > 1 else math.nan
    p = 2 * special.stdtr(len(shared) - 1, -abs(middle) / error) if error else math.nan
    return {
        "pairs": len(shared),
        "base_mean": _mean([before[seed] for seed in shared]),
        "mean": _mean([after[seed] for seed in shared]),
        "difference": middle,
        "low": middle - half,
        "high": middle + half,
        "wide_low": middle - wide,
        "wide_high": middle + wide,
        "p": float(p),
        "corrections": many,
        "error": error,
    }


def _verdict(row: dict[str, Any], margin: float, level: float) -> dict[str, Any]:
    """Verdict, more_seeds and sentence; takes the standard error out of the row."""
    error, low, high = row.pop("error"), row["wide_low"], row["wide_high"]
    title = row["title"].split(":")[0]
    what = f"the {title[:1].lower()}{title[1:]}"
    change = f"{_number(row['difference'])} [{_number(low)}, {_number(high)}]"
    ends = f"against {row['base']} ({row['pairs']} seeds)."
    if not row["pairs"] > 1:
        said = (
            f"cannot tell whether {row['point']} changes {what}: it takes 3 seeds or more of both."
        )
        return {"verdict": "cannot tell", "more_seeds": 3 - row["pairs"], "sentence": said}
    if error == 0 and row["difference"]:  # runs that differ by a constant say nothing of chance
        low, high = -math.inf, math.inf
    if low > 0 or high < 0:
        verb = "raises" if low > 0 else "lowers"
        size = f"{_number(abs(row['difference']))} [{_number(min(abs(low), abs(high)))}, "
        size += f"{_number(max(abs(low), abs(high)))}]"
        said = f"{row['point']} {verb} {what} by {size} {ends}"
        return {"verdict": verb, "more_seeds": None, "sentence": said}
    if max(-low, high) <= margin:
        most = _number(max(-low, high))
        said = f"{row['point']} makes no difference larger than {most} to {what} {ends}"
        return {"verdict": "no difference", "more_seeds": None, "sentence": said}
    needed = _needed(row, error, margin, level)
    more = f"about {needed} more would" if needed <= MOST else f"more than {MOST:,} would"
    said = f"cannot tell whether {row['point']} changes {what} against {row['base']}: {change} "
    said += f"over {row['pairs']} seeds; {more}."
    return {"verdict": "cannot tell", "more_seeds": needed, "sentence": said}


def _needed(row: dict[str, Any], error: float, margin: float, level: float) -> int:
    """Seeds to add until the wide interval would be shorter than the effect, at the same spread."""
    n, aim = row["pairs"], max(abs(row["difference"]), margin)
    many = n + np.arange(1, MOST + 1)
    half = _quantiles(level, row["corrections"])[many] * error * np.sqrt(n / many)
    enough = np.flatnonzero(half < aim)
    return int(enough[0]) + 1 if len(enough) else MOST + 1


def _mean_and_half(values: Sequence[float], level: float, many: int) -> tuple[float, float]:
    """Mean, and half the width of its t interval at a level corrected for `many` comparisons."""
    n, middle = len(values), _mean(values)
    if n < 2:
        return middle, math.nan
    variance = sum((value - middle) ** 2 for value in values) / (n - 1)
    return middle, _quantile(level, many, n) * math.sqrt(variance / n)


def _quantile(level: float, many: int, n: int) -> float:
    return float(_quantiles(level, many)[n])


@lru_cache(maxsize=64)  # a table asks for the same few of them thousands of times
def _quantiles(level: float, many: int) -> Float[np.ndarray, " n"]:
    """Half widths in standard errors, by the number of seeds; nan for fewer than two."""
    from scipy import stats

    seeds = np.arange(2, 2 * MOST)
    return np.append([np.nan, np.nan], stats.t.isf((1 - level) / many / 2, seeds - 1))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _numbers(scores: pl.DataFrame) -> pl.DataFrame:
    return scores.filter(pl.col("value").is_not_null() & pl.col("value").is_finite())


def _span(row: dict[str, Any]) -> float:
    """From chance to ceiling, where both are known."""
    ends = row.get("chance"), row.get("ceiling")
    known = all(end is not None and math.isfinite(end) for end in ends)
    return abs(ends[1] - ends[0]) if known else 1.0


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _check(
    scores: pl.DataFrame, comparisons: Sequence[tuple[str, str]], level: float, margin: float
) -> None:
    if not 0 < level < 1:
        raise UserError(f"level={level} must lie between 0 and 1; 0.95 is usual")
    if not margin >= 0:
        raise UserError(f"margin={margin} must be 0 or more: the least difference that matters")
    points = set(scores["point"])
    for name in (name for pair in comparisons for name in pair):
        if name not in points:
            raise UserError(unknown("there are no numbers of", name, points))
    if not comparisons:
        raise UserError("comparisons must name one (base, changed) pair of points or more")

"""Statistics over seeds: means, paired differences, and what may be said of them in words.

found = effects(scores, [("UniGrad", "cosine")])        # differences, intervals, verdicts

Intervals are Student's t (1908) on the differences of runs that share a seed: what a seed does to
both runs drops out, and with three to ten seeds they cover as often as they claim. A percentile
bootstrap does not (three values resampled reach no further than their extremes, so it covers about
80 % instead of 95 %); a bootstrap-t (Hall 1988) would mend that for skewed numbers, but three
values do not show a skew. Verdicts rest on intervals widened by Bonferroni (as in Dunn 1961) for
the number of comparisons, so that all of a study hold together, however they depend on each other.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float

from siamlab.component import UserError, unknown

FAMILY = ("semantic", "spatial")  # what verdicts are about; every other probe is exploratory
MOST = 1000  # more seeds are not counted
ROUNDING = 1e-12  # of the largest value: differences that are this close together are equal
ABOUT = ("title", "unit", "direction")
RUN = ("point", "probe", "seed")  # what a number is of


def means(scores: pl.DataFrame, level: float = 0.95) -> pl.DataFrame:
    """point, probe, title, unit, direction, seeds, mean, low, high: Student's t over seeds.

    `scores` has a row a number: point, seed, probe, title, unit, direction, value. With one seed
    there is no interval (nan). Order is that of first appearance.
    Raises UserError if there are no numbers, two of one run and probe, or a senseless level.
    """
    _check_level(level)
    rows = []
    for (point, probe), rest in _numbers(scores).group_by("point", "probe", maintain_order=True):
        values = rest["value"].to_numpy()
        middle, half = values.mean(), _quantile(level, 1, len(values)) * _error(values)
        about = {key: rest[key][0] for key in ABOUT}
        ends = {"mean": middle, "low": middle - half, "high": middle + half}
        rows.append({"point": point, "probe": probe} | about | {"seeds": len(values)} | ends)
    return pl.DataFrame(rows, infer_schema_length=None)


def effects(
    scores: pl.DataFrame,
    comparisons: Sequence[tuple[str, str]],
    level: float = 0.95,
    margin: float = 0.02,
    family: Sequence[str] = FAMILY,
    seeds: int = 0,
) -> pl.DataFrame:
    """A row for each (base, changed) pair of points and each probe.

    base, point, probe, title, unit, direction, pairs (seeds of both), base_mean, mean, difference,
    low, high (this comparison alone), wide_low, wide_high (all together), p (two-sided, not
    corrected), corrections, verdict, more_seeds, sentence. `corrections` is the number of
    comparisons times the probes of `family` that are there, or, for probes outside of it, which
    are exploratory, times all of those.

    Verdicts speak of the value, not of good or bad. "raises" and "lowers": the wide interval
    excludes 0. "no difference": it lies within ± `margin` of the way from chance to ceiling (of 1
    where these are not known). Else "cannot tell", and `more_seeds` is how many would give one of
    the other verdicts if difference and spread stay as they are; null where it cannot be said, at
    most 1000.
    Differences that are all equal have no spread to judge chance by: "no difference" if they are
    0, else "cannot tell". With fewer than two pairs there are no intervals (nan). `seeds` is how
    many the study has: sentences on fewer say so.

    Raises UserError if a point is unknown, there are no numbers or comparisons, two numbers are of
    one run and probe, `level` is not between 0 and 1, or `margin` is negative.
    """
    _check(scores, comparisons, level, margin)
    numbers = _numbers(scores)
    values: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for point, probe, seed, value in numbers.select(*RUN, "value").iter_rows():
        values[point, probe][seed] = value
    first = numbers.unique("probe", keep="first", maintain_order=True)
    inside = first["probe"].is_in(list(family)).sum()
    rows = []
    for (base, point), about in product(comparisons, first.iter_rows(named=True)):
        probe = about["probe"]
        of = inside if probe in family else len(first) - inside
        who = {"base": base, "point": point, "probe": probe} | {key: about[key] for key in ABOUT}
        many = len(comparisons) * of
        row = who | _effect(values[base, probe], values[point, probe], level, many)
        rows.append(row | _verdict(row, margin * _span(about), level, seeds))
    whole = {"more_seeds": pl.Int64}  # also where all are null
    return pl.DataFrame(rows, schema_overrides=whole, infer_schema_length=None)


def _effect(
    before: dict[int, float], after: dict[int, float], level: float, many: int
) -> dict[str, Any]:
    from scipy import special

    shared = sorted(before.keys() & after.keys())
    a, b = (np.array([values[seed] for seed in shared]) for values in (before, after))
    n, scale = len(shared), max(map(abs, [*a, *b]), default=0.0)
    base_mean, mean, middle = (v.mean() if n else math.nan for v in (a, b, b - a))
    error, middle = _error(b - a, scale), 0.0 if abs(middle) <= ROUNDING * scale else middle
    half, wide = (_quantile(level, m, n) * error for m in (1, many))
    p = 2 * special.stdtr(n - 1, -abs(middle) / error) if error > 0 else math.nan
    return {
        "pairs": n,
        "base_mean": float(base_mean),
        "mean": float(mean),
        "difference": float(middle),
        "low": float(middle - half),
        "high": float(middle + half),
        "wide_low": float(middle - wide),
        "wide_high": float(middle + wide),
        "p": float(p),
        "corrections": many,
    }


def _verdict(row: dict[str, Any], margin: float, level: float, seeds: int) -> dict[str, Any]:
    """Verdict, more_seeds and sentence for a row of `effects`; `margin` in units of the value."""
    low, high, difference, n = (row[k] for k in ("wide_low", "wide_high", "difference", "pairs"))
    point, score, base = row["point"], _called(row["title"]), row["base"]
    unsure = f"cannot tell whether {point} changes {score} against {base}"
    over = f"{counted(n, seeds)} seeds" + f"; {seeds - n} missing" * (n < seeds)
    if n < 2:
        text = f"{unsure}: it needs at least 3 seeds of both, and has {counted(n, seeds)}."
        return {"verdict": "cannot tell", "more_seeds": 3 - n, "sentence": text}
    if low == high and difference:
        text = f"{unsure}: all {counted(n, seeds)} differences are {_number(difference)}, and "
        text += "without spread nothing can be said of chance."
        return {"verdict": "cannot tell", "more_seeds": None, "sentence": text}
    if low > 0 or high < 0:
        verb = "raises" if low > 0 else "lowers"
        size = _interval(abs(difference), *sorted([abs(low), abs(high)]))
        text = f"{point} {verb} {score} by {size} against {base} ({over})."
        return {"verdict": verb, "more_seeds": None, "sentence": text}
    if max(-low, high) <= margin:
        most = math.ceil(1000 * max(-low, high) - 1e-9) / 1000  # up: "no larger" must stay true
        text = f"{point} makes no difference larger than {_number(most)} to {score} against {base}"
        return {"verdict": "no difference", "more_seeds": None, "sentence": f"{text} ({over})."}
    needed = _needed(row, margin, level)
    more = f"about {needed} more seed{'s' * (needed > 1)}" if needed <= MOST else "more than 1,000"
    text = f"{unsure}: {_interval(difference, low, high)} over {over}; {more} would."
    return {"verdict": "cannot tell", "more_seeds": min(needed, MOST), "sentence": text}


def counted(n: int, seeds: int) -> str:
    """`5`, or `3 of 5` where seeds are missing."""
    return f"{n} of {seeds}" if n < seeds else str(n)


def _needed(row: dict[str, Any], margin: float, level: float) -> int:
    """Seeds to add, at least 1, for a wide interval without 0 or within the margin.

    At the difference and spread of the seeds at hand; MOST + 1 if MOST are not enough.
    """
    n, quantiles = row["pairs"], _quantiles(level, row["corrections"])
    spread = (row["wide_high"] - row["wide_low"]) / 2 / _quantile(level, row["corrections"], n)
    total = n + np.arange(1, MOST + 1)
    half = quantiles[total.clip(max=len(quantiles) - 1)] * spread * np.sqrt(n / total)
    size = abs(row["difference"])
    enough = np.flatnonzero(half < max(size, margin - size))
    return int(enough[0]) + 1 if len(enough) else MOST + 1


def _error(values: Float[np.ndarray, " n"], scale: float = 0.0) -> float:
    """Standard error of the mean; nan for fewer than two, 0 if all are equal but for rounding."""
    if len(values) < 2:
        return math.nan
    return float(values.std(ddof=1) / len(values) ** 0.5) * (np.ptp(values) > ROUNDING * scale)


def _quantile(level: float, many: int, n: int) -> float:
    """Half width in standard errors over n seeds, if `many` intervals are to hold together."""
    quantiles = _quantiles(level, many)
    return float(quantiles[min(n, len(quantiles) - 1)])


@lru_cache(maxsize=64)  # a table asks for the same few of them thousands of times
def _quantiles(level: float, many: int) -> Float[np.ndarray, " n"]:
    """`_quantile` by number of seeds, to where it hardly changes; nan for fewer than two."""
    from scipy import stats

    seeds = np.arange(2, 2 * MOST)
    return np.append([np.nan, np.nan], stats.t.isf((1 - level) / many / 2, seeds - 1))


def _span(about: dict[str, Any]) -> float:
    """From chance to ceiling, where both are known."""
    ends = about.get("chance"), about.get("ceiling")
    known = all(end is not None and math.isfinite(end) for end in ends)
    return abs(ends[1] - ends[0]) if known else 1.0


def _called(title: str) -> str:
    """`the semantic score` of "Semantic score: k-NN and linear probe"; names stay as they are."""
    name = title.split(":")[0]
    ordinary = name.split(" ")[0][1:].islower()  # not RankMe, CKA
    return f"the {name[:1].lower()}{name[1:]}" if ordinary else f"the {name}"


def _interval(value: float, low: float, high: float) -> str:
    return f"{_number(value)} [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    """Three decimals, or one digit where these would be zeros; typographic minus."""
    small = ROUNDING < abs(value) < 0.0005
    return (f"{value:.1g}" if small else f"{value:z.3f}").replace("-", "−")


def _numbers(scores: pl.DataFrame) -> pl.DataFrame:
    """The rows that have a number."""
    numbers = scores.cast({"value": pl.Float64}).filter(pl.col("value").is_finite())
    if numbers.is_empty():
        raise UserError("scores must have a number of one run or more; it has none")
    twice = numbers.filter(numbers.select(RUN).is_duplicated())
    for row in twice.head(1).iter_rows(named=True):
        raise UserError(
            f"scores has two numbers of {row['probe']} for {row['point']!r}, seed {row['seed']}; "
            "keep one of them"
        )
    return numbers


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

"""Verdicts on paired differences, as sentences: raises, lowers, no difference, cannot tell.

judge(row, margin, level, seeds)         # of `effects`: verdict, more_seeds, sentence
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

MAX_SEEDS = 1000  # more seeds are not estimated
ROUNDING = 1e-12  # of the largest value: differences this close together count as equal


def judge(row: dict[str, Any], margin: float, level: float, seeds: int) -> dict[str, Any]:
    """Return verdict, more_seeds and sentence for a row of `effects`.

    `margin` has the unit of the value; `seeds` is the number that the study has.
    """
    low, high, difference, n = (row[k] for k in ("wide_low", "wide_high", "difference", "pairs"))
    point, score, base = row["point"], _score_name(row["title"]), row["base"]
    unsure = f"cannot tell whether {point} changes {score} against {base}"
    over = f"{of_seeds(n, seeds)} seeds" + f"; {seeds - n} missing" * (n < seeds)
    if n < 2:
        text = f"{unsure}: it needs at least 3 seeds of both, and has {of_seeds(n, seeds)}."
        return {"verdict": "cannot tell", "more_seeds": 3 - n, "sentence": text}
    if low == high and difference:
        text = f"{unsure}: all {of_seeds(n, seeds)} differences are {_number(difference)}, and "
        text += "without spread they cannot be compared with chance."
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
    needed = _seeds_needed(row, margin, level)
    several = f"about {needed} more seed{'s' * (needed > 1)}"
    more = several if needed <= MAX_SEEDS else "more than 1,000"
    text = f"{unsure}: {_interval(difference, low, high)} over {over}; {more} would."
    return {"verdict": "cannot tell", "more_seeds": min(needed, MAX_SEEDS), "sentence": text}


def of_seeds(n: int, seeds: int) -> str:
    """Return `5`, or `3 of 5` where seeds are missing."""
    return f"{n} of {seeds}" if n < seeds else str(n)


def quantile(level: float, comparisons: int, n: int) -> float:
    """Return the half width of an interval over n seeds, in standard errors.

    `comparisons` intervals of this width hold together (Bonferroni). nan for fewer than two seeds.
    """
    quantiles = _quantiles(level, comparisons)
    return float(quantiles[min(n, len(quantiles) - 1)])


@lru_cache(maxsize=64)  # a table needs the same few of them thousands of times
def _quantiles(level: float, comparisons: int) -> Float[np.ndarray, " n"]:
    """Tabulate `quantile` by the number of seeds, up to where it hardly changes."""
    from scipy import stats

    seeds = np.arange(2, 2 * MAX_SEEDS)
    return np.append([np.nan, np.nan], stats.t.isf((1 - level) / comparisons / 2, seeds - 1))


def _seeds_needed(row: dict[str, Any], margin: float, level: float) -> int:
    """Return how many seeds to add for a wide interval that excludes 0 or lies within the margin.

    Assumes that difference and spread stay as they are. At least 1; MAX_SEEDS + 1 if MAX_SEEDS do
    not suffice.
    """
    n, quantiles = row["pairs"], _quantiles(level, row["corrections"])
    spread = (row["wide_high"] - row["wide_low"]) / 2 / quantile(level, row["corrections"], n)
    total = n + np.arange(1, MAX_SEEDS + 1)
    half = quantiles[total.clip(max=len(quantiles) - 1)] * spread * np.sqrt(n / total)
    size = abs(row["difference"])
    enough = np.flatnonzero(half < max(size, margin - size))
    return int(enough[0]) + 1 if len(enough) else MAX_SEEDS + 1


def _score_name(title: str) -> str:
    """Return `the semantic score` for "Semantic score: k-NN"; proper names keep their capitals."""
    name = title.split(":")[0]
    ordinary = name.split(" ")[0][1:].islower()  # not RankMe, CKA
    return f"the {name[:1].lower()}{name[1:]}" if ordinary else f"the {name}"


def _interval(value: float, low: float, high: float) -> str:
    return f"{_number(value)} [{_number(low)}, {_number(high)}]"


def _number(value: float) -> str:
    """Format with three decimals, or one digit where these would be zeros; typographic minus."""
    small = ROUNDING < abs(value) < 0.0005
    return (f"{value:.1g}" if small else f"{value:z.3f}").replace("-", "−")

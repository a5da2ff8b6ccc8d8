"""A measured number: its 95 % interval over images, its chance level and its ceiling.

    semantic = combine([knn, linear])           # one number per property, chance 0 to ceiling 1

The interval is the percentile bootstrap over images (Efron 1979). It is ours and not scipy's,
because scores over the same images use the same resamples, so that their draws can be combined one
by one.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from siamlab.component import UserError
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_floats, check_groups

DRAWS = 1000  # resamples of a bootstrap
SEED = 0
BLOCK = 2**24  # resample counts in memory at once

Direction = Literal["higher", "lower", "neither"]  # which values are better
Settings = dict[str, Any]  # what a number depends on besides the model: "k": 20, "data.side": 48
Groups = Int[Tensor, "_"] | None  # images with the same number are drawn together; None: alone


class Score(NamedTuple):
    value: float
    low: float  # 2.5 % of the draws
    high: float  # 97.5 % of the draws
    chance: float  # of a network that has learned nothing; nan if there is no such level
    ceiling: float  # the best possible value, which the grid limits for instance; or nan
    unit: str
    direction: Direction
    draws: Float[Tensor, " R"]  # the value on each resample of the images; R = 0: no interval


class Reading(NamedTuple):
    """A score as a measure yields it, before it is joined with its row of the catalogue."""

    key: str
    score: Score
    settings: Settings
    layer: int | None = None  # blocks passed, from 1; None: all, and the final norm
    head: int | None = None  # from 1; None: all heads, or a number that has none


@typed
def bootstrap(
    terms: Float[Tensor, "n K"],
    statistic: Callable[[Tensor], Tensor],
    chance: float,
    ceiling: float,
    unit: str,
    direction: Direction = "higher",
    groups: Groups = None,
    draws: Count = DRAWS,
    seed: int = SEED,
) -> Score:
    """The score of a statistic of sums over images, with its interval.

    `terms` are K numbers per image; `statistic` takes their sums [..., K] to values [...].
    `ratio` is the usual one. Images that are not independent, such as two scenes of one object,
    share a number in `groups` and are drawn together; a single group has no interval. Cost:
    draws · n · K multiplications.
    """
    check_floats("terms", terms, "n K")
    terms = gathered(terms.double().cpu(), groups)
    values = torch.cat([statistic(c @ terms) for c in resamples(len(terms), draws, seed)])  # [R]
    low, high = interval(values) if len(terms) > 1 else (math.nan, math.nan)
    value = statistic(terms.sum(dim=0)).item()
    return Score(value, low, high, chance, ceiling, unit, direction, values)


def point(
    value: float, chance: float, ceiling: float, unit: str, direction: Direction = "higher"
) -> Score:
    """A score without an interval, for a statistic that is not a function of sums over images."""
    return Score(value, math.nan, math.nan, chance, ceiling, unit, direction, torch.empty(0))


def gathered(terms: Float[Tensor, "n K"], groups: Groups) -> Float[Tensor, "g K"]:
    """The terms of each group, summed."""
    check_groups(groups, len(terms))
    if groups is None:
        return terms
    which = groups.cpu().unique(return_inverse=True)[1]
    return terms.new_zeros(int(which.max()) + 1, terms.shape[1]).index_add_(0, which, terms)


def ratio(sums: Float[Tensor, "*R 2"]) -> Float[Tensor, "*R"]:
    """First sum over second: correct over counted."""
    return sums[..., 0] / sums[..., 1]


def resamples(n: int, draws: int, seed: int) -> Iterator[Float[Tensor, "_ n"]]:
    """Yield how often each of n images is in each resample: rows that sum to n, in blocks."""
    if draws * n <= BLOCK:
        yield _remembered(n, draws, seed)
        return
    rng = torch.Generator().manual_seed(seed)
    for start in range(0, draws, rows := max(1, BLOCK // n)):
        yield _counts(n, min(rows, draws - start), rng)


@lru_cache(maxsize=4)  # the probes of one model share a few sizes, for hundreds of numbers
def _remembered(n: int, draws: int, seed: int) -> Tensor:
    return _counts(n, draws, torch.Generator().manual_seed(seed))


def _counts(n: int, draws: int, rng: torch.Generator) -> Float[Tensor, "_ n"]:
    picks = (torch.randint(n, (n,), generator=rng) for _ in range(draws))
    return torch.stack([p.bincount(minlength=n) for p in picks]).double()


@typed
def normalised(score: Score) -> Score:
    """Rescale a score to 0 at chance and 1 at its ceiling; higher is better."""
    chance, span = score.chance, score.ceiling - score.chance
    if span == 0:
        raise UserError(f"chance and ceiling are both {chance}: nothing can be measured between")
    draws = (score.draws - chance) / span
    low, high = sorted([(score.low - chance) / span, (score.high - chance) / span])
    unit = "0 chance, 1 ceiling"
    return Score((score.value - chance) / span, low, high, 0.0, 1.0, unit, "higher", draws)


def averaged(scores: Sequence[Score]) -> Score:
    """Mean of scores of one kind over the same images, with the interval of the mean."""
    draws = torch.stack([s.draws for s in scores]).mean(dim=0)
    first, n = scores[0], len(scores)
    value, chance, ceiling = (sum(s[i] for s in scores) / n for i in (0, 3, 4))
    low, high = _mean_interval(scores, draws)
    return Score(value, low, high, chance, ceiling, first.unit, first.direction, draws)


@typed
def combine(scores: Sequence[Score]) -> Score:
    """Mean of the scores, each from 0 at chance to 1 at its ceiling, with the interval of the mean.

    The interval is exact for scores over the same images; chance and ceiling are taken as fixed.
    """
    if not scores or len({len(s.draws) for s in scores}) > 1:
        counts = [len(s.draws) for s in scores]
        raise UserError(f"scores must be one or more and share their draws, got {counts}")
    parts = [normalised(s) for s in scores]
    draws = torch.stack([p.draws for p in parts]).mean(dim=0)
    value = sum(p.value for p in parts) / len(parts)
    low, high = _mean_interval(parts, draws)
    return Score(value, low, high, 0.0, 1.0, parts[0].unit, "higher", draws)


def _mean_interval(scores: Sequence[Score], draws: Tensor) -> tuple[float, float]:
    """Interval of the mean's draws; none if a part has none, as with a single group."""
    missing = any(math.isnan(s.low) for s in scores)
    return (math.nan, math.nan) if missing else interval(draws)


def interval(draws: Tensor) -> tuple[float, float]:
    low, high = draws.nanquantile(torch.tensor([0.025, 0.975], dtype=draws.dtype)).tolist()
    return low, high

"""What is told of the points of a study: values, intervals, seeds, changes and differences.

points_of(scores, "semantic", CONFIGURATIONS)   # name, title, unit, value, low, high
differences(scores, [("mae", "siameseim")])     # {("mae", "siameseim"): "semantic +0.102 […]"}
"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from siamlab.explore.plane.results import StudyResults
from siamlab.explore.plane.runs import named_changes
from siamlab.explore.scene import decimal
from siamlab.study.statistics import effects, means

CONFIGURATIONS, RUNS = "configurations", "runs"  # what a point is
SUMMARY = ("semantic", "spatial")
CHANGES = 4  # changes of a configuration that are named; the others are counted
NAMES = ("Fourier",)  # first words of titles that keep their capital within a sentence


def axis_title(row: dict[str, Any]) -> str:
    """The title of a probe as axes have it, "semantic score" or "k-NN accuracy", and its unit."""
    title = row["title"].partition(":")[0]
    first, _, rest = title.partition(" ")
    if first[1:].islower() and first not in NAMES:  # not RankMe or LiDAR
        title = f"{first.lower()} {rest}".rstrip()
    return f"{title} ({row['unit']})"


def seed_counts(scores: pl.DataFrame) -> dict[str, int]:
    """The number of seeds of each configuration."""
    return dict(scores.group_by("point").agg(pl.col("seed").n_unique()).iter_rows())


def since(found: StudyResults, first: str, name: str, apart: str) -> str:
    """What a configuration changes, and by how much its scores differ."""
    runs = found.runs.get(name), found.runs.get(first)
    told = f"; less {first}, seed by seed: {apart}"
    if not all(runs):
        return told
    return f"; changed from {first}: {named_changes(*runs, CHANGES) or 'nothing'}{told}"


def points_of(scores: pl.DataFrame, probe: str, kind: str) -> pl.DataFrame:
    """name, title, unit, value, low, high of one probe: of configurations, or of runs."""
    rows = scores.filter(pl.col("probe") == probe, pl.col("value").is_finite())
    keys = "name", "title", "unit", "value", "low", "high"
    if rows.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(keys[:3], pl.String) | dict.fromkeys(
            keys[3:], pl.Float64))  # fmt: skip
    if kind == RUNS:
        return rows.with_columns(name=pl.format("{}, seed {}", "point", "seed")).select(keys)
    return means(rows).rename({"point": "name", "mean": "value"}).select(keys)


def differences(
    scores: pl.DataFrame, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Mean differences of both scores over the seeds that two points share, with intervals."""
    words: dict[tuple[str, str], list[str]] = {pair: [] for pair in pairs}
    rows = scores.filter(pl.col("probe").is_in(SUMMARY))
    for row in effects(rows, pairs).iter_rows(named=True) if pairs else ():
        if row["pairs"]:
            ends = interval(row["low"], row["high"], "+")
            told = f"{row['probe']} {decimal(row['difference'], '+.3f')}{ends}"
            words[row["base"], row["point"]].append(told)
    return {pair: ", ".join(told) or "no seed in common" for pair, told in words.items()}


def interval(low: float | None, high: float | None, sign: str = "") -> str:
    """An interval in brackets; nothing where it is not known, as of one seed."""
    known = all(end is not None and end == end for end in (low, high))
    form = f"{sign}.3f"
    return f" [{decimal(low, form)}, {decimal(high, form)}]" if known else ""

"""Scores as tables of text: all probes, for a page or a terminal, and comparisons of models.

    score_table(scores); terminal_table(scores); comparison_table(scores)

`scores` is the long table of probes (`probe.table`); `low`..`high` is a 95 % interval. Only rows of
whole models are used, not those of single layers and heads.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from siamlab.component import UserError
from siamlab.machine.arguments import typed
from siamlab.machine.terminal import cell
from siamlab.probe.table import check_frame, same_protocols

if TYPE_CHECKING:
    from rich.table import Table

NAMES, LEAST = 60, 14  # columns of a terminal for all names of models; for one, as an interval

COLUMNS = (
    "model layer head probe title property value low high chance ceiling unit direction protocol "
    "settings"
).split()
ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}
SUMMARY = ("semantic", "spatial")  # the two scores of a model


@typed
def score_table(scores: pl.DataFrame) -> pl.DataFrame:
    """A table of text, one row per probe: `0.42 [0.39, 0.45]` by model, then chance and ceiling.

    All numbers of a probe have the same decimals, to the first digit of its half interval. A
    missing score is a dash.
    """
    scores = whole_models(scores)
    models = scores["model"].unique(maintain_order=True).to_list()
    table = []
    for _, rows in scores.group_by("probe", maintain_order=True):
        places = decimals(rows)
        cells = {row["model"]: interval(row, places) for row in rows.iter_rows(named=True)}
        limits = {end: limit(rows[end], places) for end in ("chance", "ceiling")}
        values = {model: cells.get(model, "–") for model in models}
        table.append({"probe": heading(rows.row(0, named=True))} | values | limits)
    return pl.DataFrame(table)


@typed
def terminal_table(scores: pl.DataFrame) -> "Table":
    """A rich table: one row per probe, one column per model, intervals below the values."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from siamlab.figure.template import broken

    scores = whole_models(scores)
    models = scores["model"].unique(maintain_order=True).to_list()
    caption = "brackets: 95 % interval; ↑ higher is better, ↓ lower is better"
    table = Table(caption=caption, box=SIMPLE_HEAD, padding=(0, 1, 1, 0), show_edge=False)
    table.add_column("probe", overflow="fold")
    room = max(LEAST, NAMES // max(len(models), 1))
    for model in models:
        name = "\n".join(map(cell, broken(model, room)))
        table.add_column(name, justify="right", overflow="fold")
    for _, rows in scores.group_by("probe", maintain_order=True):
        places, first = decimals(rows), rows.row(0, named=True)
        cells = {row["model"]: interval(row, places) for row in rows.iter_rows(named=True)}
        chance, ceiling = (limit(rows[end], places) for end in ("chance", "ceiling"))
        limits = f"[dim]chance {chance}, ceiling {ceiling}[/dim]"
        values = [escape(cells.get(model, "–").replace(" ", "\n", 1)) for model in models]
        table.add_row(f"{escape(heading(first, 'probe'))}\n{limits}", *values)
    return table


@typed
def comparison_table(scores: pl.DataFrame, probes: Sequence[str] = SUMMARY) -> pl.DataFrame:
    """A table of text, one row per probe and model: its value, and a word for each other model.

    "better" and "worse" ("more" and "less" for a probe without a better side) if the two 95 %
    intervals do not overlap, which is stricter than a test at 5 %; "overlap" if they do; a dash
    if there is nothing to compare.
    """
    rows = whole_models(scores).filter(pl.col("probe").is_in(list(probes)))
    if rows.is_empty():
        raise UserError(f"probes: scores has no row of {list(probes)}; name probes that it has")
    models = rows["model"].unique(maintain_order=True).to_list()
    table = []
    for _, group in rows.group_by("probe", maintain_order=True):
        by_model = {row["model"]: row for row in group.iter_rows(named=True)}
        for model, row in by_model.items():
            words = {f"against {other}": compared(row, by_model.get(other)) for other in models}
            value = interval(row, decimals(group))
            title = row["title"].partition(":")[0]
            table.append({"probe": title, "model": model, "value": value} | words)
    return pl.DataFrame(table)


def compared(row: dict[str, Any], other: dict[str, Any] | None) -> str:
    """The word of `comparison_table` for one score compared with another of the same probe."""
    if other is None or other["model"] == row["model"]:
        return "–"
    ends = [r[end] for r in (row, other) for end in ("low", "high")]
    if any(end is None or not math.isfinite(end) for end in ends):
        return "–"
    if row["low"] <= other["high"] and other["low"] <= row["high"]:
        return "overlap"
    more = row["value"] > other["value"]
    if row["direction"] == "neither":
        return "more" if more else "less"
    return "better" if more == (row["direction"] == "higher") else "worse"


def checked(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the table. Raises UserError for missing columns, duplicates or mixed protocols."""
    scores = check_frame(scores, COLUMNS, "scores", "probe at least one model first")
    same_protocols(scores)
    keys = scores.select("model", "probe", "layer", "head")
    if twice := keys.filter(keys.is_duplicated()).unique(maintain_order=True).rows():
        raise UserError(f"scores has more than one row for {twice[0]}; keep one of them")
    return scores


def whole_models(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the checked rows of whole models, without those of single layers and heads."""
    rows = checked(scores).filter(pl.col("layer").is_null(), pl.col("head").is_null())
    if rows.is_empty():
        raise UserError(
            "scores has only rows of single layers and heads; add the other rows of its suite"
        )
    return rows


def decimals(rows: pl.DataFrame) -> int:
    """Decimals down to the first digit of the median half interval; 2 without intervals."""
    half = ((rows["high"] - rows["low"]) / 2).fill_nan(None).drop_nulls()
    half = half.filter((half > 0) & half.is_finite())
    return 2 if half.is_empty() else min(4, max(0, -math.floor(math.log10(half.median()))))


def undominated(points: np.ndarray) -> list[bool]:
    """Return whether no point is at least as good on both axes and better on one (up)."""
    no_less = (points[None] >= points[:, None]).all(axis=2)  # [point, other]
    more = (points[None] > points[:, None]).any(axis=2)
    return (~(no_less & more).any(axis=1)).tolist()


def heading(row: dict[str, Any], name: str = "title") -> str:
    """`k-NN accuracy (share of images) ↑`: title (or key), unit and better direction."""
    unit = f" ({row['unit']})" if row["unit"] else ""
    return f"{row[name]}{unit} {ARROWS[row['direction']]}".rstrip()


def number(value: float | None, places: int) -> str:
    """`0.42`, or a dash for an unknown value."""
    return f"{value:.{places}f}" if value is not None and math.isfinite(value) else "–"


def limit(values: pl.Series, places: int) -> str:
    """Chance or ceiling of a probe; `48 to 96` where it differs between models."""
    known = values.fill_nan(None).drop_nulls()
    ends = dict.fromkeys(number(end, places) for end in (known.min(), known.max()))
    return " to ".join(ends)


def interval(row: dict[str, Any], places: int) -> str:
    """`0.42 [0.39, 0.45]`, or only the value without an interval."""
    value, low, high = (number(row[key], places) for key in ("value", "low", "high"))
    if low == high == "–":
        return value
    return f"{value} [{low}, {high}]"

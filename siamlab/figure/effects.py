"""Forest plot of ablations: one panel per probe, one point with two intervals per comparison.

effects_figure(effects_table(effects, probes=("semantic", "spatial")))

`effects` has one row per comparison and probe: the mean difference of `point` from `base` over
pairs of runs with the same seed, its 95 % interval, and that interval corrected for the number of
comparisons.
"""

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl

from siamlab.component import UserError, unknown
from siamlab.figure.probes import ARROWS
from siamlab.figure.template import (
    GREY,
    OKABE_ITO,
    TOP,
    broken,
    finish,
    hide_rest,
    legend,
    legend_height,
    panels,
    plain,
    row_labels,
    rule,
)
from siamlab.machine.arguments import typed
from siamlab.probe.table import check_frame

COLUMNS = 2
LINE = 15  # pixels: height of a line of text
TICKS = 32  # pixels: height of the numbers of an axis
VERDICTS = {  # verdict -> colour, symbol
    "raises": (OKABE_ITO[0], "triangle-right"),
    "lowers": (OKABE_ITO[1], "triangle-left"),
    "no difference": (OKABE_ITO[6], "circle"),
    "cannot tell": (GREY, "circle-open"),
}
KEPT = (
    "probe title unit direction comparison difference low high wide_low wide_high pairs verdict "
    "sentence"
).split()
NEEDED = ["base", "point", *(name for name in KEPT if name != "comparison")]


@typed
def effects_table(
    effects: pl.DataFrame, probes: Sequence[str] = ("semantic", "spatial")
) -> pl.DataFrame:
    """probe, title, unit, direction, comparison, difference, two intervals, pairs, verdict, …

    One row per comparison and probe, in the order of `probes`, then of appearance. A comparison is
    named by its `point` if all have the same base, else "base → point". With a single pair of runs
    there is no interval, and its ends are nan.
    """
    effects = _checked(effects, probes)
    one_base = effects["base"].n_unique() == 1
    names = pl.col("point") if one_base else pl.format("{} → {}", "base", "point")
    table = effects.filter(pl.col("probe").is_in(list(probes))).with_columns(comparison=names)
    order = (_ranks(table["comparison"], "comparison"), _ranks(probes, "probe"))
    table = table.sort(order[1], order[0], maintain_order=True).select(KEPT)
    if table.select("probe", "comparison").is_duplicated().any():
        raise UserError(
            "effects has two rows with the same base, point and probe; keep one of them"
        )
    return table


@typed
def effects_figure(table: pl.DataFrame, title: str = "Effects of the ablations") -> go.Figure:
    """Points with a thick and a thin whisker each, for an `effects_table`."""
    table = check_frame(table, KEPT)
    _check_verdicts(table)
    parts = table.partition_by("probe", maintain_order=True)
    names = table["comparison"].unique(maintain_order=True).to_list()
    verdicts = [verdict for verdict in VERDICTS if verdict in table["verdict"]]
    axes = [_axis_title(rows.row(0, named=True)) for rows in parts]
    labels = [broken(name, 22) for name in names]
    inner = len(names) * max(24, 10 + LINE * max(map(len, labels), default=0)) + 8
    axis = TICKS + LINE * max(map(len, axes), default=0)
    between, below = axis + TOP + 8, axis + 12 + legend_height(verdicts)
    count = -(-len(parts) // COLUMNS)
    plots = count * inner + (count - 1) * between  # pixels from the first panel to the last
    gaps = dict(vertical_spacing=between / plots if count > 1 else 0, horizontal_spacing=0.06)
    heads = [rows["title"][0] for rows in parts]
    figure = panels(heads, COLUMNS, shared_yaxes=True, **gaps)
    clipped = False
    for i, (rows, text) in enumerate(zip(parts, axes, strict=True)):
        place = dict(row=i // COLUMNS + 1, col=i % COLUMNS + 1)
        clipped |= _panel(figure, rows, names, **place)
        figure.update_xaxes(title_text="<br>".join(map(plain, text)), **place)
    row_labels(figure, labels)
    hide_rest(figure, len(parts), min(COLUMNS, len(parts)))
    legend(figure, {v: dict(mode="markers", marker=_marker(v)) for v in verdicts})
    figure.update_layout(margin_b=below)
    return finish(figure, title, _caption(table, clipped), TOP + plots + below)


def _checked(effects: pl.DataFrame, probes: Sequence[str]) -> pl.DataFrame:
    effects = check_frame(effects, NEEDED, "effects")
    if not probes:
        raise UserError("probes is empty; there is nothing to draw")
    allowed = set(effects["probe"])
    if wrong := [probe for probe in probes if probe not in allowed]:
        raise UserError(unknown("effects: no probe", str(wrong[0]), allowed))
    _check_verdicts(effects)
    return effects


def _check_verdicts(effects: pl.DataFrame) -> None:
    if wrong := [verdict for verdict in effects["verdict"] if verdict not in VERDICTS]:
        raise UserError(unknown("effects: no verdict", str(wrong[0]), VERDICTS))


def _ranks(names: Iterable[str], column: str) -> pl.Expr:
    """The index of each value of the column among the unique names."""
    rank = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return pl.col(column).replace_strict(rank)


def _axis_title(row: dict[str, Any]) -> list[str]:
    unit, arrow = row["unit"] or "no unit", ARROWS[row["direction"]]
    return broken(f"difference ({unit})", 30) + [arrow] * bool(arrow)


def _panel(figure: go.Figure, rows: pl.DataFrame, names: list[str], **place: int) -> bool:
    """Draw one probe, and return whether a thin whisker is cut off at the edge."""
    rule(figure, [0.0, 0.0], [-0.6, len(names) - 0.4], "solid", **place)
    for row in rows.iter_rows(named=True):
        y, verdict = names.index(row["comparison"]), row["verdict"]
        for low, high, width in (("wide_low", "wide_high", 1.2), ("low", "high", 4)):
            if _finite(row[low]) and _finite(row[high]):
                line = dict(color=VERDICTS[verdict][0], width=width)
                style = dict(mode="lines", line=line, hoverinfo="skip", showlegend=False)
                figure.add_scatter(x=[row[low], row[high]], y=[y, y], **style, **place)
        figure.add_scatter(
            x=[row["difference"]],
            y=[y],
            mode="markers",
            marker=_marker(verdict),
            name=plain(row["comparison"]),
            hovertext="<br>".join(map(plain, textwrap.wrap(row["sentence"] or "", 60))),
            hoverinfo="text",
            showlegend=False,
            **place,
        )
    low, high = _range(rows)
    figure.update_xaxes(range=[low, high], nticks=5, tickangle=0, **place)
    return any(end < low or end > high for end in _ends(rows, "wide_low", "wide_high"))


def _range(rows: pl.DataFrame) -> tuple[float, float]:
    """Zero, points and thick whiskers; also thin ones, unless they would fill half the axis."""
    inner = [0.0, *_ends(rows, "difference", "low", "high")]
    low, high = min(inner), max(inner)
    wide = [low, high, *_ends(rows, "wide_low", "wide_high")]
    more = (high - low) / 2
    low, high = max(min(wide), low - more), min(max(wide), high + more)
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def _ends(rows: pl.DataFrame, *columns: str) -> list[float]:
    return [value for name in columns for value in rows[name] if _finite(value)]


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _marker(verdict: str) -> dict[str, Any]:
    colour, symbol = VERDICTS[verdict]
    return dict(color=colour, symbol=symbol, size=11, line=dict(color=colour, width=1.5))


def _caption(table: pl.DataFrame, clipped: bool) -> str:
    low, high = table["pairs"].min(), table["pairs"].max()
    pairs = f"{low}" if low == high else f"{low} to {high}"
    text = "Whiskers: 95 % intervals of the mean difference over pairs of runs with the same seed "
    text += f"(pairs: {pairs}); thick: uncorrected, thin: corrected for the number of comparisons."
    if clipped:
        text += " Thin whiskers that reach the edge extend beyond it."
    return text

"""Importances of hyperparameters for each objective.

importances_figure(importances_table({"semantic": {"loss": 0.6, "views": 0.4}}))
"""

from collections.abc import Mapping
from typing import NamedTuple

import plotly.graph_objects as go
import polars as pl

from siamlab.component import UserError
from siamlab.figure.template import (
    INK,
    TOP,
    broken,
    colours,
    finish,
    legend_height,
    plain,
    row_labels,
)
from siamlab.machine.arguments import typed
from siamlab.probe.table import check_frame

CHANCE = "chance (95 %)"
ROUNDING = 1e-6  # of a share, which may come out as slightly more than 1
GAP = 0.25  # between groups of bars, of the distance of their middles
AXIS = 56  # pixels: height of the numbers and the title of the axis


class Importance(NamedTuple):
    """The meaning of an importance, in words."""

    axis: str  # title of the axis
    caption: str  # first sentence of the caption, without its end


EXPLAINED = Importance(
    "share of the variance explained (0–1)",
    "Share of the variance of each objective over the runs that a parameter explains",
)
DECIDED = Importance(
    "importance for the best tenth (0–1)",
    "Importance of each parameter for being among the best tenth of the runs",
)


Importances = Mapping[str, Mapping[str, float]]  # objective → parameter → importance


@typed
def importances_table(importances: Importances, chance: Importances | None = None) -> pl.DataFrame:
    """objective, parameter, importance (0–1), chance; the parameter with the largest mean first.

    The mean is over the objectives that have the parameter; `chance` is the importance that a
    parameter without any effect stays below in 95 % of cases, or null.
    """
    levels = chance or {}
    rows = [
        (o, p, float(v), levels.get(o, {}).get(p))
        for o, shares in importances.items()
        for p, v in shares.items()
    ]
    if not rows:
        raise UserError("importances names no objective with parameters; there is nothing to draw")
    for objective, parameter, value, _ in rows:
        if not -ROUNDING <= value <= 1 + ROUNDING:
            raise UserError(f"importances[{objective!r}][{parameter!r}]={value} must be 0 to 1")
    numbers = {"importance": pl.Float64, "chance": pl.Float64}
    schema = {"objective": pl.String, "parameter": pl.String, **numbers}
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        mean=pl.col("importance").mean().over("parameter"),
        first=pl.int_range(pl.len()).min().over("parameter"),  # keeps the order of equal means
    )
    order = dict(descending=[True, False], maintain_order=True)
    return table.sort("mean", "first", **order).drop("mean", "first")


@typed
def importances_figure(
    table: pl.DataFrame, title: str = "What matters", measure: Importance = EXPLAINED
) -> go.Figure:
    """One horizontal bar per parameter and objective of an `importances_table`."""
    table = check_frame(table, ("objective", "parameter", "importance", "chance"))
    names = table["parameter"].unique(maintain_order=True).to_list()
    objectives = table["objective"].unique(maintain_order=True).to_list()
    labels = [broken(name, 22) for name in names]
    colour, figure = colours(objectives), go.Figure()
    for objective in objectives:
        rows = table.filter(pl.col("objective") == objective)
        figure.add_bar(
            x=rows["importance"].to_list(),
            y=[names.index(name) for name in rows["parameter"]],
            orientation="h",
            name=plain(objective),
            marker_color=colour[objective],
            texttemplate="%{x:.2f}",
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{x:.3f}",
            showlegend=True,
        )
    known = table.filter(pl.col("chance").is_not_null())
    _chance(figure, known, names, objectives)
    row_labels(figure, labels)
    figure.update_xaxes(
        title_text=measure.axis,
        range=[0, 1.08],  # room for the number beside a full bar
        tickvals=[0, 0.2, 0.4, 0.6, 0.8, 1],
    )
    below = AXIS + 12 + legend_height([*objectives, CHANCE])
    figure.update_layout(barmode="group", bargap=GAP, margin_b=below)
    inner = len(names) * max(12 + 18 * len(objectives), 10 + 15 * max(map(len, labels))) + 8
    caption = f"{measure.caption}; sorted by the mean over objectives, most important first."
    if len(known):
        caption += " Black line: the level of chance, which 95 % of random orders of the scores "
        caption += "stay below; a shorter bar shows no effect."
    return finish(figure, title, caption, TOP + inner + below)


def _chance(
    figure: go.Figure, table: pl.DataFrame, names: list[str], objectives: list[str]
) -> None:
    """Draw a line across each bar at its level of chance."""
    if table.is_empty():
        return
    width = (1 - GAP) / len(objectives)
    ends: list[tuple[float | None, float | None]] = []
    for row in table.iter_rows(named=True):
        group = names.index(row["parameter"]) - (1 - GAP) / 2
        start = group + width * objectives.index(row["objective"])
        ends += [(row["chance"], start), (row["chance"], start + width), (None, None)]
    x, y = zip(*ends, strict=True)
    line = dict(color=INK, width=2)
    figure.add_scatter(x=x, y=y, mode="lines", line=line, name=CHANCE, hovertemplate="%{x:.3f}")

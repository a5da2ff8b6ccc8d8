"""Importances of hyperparameters: how much each one explains, or decides, of each objective.

importances_figure(importances_table({"semantic": {"loss": 0.6, "views": 0.4}}))
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import plotly.graph_objects as go
import polars as pl

from siamlab.component import UserError
from siamlab.figure.template import (
    TOP,
    broken,
    colours,
    finish,
    legend_height,
    plain,
    row_labels,
)

AXIS = 56  # pixels: numbers and title of the axis


class Measure(NamedTuple):
    """What an importance is of."""

    axis: str  # the axis' title
    what: str  # completes "How much ..."


EXPLAINED = Measure(
    "share of the variance explained (0–1)",
    "of the variance of an objective over the runs each parameter explains",
)
DECIDED = Measure(
    "share in who is in the best tenth (0–1)",
    "each parameter decides who is in the best tenth of the runs",
)


def importances_table(importances: Mapping[str, Mapping[str, float]]) -> pl.DataFrame:
    """objective, parameter, importance (0–1), the parameter with the largest mean first.

    From objective → parameter → importance. A parameter that an objective lacks has no row there,
    and its mean is of the others.
    """
    rows = [(o, p, float(v)) for o, shares in importances.items() for p, v in shares.items()]
    if not rows:
        raise UserError("importances names no objective with parameters; there is nothing to draw")
    for objective, parameter, value in rows:
        if not math.isfinite(value):
            raise UserError(f"importances[{objective!r}][{parameter!r}]={value} must be 0 to 1")
    schema = {"objective": pl.String, "parameter": pl.String, "importance": pl.Float64}
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        mean=pl.col("importance").mean().over("parameter"),
        first=pl.int_range(pl.len()).min().over("parameter"),  # of equal means, the first stays so
    )
    order = dict(descending=[True, False], maintain_order=True)
    return table.sort("mean", "first", **order).drop("mean", "first")


def importances_figure(
    table: pl.DataFrame, title: str = "What matters", measure: Measure = EXPLAINED
) -> go.Figure:
    """Horizontal bars, one a parameter and objective, for an `importances_table`."""
    if table.is_empty():
        raise UserError("the table of this figure has no rows; there is nothing to draw")
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
    row_labels(figure, labels)
    figure.update_xaxes(
        title_text=measure.axis,
        range=[0, 1.08],  # room for the number beside a full bar
        tickvals=[0, 0.2, 0.4, 0.6, 0.8, 1],
    )
    below = AXIS + 12 + legend_height(objectives)
    figure.update_layout(barmode="group", bargap=0.25, margin_b=below)
    inner = len(names) * max(12 + 18 * len(objectives), 10 + 15 * max(map(len, labels))) + 8
    caption = f"How much {measure.what}; most important first, by the mean over objectives."
    return finish(figure, title, caption, TOP + inner + below)

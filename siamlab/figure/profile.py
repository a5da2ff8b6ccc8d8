"""Profiles: the value of a probe at each layer of the encoder, one line per model.

profile_figure(profile_table(scores, ["knn", "attention_distance"]))

`scores` is the long table of probes, with layers and heads.
"""

import math
from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl

from siamlab.component import UserError, unknown
from siamlab.figure.probes import ARROWS
from siamlab.figure.template import (
    broken,
    colours,
    dashed,
    finish,
    hide_rest,
    legend,
    legend_height,
    panels,
    plain,
    rule,
    symbols,
    whisker,
)
from siamlab.machine.arguments import typed
from siamlab.probe.table import check_frame

NUMBERS = ("value", "low", "high", "chance", "ceiling")
COLUMNS = ("probe", "title", "model", "layer", "head", *NUMBERS, "unit", "direction")
ACROSS = 2  # panels in a row
PANEL, UNIT = 250, 28  # pixels: height of a row of panels; characters in a line of the unit
TICKS = 12  # layer numbers on an axis, at most
JITTER = 0.5  # layers: width over which the dots of different models are spread


@typed
def profile_table(scores: pl.DataFrame, probes: Sequence[str] | None = None) -> pl.DataFrame:
    """probe, title, model, layer, head, value, low, high, chance, ceiling, unit, direction.

    The rows of the long table that have a layer, for `probes` in this order (by default all).
    `head` is null in rows over all heads; if a probe has only single heads, their mean is added
    without an interval.
    """
    scores = check_frame(scores, COLUMNS, "scores", "probe the layers of a model first")
    table = scores.filter(pl.col("layer").is_not_null()).select(COLUMNS)
    if table.is_empty():
        raise UserError("scores has no row with a layer; probe the layers of a model first")
    known = table["probe"].unique(maintain_order=True).to_list()
    probes = known if probes is None else list(probes)
    for name in probes:
        if name not in known:
            raise UserError(unknown("probes: no rows with a layer for the probe", name, known))
    table = table.filter(pl.col("probe").is_in(probes))
    _check_once(table)
    models = scores["model"].unique(maintain_order=True)
    order = [
        pl.col(key).replace_strict({name: i for i, name in enumerate(names)})
        for key, names in (("probe", probes), ("model", models))
    ]
    return pl.concat([table, _means(table)]).sort(*order, "layer", "head", nulls_last=False)


@typed
def profile_figure(
    table: pl.DataFrame, reference: str = "untrained", title: str = "Profiles over layers"
) -> go.Figure:
    """One panel per probe of a `profile_table`: lines with bands by model, a dot per head."""
    table = check_frame(table, COLUMNS, needed=["layer"])
    probes = table["probe"].unique(maintain_order=True).to_list()
    models = table["model"].unique(maintain_order=True).to_list()
    titles = [table.filter(pl.col("probe") == name)["title"][0] for name in probes]
    across, rows = min(ACROSS, len(probes) or 1), -(-len(probes) // ACROSS)
    gaps = dict(vertical_spacing=0.36 / max(rows, 1), horizontal_spacing=0.3 / across)
    figure = panels(titles, ACROSS, **gaps)
    styles = _styles(models, reference)
    for i, probe in enumerate(probes):
        place = dict(row=i // across + 1, col=i % across + 1)
        _panel(figure, table.filter(pl.col("probe") == probe), styles, **place)
    hide_rest(figure, len(probes), across)
    legend(figure, {name: dict(mode="lines+markers", **style) for name, style in styles.items()})
    below = 56 + legend_height(models)
    figure.update_layout(margin=dict(l=66, b=below))
    return finish(figure, title, _caption(table), rows * PANEL + below)


def _check_once(table: pl.DataFrame) -> None:
    keys = table.select("model", "probe", "layer", "head")
    if twice := keys.filter(keys.is_duplicated()).unique(maintain_order=True).rows():
        raise UserError(f"scores has more than one row for {twice[0]}; keep one protocol for each")


def _means(table: pl.DataFrame) -> pl.DataFrame:
    """The mean over heads for each probe, model and layer without a row over all heads."""
    keys = ["probe", "title", "model", "layer", "unit", "direction"]
    whole = table.filter(pl.col("head").is_null())
    heads = table.filter(pl.col("head").is_not_null()).join(whole, on=keys, how="anti")
    averaged = pl.col("value", "chance", "ceiling").mean()
    means = heads.group_by(keys, maintain_order=True).agg(averaged)
    empty = [pl.lit(None, table.schema[name]).alias(name) for name in ("head", "low", "high")]
    return means.with_columns(empty).select(COLUMNS)


def _styles(models: list[str], reference: str) -> dict[str, dict]:
    colour, symbol = colours(models, reference), symbols(models, reference)
    return {
        name: dict(
            line=dict(color=colour[name], width=2, dash=dashed(name, reference)),
            marker=dict(color=colour[name], symbol=symbol[name], size=6),
        )
        for name in models
    }


def _panel(figure: go.Figure, rows: pl.DataFrame, styles: dict[str, dict], **place: int) -> None:
    """Draw one probe: limits, bands, heads and lines, from back to front."""
    whole, heads = (rows.filter(pl.col("head").is_null() == null) for null in (True, False))
    for limit, dash in (("chance", "dot"), ("ceiling", "solid")):
        _limits(figure, whole, limit, dash, **place)
    for name, style in styles.items():
        _band(figure, whole.filter(pl.col("model") == name), style["line"]["color"], **place)
    for i, (name, style) in enumerate(styles.items()):
        dots = heads.filter(pl.col("model") == name)
        shift = JITTER * ((i + 0.5) / len(styles) - 0.5)
        _heads(figure, dots, shift, style["marker"], plain(name), **place)
    for name, style in styles.items():
        _line(figure, whole.filter(pl.col("model") == name), style, plain(name), **place)
    first = rows.row(0, named=True)
    low, high = rows["layer"].min(), rows["layer"].max()
    step = -(-(high - low + 1) // TICKS)
    ticks = dict(tickvals=list(range(low, high + 1, step)), range=[low - 0.4, high + 0.4])
    figure.update_xaxes(title_text="layer (number)", tickangle=0, **ticks, **place)
    unit = "<br>".join(map(plain, broken(first["unit"] or "no unit", UNIT)))
    arrow = ARROWS[first["direction"]]  # the turned title makes right point up
    figure.update_yaxes(title_text=f"{unit} · {arrow}" if arrow else unit, nticks=6, **place)


def _limits(figure: go.Figure, whole: pl.DataFrame, limit: str, dash: str, **place: int) -> None:
    """Draw chance or ceiling along the layers, once if models share it."""
    known = whole.filter(pl.col(limit).is_finite())
    lines = {
        (tuple(rows["layer"].cast(pl.Float64)), tuple(rows[limit])): None
        for _, rows in known.group_by("model", maintain_order=True)
    }
    for x, y in lines:
        x, y = (x, y) if len(x) > 1 else ((x[0] - 0.4, x[0] + 0.4), y * 2)
        rule(figure, x, y, dash, **place)


def _band(figure: go.Figure, rows: pl.DataFrame, colour: str, **place: int) -> None:
    rows = rows.filter(pl.col("low").is_finite() & pl.col("high").is_finite())
    if len(rows) < 2:
        return
    x, low, high = (rows[name].to_list() for name in ("layer", "low", "high"))
    still = dict(mode="lines", line=dict(width=0), hoverinfo="skip", showlegend=False)
    fill = dict(fill="toself", fillcolor=colour, opacity=0.18, name="band")
    figure.add_scatter(x=x + x[::-1], y=high + low[::-1], **fill, **still, **place)


def _heads(
    figure: go.Figure, dots: pl.DataFrame, shift: float, marker: dict, name: str, **place: int
) -> None:
    """Draw a faint dot per head, shifted from its layer to distinguish models."""
    if dots.is_empty():
        return
    figure.add_scatter(
        x=(dots["layer"] + shift).to_list(),
        y=dots["value"].to_list(),
        text=[f"layer {layer}, head {head}" for layer, head in dots.select("layer", "head").rows()],
        hovertemplate="%{text}: %{y:.3f}",
        mode="markers",
        marker=dict(color=marker["color"], symbol=marker["symbol"], size=4),
        opacity=0.35,
        name=name,
        showlegend=False,
        **place,
    )


def _line(figure: go.Figure, rows: pl.DataFrame, style: dict, name: str, **place: int) -> None:
    if rows.is_empty():
        return
    error = dict(visible=False)
    if len(rows) == 1:  # a band of one layer has no width
        error = whisker(rows.row(0, named=True), "value", "low", "high", style["line"]["color"])
    x, y = rows["layer"].to_list(), rows["value"].to_list()
    hover = dict(name=name, hovertemplate="layer %{x}: %{y:.3f}", showlegend=False)
    figure.add_scatter(x=x, y=y, error_y=error, mode="lines+markers", **style, **hover, **place)


def _caption(table: pl.DataFrame) -> str:
    text = "Bands and whiskers: 95 % intervals over images."
    if table["head"].is_not_null().any():
        text += " Faint dots: single heads. Lines: all heads; where a line is only the mean of "
        text += "single heads, it has no interval."
    for limit, words in (("chance", "Dotted line: chance."), ("ceiling", "Solid line: ceiling.")):
        if any(value is not None and math.isfinite(value) for value in table[limit]):
            text += f" {words}"
    return text

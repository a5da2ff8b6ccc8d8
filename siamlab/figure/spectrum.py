"""Spectra: the variance of features along their principal axes.

spectrum_figure(spectrum_table({"mae": eigenvalues(pooled), ...}))
"""

import math
from collections.abc import Iterable, Mapping

import plotly.graph_objects as go
import polars as pl
from jaxtyping import Float
from torch import Tensor

from siamlab.component import UserError
from siamlab.figure.template import (
    GREY,
    OKABE_ITO,
    colours,
    dashed,
    finish,
    is_reference,
    legend,
    legend_height,
    plain,
)
from siamlab.machine.arguments import typed
from siamlab.probe.table import check_frame

COLUMNS: dict[str, type[pl.DataType]] = {"model": pl.String, "index": pl.Int64, "share": pl.Float64}
LEAST = 1e-7  # share of variance; smaller ones are float32 rounding and not drawn
ROUNDING = 1e-3  # of the largest variance: as far below zero as rounding may bring one
GUIDE = "slope −1 (1 / index)"
DASHES = ("solid", "dash", "dashdot")  # the dash changes when the colours repeat
MANY = 50  # largest / smallest share from which only powers of ten are labelled
HEIGHT = 340  # pixels, without title, caption and legend


@typed
def spectrum_table(eigenvalues: Mapping[str, Float[Tensor, " r"]]) -> pl.DataFrame:
    """model, index (1 is the largest), share (of the variance of the model's features, 0..1).

    From the variances along the principal axes of each model's features, in any order. Models
    whose features do not vary are left out, which may leave an empty table.
    """
    tables = []
    for model, variances in eigenvalues.items():
        values = variances.detach().double().cpu().sort(descending=True).values
        if not values.isfinite().all():
            raise UserError(
                f"eigenvalues of {model!r} must be finite: its features have diverged; leave it out"
            )
        if len(values) and values[-1] < -ROUNDING * values[0].abs():
            raise UserError(
                f"eigenvalues of {model!r} must be 0 or more, as variances are, but one is "
                f"{values[-1]:g}; take those of the features' covariance"
            )
        share = (values / values.sum()).tolist() if values.any() else []
        index = list(range(1, len(share) + 1))
        columns = {"model": [model] * len(share), "index": index, "share": share}
        tables.append(pl.DataFrame(columns, schema=COLUMNS))
    if not tables:
        raise UserError("eigenvalues={} must name at least one model; pass its eigenvalues")
    return pl.concat(tables)


@typed
def spectrum_figure(
    table: pl.DataFrame, reference: str = "untrained", title: str = "Spectrum of features"
) -> go.Figure:
    """One line per model of a `spectrum_table`, on logarithmic axes, with a guide of slope -1."""
    table = check_frame(table, COLUMNS)
    shown = table.filter(pl.col("share") >= LEAST)
    if shown.is_empty():
        raise UserError("the table of this figure has no rows; there is nothing to draw")
    if (first := shown["index"].min()) < 1:
        raise UserError(
            f"the table of this figure has index={first}, but the first principal axis is 1; take "
            "the table of spectrum_table"
        )
    models = shown["model"].unique(maintain_order=True).to_list()
    figure, styles = go.Figure(), _styles(models, reference)
    last, top = shown["index"].max(), shown["share"].max()
    guide = dict(mode="lines", line=dict(color=GREY, dash="longdashdot", width=1.4))
    still = dict(showlegend=False, hoverinfo="skip")
    figure.add_scatter(x=[1, last], y=[top, top / last], **still, **guide)
    for model in models:
        rows = shown.filter(pl.col("model") == model)
        x, y = rows["index"].to_list(), rows["share"].to_list()
        hover = dict(name=plain(model), hovertemplate="axis %{x}: %{y:.2~e}")
        figure.add_scatter(x=x, y=y, showlegend=False, **hover, **styles[model])
    legend(figure, styles | {GUIDE: guide})
    low = shown["share"].min()
    figure.update_xaxes(title_text="principal axis (index)", **_ticks(1.0, float(last), (1, 2, 5)))
    steps = (1, 2, 5) if top < MANY * low else (1,)
    figure.update_yaxes(title_text="share of variance", **_ticks(low, top, steps))
    below = 60 + legend_height([*models, GUIDE])
    figure.update_layout(margin=dict(l=72, b=below))
    caption = "Share of the variance of the features along each principal axis, largest first; "
    caption += "both axes are logarithmic. A flatter line means that more directions are used. "
    caption += f"Shares below {LEAST:.7f} are rounding errors and not drawn."
    return finish(figure, title, caption, HEIGHT - 60 + below)


def _styles(models: Iterable[str], reference: str) -> dict[str, dict]:
    """The line style of each model."""
    colour = colours(models, reference)
    trained = [name for name in models if not is_reference(name, reference)]
    dash = {name: DASHES[i // len(OKABE_ITO) % len(DASHES)] for i, name in enumerate(trained)}
    return {
        name: dict(
            mode="lines",
            line=dict(color=colour[name], dash=dash.get(name, dashed(name, reference)), width=2),
        )
        for name in models
    }


def _ticks(low: float, high: float, steps: tuple[int, ...]) -> dict:
    """A logarithmic axis with labels at these multiples of each power of ten."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    pairs = [(step, power) for power in powers for step in steps]
    places = [step * 10.0**power for step, power in pairs]
    return dict(type="log", tickvals=places, ticktext=[_number(*pair) for pair in pairs])


def _number(step: int, power: int) -> str:
    """`0.02`, or `2 · 10⁻⁵` for small numbers."""
    if power >= -3:
        return f"{step * 10.0**power:g}"
    return (f"{step} · " if step > 1 else "") + f"10<sup>−{-power}</sup>"

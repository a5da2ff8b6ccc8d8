"""Head atlas: each attention head as a point, by attention distance and query–key information.

atlas_figure(atlas_table(scores))

`scores` is the long table of probes, with layers and heads.
"""

import plotly.graph_objects as go
import polars as pl

from siamlab.component import UserError
from siamlab.figure.template import (
    GREY,
    INK,
    SYMBOLS,
    finish,
    hide_rest,
    panels,
    plain,
)
from siamlab.machine.arguments import typed
from siamlab.probe.table import check_frame

SIDES = {"distance": "attention_distance", "nmi": "attention_nmi"}  # column: probe
COLUMNS = ("model", "layer", "head", "probe", "value", "low", "high", "chance", "unit")
KEYS = ["model", "layer", "head"]
ENDS = ("distance_low", "distance_high", "nmi_low", "nmi_high")
DRAWN = (*KEYS, *SIDES, *ENDS, "even", "unit")
ACROSS = 2  # panels in a row
PANEL = 250  # pixels: height of a row of panels
TICKS = 12  # labels of the colour bar, at most
SCALE = "Viridis"  # its brightness alone shows the order, also to the colour-blind
ROOM = 0.06  # margin beyond the outermost heads, a fraction of the axis
HOVER = "distance %{x:.3g} (%{customdata[2]:.3g} to %{customdata[3]:.3g})<br>"
HOVER += "NMI %{y:.3f} (%{customdata[4]:.3f} to %{customdata[5]:.3f})"


@typed
def atlas_table(scores: pl.DataFrame) -> pl.DataFrame:
    """model, layer, head (both from 1), distance, nmi, each with _low and _high, even, unit.

    One row per head that has both probes, "attention_distance" and "attention_nmi", in the long
    table. `even` is the distance of uniform attention, `unit` that of distances.
    """
    scores = check_frame(scores, COLUMNS, "scores", "probe the attention of a model first")
    heads = scores.drop_nulls(KEYS).filter(pl.col("value").is_finite())
    sides = [
        heads.filter(pl.col("probe") == probe).select(
            *KEYS,
            pl.col("value").alias(name),
            pl.col("low").alias(f"{name}_low"),
            pl.col("high").alias(f"{name}_high"),
            *(() if name == "nmi" else (pl.col("chance").alias("even"), "unit")),
        )
        for name, probe in SIDES.items()
    ]
    table = sides[0].join(sides[1], on=KEYS, maintain_order="left")
    _check(table)
    order = {name: i for i, name in enumerate(scores["model"].unique(maintain_order=True))}
    return table.sort(pl.col("model").replace_strict(order), "layer", "head")


@typed
def atlas_figure(table: pl.DataFrame, title: str = "Attention heads") -> go.Figure:
    """One panel per model of an `atlas_table`: NMI over distance, coloured by layer."""
    table = check_frame(table, DRAWN, needed=KEYS)
    models = table["model"].unique(maintain_order=True).to_list()
    across, rows = min(ACROSS, len(models) or 1), -(-len(models) // ACROSS)
    gaps = dict(horizontal_spacing=0.1, vertical_spacing=0.22 / max(rows, 1))
    figure = panels(models, ACROSS, **gaps)
    for i, model in enumerate(models):
        place = dict(row=i // across + 1, col=i % across + 1)
        symbol = SYMBOLS[i % len(SYMBOLS)]
        _panel(figure, table.filter(pl.col("model") == model), model, symbol, **place)
    hide_rest(figure, len(models), across)
    unit = table["unit"][0]
    for axes, top in (
        (figure.update_xaxes, table.select(pl.max_horizontal("distance", "even").max()).item()),
        (figure.update_yaxes, table["nmi"].max()),
    ):
        axes(range=[-ROOM * top, (1 + ROOM) * top])
    for i in range(max(0, len(models) - across), len(models)):  # the lowest of each column
        place = dict(row=i // across + 1, col=i % across + 1)
        figure.update_xaxes(title_text=plain(f"mean distance ({unit})"), **place)
    figure.update_yaxes(title_text="query–key NMI", col=1)
    first, last = table["layer"].min(), table["layer"].max()
    ticks = list(range(first, last + 1, max(1, -(-last // TICKS))))
    bar = dict(title=dict(text="layer"), tickvals=ticks)
    scale = dict(colorscale=SCALE, cmin=first, cmax=last, colorbar=bar)
    figure.update_layout(coloraxis=scale, showlegend=False)
    caption = f"Each point is a head: its mean attention distance, in {unit}, and the normalised "
    caption += "mutual information between query and attended patch (0: all queries attend to the "
    caption += "same patches; 1: each attends to a different one). All heads of all layers are "
    caption += "shown. Cross: uniform attention."
    return finish(figure, title, caption, rows * PANEL + 40)


def _panel(figure: go.Figure, heads: pl.DataFrame, model: str, symbol: str, **place: int) -> None:
    """Draw the heads of one model, and a cross at uniform attention."""
    known = heads.select("layer", "head", *ENDS)
    edge = dict(color=INK, width=0.6)
    marker = dict(color=heads["layer"].to_list(), coloraxis="coloraxis", symbol=symbol, size=9)
    figure.add_scatter(
        x=heads["distance"].to_list(),
        y=heads["nmi"].to_list(),
        customdata=known.rows(),
        mode="markers",
        marker=marker | dict(line=edge, opacity=0.9),
        name=plain(model),
        hovertemplate="layer %{customdata[0]}, head %{customdata[1]}<br>" + HOVER,
        **place,
    )
    cross = dict(symbol="x-thin", size=11, line=dict(color=GREY, width=2))
    even = dict(mode="markers", marker=cross, hovertemplate="uniform attention<extra></extra>")
    figure.add_scatter(x=[heads["even"][0]], y=[0.0], name="uniform attention", **even, **place)


def _check(table: pl.DataFrame) -> None:
    if table.is_empty():
        raise UserError(
            f"scores has no head with both probes {list(SIDES.values())}; probe the attention of "
            "a model first"
        )
    for row in table.filter(table.select(KEYS).is_duplicated()).head(1).iter_rows(named=True):
        raise UserError(
            f"scores has head {row['head']} of layer {row['layer']} of {row['model']!r} more than "
            "once; give each model a different name"
        )
    units = table["unit"].unique(maintain_order=True).to_list()
    if len(units) > 1:
        raise UserError(f"distances are in {units} but must share one unit; leave out the others")

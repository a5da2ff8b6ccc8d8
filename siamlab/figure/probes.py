"""All probes of all models: one panel per probe, one dot with its interval per model.

probes_figure(probes_table(scores))
"""

import math

import plotly.graph_objects as go
import polars as pl

from siamlab.figure.scores import whole_models
from siamlab.figure.template import (
    LETTER,
    broken,
    colours,
    finish,
    panels,
    plain,
    rule,
    symbols,
    whisker,
)
from siamlab.machine.arguments import typed
from siamlab.probe.table import check_frame

COLUMNS = 2
KEPT = "property probe title model value low high chance ceiling unit".split()
ARROWS = {"higher": "better →", "lower": "← better", "neither": ""}  # points to the better side
BETWEEN = 112  # pixels between rows of panels: axis, its title, title of the next panel


@typed
def probes_table(scores: pl.DataFrame) -> pl.DataFrame:
    """property, probe, title, model, value, low, high, chance, ceiling, unit, arrow.

    `arrow` points to the better side. Rows are grouped by property; otherwise the order is kept.
    """
    arrow = pl.col("direction").replace_strict(ARROWS)
    scores = whole_models(scores)
    properties = scores["property"].unique(maintain_order=True)
    rank = pl.col("property").replace_strict({name: i for i, name in enumerate(properties)})
    table = scores.sort(rank, maintain_order=True)
    return table.select(*KEPT, arrow.alias("arrow"))


@typed
def probes_figure(
    table: pl.DataFrame, reference: str = "untrained", title: str = "Probes"
) -> go.Figure:
    """Dots with whiskers for a `probes_table`; each panel shows chance and ceiling."""
    table = check_frame(table, (*KEPT[1:], "arrow"))
    probes = table["probe"].unique(maintain_order=True).to_list()
    models = table["model"].unique(maintain_order=True).to_list()
    names = [broken(name, 22) for name in models]
    inner = len(models) * (8 + 14 * max(map(len, names), default=0)) + 16
    height = -(-len(probes) // COLUMNS) * (inner + BETWEEN)
    gaps = dict(vertical_spacing=BETWEEN / max(height, 1), horizontal_spacing=0.06)
    titles = table.unique("probe", keep="first", maintain_order=True)["title"].to_list()
    figure = panels(titles, COLUMNS, shared_yaxes=True, **gaps)
    for i, probe in enumerate(probes):
        place = dict(row=i // COLUMNS + 1, col=i % COLUMNS + 1)
        _panel(figure, table.filter(pl.col("probe") == probe), models, reference, **place)
    figure.update_yaxes(
        tickvals=list(range(len(models))),
        ticktext=["<br>".join(map(plain, lines)) for lines in names],
        range=[len(models) - 0.4, -0.6],
        automargin=False,
    )
    left = 20 + LETTER * max(len(line) for lines in names for line in lines)
    figure.update_layout(margin=dict(l=left, r=16, b=56), showlegend=False)
    caption = "Whiskers: 95 % intervals. Dotted line: chance. Solid line: ceiling, the best "
    caption += "possible value. Arrows point to the better side."
    return finish(figure, title, caption, height)


def _panel(figure: go.Figure, rows: pl.DataFrame, models: list[str], reference: str, **place: int):
    """Draw one probe: dots, lines at chance and ceiling, unit."""
    for limit, dash in (("chance", "dot"), ("ceiling", "solid")):
        for value in filter(_finite, rows[limit].unique(maintain_order=True)):
            rule(figure, [value] * 2, [-0.6, len(models) - 0.4], dash, **place)
    colour, symbol = colours(models, reference), symbols(models, reference)
    for row in rows.iter_rows(named=True):
        name = row["model"]
        figure.add_scatter(
            x=[row["value"]],
            y=[models.index(name)],
            error_x=whisker(row, "value", "low", "high", colour[name]),
            mode="markers",
            marker=dict(color=colour[name], symbol=symbol[name], size=9),
            name=plain(name),
            hovertemplate="%{x:.3f}",
            **place,
        )
    unit, arrow = rows["unit"][0] or "no unit", rows["arrow"][0]
    low, high = _range(rows)
    title = plain(f"{unit} · {arrow}" if arrow else unit)
    figure.update_xaxes(title_text=title, range=[low, high], nticks=6, **place)


def _range(rows: pl.DataFrame) -> tuple[float, float]:
    """All values, whiskers, chance and ceiling, with a margin."""
    ends = rows.select("value", "low", "high", "chance", "ceiling").to_numpy().ravel()
    known = [value for value in ends if _finite(value)]
    if not known:
        return 0.0, 1.0
    room = 0.04 * (max(known) - min(known)) or 0.5
    return min(known) - room, max(known) + room


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)

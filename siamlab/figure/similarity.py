"""Similarity of each patch to one query patch, for several models.

query = patches.view(*grid, -1)[row, column]
tables = {"mae": similarity_table(query, patches, grid), ...}
similarity_figure(image, tables, query=(row, column))
"""

from collections.abc import Iterable, Mapping
from itertools import product

import numpy as np
import plotly.graph_objects as go
import polars as pl
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from plotly.subplots import make_subplots
from torch import Tensor

from siamlab.component import UserError
from siamlab.figure.heat import heat_axis
from siamlab.figure.image import show, to_grey
from siamlab.figure.template import (
    INK,
    LETTER,
    TOP,
    WIDTH,
    bar_below,
    broken,
    finish,
    hide_rest,
    legend,
    plain,
)
from siamlab.geometry import Grid
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_floats
from siamlab.probe.table import check_patches

MARGIN = dict(l=12, r=12, b=44)  # pixels
GAP, LINE = 10, 15  # pixels between panels; height of a line of a panel's title
TALLEST = 220  # pixels: height of a panel, at most
BEST = dict(symbol="circle", color="white", line=dict(color=INK, width=1.5))
DOT = 5, 10  # pixels: smallest and largest size of that mark


@typed
def similarity_table(
    query: Float[Tensor, " D"], patches: Float[Tensor, "M D"], grid: Grid
) -> pl.DataFrame:
    """row, column, cosine (to the query, -1..1), rank (1 is the most similar): one row per patch.

    If the query is one of the patches, it has a row too. Of equal patches, the earlier ranks first.
    """
    check_floats("query", query, "D")
    check_floats("patches", patches, "M D")
    rows, columns = grid
    if len(query) != patches.shape[1]:
        raise UserError(
            f"query has {len(query)} numbers and patches have {patches.shape[1]}: take both from "
            "one model"
        )
    if len(patches) != rows * columns:
        raise UserError(
            f"features have {len(patches)} patches, but grid={grid} has {rows * columns}: "
            "drop class and register tokens first"
        )
    cosine = F.normalize(patches.double(), dim=1) @ F.normalize(query.double(), dim=0)  # [M]
    rank = cosine.argsort(descending=True, stable=True).argsort() + 1
    return pl.DataFrame(
        {
            "row": [i // columns for i in range(len(patches))],
            "column": [i % columns for i in range(len(patches))],
            "cosine": cosine.tolist(),
            "rank": rank.tolist(),
        }
    )


@typed
def similarity_figure(
    image: UInt8[Tensor, "3 H W"],
    tables: Mapping[str, pl.DataFrame],
    query: tuple[int, int] | None = None,
    other: UInt8[Tensor, "3 h w"] | None = None,
    title: str = "Similarity to one patch",
) -> go.Figure:
    """Cosine to the query over the grey image, one panel per `similarity_table`.

    `query` is the (row, column) of the query in `image`, on the grid that all tables share. The
    tables describe the patches of `other`, by default of `image` itself. All panels share one
    colour scale.
    """
    tables = {
        model: check_patches(table, ["cosine", "rank"], f"the table of {model!r}")
        for model, table in tables.items()
    }
    grids = _grids(tables)
    _check(grids, query)
    searched = image if other is None else other
    images = {"image": image} if other is None else {"query image": image, "searched": other}
    names = [*images, *tables]
    columns = _columns(len(names))
    places = [dict(row=i // columns + 1, col=i % columns + 1) for i in range(len(names))]
    figure, height, lines = _panels(names, columns, searched.shape[1] / searched.shape[2])
    for pixels, place in zip(images.values(), places, strict=False):
        show(figure, pixels, **place)
    for (name, table), place in zip(tables.items(), places[len(images) :], strict=True):
        show(figure, to_grey(searched), **place)
        _heat(figure, table, name, searched.shape, **place)
        _best(figure, table, query if other is None else None, searched.shape, **place)
    if query is not None:
        own = places[:1] if other is not None else [places[0], *places[len(images) :]]
        _outline(figure, query, grids[0], image.shape, own)
    hide_rest(figure, len(names), columns)
    one_scale(figure, tables.values())
    _legend(figure, query is not None)
    finish(figure, title, _caption(grids, query, other is not None), height + lines * LINE)
    figure.update_layout(margin_t=figure.layout.margin.t + lines * LINE)
    return bar_below(figure, "cosine (no unit)", 0.98 / columns)


def _grids(tables: Mapping[str, pl.DataFrame]) -> list[Grid]:
    """The grid of each table."""
    if not tables:
        raise UserError("tables={} must name at least one model; pass its similarity_table")
    return [(table["row"].max() + 1, table["column"].max() + 1) for table in tables.values()]


def _check(grids: list[Grid], query: tuple[int, int] | None) -> None:
    if query is None:
        return
    if len(set(grids)) > 1:
        raise UserError(
            f"tables have grids {sorted(set(grids))}, but query={query} is a place on one grid: "
            "draw one figure per grid, or leave the query out"
        )
    if not all(0 <= at < count for at, count in zip(query, grids[0], strict=True)):
        raise UserError(f"query={query} must be a (row, column) of the grid {grids[0]}, from 0")


def _columns(count: int) -> int:
    """Panels in a row: four, or three if that fills the rows better."""
    return 3 if count in (5, 6) else min(4, count)


def _panels(names: list[str], columns: int, aspect: float) -> tuple[go.Figure, int, int]:
    """Empty panels, their total height, and the lines of the longest title beyond two."""
    rows = -(-len(names) // columns)
    width = (WIDTH - MARGIN["l"] - MARGIN["r"] - (columns - 1) * GAP) / columns
    texts = [broken(name, int(width / LETTER)) for name in names]
    lines = max(map(len, texts))
    between = GAP + LINE * lines
    inner = rows * min(TALLEST, width * aspect) + (rows - 1) * between
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=["<br>".join(map(plain, text)) for text in texts],
        horizontal_spacing=GAP / (WIDTH - MARGIN["l"] - MARGIN["r"]),
        vertical_spacing=between / inner,
    )
    figure.update_annotations(font=dict(size=12)).update_layout(margin=MARGIN)
    figure.update_xaxes(showticklabels=False, ticks="").update_yaxes(showticklabels=False, ticks="")
    return figure, int(inner) + TOP + MARGIN["b"], max(0, lines - 2)


def _heat(figure: go.Figure, table: pl.DataFrame, name: str, shape: tuple, **place: int) -> None:
    """Draw the half transparent heat map of one model."""
    across = table["column"].max() + 1
    ordered = table.sort("row", "column")
    cosine, rank = (ordered[key].to_numpy().reshape(-1, across) for key in ("cosine", "rank"))
    height, width = shape[1] / cosine.shape[0], shape[2] / across
    hover = "cosine %{z:.3f}, rank %{customdata}<extra></extra>"
    where = dict(x0=width / 2, dx=width, y0=height / 2, dy=height)
    style = dict(coloraxis="coloraxis", hovertemplate=hover, name=plain(name))
    figure.add_heatmap(z=cosine, customdata=rank, **where, **style, **place)


def _best(figure: go.Figure, table: pl.DataFrame, query: tuple | None, shape: tuple, **place: int):
    """Draw a dot on the most similar patch other than the query."""
    rows, columns = table["row"].max() + 1, table["column"].max() + 1
    if query is not None:
        table = table.filter((pl.col("row") != query[0]) | (pl.col("column") != query[1]))
    size = min(DOT[1], max(DOT[0], 0.3 * WIDTH / 4 / columns))  # a panel is about WIDTH / 4 wide
    for row in table.sort("rank").head(1).iter_rows(named=True):
        x = (row["column"] + 0.5) * shape[2] / columns
        y = (row["row"] + 0.5) * shape[1] / rows
        style = dict(mode="markers", marker=dict(BEST, size=size), name="most similar")
        still = dict(showlegend=False, hoverinfo="skip")
        figure.add_scatter(x=[x], y=[y], **style, **still, **place)


def _outline(
    figure: go.Figure, query: tuple, grid: Grid, shape: tuple, places: list[dict[str, int]]
) -> None:
    """Outline the query in some panels, light on dark, visible on any colour."""
    top, left = query[0] * shape[1] / grid[0], query[1] * shape[2] / grid[1]
    bottom, right = top + shape[1] / grid[0], left + shape[2] / grid[1]
    path = dict(x=[left, right, right, left, left], y=[top, top, bottom, bottom, top])
    style = dict(mode="lines", showlegend=False, hoverinfo="skip", cliponaxis=False, name="query")
    for place, (colour, width) in product(places, ((INK, 4), ("white", 1.6))):
        figure.add_scatter(**path, line=dict(color=colour, width=width), **style, **place)


def one_scale(figure: go.Figure, tables: Iterable[pl.DataFrame]) -> None:
    """Set one colour axis from the lowest cosine of all tables, at most 0, to the highest."""
    cosine = np.concatenate([table["cosine"].to_numpy() for table in tables])
    low, high = min(0.0, float(np.nanmin(cosine))), max(0.0, float(np.nanmax(cosine)))
    figure.update_layout(coloraxis=heat_axis(low, high, tickformat=".2~f"))


def _legend(figure: go.Figure, query: bool) -> None:
    square = dict(symbol="square-open", size=11, color=INK, line=dict(width=2.5))
    entries = {"query": dict(mode="markers", marker=square)} if query else {}
    legend(figure, entries | {"most similar": dict(mode="markers", marker=dict(BEST, size=DOT[1]))})


def _caption(grids: list[Grid], query: tuple | None, two: bool) -> str:
    sizes = ", ".join(f"{rows} × {columns}" for rows, columns in dict.fromkeys(grids))
    where = f"row {query[0] + 1}, column {query[1] + 1}" if query else "not shown"
    text = f"Cosine between the query patch ({where}) and each of {sizes} patches of "
    text += f"the {'searched ' if two else ''}image, one panel per model, on one colour scale; "
    text += "transparent is 0, unrelated. The dot marks the most similar patch"
    return text + (" other than the query." if query and not two else ".")

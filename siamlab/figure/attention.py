"""Attention over the image: one panel per head, or all layers and heads at once.

attention_figure(image, attention_table(attention, grid), model="siameseim")
attention_maps_figure(image, attention_maps_table(attentions, grid), model="siameseim")
"""

import numpy as np
import plotly.graph_objects as go
import polars as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from plotly.subplots import make_subplots
from torch import Tensor

from siamlab.component import UserError
from siamlab.figure.heat import heat_axis
from siamlab.figure.image import draw, frame, show, to_grey
from siamlab.figure.template import (
    OKABE_ITO,
    TOP,
    WIDTH,
    bar_below,
    finish,
    hide_rest,
    panels,
)
from siamlab.geometry import Grid
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_floats
from siamlab.probe.table import check_patches

COLUMNS = 5  # panels in a row
PANEL = 152  # pixels: height of a row of panels
PIXELS = 96  # longer side of the image in a small panel
GAP = 6  # pixels of the small image between panels
SIDE, BAR = 48, 96  # pixels left and right of the small panels
QUERY = OKABE_ITO[0]  # outline of the query patch
SQUARE = np.array(
    [(0, 0), (0, 1), (1, 1), (1, 0), (0, 0), (np.nan, np.nan)]
)  # corners of a closed square (y, x), then a gap


@typed
def attention_table(attention: Float[Tensor, "heads N"], grid: Grid) -> pl.DataFrame:
    """head, row, column, attention: the share of the class token's attention, 0..1, per patch."""
    return attention_maps_table(attention[None], grid).drop("layer")


@typed
def attention_maps_table(attention: Float[Tensor, "L heads N"], grid: Grid) -> pl.DataFrame:
    """layer, head (from 0), row, column, attention: the share of one token's attention, 0..1."""
    check_floats("attention", attention, "L heads N")
    if attention.shape[2] != grid[0] * grid[1]:
        raise UserError(
            f"attention is over {attention.shape[2]} patches; a grid of {grid} has "
            f"{grid[0] * grid[1]}: drop the prefix tokens first"
        )
    values = attention.detach().cpu().double().numpy().reshape(*attention.shape[:2], *grid)
    places = zip(("layer", "head", "row", "column"), np.indices(values.shape), strict=True)
    columns = {name: index.ravel() for name, index in places}
    return pl.DataFrame(columns | {"attention": values.ravel()})


@typed
def attention_figure(
    image: UInt8[Tensor, "3 H W"],
    table: pl.DataFrame,
    model: str,
    highest: float | None = None,
) -> go.Figure:
    """The image, then a heat map over its grey copy for each head of an `attention_table`.

    The colour scale ends at `highest`, by default the largest value of the table. Figures can be
    compared only if they share it.
    """
    table = check_patches(table, ["attention"], by=["head"])
    heads = table["head"].unique(maintain_order=True).to_list()
    count = len(heads) + 1
    rows, columns = -(-count // COLUMNS), min(COLUMNS, count)
    titles = ["image", *(f"head {head + 1}" for head in heads)]
    gaps = dict(horizontal_spacing=0.02, vertical_spacing=0.16 / rows)
    figure = panels(titles, COLUMNS, **gaps)
    show(figure, image, row=1, col=1)
    for i, head in enumerate(heads, 1):
        place = dict(row=i // columns + 1, col=i % columns + 1)
        show(figure, to_grey(image), **place)
        _heat(figure, table.filter(pl.col("head") == head), image.shape, **place)
    hide_rest(figure, count, columns)
    figure.update_xaxes(showticklabels=False, ticks="").update_yaxes(showticklabels=False, ticks="")
    highest = table["attention"].max() if highest is None else highest
    figure.update_layout(coloraxis=heat_axis(0.0, highest, tickformat=".2~f"))
    figure.update_layout(margin=dict(l=12, r=12, b=12))
    grid = f"{table['row'].max() + 1} × {table['column'].max() + 1}"
    caption = f"Share of the class token's attention on each of {grid} patches, by head: "
    caption += f"all heads are shown. The heads of {model} share one colour scale, from 0 to "
    caption += f"{highest:.3g}; uniform attention is {1 / _count(table):.3g} everywhere."
    finish(figure, f"Attention of the class token: {model}", caption, rows * PANEL + 12)
    return bar_below(figure, "share of attention", 0.98 / columns)


@typed
def attention_maps_figure(
    image: UInt8[Tensor, "3 H W"],
    table: pl.DataFrame,
    model: str,
    query: tuple[int, int] | None = None,
    highest: float | None = None,
) -> go.Figure:
    """Heat maps over the grey image, by layer (rows) and head (columns).

    From an `attention_maps_table` of the class token, or of the patch at (row, column) `query`,
    from 0, which is outlined. The colour scale ends at `highest`, by default the 99th percentile.
    """
    table = check_patches(table, ["attention"], by=["layer", "head"])
    maps = _maps(table)  # [layers, heads, rows, columns]
    small = _small(to_grey(image))
    height, width = small.shape[1:]
    pitch = (height + GAP, width + GAP)  # from panel to panel, in pixels of the small image
    figure = make_subplots(1, 1)
    draw(figure, _tiled(small, *maps.shape[:2]))
    frame(figure, maps.shape[0] * pitch[0] - GAP, maps.shape[1] * pitch[1] - GAP)
    figure.add_trace(_heats(maps, (height, width)))
    if query is not None:
        figure.add_trace(_outlines(maps.shape, query, (height, width)))
    _name_panels(figure, maps.shape[:2], (height, width))
    highest = table["attention"].quantile(0.99) if highest is None else highest
    bar = dict(title=dict(text="share of<br>attention"), tickformat=".2~f")
    figure.update_layout(coloraxis=heat_axis(0.0, highest, **bar))
    figure.update_layout(margin=dict(l=SIDE, r=12, b=12), showlegend=False)
    who = "the class token" if query is None else "one patch"
    caption = f"Share of {who}'s attention on each of {maps.shape[2]} × {maps.shape[3]} patches. "
    if query is not None:
        caption += f"The patch (row {query[0] + 1}, column {query[1] + 1}) is outlined. "
    caption += f"Every layer and head of {model} is shown, on one colour scale from 0 to "
    caption += f"{highest:.3g}; larger values have the darkest colour. Uniform attention is "
    caption += f"{1 / (maps.shape[2] * maps.shape[3]):.3g} everywhere."
    across = WIDTH - SIDE - BAR
    tall = across * (maps.shape[0] * pitch[0] - GAP) / (maps.shape[1] * pitch[1] - GAP)
    return finish(figure, f"Attention of {who}: {model}", caption, round(tall) + TOP + 12)


def _maps(table: pl.DataFrame) -> np.ndarray:
    """Attention as an array [layers, heads, rows, columns]."""
    keys = ["layer", "head", "row", "column"]
    shape = [table[key].n_unique() for key in keys]
    return table.sort(keys)["attention"].to_numpy().reshape(shape)


def _small(image: UInt8[Tensor, "3 H W"]) -> UInt8[Tensor, "3 h w"]:
    """The image with a longer side of at most PIXELS; smaller images with enlarged pixels."""
    longer = max(image.shape[1:])
    if longer <= PIXELS:
        times = PIXELS // longer
        return image.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)
    size = [max(1, round(side * PIXELS / longer)) for side in image.shape[1:]]
    small = F.interpolate(image[None].float(), size, mode="bilinear", antialias=True)
    return small[0].round().to(torch.uint8)


def _tiled(image: UInt8[Tensor, "3 h w"], rows: int, columns: int) -> UInt8[Tensor, "3 H W"]:
    """Copies of the image with white gaps, as one picture: many would make the page heavy."""
    tile = F.pad(image, (0, GAP, 0, GAP), value=255)
    return tile.repeat(1, rows, columns)[:, :-GAP, :-GAP]


def _heats(maps: np.ndarray, size: tuple[int, int]) -> go.Heatmap:
    """All heat maps as one trace, with gaps between them."""
    layers, heads, rows, columns = maps.shape
    padded = np.pad(maps, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    z = padded.transpose(0, 2, 1, 3).reshape(layers * (rows + 1), heads * (columns + 1))
    names = np.indices(maps.shape)[:2] + 1
    names = np.pad(names, ((0, 0), (0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
    names = names.transpose(1, 3, 2, 4, 0).reshape(*z.shape, 2)
    y, x = (_edges(n, k, s) for n, k, s in zip(maps.shape[:2], maps.shape[2:], size, strict=True))
    hover = "layer %{customdata[0]}, head %{customdata[1]}: %{z:.3f}<extra></extra>"
    z, names = z[:-1, :-1].astype(np.float32), names[:-1, :-1].astype(np.uint8)  # smaller pages
    cells = dict(z=z, customdata=names, x=x, y=y)
    return go.Heatmap(**cells, coloraxis="coloraxis", hovertemplate=hover, hoverongaps=False)


def _edges(panels: int, patches: int, side: int) -> np.ndarray:
    """Borders of the cells along one axis, with a gap between panels."""
    inside = np.arange(patches + 1) * (side / patches)
    return (np.arange(panels)[:, None] * (side + GAP) + inside).ravel()


def _outlines(shape: tuple[int, ...], query: tuple[int, int], size: tuple[int, int]) -> go.Scatter:
    """The query patch, outlined in every panel."""
    layers, heads, rows, columns = shape
    if not (0 <= query[0] < rows and 0 <= query[1] < columns):
        raise UserError(
            f"query={query} must be a row and a column, from 0, of the {rows} × {columns} "
            "patches of the table"
        )
    panels = np.indices((layers, heads)).reshape(2, -1).T * (np.array(size) + GAP)  # [panels, 2]
    corners = (np.array(query) + SQUARE) * size / (rows, columns)  # [6, 2]
    y, x = (panels[:, None] + corners).reshape(-1, 2).T
    thin = (WIDTH - SIDE - BAR) / (heads * columns) < 8  # pixels of a patch
    style = dict(mode="lines", line=dict(color=QUERY, width=1 if thin else 2), cliponaxis=False)
    return go.Scatter(x=x, y=y, name="query patch", hoverinfo="skip", **style)


def _name_panels(figure: go.Figure, counts: tuple[int, ...], size: tuple[int, int]) -> None:
    """Number layers and heads, from 1, at the middle of each panel."""
    middle = [[i * (s + GAP) + s / 2 for i in range(n)] for n, s in zip(counts, size, strict=True)]
    text = [[str(i + 1) for i in range(n)] for n in counts]
    style = dict(tickmode="array", ticks="", showticklabels=True)
    figure.update_yaxes(tickvals=middle[0], ticktext=text[0], title_text="layer", **style)
    top = dict(side="top", constraintoward="left")
    figure.update_xaxes(tickvals=middle[1], ticktext=text[1], title_text="head", **top, **style)


def _count(table: pl.DataFrame) -> int:
    return (table["row"].max() + 1) * (table["column"].max() + 1)


def _heat(figure: go.Figure, rows: pl.DataFrame, shape: tuple, row: int, col: int) -> None:
    """Draw the half transparent heat map of one head."""
    across = rows["column"].max() + 1
    values = rows.sort("row", "column")["attention"].to_numpy().reshape(-1, across)
    height, width = shape[1] / values.shape[0], shape[2] / values.shape[1]
    place = dict(x0=width / 2, dx=width, y0=height / 2, dy=height)
    hover = "attention %{z:.3f}<extra></extra>"
    heat = go.Heatmap(z=values, coloraxis="coloraxis", hovertemplate=hover, **place)
    figure.add_trace(heat, row=row, col=col)

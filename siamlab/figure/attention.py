"""Attention of the class token over the image, one panel a head.

attention_figure(image, attention_table(attention, grid), model="siameseim")
"""

import plotly.graph_objects as go
import polars as pl
from jaxtyping import Float, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.figure.image import show, to_grey
from siamlab.figure.template import finish, panels
from siamlab.geometry import Grid

COLUMNS = 5  # panels in a row
PANEL = 152  # pixels a row of panels is high
SCALE = [  # none is clear, so that the image shows; more is darker
    (0, "rgba(240,228,66,0)"),
    (0.3, "rgba(240,200,40,0.6)"),
    (0.65, "rgba(213,94,0,0.85)"),
    (1, "rgba(110,10,0,0.95)"),
]


def attention_table(attention: Float[Tensor, "heads N"], grid: Grid) -> pl.DataFrame:
    """head, row, column, attention (share of the class token's attention, 0..1) of each patch."""
    heads, patches = attention.shape
    if patches != grid[0] * grid[1]:
        raise UserError(
            f"attention is over {patches} patches; a grid of {grid} has {grid[0] * grid[1]}: "
            "drop the prefix tokens first"
        )
    index = range(heads * patches)
    return pl.DataFrame(
        {
            "head": [i // patches for i in index],
            "row": [i % patches // grid[1] for i in index],
            "column": [i % grid[1] for i in index],
            "attention": attention.detach().cpu().double().flatten().tolist(),
        }
    )


def attention_figure(
    image: UInt8[Tensor, "3 H W"],
    table: pl.DataFrame,
    model: str,
    highest: float | None = None,
) -> go.Figure:
    """The image, then a heat map over its grey copy for each head of an `attention_table`.

    `highest` is the end of the colour scale; the largest value in the table if not given. Give the
    same to all figures that are to be compared.
    """
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
    for i in range(count, rows * columns):
        place = dict(row=i // columns + 1, col=i % columns + 1)
        figure.update_xaxes(visible=False, **place).update_yaxes(visible=False, **place)
    figure.update_xaxes(showticklabels=False, ticks="").update_yaxes(showticklabels=False, ticks="")
    highest = table["attention"].max() if highest is None else highest
    bar = dict(title=dict(text="share of<br>attention"), tickformat=".2~f")
    figure.update_layout(coloraxis=dict(cmin=0, cmax=highest, colorscale=SCALE, colorbar=bar))
    figure.update_layout(margin=dict(l=12, r=12, b=12))
    grid = f"{table['row'].max() + 1} × {table['column'].max() + 1}"
    caption = f"Share of the class token's attention on each of {grid} patches, by head. One "
    caption += f"colour scale for all heads of {model}, from 0 to {highest:.3g}; "
    caption += f"even attention would be {1 / _count(table):.3g} everywhere."
    return finish(figure, f"Attention of the class token: {model}", caption, rows * PANEL + 12)


def _count(table: pl.DataFrame) -> int:
    return (table["row"].max() + 1) * (table["column"].max() + 1)


def _heat(figure: go.Figure, rows: pl.DataFrame, shape: tuple, row: int, col: int) -> None:
    """One head's heat map, patch by patch, half transparent."""
    across = rows["column"].max() + 1
    values = rows.sort("row", "column")["attention"].to_numpy().reshape(-1, across)
    height, width = shape[1] / values.shape[0], shape[2] / values.shape[1]
    place = dict(x0=width / 2, dx=width, y0=height / 2, dy=height)
    hover = "attention %{z:.3f}<extra></extra>"
    heat = go.Heatmap(z=values, coloraxis="coloraxis", hovertemplate=hover, **place)
    figure.add_trace(heat, row=row, col=col)

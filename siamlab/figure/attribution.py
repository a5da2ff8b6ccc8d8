"""Attribution over the image, one panel per method.

tables = {"integrated gradients": attribution_table(found.map[0], grid), ...}
attribution_figure(image, tables, target="the other view", model="mae")
"""

from collections.abc import Mapping

import plotly.graph_objects as go
import polars as pl
from jaxtyping import Float, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.figure.heat import heat_axis
from siamlab.figure.image import show, to_grey
from siamlab.figure.template import (
    INK,
    bar_below,
    broken,
    finish,
    hide_rest,
    panels,
)
from siamlab.geometry import Grid
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_floats
from siamlab.probe.table import check_patches

COLUMNS = 4  # panels in a row
PANEL, BELOW = 176, 40  # pixels: height of a row of panels, and of the space below them
LINE = 14  # characters of a line of a panel's title


@typed
def attribution_table(attribution: Float[Tensor, "h w"], grid: Grid | None = None) -> pl.DataFrame:
    """row, column, attribution: one row per cell of the map of one image.

    With a grid, the cells of each patch are added up, which keeps the sum of the map.
    """
    check_floats("attribution", attribution, "h w")
    rows, columns = grid or attribution.shape
    if attribution.shape[0] % rows or attribution.shape[1] % columns:
        raise UserError(
            f"a map of {tuple(attribution.shape)} cannot be summed over grid={grid}: its sides "
            "must be multiples of the grid's; pass the grid of the model"
        )
    cells = attribution.detach().cpu().double().unflatten(1, (columns, -1)).sum(dim=2)
    values = cells.unflatten(0, (rows, -1)).sum(dim=1).flatten().tolist()
    index = range(rows * columns)
    places = {"row": [i // columns for i in index], "column": [i % columns for i in index]}
    return pl.DataFrame(places | {"attribution": values})


@typed
def attribution_figure(
    image: UInt8[Tensor, "3 H W"],
    tables: Mapping[str, pl.DataFrame],
    target: str,
    model: str,
    patch: int | None = None,
    grid: Grid | None = None,
) -> go.Figure:
    """The image, then a heat map over its grey copy for each method's `attribution_table`.

    `target` names what the feature was compared with. Each panel is scaled by its own largest
    value, which is written below it. If the feature is that of one `patch`, row by row on `grid`,
    the patch is outlined.
    """
    if not tables:
        raise UserError("tables has no method; pass the attribution_table of at least one")
    tables = {
        method: check_patches(table, ["attribution"], f"the table of {method!r}")
        for method, table in tables.items()
    }
    count = len(tables) + 1
    rows, columns = -(-count // COLUMNS), min(COLUMNS, count)
    gaps = dict(horizontal_spacing=0.02, vertical_spacing=0.25 / rows)
    figure = panels(["image", *tables], COLUMNS, **gaps)
    figure.for_each_annotation(lambda a: a.update(text="<br>".join(broken(a.text, LINE))))
    for i, table in enumerate([None, *tables.values()]):
        place = dict(row=i // columns + 1, col=i % columns + 1)
        show(figure, image if table is None else to_grey(image), **place)
        if table is not None:
            _heat(figure, table, image.shape, **place)
        if patch is not None:
            _outline(figure, patch, grid, image.shape, **place)
    hide_rest(figure, count, columns)
    figure.update_xaxes(showticklabels=False, ticks="").update_yaxes(showticklabels=False, ticks="")
    figure.update_layout(coloraxis=heat_axis(-1.0, 1.0, tickvals=[-1, 0, 1]))
    figure.update_layout(margin=dict(l=12, r=12, b=BELOW))
    caption = _caption(target, patch is not None)
    finish(figure, f"Attribution: {model}", caption, rows * PANEL + BELOW)
    return bar_below(figure, "share of the largest", 0.98 / columns, under=BELOW)


def _caption(target: str, outlined: bool) -> str:
    caption = f"What raises (red) and lowers (blue) the cosine to {target}. "
    caption += "Each panel is scaled by its own largest value, given below it in units of the "
    caption += "cosine."
    return caption + " Outlined: the patch whose feature is compared." * outlined


def _heat(figure: go.Figure, table: pl.DataFrame, shape: tuple, row: int, col: int) -> None:
    """Draw the half transparent map of one method, and its largest value below."""
    across = table["column"].max() + 1
    values = table.sort("row", "column")["attribution"].to_numpy().reshape(-1, across)
    largest = abs(values).max()
    height, width = shape[1] / values.shape[0], shape[2] / values.shape[1]
    place = dict(x0=width / 2, dx=width, y0=height / 2, dy=height)
    style = dict(coloraxis="coloraxis", hovertemplate="%{customdata:.3g}<extra></extra>")
    shares = values / (largest or 1)
    figure.add_trace(go.Heatmap(z=shares, customdata=values, **place, **style), row=row, col=col)
    note = dict(text=f"largest: {largest:.2g}", font=dict(size=12), standoff=4)
    figure.update_xaxes(title=note, row=row, col=col)


def _outline(
    figure: go.Figure, patch: int, grid: Grid | None, shape: tuple, row: int, col: int
) -> None:
    if grid is None or not 0 <= patch < grid[0] * grid[1]:
        raise UserError(
            f"patch={patch} must lie on grid={grid}, row by row from 0; pass the grid of the model"
        )
    (down, across), height, width = divmod(patch, grid[1]), shape[1] / grid[0], shape[2] / grid[1]
    box = dict(x0=across * width, x1=(across + 1) * width)
    box |= dict(y0=down * height, y1=(down + 1) * height)
    for colour, thick in (("white", 4), (INK, 2)):  # visible on dark and on light
        line = dict(color=colour, width=thick)
        figure.add_shape(type="rect", line=line, **box, row=row, col=col)

"""Correspondences: predicted and true places in one view for the patches of another.

correspondence_figure(a, b, correspondence_table(points, true, predicted, a_size, b_size))
"""

import plotly.graph_objects as go
import polars as pl
import torch
from jaxtyping import Float, UInt8
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots
from torch import Tensor

from siamlab.component import UserError
from siamlab.figure.image import draw, frame
from siamlab.figure.template import INK, bar_below, finish, legend
from siamlab.geometry import Count, Size
from siamlab.machine.arguments import typed
from siamlab.probe.checks import check_floats
from siamlab.probe.table import check_frame

COLUMNS = ("ay", "ax", "true_y", "true_x", "predicted_y", "predicted_x", "error")  # pixels
SCALE = ["#56B4E9", "#F0E442", "#D55E00"]  # from no error to the largest
EDGE = "rgba(0,0,0,0.45)"
SHADES = 12  # colours of lines; the scale of markers is continuous
GAP = 0.12  # between the views, a fraction of the first one's width
DOTS = dict(mode="markers", showlegend=False)
MARKERS = {
    name: dict(symbol=symbol, size=8, line=dict(color=INK, width=1))
    for name, symbol in (
        ("patch centre in a", "circle"),
        ("predicted in b", "square"),
        ("true place in b", "cross"),
    )
}
HEIGHT = 380  # pixels, without title, caption and colour bar
AXIS = 44  # pixels below the views, of the axis's numbers and title


@typed
def correspondence_table(
    points: Float[Tensor, "M 2"],
    true: Float[Tensor, "M 2"],
    predicted: Float[Tensor, "M 2"],
    a_size: Size,
    b_size: Size,
) -> pl.DataFrame:
    """ay, ax, true_y, true_x, predicted_y, predicted_x, error: one row per patch, in pixels.

    `error` is the distance from the predicted to the true place. Points are (y, x) fractions:
    `points` of view a, `true` and `predicted` of view b; sizes are (height, width) in pixels.
    """
    if not len(points) == len(true) == len(predicted):
        raise UserError(
            f"points, true and predicted have {len(points)}, {len(true)} and {len(predicted)} "
            "rows: give all three for the same patches"
        )
    for name, place in dict(points=points, true=true, predicted=predicted).items():
        if len(place):
            check_floats(name, place, "M 2")
    places = zip((points, true, predicted), (a_size, b_size, b_size), strict=True)
    pixels = [place.detach().cpu().double() * torch.tensor(size) for place, size in places]
    error = (pixels[1] - pixels[2]).norm(dim=1)
    values = [*(column for place in pixels for column in place.unbind(dim=1)), error]
    return pl.DataFrame({n: v.tolist() for n, v in zip(COLUMNS, values, strict=True)})


@typed
def correspondence_figure(
    a: UInt8[Tensor, "3 H W"],
    b: UInt8[Tensor, "3 h w"],
    table: pl.DataFrame,
    most: Count = 40,
    title: str = "Correspondences between two views",
    sizes: tuple[Size, Size] | None = None,
) -> go.Figure:
    """View a, view b, and a line for each row of a `correspondence_table`, coloured by error.

    At most `most` rows are drawn, spread over the table. `sizes` are those that the table was made
    with, where pictures `a` and `b` are finer.
    """
    table = check_frame(table, COLUMNS)
    shown = _spread(table, most)
    a_size, b_size = sizes or (tuple(a.shape[1:]), tuple(b.shape[1:]))
    start = a_size[1] * (1 + GAP)  # where b begins, in pixels
    figure = make_subplots(1, 1)
    draw(figure, a, size=a_size)
    draw(figure, b, left=start, size=b_size)
    frame(figure, max(a_size[0], b_size[0]), start + b_size[1])
    highest = max(table["error"].max(), 1e-9)
    _lines(figure, shown, start, highest)
    _points(figure, shown, start, highest)
    _ticks(figure, a_size[1], b_size[1], start)
    figure.update_layout(margin=dict(l=44, r=12, b=80))
    mean = table["error"].mean()
    caption = "Each patch centre of view a (left) is joined to the place in view b (right) "
    caption += f"predicted for it; {len(shown)} of {len(table)} patches are drawn. A dotted line "
    caption += f"joins the prediction to the true place, a cross. Mean error: {mean:.1f} pixels."
    finish(figure, title, caption, HEIGHT)
    share = a_size[1] / (start + b_size[1])
    return bar_below(figure, "error (pixels)", share, under=AXIS)


def _spread(table: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most `most` rows in golden-ratio steps: a fixed stride would pick single columns."""
    if len(table) <= most:
        return table
    return table[sorted({int(i * 0.6180339887 % 1 * len(table)) for i in range(most)})]


def _lines(figure: go.Figure, table: pl.DataFrame, start: float, highest: float) -> None:
    """Draw a line from each patch to its prediction, one trace per shade, with a dark edge."""
    shades: dict[int, tuple[list, list]] = {}
    for row in table.iter_rows(named=True):
        shade = min(SHADES - 1, int(row["error"] / highest * SHADES))
        x, y = shades.setdefault(shade, ([], []))
        x += [row["ax"], start + row["predicted_x"], None]
        y += [row["ay"], row["predicted_y"], None]
    still = dict(mode="lines", hoverinfo="skip", showlegend=False)
    for shade, (x, y) in sorted(shades.items(), reverse=True):
        colour = sample_colorscale(SCALE, [(shade + 0.5) / SHADES])[0]
        figure.add_scatter(x=x, y=y, line=dict(color=EDGE, width=3.2), **still)
        figure.add_scatter(x=x, y=y, line=dict(color=colour, width=1.8), **still)


def _points(figure: go.Figure, table: pl.DataFrame, start: float, highest: float) -> None:
    """Draw patch centres in a; predictions, true places and the lines between them in b."""
    predicted = dict(x=(table["predicted_x"] + start).to_list(), y=table["predicted_y"].to_list())
    true = dict(x=(table["true_x"] + start).to_list(), y=table["true_y"].to_list())
    ties = {axis: _pairs(predicted[axis], true[axis]) for axis in "xy"}
    tie = dict(color="white", width=1.5, dash="dot")
    figure.add_scatter(**ties, mode="lines", line=tie, hoverinfo="skip", showlegend=False)
    by_error = dict(color=table["error"].to_list(), coloraxis="coloraxis")
    centres = dict(x=table["ax"].to_list(), y=table["ay"].to_list())
    marked = {"patch centre in a": centres, "predicted in b": predicted, "true place in b": true}
    hover = dict(text=[f"error {e:.1f} pixels" for e in table["error"]], hoverinfo="text")
    for name, place in marked.items():
        colour = dict(color="white") if name == "true place in b" else by_error
        figure.add_scatter(**place, name=name, marker=MARKERS[name] | colour, **hover, **DOTS)
    white = {name: marker | dict(color="white") for name, marker in MARKERS.items()}
    legend(figure, {name: dict(mode="markers", marker=marker) for name, marker in white.items()})
    figure.update_layout(coloraxis=dict(cmin=0, cmax=highest, colorscale=SCALE))


def _pairs(starts: list, ends: list) -> list:
    """Coordinates of separate lines: start, end, gap, start, end, gap, …"""
    return [value for pair in zip(starts, ends, strict=True) for value in (*pair, None)]


def _ticks(figure: go.Figure, a_width: int, b_width: int, start: float) -> None:
    """Label the axis with the pixels of each view, and write their names above."""
    places = [0, a_width // 2, a_width], [0, b_width // 2, b_width]
    values = [*places[0], *(start + value for value in places[1])]
    text = list(map(str, places[0] + places[1]))
    figure.update_xaxes(tickmode="array", tickvals=values, ticktext=text, title_text="pixels")
    figure.update_yaxes(title_text="pixels")
    for name, middle in (("view a", a_width / 2), ("view b", start + b_width / 2)):
        place = dict(x=middle, y=0, yanchor="bottom", showarrow=False, font=dict(size=13))
        figure.add_annotation(text=name, **place)

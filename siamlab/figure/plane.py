"""The semantic–spatial plane: models as points with intervals, and their Pareto front.

plane_figure(plane_table(scores), arrows=[("mae", "siameseim")])
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
import polars as pl

from siamlab.component import UserError, unknown
from siamlab.figure.labels import place_labels
from siamlab.figure.scores import SUMMARY, undominated, whole_models
from siamlab.figure.template import (
    GREY,
    INK,
    LETTER,
    TOP,
    WIDTH,
    broken,
    colours,
    finish,
    plain,
    rule,
    symbols,
    whisker,
)
from siamlab.machine.arguments import typed
from siamlab.probe.table import check_frame

Looks = Mapping[str, str]  # of each model
PLACED = tuple(f"{name}{end}" for name in SUMMARY for end in ("", "_low", "_high"))
HEIGHT = 480  # pixels, without title and caption
WIDTHS = (WIDTH, 800, 1100)  # pixels: labels do not overlap at any of these
MARGIN = dict(l=60, r=16, b=56)
NAMED = 20  # models with names; of more, only those on the front
CAP = 6  # pixels: half the width of a whisker's end
LINE = 15  # pixels: height of a line of a label
SCALE = "score (0 chance, 1 ceiling)"
WHISKERS = (
    "Up and right is better. Whiskers: 95 % intervals. Dashed steps: the Pareto front, of models "
    "that no other model beats on both {what}."
)


class Axis(NamedTuple):
    """One axis of a plane; up and right are always better."""

    title: str
    lower: bool = False  # lower is better, so the axis is turned
    chance: bool = True  # 0 is chance


SCORES = Axis(f"semantic {SCALE}"), Axis(f"spatial {SCALE}")


@typed
def plane(scores: pl.DataFrame, **options: Any) -> go.Figure:
    """The plane of a long table of scores; `options` are those of `plane_figure`."""
    return plane_figure(plane_table(scores), **options)


@typed
def plane_table(scores: pl.DataFrame) -> pl.DataFrame:
    """model, semantic, spatial, each score with _low and _high, front: one row per model.

    Scores are from 0 (chance) to 1 (ceiling); `front` is true if no other model dominates. Models
    without two finite scores are left out.
    """
    sides = []
    for name in SUMMARY:
        rows = whole_models(scores).filter(pl.col("probe") == name, pl.col("value").is_finite())
        ends = [pl.col(end).alias(f"{name}_{end}") for end in ("low", "high")]
        sides.append(rows.select("model", pl.col("value").alias(name), *ends))
    table = sides[0].join(sides[1], on="model", how="inner", maintain_order="left")
    if table.is_empty():
        raise UserError(
            "scores has no model with both probes 'semantic' and 'spatial'; the first needs images "
            "of at least two classes, which are the subfolders of a folder of images"
        )
    return table.with_columns(front=pl.Series(undominated(table.select(SUMMARY).to_numpy())))


@typed
def plane_figure(
    table: pl.DataFrame,
    arrows: Sequence[tuple[str, str]] = (),
    reference: str = "untrained",
    title: str = "Semantic–spatial plane",
    among: Sequence[str] = (),
) -> go.Figure:
    """The plane of a `plane_table`, with arrows from one model to another.

    Colours are chosen among the names `among`, then those of the table.
    """
    table = check_frame(table, ("model", *PLACED, "front"))
    names = [*among, *table["model"]]
    marks, colour = symbols(names, reference), colours(names, reference)
    figure = draw_models(table, SCORES, marks, colour, arrows)
    caption = WHISKERS.format(what="scores")
    if reference in table["model"]:
        caption += f" Open diamond: the {reference} network."
    if len(named_models(table)) < len(table):
        caption += " Small grey dots: all other models; hover to see their names."
    if min(figure.layout.xaxis.range[0], figure.layout.yaxis.range[0]) < 0:
        caption += " Dotted: chance."
    return finish(figure, title, caption, HEIGHT)


def draw_models(
    table: pl.DataFrame,
    axes: tuple[Axis, Axis],
    marks: Looks,
    colour: Looks,
    arrows: Sequence[tuple[str, str]] = (),
) -> go.Figure:
    """Return the figure of a table with the columns of `plane_table`, without title and caption.

    `marks` and `colour` are the marker and the colour of each model.
    """
    figure, named = go.Figure(), named_models(table)
    x_range, y_range = (_range(table, *pair) for pair in zip(SUMMARY, axes, strict=True))
    steps = _steps(table, axes, x_range[0], y_range[0])
    zeros = zip(axes, (([0.0, 0.0], y_range), (x_range, [0.0, 0.0])), strict=True)
    chance = [line for axis, line in zeros if axis.chance]
    for line in chance:
        rule(figure, *line, dash="dot")
    rule(figure, *steps, dash="dash")
    _others(figure, table.filter(~pl.col("model").is_in(named["model"].to_list())))
    _points(figure, named, marks, colour)
    for start, end in arrows:
        _arrow(figure, table, start, end)
    _labels(figure, named, (steps, *chance), np.array([x_range, y_range]), colour)
    figure.update_xaxes(title_text=plain(axes[0].title), range=x_range, automargin=False)
    figure.update_yaxes(title_text=plain(axes[1].title), range=y_range, automargin=False)
    return figure.update_layout(showlegend=False, margin=MARGIN)


def named_models(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose names are written: all, or of many those on the front."""
    return table if len(table) <= NAMED else table.filter("front")


def _range(table: pl.DataFrame, name: str, axis: Axis) -> tuple[float, float]:
    """All whiskers with a margin, and chance unless it would leave half the axis empty.

    The second end is the better one.
    """
    ends = table.select(name, f"{name}_low", f"{name}_high").to_numpy()
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    if axis.chance and low > 0 and low < high - low:
        low = 0.0
    room = max(0.01, 0.12 * (high - low))
    return (high + room, low - room) if axis.lower else (low - room, high + room)


def _steps(
    table: pl.DataFrame, axes: tuple[Axis, Axis], left: float, bottom: float
) -> tuple[list[float], list[float]]:
    """Corners of the boundary of the dominated region: across to a point, then down."""
    front = table.filter("front").sort("semantic", descending=axes[0].lower)
    x, y = front["semantic"].to_list(), front["spatial"].to_list()
    return [left, *np.repeat(x, 2).tolist()], [*np.repeat(y, 2).tolist(), bottom]


def _points(figure: go.Figure, table: pl.DataFrame, marks: Looks, colour: Looks) -> None:
    for row in table.iter_rows(named=True):
        shade = colour[row["model"]]
        ends = [whisker(row, name, f"{name}_low", f"{name}_high", shade) for name in SUMMARY]
        figure.add_scatter(
            x=[row["semantic"]],
            y=[row["spatial"]],
            **dict(zip(("error_x", "error_y"), ends, strict=True)),
            mode="markers",
            marker=dict(color=shade, symbol=marks[row["model"]], size=11),
            name=plain(row["model"]),
            hovertemplate="semantic %{x:.3f}, spatial %{y:.3f}",
        )


def _others(figure: go.Figure, table: pl.DataFrame) -> None:
    """Draw the models without names."""
    if table.is_empty():
        return
    figure.add_scatter(
        x=table["semantic"],
        y=table["spatial"],
        mode="markers",
        marker=dict(color=GREY, size=6),
        name="",
        hovertext=[plain(name) for name in table["model"]],
        hovertemplate="%{hovertext}: semantic %{x:.3f}, spatial %{y:.3f}",
    )


def _arrow(figure: go.Figure, table: pl.DataFrame, start: str, end: str) -> None:
    at = {row["model"]: row for row in table.iter_rows(named=True)}
    for name in (start, end):
        if name not in at:
            raise UserError(unknown("arrows: no model", name, at))
    head = dict(x=at[end]["semantic"], y=at[end]["spatial"], standoff=9, arrowhead=2, arrowsize=1.2)
    tail = dict(ax=at[start]["semantic"], ay=at[start]["spatial"], axref="x", ayref="y")
    figure.add_annotation(**head, **tail, startstandoff=9, arrowcolor=INK, arrowwidth=1.5, text="")


def _labels(
    figure: go.Figure, table: pl.DataFrame, rules: tuple, ranges: np.ndarray, colour: Looks
) -> None:
    """Write names beside their points, joined by a thin line."""
    lines = [broken(name) for name in table["model"]]
    sizes = np.array([(LETTER * max(map(len, text)) + 6, LINE * len(text) + 4) for text in lines])
    offsets = place_labels(*_pixels(table, rules, ranges, sizes))
    for text, offset, row in zip(lines, offsets, table.iter_rows(named=True), strict=True):
        place = dict(x=row["semantic"], y=row["spatial"], ax=offset[0], ay=offset[1])
        figure.add_annotation(
            **place,
            text="<br>".join(map(plain, text)),
            arrowcolor=colour[row["model"]],
            **dict(arrowhead=0, arrowwidth=0.8, borderpad=1, standoff=6),
        )


def _pixels(table: pl.DataFrame, rules: tuple, ranges: np.ndarray, sizes: np.ndarray) -> tuple:
    """The arguments of `place_labels`; obstacles are dots, whiskers, and the corners of `rules`."""
    plots = np.array([(w - MARGIN["l"] - MARGIN["r"], HEIGHT - TOP - MARGIN["b"]) for w in WIDTHS])
    plots = plots.astype(float)  # [K, 2]

    def pixel(x: np.ndarray, y: np.ndarray) -> np.ndarray:  # [K, n, 2]: right, down
        share = (np.stack([x, y], axis=-1) - ranges[:, 0]) / (ranges[:, 1] - ranges[:, 0])
        share[..., 1] = 1 - share[..., 1]
        return share * plots[:, None]

    value = {name: table[name].to_numpy() for name in table.columns if name.startswith(SUMMARY)}
    x, y = (value[name] for name in SUMMARY)
    points = pixel(x, y)
    ends = [pixel(value[f"semantic_{end}"], y) for end in ("low", "high")]
    ends += [pixel(x, value[f"spatial_{end}"]) for end in ("high", "low")]
    corners = [pixel(*map(np.array, rule)) for rule in rules]
    drawn = [([path[:, :-1], path[:, 1:]], 2) for path in corners]
    boxes = [np.concatenate([points - 7, points + 7], axis=-1)]
    for line, room in ((ends[:2], CAP), (ends[2:], CAP), *drawn):
        boxes += [np.concatenate([np.minimum(*line) - room, np.maximum(*line) + room], axis=-1)]
    areas = np.concatenate([np.zeros_like(plots), plots], axis=1)
    return points, sizes, np.nan_to_num(np.concatenate(boxes, axis=1)), areas

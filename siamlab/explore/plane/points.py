"""Points with intervals: the plane, and one value of several points side by side.

plane_chart(table, chosen, named)       values_chart(rows, names, title)
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from siamlab.explore.scene import Chart, rounded, shortened
from siamlab.figure.labels import place_labels
from siamlab.figure.template import colours, symbols

UNITS = np.array([800.0, 600.0])  # size of a chart's drawing area, for the placement of labels
LETTER, LINE = 21.0, 38.0  # size of a letter, in these units
DOT = 20.0  # half the side of a point's box
WHISKER = 8.0  # half the width of a whisker's box, and of those along the way between points
ALONG = 24  # boxes along the way from a point to the next
LONGEST = 25  # letters of a name in a chart, at most
SCORE = "score (0 chance, 1 ceiling)"


Ends = tuple[float, float, float, float]  # of whiskers: left and right, lower and upper


class Style(NamedTuple):
    colour: str
    symbol: str


class Side(NamedTuple):
    """One axis of points, in fractions of it."""

    values: list[float]
    ticks: list[tuple[float, str]]
    ends: list[tuple[float, float]]  # of whiskers; the value itself where it has no interval


def _side(table: pl.DataFrame, name: str) -> Side:
    """An axis that extends beyond the values and their whiskers, if these are not too long.

    Two seeds have an interval of twelve standard errors on each side: it ends at the border.
    """
    values = table[name].to_list()
    low, high = min(values), max(values)
    span = high - low or 0.1
    known = [end for end in ("low", "high") if f"{name}_{end}" in table.columns]
    ends = [table[f"{name}_{end}"].fill_nan(None).fill_null(table[name]) for end in known]
    least, most = (min(ends[0]), max(ends[1])) if ends else (low, high)
    bottom = max(low - span, min(low - 0.15 * span, least - 0.05 * span))
    top = min(high + span, max(high + 0.15 * span, most + 0.05 * span))
    share = lambda v: min(1.0, max(0.0, (v - bottom) / (top - bottom)))  # noqa: E731
    places = [share(v) for v in values]
    pairs = zip(*ends, strict=True) if ends else zip(values, values, strict=True)
    return Side(places, ticks(bottom, top), [(share(a), share(b)) for a, b in pairs])


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A colour and a symbol for each model; the symbol changes when the colours repeat."""
    colour, symbol = colours(names), symbols(names)
    return {name: Style(colour[name], symbol[name]) for name in names}


def plane_chart(
    table: pl.DataFrame, chosen: Sequence[int], named: Sequence[int], joined: bool = False
) -> Chart:
    """The points of a `plane_table`, with names next to those listed in `named`, and whiskers.

    If `joined`, a line leads from each point to the next.
    """
    style = styles(table["model"].to_list())
    names = [shortened(name, LONGEST) for name in style]
    sides = [_side(table, name) for name in ("semantic", "spatial")]
    (x, x_ticks, across), (y, y_ticks, up) = sides
    whiskers = [(*across[i], *up[i]) if i in named else None for i in range(len(names))]
    return Chart(
        kind="points",
        x=x,
        y=y,
        names=names,
        colours=[each.colour for each in style.values()],
        x_title=f"semantic {SCORE}",
        y_title=f"spatial {SCORE}",
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        chosen=chosen,
        symbols=[each.symbol for each in style.values()],
        places=_beside(np.array([x, y]).T, names, named, whiskers, joined),
        whiskers=whiskers,
        joined=joined,
    )


def held_plane(table: pl.DataFrame, named: int, joined: bool = False) -> dict[str, Any]:
    """The plane as a page holds it; the names of more than `named` points are placed there."""
    chart = plane_chart(table, [], range(len(table)), joined)
    if len(table) > named:
        chart = chart._replace(places=[None] * len(table))
    return rounded(chart._asdict())


def values_chart(table: pl.DataFrame, names: Sequence[str], title: str) -> Chart:
    """One value of each row, side by side with its whisker, in its style among `names`."""
    style = styles(names)
    shown = [style[name] for name in table["name"]]
    short = [shortened(name, LONGEST) for name in table["name"]]
    y, y_ticks, up = _side(table.rename({"low": "value_low", "high": "value_high"}), "value")
    x = [(i + 0.5) / len(y) for i in range(len(y))]
    whiskers = [(place, place, *ends) for place, ends in zip(x, up, strict=True)]
    return Chart(
        kind="points",
        x=x,
        y=y,
        names=short,
        colours=[each.colour for each in shown],
        x_title="",
        y_title=title,
        x_ticks=[],
        y_ticks=y_ticks,
        symbols=[each.symbol for each in shown],
        places=_beside(np.array([x, y]).T, short, range(len(y)), whiskers),
        whiskers=whiskers,
    )


def ticks(low: float, high: float, gaps: int = 6) -> list[tuple[float, str]]:
    """Round numbers on an axis, with at most `gaps` gaps between them."""
    step = 10 ** math.floor(math.log10((high - low) / 2))
    step = next(step * k for k in (0.5, 1, 2, 5) if (high - low) / (step * k) <= gaps)
    marks = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [((mark - low) / (high - low), f"{mark:,.10g}") for mark in marks]


def _beside(
    points: Float[np.ndarray, "n 2"],
    names: Sequence[str],
    named: Sequence[int],
    whiskers: Sequence[Ends | None],
    joined: bool = False,
) -> list[tuple[float, float] | None]:
    """Middles of the names, in fractions, clear of each other, of points, whiskers and the way."""
    places: list[tuple[float, float] | None] = [None] * len(points)
    if not named:
        return places
    down = _down(points)  # [n, 2]
    sizes = np.array([(LETTER * len(names[i]) + 8, LINE) for i in named])
    dots = np.concatenate([down - DOT, down + DOT], axis=1)
    lines = np.concatenate([dots, *_lines(points, whiskers), *(_way(down) if joined else [])])
    area = np.array([[0.0, 0.0, *UNITS]])
    offsets = place_labels(down[None, list(named)], sizes, lines[None], area, dots[None])
    for i, (right, lower) in zip(named, offsets / UNITS, strict=True):
        places[i] = float(points[i, 0] + right), float(points[i, 1] - lower)
    return places


def _down(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Fractions (right, up) as places in the drawing area (right, down)."""
    return np.stack([points[:, 0], 1 - points[:, 1]], axis=1) * UNITS


def _lines(
    points: Float[np.ndarray, "n 2"], whiskers: Sequence[Ends | None]
) -> Iterator[Float[np.ndarray, "2 4"]]:
    """Boxes of both whiskers of each point that has them."""
    for (x, y), ends in zip(points, whiskers, strict=True):
        if ends:
            left, right, low, high = ends
            first = _down(np.array([[left, y], [x, high]])) - WHISKER
            yield np.concatenate([first, _down(np.array([[right, y], [x, low]])) + WHISKER], axis=1)


def _way(down: Float[np.ndarray, "n 2"]) -> list[Float[np.ndarray, "m 4"]]:
    """Boxes along the line that joins the points."""
    along = np.linspace(0, 1, ALONG)[:, None]
    steps = [a + along * (b - a) for a, b in pairwise(down)]
    return [np.concatenate([step - WHISKER, step + WHISKER], axis=1) for step in steps]

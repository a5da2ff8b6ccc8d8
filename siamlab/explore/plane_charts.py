"""Charts of the plane explorer: the plane itself, a histogram, and courses of runs.

plane_chart(table, chosen, named)       histogram(values, edges, title, of, chosen)
course_panels({name: folder.lines()}, names)
"""

import math
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.explore.scene import Chart, Panel, shortened
from siamlab.figure.labels import place_labels
from siamlab.figure.template import colours, symbols
from siamlab.train.folder import Line

UNITS = np.array([800.0, 600.0])  # of a chart's drawing area: how its labels are measured
LETTER, LINE = 18.0, 38.0  # of a name, in these units
DOT = 20.0
LONGEST = 25  # letters of a name in a chart
ROOM = 40  # letters of a line across it
FEW = 3  # names that are listed
LOGGED = 100  # numbers of a line, at most
TICKS = 4
SCORE = "score (0 chance, 1 ceiling)"


class Style(NamedTuple):
    colour: str
    symbol: str


class Course(NamedTuple):
    """One number of a run by step."""

    name: str
    step: list[float]
    value: list[float]


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A colour for each model, and another symbol where the colours start again."""
    colour, symbol = colours(names), symbols(names)
    return {name: Style(colour[name], symbol[name]) for name in names}


def plane_chart(table: pl.DataFrame, chosen: Sequence[int], named: Sequence[int]) -> Chart:
    """Points of a `plane_table`; those of `named` have their names beside them."""
    looks = styles(table["model"].to_list())
    names = [shortened(name, LONGEST) for name in looks]
    (x, x_ticks), (y, y_ticks) = (_roomy(table[name].to_list()) for name in ("semantic", "spatial"))
    return Chart(
        kind="points",
        x=x,
        y=y,
        names=names,
        colours=[look.colour for look in looks.values()],
        x_title=f"semantic {SCORE}",
        y_title=f"spatial {SCORE}",
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        chosen=chosen,
        symbols=[look.symbol for look in looks.values()],
        places=_beside(np.array([x, y]).T, names, named),
    )


def histogram(
    values: Float[Tensor, " M"], edges: Sequence[float], title: str, of: str, chosen: Sequence[int]
) -> Chart:
    """Shares of the values between the edges."""
    count = torch.bincount(placed(values, edges), minlength=len(edges) - 1)
    shares = (count / max(1, len(values))).tolist()
    top = 1.05 * max(shares)
    ticks = [(i / len(shares), f"{edge:.3g}") for i, edge in enumerate(edges)]
    return Chart(
        kind="bars",
        x=[place for place, _ in ticks],
        y=[share / top for share in shares],
        names=[
            f"{low:.3g} to {high:.3g}: {n}"
            for (low, high), n in zip(pairwise(edges), count.tolist(), strict=True)
        ],
        colours=[],
        x_title=title,
        y_title=f"share of {of}",
        x_ticks=ticks[:: max(1, len(shares) // TICKS)],
        y_ticks=[(0.0, "0 %"), (1 / 1.05, f"{100 * max(shares):.0f} %")],
        chosen=chosen,
    )


def placed(values: Float[Tensor, " M"], edges: Sequence[float]) -> Tensor:
    """The bar of each value, from 0; values on an edge belong to the bar above it."""
    return torch.bucketize(values.contiguous(), torch.tensor(edges[1:-1]), right=True)


def course_panels(logged: dict[str, list[Line]], names: Sequence[str]) -> list[Panel]:
    """Loss and spread by step, a line a run, in its look among all `names`; or why there is none.

    Losses of different forms are not comparable: each is over its own first. Both scores follow
    where a run was probed while it trained.
    """
    without = _listed([name for name, lines in logged.items() if not lines])
    more = f"; none at hand of {without}" if without and any(logged.values()) else ""
    note = "\n".join(["no metrics are at hand of", *textwrap.wrap(without, ROOM)])
    loss, spread = courses(logged, "loss", True), courses(logged, "context/spread", False)
    charts = {
        "loss, each over its own first": course_chart(
            loss, "loss / first logged loss", names, note
        ),
        "sign of collapse, of pooled features": course_chart(
            spread, "spread (0: collapsed)", names, note
        ),
    }
    for score in ("semantic", "spatial"):
        if found := courses(logged, f"probe/{score}", False):
            title = f"{score} score, by probes while training"
            charts[title] = course_chart(found, f"{score} score (0: chance)", names, note)
    return [
        Panel(title.split(",")[0], f"{title}{more}", "", chart=chart, span=3)
        for title, chart in charts.items()
    ]


def courses(lines: dict[str, list[Line]], key: str, relative: bool) -> list[Course]:
    """A number of metrics.jsonl by step, of the runs that have it; relative to its first."""
    found = []
    for name, logged in lines.items():
        pairs = [
            (line["step"], line[key]) for line in logged if math.isfinite(line.get(key, 1e999))
        ]
        first = pairs[0][1] if pairs and relative else 1.0
        if pairs and first:
            every = -(-len(pairs) // LOGGED)  # as many as can be seen, and the end
            pairs = pairs[:-1:every] + pairs[-1:]
            step, value = zip(*pairs, strict=True)
            found.append(Course(name, list(step), [v / first for v in value]))
    return found


def course_chart(found: Sequence[Course], title: str, names: Sequence[str], note: str) -> Chart:
    """A line a run, in its look among all `names`; the note where there is none."""
    looks = styles(names)
    values = [v for course in found for v in course.value]
    steps = [step for course in found for step in course.step]
    low, high = min([0.0, *values]), max([1.0, *values])
    last = float(max([1, *steps]))
    return Chart(
        kind="lines",
        x=[[step / last for step in course.step] for course in found],
        y=[[(v - low) / (high - low) for v in course.value] for course in found],
        names=[shortened(course.name, LONGEST) for course in found],
        colours=[looks[course.name].colour for course in found],
        x_title="step",
        y_title=title,
        x_ticks=_ticks(0.0, last, gaps=4) if found else [],
        y_ticks=_ticks(low, high) if found else [],
        symbols=[looks[course.name].symbol for course in found],
        note="" if found else note,
    )


def _listed(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(shortened(name, LONGEST) for name in names[:FEW]) + more


def _beside(
    points: Float[np.ndarray, "n 2"], names: Sequence[str], named: Sequence[int]
) -> list[tuple[float, float] | None]:
    """Middles of the names, clear of each other and of points, in fractions."""
    places: list[tuple[float, float] | None] = [None] * len(points)
    if not named:
        return places
    down = np.stack([points[:, 0], 1 - points[:, 1]], axis=1) * UNITS  # [n, 2]
    sizes = np.array([(LETTER * len(names[i]) + 8, LINE) for i in named])
    dots = np.concatenate([down - DOT, down + DOT], axis=1)
    area = np.array([[0.0, 0.0, *UNITS]])
    offsets = place_labels(down[None, list(named)], sizes, dots[None], area)
    for i, (right, lower) in zip(named, offsets / UNITS, strict=True):
        places[i] = float(points[i, 0] + right), float(points[i, 1] - lower)
    return places


def _roomy(values: list[float]) -> tuple[list[float], list[tuple[float, str]]]:
    """Fractions of an axis with room around, and its ticks."""
    low, high = min(values), max(values)
    room = 0.15 * (high - low) or 0.1
    low, high = low - room, high + room
    return [(v - low) / (high - low) for v in values], _ticks(low, high)


def _ticks(low: float, high: float, gaps: int = 6) -> list[tuple[float, str]]:
    """Round numbers on an axis, with at most so many gaps between them."""
    step = 10 ** math.floor(math.log10((high - low) / 2))
    step = next(step * k for k in (0.5, 1, 2, 5) if (high - low) / (step * k) <= gaps)
    marks = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [((mark - low) / (high - low), f"{mark:,.10g}") for mark in marks]

"""Charts of the plane explorer: the plane itself, a histogram, and the curves of runs.

plane_chart(table, chosen, named)       histogram(values, edges, title, unit, chosen)
curve_panels({name: folder.lines()}, names)
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

UNITS = np.array([800.0, 600.0])  # size of a chart's drawing area, for the placement of labels
LETTER, LINE = 18.0, 38.0  # size of a letter, in these units
DOT = 20.0  # half the side of a point's box
LONGEST = 25  # letters of a name in a chart, at most
ROOM = 40  # letters of a line across a chart, at most
FEW = 3  # names that are listed one by one
LOGGED = 100  # points of a curve, at most
TICKS = 4  # labels below a histogram
SCORE = "score (0 chance, 1 ceiling)"


class Style(NamedTuple):
    colour: str
    symbol: str


class Curve(NamedTuple):
    """One logged number of a run, by step."""

    name: str
    step: list[float]
    value: list[float]


def styles(names: Sequence[str]) -> dict[str, Style]:
    """A colour and a symbol for each model; the symbol changes when the colours repeat."""
    colour, symbol = colours(names), symbols(names)
    return {name: Style(colour[name], symbol[name]) for name in names}


def plane_chart(table: pl.DataFrame, chosen: Sequence[int], named: Sequence[int]) -> Chart:
    """The points of a `plane_table`, with names next to those listed in `named`."""
    style = styles(table["model"].to_list())
    names = [shortened(name, LONGEST) for name in style]
    (x, x_ticks), (y, y_ticks) = (
        _padded(table[name].to_list()) for name in ("semantic", "spatial")
    )
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
        places=_beside(np.array([x, y]).T, names, named),
    )


def histogram(
    values: Float[Tensor, " M"],
    edges: Sequence[float],
    title: str,
    unit: str,
    chosen: Sequence[int],
) -> Chart:
    """The share of the values in each bar; `unit` names what the values belong to."""
    count = torch.bincount(bar_index(values, edges), minlength=len(edges) - 1)
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
        y_title=f"share of {unit}",
        x_ticks=ticks[:: max(1, len(shares) // TICKS)],
        y_ticks=[(0.0, "0 %"), (1 / 1.05, f"{100 * max(shares):.0f} %")],
        chosen=chosen,
    )


def bar_index(values: Float[Tensor, " M"], edges: Sequence[float]) -> Tensor:
    """The index of the bar of each value; a value on an edge belongs to the bar above it."""
    return torch.bucketize(values.contiguous(), torch.tensor(edges[1:-1]), right=True)


def curve_panels(logged: dict[str, list[Line]], names: Sequence[str]) -> list[Panel]:
    """Loss and spread by step, one curve per run in its style among `names`, or a note.

    Each loss is divided by its first value, because losses of different forms cannot be compared.
    The two scores are added if a run was probed while it trained.
    """
    without = _listed([name for name, lines in logged.items() if not lines])
    more = f"; no metrics for {without}" if without and any(logged.values()) else ""
    note = "\n".join(["no metrics for", *textwrap.wrap(without, ROOM)])
    loss, spread = curves(logged, "loss", True), curves(logged, "context/spread", False)
    charts = {
        "loss, relative to its first value": curve_chart(
            loss, "loss / first logged loss", names, note
        ),
        "sign of collapse, pooled features": curve_chart(
            spread, "spread (0: collapsed)", names, note
        ),
    }
    for score in ("semantic", "spatial"):
        if scored := curves(logged, f"probe/{score}", False):
            title = f"{score} score, from probes during training"
            charts[title] = curve_chart(scored, f"{score} score (0: chance)", names, note)
    return [
        Panel(title.split(",")[0], f"{title}{more}", "", chart=chart, span=3)
        for title, chart in charts.items()
    ]


def curves(lines: dict[str, list[Line]], key: str, relative: bool) -> list[Curve]:
    """A number of metrics.jsonl by step, for the runs that logged it.

    If `relative`, it is divided by its first value.
    """
    found = []
    for name, logged in lines.items():
        pairs = [
            (line["step"], line[key]) for line in logged if math.isfinite(line.get(key, 1e999))
        ]
        first = pairs[0][1] if pairs and relative else 1.0
        if pairs and first:
            every = -(-len(pairs) // LOGGED)  # more points cannot be distinguished
            pairs = pairs[:-1:every] + pairs[-1:]
            step, value = zip(*pairs, strict=True)
            found.append(Curve(name, list(step), [v / first for v in value]))
    return found


def curve_chart(shown: Sequence[Curve], title: str, names: Sequence[str], note: str) -> Chart:
    """One line per curve, in the style of its run among `names`; the note if there is no curve."""
    style = styles(names)
    values = [v for curve in shown for v in curve.value]
    steps = [step for curve in shown for step in curve.step]
    low, high = min([0.0, *values]), max([1.0, *values])
    last = float(max([1, *steps]))
    return Chart(
        kind="lines",
        x=[[step / last for step in curve.step] for curve in shown],
        y=[[(v - low) / (high - low) for v in curve.value] for curve in shown],
        names=[shortened(curve.name, LONGEST) for curve in shown],
        colours=[style[curve.name].colour for curve in shown],
        x_title="step",
        y_title=title,
        x_ticks=_ticks(0.0, last, gaps=4) if shown else [],
        y_ticks=_ticks(low, high) if shown else [],
        symbols=[style[curve.name].symbol for curve in shown],
        note="" if shown else note,
    )


def _listed(names: Sequence[str]) -> str:
    """The first few names, and the number of the others."""
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(shortened(name, LONGEST) for name in names[:FEW]) + more


def _beside(
    points: Float[np.ndarray, "n 2"], names: Sequence[str], named: Sequence[int]
) -> list[tuple[float, float] | None]:
    """Middles of the names, in fractions, clear of each other and of the points."""
    places: list[tuple[float, float] | None] = [None] * len(points)
    if not named:
        return places
    down = np.stack([points[:, 0], 1 - points[:, 1]], axis=1) * UNITS  # [n, 2]
    sizes = np.array([(LETTER * len(names[i]) + 8, LINE) for i in named])
    dots = np.concatenate([down - DOT, down + DOT], axis=1)
    area = np.array([[0.0, 0.0, *UNITS]])
    offsets = place_labels(down[None, list(named)], sizes, dots[None], area, dots[None])
    for i, (right, lower) in zip(named, offsets / UNITS, strict=True):
        places[i] = float(points[i, 0] + right), float(points[i, 1] - lower)
    return places


def _padded(values: list[float]) -> tuple[list[float], list[tuple[float, str]]]:
    """The values as fractions of an axis that extends beyond them, and its ticks."""
    low, high = min(values), max(values)
    room = 0.15 * (high - low) or 0.1
    low, high = low - room, high + room
    return [(v - low) / (high - low) for v in values], _ticks(low, high)


def _ticks(low: float, high: float, gaps: int = 6) -> list[tuple[float, str]]:
    """Round numbers on an axis, with at most `gaps` gaps between them."""
    step = 10 ** math.floor(math.log10((high - low) / 2))
    step = next(step * k for k in (0.5, 1, 2, 5) if (high - low) / (step * k) <= gaps)
    marks = [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [((mark - low) / (high - low), f"{mark:,.10g}") for mark in marks]

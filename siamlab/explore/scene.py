"""What an explorer shows, as plain data: panels with heat, marks and boxes, controls, a sentence.

scene.as_dict() goes to the browser; draw.drawn(scene, images) makes a PNG of the same.
"""

import base64
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from plotly.colors import sequential

STOPS = tuple(sequential.YlOrBr)  # colours of heat, from low to high: as in the figures
KINDS = ("query", "true", "match", "next")  # of marks: drawn alike in browser and PNG
# of points: corners, the first one's angle in eighths of a turn from the top, radius of every other
SYMBOLS = {
    "circle": (24, 0, 1.0),
    "square": (4, 1, 1.0),
    "triangle-up": (3, 0, 1.0),
    "pentagon": (5, 0, 1.0),
    "star": (10, 0, 0.45),
    "diamond-open": (4, 0, 1.0),
}


class Scale(NamedTuple):
    """One colour scale, shared by all heat that names it."""

    title: str
    low: float
    high: float


class Heat(NamedTuple):
    values: Sequence[float]  # one a patch, row by row; nan stays clear
    grid: tuple[int, int]  # rows, columns
    scale: str  # key of Scene.scales


class Mark(NamedTuple):
    y: float  # fractions of the panel
    x: float
    kind: str  # one of KINDS
    text: str = ""


class Box(NamedTuple):
    top: float  # fractions of the panel
    left: float
    height: float
    width: float
    name: str
    colour: str
    movable: bool = False


class Chart(NamedTuple):
    """Points, bars or lines; all places are fractions of the drawing area, from its lower left."""

    kind: str  # "points", "bars" or "lines"
    x: Sequence[float] | Sequence[Sequence[float]]  # of bars: their n + 1 edges; a list a line
    y: Sequence[float] | Sequence[Sequence[float]]
    names: Sequence[str]  # of points and lines; of bars: what the pointer is told
    colours: Sequence[str]  # of points and lines
    x_title: str
    y_title: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    chosen: Sequence[int] = ()
    symbols: Sequence[str] = ()  # of points, and of lines at their end: keys of SYMBOLS
    places: Sequence[tuple[float, float] | None] = ()  # of points' names, their middle
    note: str = ""  # in words, in place of lines that are not there


class Panel(NamedTuple):
    id: str
    title: str
    image: str  # key of the explorer's images; "" for a chart
    grid: tuple[int, int] | None = None  # patches that can be clicked, unless they are still
    heat: Heat | None = None
    marks: Sequence[Mark] = ()
    boxes: Sequence[Box] = ()
    arrows: Sequence[tuple[float, float, float, float]] = ()  # y, x to y, x
    chosen: bool = False  # outlined, as the head that is shown
    span: int = 1  # columns that it takes
    still: bool = False
    chart: Chart | None = None  # its points or bars are clicked as patches of `grid` (1, n) are
    several: bool = False  # more than one point or bar can be chosen

    @property
    def parts(self) -> int:
        """How many patches, points or bars can be clicked."""
        return 0 if self.still or not self.grid else self.grid[0] * self.grid[1]


class Control(NamedTuple):
    """A slider over low..high, or one of `options`."""

    name: str
    label: str
    value: Any
    low: int = 0
    high: int = 0
    options: Sequence[str] = ()


class Jump(NamedTuple):
    """A line of a list that leads to a patch."""

    text: str
    panel: str
    patch: int


class Scene(NamedTuple):
    panels: Sequence[Panel]
    columns: int
    text: str  # what is to be seen, in a sentence or a few lines
    controls: Sequence[Control] = ()
    scales: dict[str, Scale] = {}
    legend: Sequence[tuple[str, str]] = ()  # kind, meaning
    jumps: Sequence[Jump] = ()
    jumps_title: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and tables; heat as bytes, 1..255 from low to high and 0 for nan, base64."""
        return {
            "panels": [_panel(panel, self.scales) for panel in self.panels],
            "columns": self.columns,
            "text": self.text,
            "controls": [control._asdict() for control in self.controls],
            "scales": {key: scale._asdict() for key, scale in self.scales.items()},
            "legend": [list(entry) for entry in self.legend],
            "jumps": [jump._asdict() for jump in self.jumps],
            "jumps_title": self.jumps_title,
            "stops": list(STOPS),
            "symbols": {name: _rounded(outline(name)) for name in SYMBOLS},
        }


def outline(symbol: str) -> list[tuple[float, float]]:
    """Corners of a symbol of radius 1 around 0, 0: right, down."""
    corners, eighths, other = SYMBOLS[symbol]
    found = []
    for i in range(corners):
        angle, radius = math.tau * (eighths / 8 + i / corners), other if i % 2 else 1.0
        found.append((radius * math.sin(angle), -radius * math.cos(angle)))
    return found


def levels(heat: Heat, scale: Scale) -> bytes:
    """1..255 from low to high, beyond them clamped; 0 where there is no number."""
    span = (scale.high - scale.low) or 1.0
    shares = ((v - scale.low) / span if math.isfinite(v) else None for v in heat.values)
    return bytes(0 if s is None else 1 + round(254 * min(1.0, max(0.0, s))) for s in shares)


def shortened(name: str, most: int) -> str:
    """A name of at most so many letters: its middle left out, since its end tells the seed."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def _panel(panel: Panel, scales: dict[str, Scale]) -> dict[str, Any]:
    found = panel._asdict()
    found["marks"] = [mark._asdict() for mark in panel.marks]
    found["chart"] = panel.chart._asdict() if panel.chart else None
    found["boxes"] = [box._asdict() for box in panel.boxes]
    if heat := panel.heat:
        shades = base64.b64encode(levels(heat, scales[heat.scale])).decode()
        found["heat"] = {"levels": shades, "grid": list(heat.grid)}
    return _rounded(found)


def _rounded(value: Any) -> Any:
    """Floats to four decimals: a tenth of a pixel of a large screen."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else value

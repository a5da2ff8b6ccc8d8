"""Scene: what an explorer shows, as plain data: panels, marks, controls and a sentence.

scene.as_dict() goes to the browser; draw.png(scene, images) makes a picture of the same.
"""

import base64
import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from siamlab.component import UserError, unknown
from siamlab.figure.heat import STOPS

MOST = 24  # values of one slider in an exported page: each needs images of its own
KINDS = ("query", "true", "match", "next")  # of marks; browser and PNG draw them the same way
# number of corners, angle of the first from the top in eighths of a turn, radius of every second
SYMBOLS = {
    "circle": (24, 0, 1.0),
    "square": (4, 1, 1.0),
    "triangle-up": (3, 0, 1.0),
    "pentagon": (5, 0, 1.0),
    "star": (10, 0, 0.45),
    "diamond-open": (4, 0, 1.0),
}


class Scale(NamedTuple):
    """A colour scale, shared by all heat maps that name it: from `low`, 0 or less, to `high`."""

    title: str
    low: float
    high: float
    open: bool = False  # larger values have the colour of `high`

    @property
    def bound(self) -> float:
        """The size of a value, of either sign, that has the strongest colour."""
        return max(abs(self.low), abs(self.high)) or 1.0


COSINE = Scale("cosine", -1.0, 1.0)


class Heat(NamedTuple):
    values: Sequence[float]  # one per patch, row by row; nan is transparent
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
    """Points, bars or lines; places are fractions of the drawing area, from its lower left."""

    kind: str  # "points", "bars" or "lines"
    x: Sequence[float] | Sequence[Sequence[float]]  # bars: their n + 1 edges; lines: a list each
    y: Sequence[float] | Sequence[Sequence[float]]
    names: Sequence[str]  # of points and lines; bars: the hover text
    colours: Sequence[str]  # of points and lines
    x_title: str
    y_title: str
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    chosen: Sequence[int] = ()
    symbols: Sequence[str] = ()  # keys of SYMBOLS, for points and the ends of lines
    places: Sequence[tuple[float, float] | None] = ()  # middles of the names of points
    # intervals of points: left and right end, lower and upper end; None where there is none
    whiskers: Sequence[tuple[float, float, float, float] | None] = ()
    joined: bool = False  # points are steps, and a line joins them
    note: str = ""  # shown where there are no lines


class Panel(NamedTuple):
    id: str
    title: str
    image: str  # key of the explorer's images; "" for a chart
    grid: tuple[int, int] | None = None  # patches, which can be clicked unless `still`
    heat: Heat | None = None
    marks: Sequence[Mark] = ()
    boxes: Sequence[Box] = ()
    arrows: Sequence[tuple[float, float, float, float]] = ()  # y, x to y, x
    chosen: bool = False  # outlined
    span: int = 1  # width in columns
    still: bool = False  # cannot be clicked
    chart: Chart | None = None  # its n points or bars are patches of `grid` (1, n)
    several: bool = False  # several points or bars can be chosen at once

    @property
    def parts(self) -> int:
        """The number of patches, points or bars that can be clicked."""
        return 0 if self.still or not self.grid else self.grid[0] * self.grid[1]


class Control(NamedTuple):
    """A slider over low..high, or a choice among `options`."""

    name: str
    label: str
    value: Any
    low: int = 0
    high: int = 0
    options: Sequence[str] = ()
    slider: bool = False  # the options are in order, and a slider goes over them
    words: Sequence[str] = ()  # what a slider says in the place of each option

    def checked(self, value: Any) -> Any:
        """The value as one of the options or a plain int. Raises UserError if it is neither."""
        if self.options:
            if str(value) not in self.options:
                raise UserError(unknown(f"{self.name} has no choice", str(value), self.options))
            return str(value)
        number = whole_number(value)
        if number is None or not self.low <= number <= self.high:
            raise UserError(
                f"{self.name}={value!r} must be a whole number from {self.low} to {self.high}"
            )
        return number

    def nearby(self) -> list[Any]:
        """All options; of a slider, at most MOST values around its present one."""
        if self.options:
            return list(self.options)
        first = max(self.low, min(self.value - MOST // 2, self.high - MOST + 1))
        return list(range(first, min(self.high, first + MOST - 1) + 1))


class Jump(NamedTuple):
    """An entry of a list, which selects a patch."""

    text: str
    panel: str
    patch: int


class Scene(NamedTuple):
    panels: Sequence[Panel]
    columns: int
    text: str  # describes what is shown, in a sentence or a few lines
    controls: Sequence[Control] = ()
    scales: dict[str, Scale] = {}
    legend: Sequence[tuple[str, str]] = ()  # kind, meaning
    jumps: Sequence[Jump] = ()
    jumps_title: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists and dicts; heat becomes the base64 text of its `levels`."""
        return {
            "panels": [_panel(panel, self.scales) for panel in self.panels],
            "columns": self.columns,
            "text": self.text,
            "controls": [c._asdict() | {"words": list(c.words)} for c in self.controls],
            "scales": {
                key: scale._asdict() | {"bound": scale.bound} for key, scale in self.scales.items()
            },
            "legend": [list(entry) for entry in self.legend],
            "jumps": [jump._asdict() for jump in self.jumps],
            "jumps_title": self.jumps_title,
            "stops": list(STOPS),
            "symbols": {name: rounded(outline(name)) for name in SYMBOLS},
        }


def whole_number(value: Any) -> int | None:
    """A plain int for a whole number of any type; None for anything else."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def outline(symbol: str) -> list[tuple[float, float]]:
    """Return the corners (right, down) of a symbol of radius 1 around the origin."""
    count, eighths, second = SYMBOLS[symbol]
    corners = []
    for i in range(count):
        angle, radius = math.tau * (eighths / 8 + i / count), second if i % 2 else 1.0
        corners.append((radius * math.sin(angle), -radius * math.cos(angle)))
    return corners


def levels(heat: Heat, scale: Scale) -> bytes:
    """Return 128 for zero, to 1 and 255 at the bound of either sign; 0 for what is not finite."""
    values = np.asarray(heat.values, dtype=float)
    shades = 128 + np.rint(127 * np.clip(values / scale.bound, -1, 1))
    return np.where(np.isfinite(values), shades, 0).astype(np.uint8).tobytes()


def decimal(value: float, form: str = ".3f") -> str:
    """Return a number as text with a minus sign, not a hyphen."""
    return f"{value:{form}}".replace("-", "−")


def shortened(name: str, most: int) -> str:
    """Shorten a name to `most` letters by its middle: its end names the seed."""
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def _panel(panel: Panel, scales: dict[str, Scale]) -> dict[str, Any]:
    fields = panel._asdict()
    fields["marks"] = [mark._asdict() for mark in panel.marks]
    fields["chart"] = panel.chart._asdict() if panel.chart else None
    fields["boxes"] = [box._asdict() for box in panel.boxes]
    if heat := panel.heat:
        shades = base64.b64encode(levels(heat, scales[heat.scale])).decode()
        fields["heat"] = {"levels": shades, "grid": list(heat.grid), "scale": heat.scale}
    return rounded(fields)


def rounded(value: Any) -> Any:
    """Round floats to four decimals, a tenth of a pixel on a large screen."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list | tuple) else value

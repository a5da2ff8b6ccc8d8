"""The catalogue: one row per probe says what its numbers are called and how to read them.

Probe("knn", "k-NN accuracy", "semantic", "share of images", "higher", nearest, KNN, ceiling=1.0)

A row that has a measure of its own stands beside its function, as `add_probe(Probe(...))`; rows
that share a measure are in `siamlab.probe.suite.rows`. The table of scores, the figures and the
tables of docs/probes.md take their words from them.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Literal, NamedTuple

from siamlab.probe.score import Direction, Reading, Score, Settings

if TYPE_CHECKING:
    from siamlab.probe.suite.bench import Extracted

Property = Literal["semantic", "spatial", "attention", "representation"]
Measure = Callable[["Extracted"], Iterable[Reading]]  # yields numbers of one probe or several
ARROWS = {"higher": " ↑", "lower": " ↓", "neither": ""}


class Doc(NamedTuple):
    """A row's text in docs/probes.md; neighbouring rows with the same text share a line there."""

    functions: str  # in `siamlab.probe`, that compute the number from arrays
    sentence: str
    range: str


class Probe(NamedTuple):
    """One row of the catalogue."""

    key: str
    title: str
    property: Property
    unit: str
    direction: Direction
    measure: Measure | None  # of the last layer; rows may share one, which then runs once
    doc: Doc
    by_layer: Measure | None = None  # after each block, or head by head
    chance: float | None = None  # nan: there is no such level; None: it depends on the images
    ceiling: float | None = None  # the same


class Measured(NamedTuple):
    """A number of one model, with its row and its whole protocol."""

    probe: Probe
    score: Score
    settings: Settings
    layer: int | None = None
    head: int | None = None


_ADDED: list[Probe] = []


def add_probe(*probes: Probe) -> None:
    """Add rows to the full suite; the file that calls this is imported by `siamlab.probe`."""
    _ADDED.extend(probes)


def added_probes(kind: Property) -> tuple[Probe, ...]:
    """The added rows of a property."""
    return tuple(probe for probe in _ADDED if probe.property == kind)


def join_rows(readings: Iterable[Reading], probes: Iterable[Probe]) -> Iterator[Measured]:
    """Yield each reading of one of the probes with that probe's row; drop all others.

    Raises ValueError if the unit or direction of a score is not that of the row.
    """
    rows = {probe.key: probe for probe in probes}
    for key, score, *rest in readings:
        if key not in rows:
            continue
        expected, found = rows[key][3:5], (score.unit, score.direction)
        if found != expected:
            raise ValueError(f"{key}: the row has {expected}, but the score has {found}")
        yield Measured(rows[key], score, *rest)


def listing(probes: Iterable[Probe], marked: Iterable[Probe] = ()) -> str:
    """A Markdown table of the probes; probes of the quick suite, `marked`, carry a q."""
    quick = {probe.key for probe in marked}
    lines = ["| key | function | what it is | range, direction |", "| --- | --- | --- | --- |"]
    for (doc, arrow), rows in groupby(probes, lambda p: (p.doc, ARROWS[p.direction])):
        keys = ", ".join(f"`{p.key}`" + " q" * (p.key in quick) for p in rows)
        lines.append(f"| {keys} | {doc.functions} | {doc.sentence} | {doc.range}{arrow} |")
    return "\n".join(lines) + "\n"

"""Charts of the plane explorer: a histogram, and the curves of runs.

histogram(values, edges, title, unit, chosen)
curve_panels({name: folder.lines()}, names)
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from siamlab.explore.plane.points import LONGEST, styles, ticks
from siamlab.explore.scene import Chart, Panel, shortened
from siamlab.train.folder import Line

FEW = 3  # names that are listed one by one
LOGGED = 100  # points of a curve, at most
TICKS = 4  # labels below a histogram


class Kind(NamedTuple):
    """One chart of curves."""

    key: str  # in metrics.jsonl
    title: str
    axis: str
    relative: bool = False  # to its first value
    always: bool = False  # also where no run logged it


KINDS = (
    Kind("loss", "Loss, relative to its first value", "loss / first logged loss", True, True),
    Kind("context/spread", "Sign of collapse, pooled features", "spread (0: collapsed)",
         always=True),
    *(Kind(f"probe/{score}", f"{score.capitalize()} score, from probes during training",
           f"{score} score (0: chance)") for score in ("semantic", "spatial")),
)  # fmt: skip


class Curve(NamedTuple):
    """One logged number of a run, by step."""

    name: str
    step: list[float]
    value: list[float]


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
    inner = torch.tensor(edges[1:-1], dtype=torch.double)
    return torch.bucketize(values.double().contiguous(), inner, right=True)


def bar_edges(low: float, high: float, bars: int) -> list[float]:
    """Edges of bars of one width, in the arithmetic of a page."""
    return [low + (high - low) * i / bars for i in range(bars + 1)]


def bars_text(count: int, told: str, low: float, high: float, most: int) -> str:
    """What is told of the values in the chosen bars, of which `most` have their examples shown."""
    examples = f"; the {most} with the largest values are shown" if count > most else ""
    return f"{count} {told} from {low:.3g} to {high:.3g}{examples}"


def curve_panels(logged: dict[str, list[Line]], names: Sequence[str]) -> list[Panel]:
    """Loss and spread by step, one curve per run in its style among `names`, or a note.

    Each loss is divided by its first value, because losses of different forms cannot be compared.
    The two scores are added if a run was probed while it trained.
    """
    without = _listed([name for name, lines in logged.items() if not lines])
    more = f"; no metrics for {', '.join(without)}" if without and any(logged.values()) else ""
    note = "\n".join(["no metrics for", *(f"{n}," for n in without[:-1]), *without[-1:]])
    found = [(kind, curves(logged, kind.key, kind.relative)) for kind in KINDS]
    return [
        Panel(kind.title.split(",")[0].lower(), f"{kind.title}{more}", "",
              chart=curve_chart(shown, kind.axis, names, note), span=3)
        for kind, shown in found if shown or kind.always
    ]  # fmt: skip


def curves(
    lines: dict[str, list[Line]], key: str, relative: bool, most: int = LOGGED
) -> list[Curve]:
    """A number of metrics.jsonl by step, for the runs that logged it, `most` points and the last.

    If `relative`, it is divided by its first value.
    """
    found = []
    for name, logged in lines.items():
        pairs = [
            (line["step"], line[key]) for line in logged if math.isfinite(line.get(key, 1e999))
        ]
        first = pairs[0][1] if pairs and relative else 1.0
        if pairs and first:
            every = -(-len(pairs) // most)  # more points cannot be distinguished
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
        x_ticks=ticks(0.0, last, gaps=4) if shown else [],
        y_ticks=ticks(low, high) if shown else [],
        symbols=[style[curve.name].symbol for curve in shown],
        note="" if shown else note,
    )


def _listed(names: Sequence[str]) -> list[str]:
    """The first few names, the last one with the number of the others."""
    listed = [shortened(name, LONGEST) for name in names[:FEW]]
    return [*listed[:-1], f"{listed[-1]} and {len(names) - FEW} more"] if names[FEW:] else listed

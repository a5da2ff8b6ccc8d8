"""The one look of all figures: the plotly template `siamlab`, its colours, and the caption.

    finish(figure, "Loss", "One panel a loss term.", height=300)

A figure carries its title and caption twice: drawn above it, wrapped for 600 pixels, so that it
stands alone in a notebook or a PNG; and in `layout.meta`, so that a page can set them as text.
"""

import html
import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio
from plotly.subplots import make_subplots

from siamlab.component import UserError

WIDTH = 600  # pixels: the width at which a figure must be readable
TOP = 36  # pixels above the plots, for panel titles
CHARACTERS = 92  # of a caption in one line of WIDTH, also in the wide fonts of bare machines
LETTER = 6.2  # pixels: width of a letter of a label

# Okabe & Ito (2008), without its yellow, which is too faint on white
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY, FAINT, INK = "#5F6368", "#E8EAED", "#1F2328"
SYMBOLS = ("circle", "square", "triangle-up", "pentagon", "star")

_AXIS = dict(showline=True, linecolor=GREY, ticks="outside", tickcolor=GREY, ticklen=4)
_AXIS |= dict(gridcolor=FAINT, zeroline=False, title=dict(standoff=8, font=dict(size=13)))

pio.templates["siamlab"] = go.layout.Template(
    layout=dict(
        font=dict(family="Helvetica Neue, Arial, Liberation Sans, sans-serif", size=12, color=INK),
        colorway=OKABE_ITO,
        paper_bgcolor="white",
        plot_bgcolor="white",
        xaxis=_AXIS,
        yaxis=_AXIS,
        legend=dict(orientation="h", x=0, y=0, yref="container", yanchor="bottom"),
        coloraxis=dict(colorbar=dict(thickness=12, outlinewidth=0, ticks="outside")),
        hoverlabel=dict(bgcolor="white", font=dict(color=INK)),
        margin=dict(l=60, r=16, t=TOP, b=56),
    )
)


def finish(figure: go.Figure, title: str, caption: str, height: int) -> go.Figure:
    """The figure with template, title and caption; `height` in pixels is of all below them.

    Title and caption are plain text. Written into `figure` and returned.
    """
    lines = textwrap.wrap(caption, CHARACTERS)
    head = 38 + 16 * len(lines)
    subtitle = dict(text="<br>".join(map(plain, lines)), font=dict(size=12, color=GREY))
    where = dict(x=0, xref="container", y=1, yref="container", yanchor="top", pad=dict(t=10, l=8))
    figure.update_layout(
        template="siamlab",
        title=dict(text=plain(title), font=dict(size=16), subtitle=subtitle, **where),
        meta=dict(title=title, caption=caption, head=head),
        height=height + head,
        margin_t=TOP + head,
    )
    return figure


def headless(figure: go.Figure) -> tuple[go.Figure, str, str]:
    """A copy without the drawn title and caption, the title, and the caption."""
    meta = figure.layout.meta or {}
    copy = go.Figure(figure)
    if "head" in meta:
        height, top = copy.layout.height - meta["head"], copy.layout.margin.t - meta["head"]
        copy.update_layout(title=None, height=height, margin_t=top)
    return copy, meta.get("title", ""), meta.get("caption", "")


def colours(names: Iterable[str], reference: str = "untrained") -> dict[str, str]:
    """A colour for each name, by first appearance; the reference is grey and takes none.

    A model's own reference, "mae, untrained", has the colour of the model.
    """
    names = list(dict.fromkeys(names))
    models = dict.fromkeys(_own(name, reference) for name in names if name != reference)
    taken = {name: OKABE_ITO[i % len(OKABE_ITO)] for i, name in enumerate(models)}
    return {name: taken[_own(name, reference)] for name in names if name != reference} | {
        reference: GREY
    }


def symbols(names: Iterable[str], reference: str = "untrained") -> dict[str, str]:
    """A marker for each name, another one when the colours start again; references are open."""
    names = list(dict.fromkeys(names))
    models = [name for name in names if name == _own(name, reference) != reference]
    taken = {name: SYMBOLS[i // len(OKABE_ITO) % len(SYMBOLS)] for i, name in enumerate(models)}
    return dict.fromkeys([*names, reference], "diamond-open") | taken


def dashed(name: str, reference: str = "untrained") -> str | None:
    """A model's own reference is dotted, as its colour is the model's."""
    return "dot" if _own(name, reference) != name else None


def is_reference(name: str, reference: str = "untrained") -> bool:
    """The reference, or a model's own: "untrained", "mae, untrained"."""
    return name == reference or _own(name, reference) != name


def _own(name: str, reference: str) -> str:
    """The model that "mae, untrained" is the reference of: mae."""
    return name.removesuffix(f", {reference}")


def whisker(row: dict[str, Any], value: str, low: str, high: str, colour: str) -> dict[str, Any]:
    """Error bars of one point from the names of three of its columns; none where one is missing."""
    ends = (row[value], row[low], row[high])
    if any(end is None or not math.isfinite(end) for end in ends):
        return dict(visible=False)
    middle, bottom, top = ends
    ends = dict(array=[top - middle], arrayminus=[middle - bottom])
    return dict(ends, color=colour, thickness=1.5, width=4)


def rule(
    figure: go.Figure, x: Sequence[float], y: Sequence[float], dash: str, **panel: int
) -> None:
    """A grey line behind the traces that follow: chance, ceiling, a front."""
    line = dict(color=GREY, width=1.4, dash=dash)
    style = dict(mode="lines", line=line, hoverinfo="skip", showlegend=False)
    figure.add_scatter(x=x, y=y, **style, **panel)


def plain(text: str) -> str:
    """Text that plotly shows as it is, tags and all."""
    return html.escape(text, quote=False)


def broken(text: str, characters: int = 24) -> list[str]:
    """Lines of at most so many characters, broken after spaces and `_ - . / :` where it can.

    Numbers stay whole."""
    parts = re.findall(r"(?:[^\s_\-./:]|\.(?=\d))*[\s_\-./:]?", text)
    lines = [""]
    for part in (p[i : i + characters] for p in parts for i in range(0, len(p), characters)):
        if len((lines[-1] + part).rstrip()) > characters:
            lines.append("")
        lines[-1] += part
    return [line.strip() for line in lines]


def panels(titles: Sequence[str], columns: int, **gaps: Any) -> go.Figure:
    """An empty figure of small multiples, their titles in two lines where they are long."""
    if not titles:
        raise UserError("the table of this figure has no rows; there is nothing to draw")
    rows, columns = -(-len(titles) // columns), min(columns, len(titles))
    lines = [broken(title, 30) for title in titles]
    text = ["<br>".join(map(plain, some)) for some in lines]
    figure = make_subplots(rows, columns, subplot_titles=text, **gaps)
    return figure.update_annotations(font=dict(size=13))


def row_labels(figure: go.Figure, labels: list[list[str]]) -> None:
    """Labels of rows 0, 1, … from top to bottom, each of some lines; as wide as they need."""
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=["<br>".join(map(plain, lines)) for lines in labels],
        range=[len(labels) - 0.4, -0.6],
        automargin=False,
    )
    left = 20 + LETTER * max(len(line) for lines in labels for line in lines)
    figure.update_layout(margin=dict(l=left, r=16))


def hide_rest(figure: go.Figure, count: int, columns: int) -> None:
    """Panels of the last row that nothing was drawn in."""
    for i in range(count, -(-count // columns) * columns):
        place = dict(row=i // columns + 1, col=i % columns + 1)
        figure.update_xaxes(visible=False, **place).update_yaxes(visible=False, **place)


def legend(figure: go.Figure, entries: dict[str, dict[str, Any]]) -> None:
    """Entries of their own, in this order: a name and how its trace is drawn."""
    for name, style in entries.items():
        figure.add_scatter(x=[None], y=[None], name=plain(name), showlegend=True, **style)


def legend_height(names: Iterable[str]) -> int:
    """Pixels a legend below a figure WIDTH wide takes: its entries are as wide as the widest."""
    names = list(names)
    entry = 48 + LETTER * max(map(len, names), default=0)
    return 22 * -(-len(names) // max(1, int((WIDTH - 30) // entry)))

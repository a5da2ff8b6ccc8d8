"""The plotly template `siamlab` of all figures, with its colours, titles and captions.

    finish(figure, "Loss", "One panel per loss term.", height=300)

A figure has its title and caption twice: drawn above it and wrapped for 600 pixels, for notebooks
and PNGs, and in `layout.meta`, so that a page can set them as text.
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

WIDTH = 600  # pixels: figures must be readable at this width
TOP = 36  # pixels above the plots, for panel titles
BAR = 52  # pixels: a colour bar below the plots, with its title and its numbers
CHARACTERS = 68  # in a line of a caption, which fits 450 pixels even with a wide fallback font
LONGEST = 240  # letters of a label
LETTER = 6.2  # pixels: width of a letter of a label

# Okabe & Ito (2008), without yellow, which is too faint on white
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
METHODS = {  # pattern of a name -> colour, the same in all figures
    "siameseim": OKABE_ITO[0],
    "mae": OKABE_ITO[1],
    "moco(_?v3)?": OKABE_ITO[2],
    "(?<!dense_)byol": OKABE_ITO[3],
    "simmim": OKABE_ITO[4],
    "ijepa": OKABE_ITO[5],
    "simsiam": OKABE_ITO[6],
}
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
    """Add template, title and caption to `figure`, and return it.

    Title and caption are plain text. `height`, in pixels, is that of everything below them.
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


def bar_below(figure: go.Figure, title: str, share: float, under: int = 12) -> go.Figure:
    """Lay the colour bar below the plots of a finished figure, and return it.

    It takes a `share` of their width, `under` pixels below them, which axis titles may need.
    """
    margin = figure.layout.margin
    plots = figure.layout.height - margin.t - margin.b  # pixels, with or without a drawn title
    place = dict(orientation="h", x=0, xanchor="left", len=share, xpad=0)
    place |= dict(y=-under / plots, yanchor="top", ypad=0, nticks=5)
    bar = dict(place, title=dict(text=plain(title), side="top"))
    figure.update_layout(coloraxis_colorbar=bar, height=figure.layout.height + BAR)
    return figure.update_layout(margin_b=margin.b + BAR)


def headless(figure: go.Figure) -> tuple[go.Figure, str, str]:
    """Return a copy without the drawn title and caption, the title, and the caption."""
    meta = figure.layout.meta or {}
    copy = go.Figure(figure)
    if "head" in meta:
        height, top = copy.layout.height - meta["head"], copy.layout.margin.t - meta["head"]
        copy.update_layout(title=None, height=height, margin_t=top)
    return copy, meta.get("title", ""), meta.get("caption", "")


def colours(names: Iterable[str], reference: str = "untrained") -> dict[str, str]:
    """Return a colour for each name: that of its method, else the first free one.

    Runs of one configuration share a colour, as "loss-seed0" and "loss-seed1" do; the reference is
    grey, and that of one model, "mae, untrained", has the colour of the model.
    """
    looks = _looks(names, reference)
    return {name: colour for name, (colour, _) in looks.items()} | {reference: GREY}


def symbols(names: Iterable[str], reference: str = "untrained") -> dict[str, str]:
    """Return a marker for each name, which changes when the colours repeat; references are open."""
    names = list(dict.fromkeys(names))
    turns = repeats(names, reference)
    models = [name for name in names if not is_reference(name, reference)]
    taken = {name: SYMBOLS[turns[name] % len(SYMBOLS)] for name in models}
    return dict.fromkeys([*names, reference], "diamond-open") | taken


def repeats(names: Iterable[str], reference: str = "untrained") -> dict[str, int]:
    """Return how many configurations before that of each name have its colour."""
    return {name: turn for name, (_, turn) in _looks(names, reference).items()}


def configuration(name: str) -> str:
    """The name of a run without its seed: loss for "loss-seed2"."""
    return re.sub(r"[-_, ]*seed[-_= ]?\d+$", "", name) or name


def _method(name: str) -> str | None:
    """The colour of the method that the name ends in or names: mae in zoo:scenes_mae."""
    name = name.lower()  # papers write MAE
    found = (c for m, c in METHODS.items() if re.search(rf"(?<![a-z0-9]){m}(?![a-z0-9])", name))
    return next(found, None)


def _looks(names: Iterable[str], reference: str) -> dict[str, tuple[str, int]]:
    """The colour of each name but the reference, and how many configurations before have it."""
    owners = {n: configuration(_own(n, reference)) for n in dict.fromkeys(names) if n != reference}
    models, looks = list(dict.fromkeys(owners.values())), {}
    for model in models:  # methods first: their colours are the same in all figures
        if (colour := _method(model)) and (colour, 0) not in looks.values():
            looks[model] = colour, 0
    free = [c for c in OKABE_ITO if (c, 0) not in looks.values()]
    for i, model in enumerate(model for model in models if model not in looks):
        turn, place = divmod(max(0, i - len(free)), len(OKABE_ITO))
        looks[model] = (free[i], 0) if i < len(free) else (OKABE_ITO[place], turn + 1)
    return {name: looks[owner] for name, owner in owners.items()}


def dashed(name: str, reference: str = "untrained") -> str | None:
    """Return "dot" for the reference of one model, whose colour is that of the model."""
    return "dot" if _own(name, reference) != name else None


def is_reference(name: str, reference: str = "untrained") -> bool:
    """Return whether the name is a reference: "untrained", or one model's, "mae, untrained"."""
    return name == reference or _own(name, reference) != name


def _own(name: str, reference: str) -> str:
    """The model to which a reference belongs: mae for "mae, untrained"."""
    return name.removesuffix(f", {reference}")


def whisker(row: dict[str, Any], value: str, low: str, high: str, colour: str) -> dict[str, Any]:
    """Error bars of one point from three columns of its row; none if a value is missing."""
    ends = (row[value], row[low], row[high])
    if any(end is None or not math.isfinite(end) for end in ends):
        return dict(visible=False)
    middle, bottom, top = ends
    ends = dict(array=[top - middle], arrayminus=[middle - bottom])
    return dict(ends, color=colour, thickness=1.5, width=4)


def rule(
    figure: go.Figure, x: Sequence[float], y: Sequence[float], dash: str, **panel: int
) -> None:
    """Add a grey line behind later traces: chance, ceiling, a front."""
    line = dict(color=GREY, width=1.4, dash=dash)
    style = dict(mode="lines", line=line, hoverinfo="skip", showlegend=False)
    figure.add_scatter(x=x, y=y, **style, **panel)


def plain(text: str) -> str:
    """Escape text so that plotly shows tags verbatim."""
    return html.escape(text, quote=False)


def broken(text: str, characters: int = 24) -> list[str]:
    """Break a text into lines of at most `characters`, if possible after spaces and `_ - . / :`.

    Decimal numbers are not broken. A text that would fill a figure is cut short.
    """
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    parts = re.findall(r"(?:[^\s_\-./:]|\.(?=\d))*[\s_\-./:]?", text)
    lines = [""]
    for part in (p[i : i + characters] for p in parts for i in range(0, len(p), characters)):
        if len((lines[-1] + part).rstrip()) > characters:
            lines.append("")
        lines[-1] += part
    return [line.strip() for line in lines]


def panels(titles: Sequence[str], columns: int, **gaps: Any) -> go.Figure:
    """An empty figure of small multiples; long titles are broken into lines."""
    if not titles:
        raise UserError("the table of this figure has no rows; there is nothing to draw")
    rows, columns = -(-len(titles) // columns), min(columns, len(titles))
    lines = [broken(title, 30) for title in titles]
    text = ["<br>".join(map(plain, title)) for title in lines]
    figure = make_subplots(rows, columns, subplot_titles=text, **gaps)
    return figure.update_annotations(font=dict(size=13))


def row_labels(figure: go.Figure, labels: list[list[str]]) -> None:
    """Label the rows 0, 1, … from top to bottom; the margin fits the longest line."""
    figure.update_yaxes(
        tickvals=list(range(len(labels))),
        ticktext=["<br>".join(map(plain, lines)) for lines in labels],
        range=[len(labels) - 0.4, -0.6],
        automargin=False,
    )
    left = 20 + LETTER * max(len(line) for lines in labels for line in lines)
    figure.update_layout(margin=dict(l=left, r=16))


def hide_rest(figure: go.Figure, count: int, columns: int) -> None:
    """Hide the unused panels of the last row."""
    for i in range(count, -(-count // columns) * columns):
        place = dict(row=i // columns + 1, col=i % columns + 1)
        figure.update_xaxes(visible=False, **place).update_yaxes(visible=False, **place)


def legend(figure: go.Figure, entries: dict[str, dict[str, Any]]) -> None:
    """Add legend entries in this order: names, and the styles of their traces."""
    for name, style in entries.items():
        figure.add_scatter(x=[None], y=[None], name=plain(name), showlegend=True, **style)


def legend_height(names: Iterable[str]) -> int:
    """Height in pixels of a legend at WIDTH; all entries are as wide as the widest."""
    names = list(names)
    entry = 48 + LETTER * max(map(len, names), default=0)
    return 22 * -(-len(names) // max(1, int((WIDTH - 30) // entry)))

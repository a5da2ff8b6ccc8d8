"""The report: one HTML file with everything in it, that opens anywhere and loads nothing.

write_report(path, "Three recipes", [Section("The plane", text, [figure], table), ...])
"""

import html
import os
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from string import Template
from typing import NamedTuple

import plotly.graph_objects as go
import polars as pl

from siamlab.figure.scores import comparison_table, score_table, terminal_table
from siamlab.figure.template import headless

__all__ = ["Section", "comparison_table", "score_table", "terminal_table", "write_report"]

CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}


class Section(NamedTuple):
    title: str
    text: str = ""  # plain; an empty line starts a paragraph, lines with "- " are a list
    figures: Sequence[go.Figure] = ()
    table: pl.DataFrame | None = None  # shown as it is; columns of numbers align to the right
    links: Mapping[str, str] = {}  # of cells of the table with this text


def write_report(path: str | os.PathLike, title: str, sections: Sequence[Section]) -> Path:
    """The path of the report, one self-contained HTML file of about 5 MB.

    All text is escaped. Written beside `path` first and then renamed, so that a crash leaves the
    old file or none. Missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    page = report_html(title, sections)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def report_html(title: str, sections: Sequence[Section]) -> str:
    """The page as text."""
    from plotly.offline import get_plotlyjs

    package = files("siamlab")
    numbered = list(enumerate(sections, 1))
    links = [f'<a href="#s{i}">{html.escape(section.title)}</a>' for i, section in numbered]
    return Template((package / "report_page.html").read_text("utf-8")).substitute(
        title=html.escape(title),
        style=(package / "report_style.css").read_text("utf-8"),
        plotly=get_plotlyjs(),
        navigation="\n".join(links),
        body="\n".join(_section(section, i) for i, section in numbered),
    )


def _section(section: Section, number: int) -> str:
    parts = [f'<section id="s{number}">', f"<h2>{html.escape(section.title)}</h2>"]
    parts.append(_text(section.text))
    if section.table is not None:
        parts.append(_table(section.table, section.links))
    parts += [_figure(figure, f"f{number}-{i}") for i, figure in enumerate(section.figures, 1)]
    return "\n".join([*parts, "</section>"])


def _text(text: str) -> str:
    """Paragraphs, and lists of consecutive lines that start with "- "."""
    groups = groupby(text.splitlines(), key=_kind)
    return "\n".join(_block(kind, [html.escape(line.strip()) for line in g]) for kind, g in groups)


def _kind(line: str) -> str:
    return "gap" if not line.strip() else "item" if line.strip().startswith("- ") else "text"


def _block(kind: str, lines: list[str]) -> str:
    if kind == "item":
        return "<ul>" + "".join(f"<li>{line[2:]}</li>" for line in lines) + "</ul>"
    return f"<p>{' '.join(lines)}</p>" if kind == "text" else ""


def _figure(figure: go.Figure, name: str) -> str:
    figure, title, caption = headless(figure)
    plot = figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG, div_id=name)
    if title or caption:
        label = f"<strong>{html.escape(title)}</strong> {html.escape(caption)}"
        plot += f"\n<figcaption>{label}</figcaption>"
    return f"<figure>{plot}</figure>"


def _table(table: pl.DataFrame, links: Mapping[str, str]) -> str:
    numbers = [_is_number(column) for column in table]
    heads = [_cell("th", name, right) for name, right in zip(table.columns, numbers, strict=True)]
    columns = [_cells(column) for column in table]
    rows = [
        "".join(
            _cell("td", text, right, links.get(text))
            for text, right in zip(row, numbers, strict=True)
        )
        for row in zip(*columns, strict=True)
    ]
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    head = f"<thead><tr>{''.join(heads)}</tr></thead>"
    return f'<div class="table"><table>{head}\n<tbody>{body}</tbody></table></div>'


def _is_number(column: pl.Series) -> bool:
    """Numbers, or text that is all numbers, intervals and dashes."""
    if column.dtype.is_numeric():
        return True
    cells = column.drop_nulls().cast(pl.String).to_list()
    return bool(cells) and all(re.match(r"[-–−+]?\d|–$", cell) for cell in cells)


def _cells(column: pl.Series) -> list[str]:
    """Text of each value; floats with the same decimals, three at most."""
    form = "{:,}" if column.dtype.is_integer() else "{}"
    if column.dtype.is_float():
        finite = column.drop_nulls().filter(column.drop_nulls().is_finite())
        places = [len(f"{value:.3f}".rstrip("0").split(".")[1]) for value in finite]
        form = f"{{:,.{max(places, default=0)}f}}"
    return ["–" if value is None or value != value else form.format(value) for value in column]


def _cell(tag: str, text: str, right: bool, link: str | None = None) -> str:
    kind = ' class="number"' if right else ""
    text = html.escape(text).replace(", ", ",&nbsp;") if right else html.escape(text)
    if link:
        text = f'<a href="{html.escape(link)}">{text}</a>'
    return f"<{tag}{kind}>{text}</{tag}>"

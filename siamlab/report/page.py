"""The report page: one self-contained HTML file, which opens anywhere and loads nothing.

write_report(path, "Three recipes", [Section("The plane", text, [figure], table), ...])
"""

import os
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import plotly.graph_objects as go
import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml

from siamlab.figure.scores import comparison_table, score_table, terminal_table
from siamlab.figure.template import headless
from siamlab.machine.files import atomic

__all__ = ["Section", "comparison_table", "score_table", "terminal_table", "write_report"]

CONFIG: dict[str, Any] = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
CLEAR = "rgba(0,0,0,0)"
# paragraphs and lists only: texts name runs and settings, whose `_` and `*` are not emphasis
MARKDOWN = MarkdownIt("zero").enable("list")


class Section(NamedTuple):
    title: str
    text: str = ""  # paragraphs and lists of Markdown; everything else is shown verbatim
    figures: Sequence[go.Figure] = ()
    table: pl.DataFrame | None = None  # columns of numbers are aligned to the right
    links: Mapping[str, str] = {}  # text of a cell of the table or an item of a list -> address


class Cell(NamedTuple):
    """A cell of a table, as the template takes it."""

    text: str
    number: bool  # aligned to the right
    link: str | None = None


def write_report(
    path: str | os.PathLike[str],
    title: str,
    sections: Sequence[Section],
    library: Path | None = None,
) -> Path:
    """Write a report of about 5 MB and return its path.

    All text is escaped. A crash leaves the old file or none. Missing folders are made. Pages that
    name the same `library` share the 4.9 MB of plotly.js, which are written there, and must be
    moved together with it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    page = report_html(title, sections, _shared(path, library) if library else None)
    with atomic(path) as draft:
        draft.write_text(page, encoding="utf-8")
    return path


def _shared(path: Path, library: Path) -> str:
    """Write plotly.js to the library unless it is there, and return its address in the page."""
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs().encode()
    if not library.is_file() or library.stat().st_size != len(script):
        with atomic(library) as draft:
            draft.write_bytes(script)
    return quote(os.path.relpath(library, path.parent).replace(os.sep, "/"))


def report_html(title: str, sections: Sequence[Section], library: str | None = None) -> str:
    """Return the page as text, with plotly.js inside unless `library` is its address."""
    from plotly.offline import get_plotlyjs

    pages = Environment(
        loader=PackageLoader("siamlab", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return pages.get_template("page.html").render(
        title=title,
        style=(files("siamlab") / "report" / "style.css").read_text("utf-8"),
        plotly="" if library else get_plotlyjs(),
        library=library,
        sections=[_section(section, i) for i, section in enumerate(sections, 1)],
    )


def _section(section: Section, number: int) -> dict:
    """A section as the template takes it."""
    return {
        "title": section.title,
        "text": _linked(MARKDOWN.render(section.text), section.links),
        "rows": [] if section.table is None else table_rows(section.table, section.links),
        "figures": [
            _figure(figure, f"f{number}-{i}") for i, figure in enumerate(section.figures, 1)
        ],
    }


def _linked(text: str, links: Mapping[str, str]) -> str:
    """The HTML of a text, the items of its lists that have an address linked to it."""
    for item, address in links.items():
        item, address = escapeHtml(item), escapeHtml(address)
        text = text.replace(f"<li>{item}</li>", f'<li><a href="{address}">{item}</a></li>')
    return text


def _figure(figure: go.Figure, name: str) -> dict[str, str]:
    figure, title, caption = headless(figure)
    figure.update_layout(paper_bgcolor=CLEAR, plot_bgcolor=CLEAR)  # the page may be dark
    plot = figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG, div_id=name)
    return {"html": plot, "title": title, "caption": caption}


def table_rows(table: pl.DataFrame, links: Mapping[str, str]) -> list[list[Cell]]:
    """Return the header and the rows of a table."""
    numbers = [_is_number(column) for column in table]
    rows = zip(*([name, *_texts(table[name])] for name in table.columns), strict=True)
    return [
        [Cell(_unbroken(text) if number else text, number, links.get(text) if i else None)
         for text, number in zip(row, numbers, strict=True)]
        for i, row in enumerate(rows)
    ]  # fmt: skip


def _unbroken(text: str) -> str:
    """The text of an interval, which no line break divides."""
    return text.replace(", ", ",\u00a0")


def _is_number(column: pl.Series) -> bool:
    """Return whether the column has numbers, or texts that are all numbers, intervals or dashes."""
    if column.dtype.is_numeric():
        return True
    cells = column.drop_nulls().cast(pl.String).to_list()
    return bool(cells) and all(re.match(r"[-–−+]?\d|–$", cell) for cell in cells)


def _texts(column: pl.Series) -> list[str]:
    """The text of each value; floats have the same number of decimals, at most three."""
    form = "{:,}" if column.dtype.is_integer() else "{}"
    if column.dtype.is_float():
        finite = column.drop_nulls().filter(column.drop_nulls().is_finite())
        places = [len(f"{value:.3f}".rstrip("0").split(".")[1]) for value in finite]
        form = f"{{:,.{max(places, default=0)}f}}"
    return ["–" if value is None or value != value else form.format(value) for value in column]

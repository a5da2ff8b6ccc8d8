"""The page of the leaderboard: the plane and the table of each board, and how to add to it.

write_leaderboard_page(Path("leaderboard.html"), read_leaderboard(path))
"""

import json
import math
import shlex
from pathlib import Path
from typing import Any

import polars as pl

from siamlab.data.about import LATER, about_data
from siamlab.evaluate.leaderboard import boards
from siamlab.evaluate.standard import SETS
from siamlab.figure.leaderboard import (
    PUBLISHED,
    has_plane,
    leaderboard_figure,
    leaderboard_table,
)
from siamlab.figure.scores import ARROWS, SUMMARY, decimals, heading, interval
from siamlab.probe.corruption_error import CORRUPTIONS
from siamlab.probe.suite import SUITES
from siamlab.probe.suite.bench import PLACES
from siamlab.report.page import Section, write_report
from siamlab.run.choices import axis_choices

MAIN = (*SUMMARY, "knn", "linear", "correspondence_centred")  # of measured boards, in short tables
MADE = ("weights", "version", "device", "date", "note", "source")
INTRODUCTION = (
    "Each board holds numbers of one protocol, which can be compared with each other and with no "
    "number of another board. Brackets are 95 % bootstrap intervals over test images."
)


def write_leaderboard_page(path: Path, table: pl.DataFrame) -> Path:
    """Write the page and return its path."""
    rows = {name: table.filter(pl.col("board") == name) for name in boards(table)}
    sections = [board_section(name, own) for name, own in rows.items()]
    first = sections[0]._replace(text=f"{INTRODUCTION}\n\n{sections[0].text}")
    return write_report(path, "Leaderboard", [first, *sections[1:]])


def board_section(name: str, rows: pl.DataFrame) -> Section:
    """Return the section of one board."""
    figures = [leaderboard_figure(leaderboard_table(rows), name)] if has_plane(rows) else []
    command = how_to_add(rows)
    text = f"To add a model: {command}" if command else "Published values, with their sources."
    return Section(name, text, figures, board_text(rows))


def board_text(
    rows: pl.DataFrame,
    probes: list[str] | None = None,
    made: tuple[str, ...] = MADE,
    brief: bool = False,
) -> pl.DataFrame:
    """Return a table of text, one row per model: `0.42 [0.39, 0.45]` by probe, and its origin.

    Best first by the first probe. `probes` are all unless given; columns of origins that no row
    has are left out. `brief`: the keys of probes stand over their columns, not title and unit.
    """
    names = rows["probe"].unique(maintain_order=True).to_list()
    probes = [name for name in probes or names if name in names]
    columns = {name: _column(rows.filter(pl.col("probe") == name), brief) for name in probes}
    lines = []
    for row in _best_first(rows, probes[0]):
        key = row["model"], row["status"]
        cells = {title: cells.get(key, "–") for title, cells in columns.values()}
        origin = {name: _text(row[name]) for name in made if rows[name].drop_nulls().len()}
        lines.append({"model": _name(row)} | cells | origin)
    return pl.DataFrame(lines)


def main_probes(rows: pl.DataFrame) -> list[str]:
    """Return the probes of a short table: the scores and their parts, or all published ones."""
    names = rows["probe"].unique(maintain_order=True).to_list()
    return [name for name in MAIN if name in names] if set(SUMMARY) & set(names) else names


def how_to_add(rows: pl.DataFrame) -> str:
    """Return the command that measures a model as those of the board were.

    Empty for a board without measured rows.
    """
    measured = rows.filter(pl.col("status") != PUBLISHED)
    if measured.is_empty():
        return ""
    fields, board = json.loads(measured["settings"][0]), measured["board"][0]
    precision = ["--precision", fields["precision"]] if "precision" in fields else []
    if "set" in fields:
        words = ["siamlab", "leaderboard", "add", "MODEL", *_set_words(fields, measured["places"])]
        return shlex.join([*words, *precision, "--board", board])
    places = measured["places"].drop_nulls().unique(maintain_order=True).to_list()
    words = ["siamlab", "leaderboard", "add", "MODEL", *_data_words(fields, places)]
    size = fields.get("resolution", [0])
    words += ["--size", str(size[0])] if len(set(size)) == 1 and size[0] else []
    for option, key in (("--images", "train_images"), ("--test-images", "test_images")):
        words += [option, str(fields[f"data.{key}"])] if f"data.{key}" in fields else []
    words += _suite_words(set(measured["probe"]))
    return shlex.join([*words, *precision, "--board", board])


def _suite_words(measured: set[str]) -> list[str]:
    """The option of the suite that has the probes; none for the quick one."""
    quick, full, published = (
        {probe.key for probe in SUITES[name].probes} for name in ("quick", "full", "published")
    )
    own = {"imagenet-c": {probe.key for probe in CORRUPTIONS}}
    own |= {"published": published - full - quick, "full": full - quick}
    found = next((suite for suite, keys in own.items() if keys & measured), "")
    return ["--suite", found] if found else []


def _set_words(fields: dict[str, Any], places: pl.Series) -> list[str]:
    """The words for a standard set, with the fields that differ from its defaults."""
    where = next(iter(places.drop_nulls()), "path").split()
    chosen = next(kind for kind in SETS.values() if kind.title == fields["set"])
    named = fields | {"images": fields.get("images", fields.get("train_images"))}
    default = {key: field.default for key, field in chosen.model_fields.items()}
    own = [
        f"data.{key}={named[key]}"
        for key in default
        if key not in PLACES and named.get(key, default[key]) != default[key]
    ]
    return ["--suite", default["kind"], *map(_place, where), *own]


def _data_words(fields: dict[str, Any], places: list[str]) -> list[str]:
    """The words for the source of images, where they differ from its defaults."""
    source = axis_choices("data").get(fields.get("data.kind", ""))
    if source is None:
        return []
    defaults = about_data(source.model_construct())
    before = {f"data.{key}": value for key, value in LATER.items() if key in defaults}
    fields = before | fields | {"data.test_images": _test_images(fields)}
    own = {key[5:]: value for key, value in fields.items() if key.startswith("data.")}
    words = [
        f"data.{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in own.items()
        if value != defaults.get(key) and (key in defaults or "." in key)
    ]
    usual = "path" if fields["data.kind"] in ("folder", "segmentation") else ""
    where = [_place(key) for key in (places[0] if places else usual).split()]
    return [f"data={fields['data.kind']}", *where, *words]


def _place(key: str) -> str:
    """The word for a place that the user names: `data.test_path=TEST_FOLDER`."""
    values = {"path": "FOLDER", "test_path": "TEST_FOLDER", "subset": "LIST.txt"}
    values |= {"train_path": "TRAIN_FOLDER", "download": "true"}
    return f"data.{key}={values[key.split('.')[-1]]}"


def _test_images(fields: dict[str, Any]) -> int:
    """Number of test images of the source, of which `siamlab probe` may have drawn some."""
    return int(fields.get("data.test_drawn", str(fields["data.test_images"])).split()[-1])


def _column(rows: pl.DataFrame, brief: bool) -> tuple[str, dict[tuple[str, str], str]]:
    """The heading of a probe, and the text of its value by model and status."""
    places = _places(rows)
    each = rows.iter_rows(named=True)
    cells = {(row["model"], row["status"]): interval(row, places) for row in each}
    first = rows.row(0, named=True)
    title = f"{first['probe']} {ARROWS[first['direction']]}" if brief else heading(first)
    return title.rstrip(), cells


def _places(rows: pl.DataFrame) -> int:
    """Decimals that intervals ask for; without intervals, as many as a value has, at most three."""
    if rows["low"].drop_nulls().drop_nans().len():
        return decimals(rows)
    found = [value for value in rows["value"] if value is not None and math.isfinite(value)]
    return max((len(f"{value:.3f}".rstrip("0").split(".")[1]) for value in found), default=2)


def _best_first(rows: pl.DataFrame, probe: str) -> list[dict[str, Any]]:
    """One row of each model, in the order of a probe; models without it come last."""
    own = {(r["model"], r["status"]): r for r in rows.iter_rows(named=True) if r["probe"] == probe}
    others = {(r["model"], r["status"]): r for r in rows.iter_rows(named=True)}
    sign = -1 if all(r["direction"] != "lower" for r in own.values()) else 1
    first = sorted(own.values(), key=lambda row: sign * row["value"])
    return [*first, *(row for key, row in others.items() if key not in own)]


def _name(row: dict[str, Any]) -> str:
    return f"{row['model']} (published)" if row["status"] == PUBLISHED else row["model"]


def _text(value: Any) -> str:
    return "–" if value is None else str(value)

"""Curves of training: loss terms, signs of collapse and probes over the number of images seen.

    loss_figure(loss_table(metrics)); collapse_figure(collapse_table(metrics))
    learning_figure(learning_table(metrics))

`metrics` is one polars table of all runs: `run`, `images`, and the keys of metrics.jsonl.
"""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import polars as pl

from siamlab.component import UserError, unknown
from siamlab.figure.template import (
    colours,
    finish,
    legend,
    legend_height,
    panels,
    plain,
    repeats,
)
from siamlab.machine.arguments import typed
from siamlab.probe.suite import PARTS, PROBES
from siamlab.probe.table import check_frame

Dashes = tuple[str, ...]
Styles = dict[str, dict[str, Any]]  # the style of the line of each run

MEASURES = {"rankme": "RankMe (dimensions)", "spread": "spread (0 collapsed)"}
LEARNED = ("semantic", "spatial", "knn", "linear", "correspondence_centred")
SIDES = ("context", "target")
# dashes of lines, of images and of patches; they change when the colours repeat
SOLID, DOTTED = ("solid", "dash", "longdashdot"), ("dot", "2px,6px", "2px,3px,2px,9px")
POOLINGS = {"": "image", "patch_": "patch"}  # prefix of the key -> what the features describe


@typed
def loss_table(metrics: pl.DataFrame) -> pl.DataFrame:
    """run, images, term, value: one row per logged number.

    Terms are the keys `loss/...` without their prefix, or `loss` if there is none. Values that are
    missing or not finite are left out; of a step logged twice (a resumed run) the last is kept.
    """
    metrics = check_frame(metrics, ("run", "images"), "metrics")
    keys = [key for key in metrics.columns if key.startswith("loss/")]
    return _long(metrics, keys or ["loss"], "term").with_columns(
        pl.col("term").str.strip_prefix("loss/")
    )


@typed
def collapse_table(metrics: pl.DataFrame) -> pl.DataFrame:
    """run, images, side, measure, of, value: one row per logged number.

    side: context or target; measure: rankme (1..dimensions) or spread (0 collapsed); of: image
    (pooled features) or patch.
    """
    metrics = check_frame(metrics, ("run", "images"), "metrics")
    meaning = {
        f"{side}/{prefix}{measure}": (side, measure, of)
        for side in SIDES
        for measure in MEASURES
        for prefix, of in POOLINGS.items()
    }
    table = _long(metrics, [key for key in meaning if key in metrics.columns], "key")
    parts = zip(*(meaning[key] for key in table["key"]), strict=True) if len(table) else [[]] * 3
    names = ("side", "measure", "of")
    added = [pl.Series(n, list(p), dtype=pl.String) for n, p in zip(names, parts, strict=True)]
    return table.with_columns(added).select("run", "images", *names, "value")


@typed
def learning_table(metrics: pl.DataFrame, probes: Sequence[str] = LEARNED) -> pl.DataFrame:
    """run, images, probe, value: one row per probe during training (`probe_every`).

    Scores are from 0 (chance) to 1 (ceiling), all other values in percent. Raises UserError if no
    run was probed during training.
    """
    metrics = check_frame(metrics, ("run", "images"), "metrics")
    keys = [f"probe/{probe}" for probe in probes if f"probe/{probe}" in metrics.columns]
    if not keys:
        raise UserError(
            "no run of these metrics was probed during training; train with probe_every=100, or "
            "another number of steps"
        )
    share = ~pl.col("probe").is_in(PARTS)
    return (
        _long(metrics, keys, "probe")
        .with_columns(pl.col("probe").str.strip_prefix("probe/"))
        .with_columns(pl.when(share).then(100 * pl.col("value")).otherwise("value").alias("value"))
    )


@typed
def loss_figure(table: pl.DataFrame, title: str = "Loss", among: Sequence[str] = ()) -> go.Figure:
    """One panel per loss term and one line per run of a `loss_table`.

    Colours are chosen among the names `among`, then those of the table.
    """
    table = check_frame(table, ("run", "images", "term", "value"))
    terms = table["term"].unique(maintain_order=True).to_list()
    figure, places = _panels([f"loss: {term}" for term in terms], columns=3)
    styles = _styles(table, SOLID, among)
    for term, place in zip(terms, places, strict=True):
        _lines(figure, table.filter(pl.col("term") == term), styles, **place)
        figure.update_yaxes(title_text="loss (no unit)" if place["col"] == 1 else None, **place)
    caption = "One panel per loss term, each with its own scale: terms have different forms, so "
    caption += "runs can be compared only within a panel. Values are as logged, without smoothing."
    return _finish(figure, styles, title, caption, places[-1]["row"])


@typed
def collapse_figure(
    table: pl.DataFrame, title: str = "Signs of collapse", among: Sequence[str] = ()
) -> go.Figure:
    """RankMe and spread of context and target, one line per run of a `collapse_table`.

    Colours are chosen among the names `among`, then those of the table.
    """
    table = check_frame(table, ("run", "images", "side", "measure", "of", "value"))
    sides = [side for side in SIDES if side in table["side"]]
    shown = [(measure, side) for measure in MEASURES for side in sides]
    titles = [f"{MEASURES[measure].split(' (')[0]} · {side}" for measure, side in shown]
    figure, places = _panels(titles, columns=max(1, len(sides)))
    for (measure, side), place in zip(shown, places, strict=True):
        rows = table.filter(pl.col("measure") == measure, pl.col("side") == side)
        for of, dashes in (("image", SOLID), ("patch", DOTTED)):
            styles = _styles(table, dashes, among)
            _lines(figure, rows.filter(pl.col("of") == of), styles, **place)
        figure.update_yaxes(title_text=MEASURES[measure] if place["col"] == 1 else None, **place)
    figure.update_yaxes(rangemode="tozero")
    caption = "Solid or dashed: features of images (pooled). Dotted: features of patches. RankMe "
    caption += "measures how many directions the features use, spread how far unit-length "
    caption += "features vary. A value near the floor, 1 or 0, is a sign of collapse."
    return _finish(figure, _styles(table, SOLID, among), title, caption, places[-1]["row"])


@typed
def learning_figure(table: pl.DataFrame, title: str = "Learning curves") -> go.Figure:
    """One panel per probe and one line per run of a `learning_table`."""
    table = check_frame(table, ("run", "images", "probe", "value"))
    probes = table["probe"].unique(maintain_order=True).to_list()
    if wrong := [probe for probe in probes if probe not in PROBES]:
        raise UserError(unknown("the table of this figure: no probe", wrong[0], PROBES))
    figure, places = _panels([PROBES[probe].title.split(":")[0] for probe in probes], columns=3)
    styles = _styles(table, SOLID)
    for probe, place in zip(probes, places, strict=True):
        _lines(figure, table.filter(pl.col("probe") == probe), styles, **place)
        unit = "score (0 chance, 1 ceiling)" if probe in PARTS else "%"
        figure.update_yaxes(title_text=unit, **place)
    figure.update_yaxes(rangemode="tozero")
    caption = "The probes of `siamlab probe` on a fixed subset of the images: compare these curves "
    caption += "with each other, not with the numbers of a full probe."
    return _finish(figure, styles, title, caption, places[-1]["row"])


def _long(metrics: pl.DataFrame, keys: Sequence[str], name: str) -> pl.DataFrame:
    metrics = check_frame(metrics, ("run", "images", *keys), "metrics")
    numbers = metrics.with_columns(pl.col(keys).cast(pl.Float64, strict=False)) if keys else metrics
    table = numbers.unpivot(keys, index=["run", "images"], variable_name=name)
    table = table.filter(pl.col("value").is_not_null() & pl.col("value").is_finite())
    table = table.unique(["run", "images", name], keep="last", maintain_order=True)  # resumed runs
    order = {run: i for i, run in enumerate(metrics["run"].unique(maintain_order=True))}
    return table.sort(pl.col("run").replace_strict(order), maintain_order=True)


def _panels(titles: list[str], columns: int) -> tuple[go.Figure, list[dict[str, int]]]:
    """An empty figure of small multiples, and the row and column of each."""
    across, rows = min(columns, len(titles) or 1), -(-len(titles) // columns) or 1
    gaps = dict(vertical_spacing=0.36 / rows, horizontal_spacing=0.24 / across)
    places = [dict(row=i // across + 1, col=i % across + 1) for i in range(len(titles))]
    return panels(titles, columns, **gaps), places


def _lines(figure: go.Figure, rows: pl.DataFrame, styles: Styles, **panel: int) -> None:
    for (run,), of in rows.group_by("run", maintain_order=True):
        of = of.sort("images")
        figure.add_scatter(
            x=of["images"].to_list(),
            y=of["value"].to_list(),
            mode="lines+markers" if len(of) == 1 else "lines",
            line=styles[run],
            name=plain(run),
            showlegend=False,
            **panel,
        )


def _styles(table: pl.DataFrame, dashes: Dashes, among: Sequence[str] = ()) -> Styles:
    """The line style of each run, in the order of the runs."""
    runs = table["run"].unique(maintain_order=True).to_list()
    colour, turn = colours([*among, *runs]), repeats([*among, *runs])
    dash = {run: dashes[turn[run] % len(dashes)] for run in runs}
    return {run: dict(color=colour[run], dash=dash[run], width=2) for run in runs}


def _finish(figure: go.Figure, styles: Styles, title: str, caption: str, rows: int):
    """Add axis titles, a legend in the order of the runs, title and caption."""
    legend(figure, {run: dict(mode="lines", line=line) for run, line in styles.items()})
    below = 52 + legend_height(styles)
    figure.update_xaxes(title_text="images seen", rangemode="tozero", nticks=4, tickangle=0)
    figure.update_layout(margin_b=below)
    return finish(figure, title, caption, rows * 240 + below)

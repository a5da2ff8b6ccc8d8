"""What happened during training: loss terms, signs of collapse and probes, over images seen.

    loss_figure(loss_table(metrics)); collapse_figure(collapse_table(metrics))
    learning_figure(learning_table(metrics))

`metrics` is one polars frame of many runs: `run`, `images`, and the keys of metrics.jsonl.
"""

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl

from siamlab.component import UserError
from siamlab.figure.template import (
    OKABE_ITO,
    colours,
    finish,
    legend,
    legend_height,
    panels,
    plain,
)
from siamlab.probe.catalogue import about
from siamlab.probe.suite import PARTS

Dashes = tuple[str, ...]

MEASURES = {"rankme": "RankMe (dimensions)", "spread": "spread (0 collapsed)"}
LEARNED = ("semantic", "spatial", "knn", "linear", "correspondence_centred")
SIDES = ("context", "target")
# of lines of features of images and of patches: another one when the colours start again
SOLID, DOTTED = ("solid", "dash", "longdashdot"), ("dot", "2px,6px", "2px,3px,2px,9px")
POOLINGS = {"": "image", "patch_": "patch"}  # prefix of the key: what a feature is of


def loss_table(metrics: pl.DataFrame) -> pl.DataFrame:
    """run, images, term, value: one row a logged number; the keys `loss/...` without their prefix.

    The key `loss` itself where no term is named. Values that are missing or not finite are left
    out, and of a step logged twice (a resumed run) all but the last.
    """
    keys = [key for key in metrics.columns if key.startswith("loss/")]
    return _long(metrics, keys or ["loss"], "term").with_columns(
        pl.col("term").str.strip_prefix("loss/")
    )


def collapse_table(metrics: pl.DataFrame) -> pl.DataFrame:
    """run, images, side, measure, of, value: one row a logged number.

    side: context or target; measure: rankme (1..dimensions) or spread (0 collapsed); of: image
    (pooled features) or patch.
    """
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


def learning_table(metrics: pl.DataFrame, probes: Sequence[str] = LEARNED) -> pl.DataFrame:
    """run, images, probe, value: one row a number that a run's own probes found (`probe_every`).

    Scores from chance (0) to ceiling (1), all others in percent. Raises UserError where no run of
    the metrics was probed while it trained.
    """
    keys = [f"probe/{probe}" for probe in probes if f"probe/{probe}" in metrics.columns]
    if not keys:
        raise UserError(
            "no run of these metrics was probed while it trained; train with probe_every=100, or "
            "another number of steps"
        )
    share = ~pl.col("probe").is_in(PARTS)
    return (
        _long(metrics, keys, "probe")
        .with_columns(pl.col("probe").str.strip_prefix("probe/"))
        .with_columns(pl.when(share).then(100 * pl.col("value")).otherwise("value").alias("value"))
    )


def loss_figure(table: pl.DataFrame, title: str = "Loss") -> go.Figure:
    """A panel a loss term, a line a run, from a `loss_table`."""
    terms = table["term"].unique(maintain_order=True).to_list()
    figure, places = _panels([f"loss: {term}" for term in terms], columns=3)
    for term, place in zip(terms, places, strict=True):
        _lines(figure, table.filter(pl.col("term") == term), table, SOLID, **place)
        figure.update_yaxes(title_text="loss (no unit)" if place["col"] == 1 else None, **place)
    caption = "One panel a loss term, each with its own scale: the terms have different forms, so "
    caption += "heights compare runs within a panel only. Values as logged, not smoothed."
    return _finish(figure, table, title, caption, places[-1]["row"])


def collapse_figure(table: pl.DataFrame, title: str = "Signs of collapse") -> go.Figure:
    """RankMe and spread by context and target, a line a run, from a `collapse_table`."""
    sides = [side for side in SIDES if side in table["side"]]
    shown = [(measure, side) for measure in MEASURES for side in sides]
    titles = [f"{MEASURES[measure].split(' (')[0]} · {side}" for measure, side in shown]
    figure, places = _panels(titles, columns=max(1, len(sides)))
    for (measure, side), place in zip(shown, places, strict=True):
        rows = table.filter(pl.col("measure") == measure, pl.col("side") == side)
        for of, dashes in (("image", SOLID), ("patch", DOTTED)):
            _lines(figure, rows.filter(pl.col("of") == of), table, dashes, **place)
        figure.update_yaxes(title_text=MEASURES[measure] if place["col"] == 1 else None, **place)
    figure.update_yaxes(rangemode="tozero")
    caption = "Solid or dashed: features of images (pooled). Dotted: features of patches. RankMe "
    caption += "counts the directions in use; spread is of unit-length features. Either near its "
    caption += "floor (1 and 0) is a collapse."
    return _finish(figure, table, title, caption, places[-1]["row"])


def learning_figure(table: pl.DataFrame, title: str = "Learning curves") -> go.Figure:
    """A panel a probe, a line a run, from a `learning_table`."""
    probes = table["probe"].unique(maintain_order=True).to_list()
    figure, places = _panels([about(probe).title.split(":")[0] for probe in probes], columns=3)
    for probe, place in zip(probes, places, strict=True):
        _lines(figure, table.filter(pl.col("probe") == probe), table, SOLID, **place)
        unit = "score (0 chance, 1 ceiling)" if probe in PARTS else "%"
        figure.update_yaxes(title_text=unit, **place)
    figure.update_yaxes(rangemode="tozero")
    caption = "By the probes of `siamlab probe` on some of the images, the same ones each time: a "
    caption += "course to compare with others of its kind, not with numbers of a table."
    return _finish(figure, table, title, caption, places[-1]["row"])


def _long(metrics: pl.DataFrame, keys: Sequence[str], name: str) -> pl.DataFrame:
    if missing := {"run", "images"} - set(metrics.columns):
        raise UserError(f"metrics has no column {sorted(missing)}; it has {metrics.columns}")
    numbers = metrics.with_columns(pl.col(keys).cast(pl.Float64, strict=False)) if keys else metrics
    table = numbers.unpivot(keys, index=["run", "images"], variable_name=name)
    table = table.filter(pl.col("value").is_not_null() & pl.col("value").is_finite())
    table = table.unique(["run", "images", name], keep="last", maintain_order=True)  # resumed runs
    order = {run: i for i, run in enumerate(metrics["run"].unique(maintain_order=True))}
    return table.sort(pl.col("run").replace_strict(order), maintain_order=True)


def _panels(titles: list[str], columns: int) -> tuple[go.Figure, list[dict[str, int]]]:
    """Small multiples, and the row and column of each."""
    across, rows = min(columns, len(titles) or 1), -(-len(titles) // columns) or 1
    gaps = dict(vertical_spacing=0.36 / rows, horizontal_spacing=0.24 / across)
    places = [dict(row=i // across + 1, col=i % across + 1) for i in range(len(titles))]
    return panels(titles, columns, **gaps), places


def _lines(
    figure: go.Figure, rows: pl.DataFrame, table: pl.DataFrame, dashes: Dashes, **panel: int
) -> None:
    styles = _styles(table, dashes)
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


def _styles(table: pl.DataFrame, dashes: Dashes) -> dict[str, dict]:
    """How the line of each run is drawn, in the order of the runs."""
    colour, runs = colours(table["run"]), table["run"].unique(maintain_order=True).to_list()
    turn = {run: i // len(OKABE_ITO) % len(dashes) for i, run in enumerate(runs)}
    return {run: dict(color=colour[run], dash=dashes[turn[run]], width=2) for run in runs}


def _finish(figure: go.Figure, table: pl.DataFrame, title: str, caption: str, rows: int):
    """Axis of images, legend in the order of the runs, title and caption."""
    styles = _styles(table, SOLID)
    legend(figure, {run: dict(mode="lines", line=line) for run, line in styles.items()})
    below = 52 + legend_height(styles)
    figure.update_xaxes(title_text="images seen", rangemode="tozero", nticks=4, tickangle=0)
    figure.update_layout(margin_b=below)
    return finish(figure, title, caption, rows * 240 + below)

"""A board of the leaderboard as a plane: measured models filled, published values hollow.

leaderboard_figure(leaderboard_table(rows), "CIFAR-10 at 32 pixels")
"""

from collections.abc import Sequence

import plotly.graph_objects as go
import polars as pl

from siamlab.component import UserError
from siamlab.figure.plane import (
    HEIGHT,
    PLACED,
    SCORES,
    WHISKERS,
    Axis,
    draw_models,
    named_models,
)
from siamlab.figure.scores import SUMMARY, undominated
from siamlab.figure.template import colours, finish, is_reference, symbols
from siamlab.machine.arguments import typed
from siamlab.probe.table import check_frame, same_protocols

PUBLISHED = "published"  # the status of a value that was taken from a paper
HOLLOW = "square-open"
AXES = ("title", "unit", "direction")
COLUMNS = ("model", "status", "probe", "property", "value", "low", "high", *AXES, "protocol",
           "settings")  # fmt: skip
ABOUT = tuple(f"{name}_{key}" for name in SUMMARY for key in AXES)


@typed
def leaderboard_table(rows: pl.DataFrame) -> pl.DataFrame:
    """model, status, semantic, spatial, each with _low and _high, front: one row per model.

    From the rows of one board. The two are the scores where the board has them, else its first
    probes of either property; their title, unit and direction are columns semantic_title and so
    on. Models without both are left out. Raises UserError for rows that were not measured alike,
    and for a board without two such probes.
    """
    rows = check_frame(rows, COLUMNS, "the rows of a board", "add models to it first")
    empty = (pl.lit(None, pl.Int64).alias(key) for key in ("layer", "head"))
    same_protocols(rows.with_columns(*empty))
    sides = [_side(rows, name) for name in SUMMARY]
    if any(side.is_empty() for side in sides):
        raise UserError(
            "the board has no plane: it needs a semantic and a spatial probe; "
            "`siamlab leaderboard show` prints its table"
        )
    table = sides[0].join(sides[1], on=["model", "status"], how="inner", maintain_order="left")
    better = [pl.col(name) * _sign(table, name) for name in SUMMARY]
    return table.with_columns(front=pl.Series(undominated(table.select(*better).to_numpy())))


@typed
def leaderboard_figure(
    table: pl.DataFrame, title: str = "Leaderboard", reference: str = "untrained"
) -> go.Figure:
    """The plane of a `leaderboard_table`."""
    table = check_frame(table, ("model", "status", *PLACED, *ABOUT, "front"))
    axes = _axis(table, 0), _axis(table, 1)
    named = _named_apart(table)
    colour = colours(named["model"], reference)
    figure = draw_models(named, axes, _marks(table, reference), colour)
    caption = WHISKERS.format(what="axes")
    if not any(table[name].is_finite().any() for name in PLACED if name.endswith("low")):
        caption = caption.replace("Whiskers: 95 % intervals. ", "")
    if PUBLISHED in table["status"]:
        caption += " Hollow squares: published values, not measured again"
        caption += "." if table["status"].n_unique() == 1 else "; filled: measured by siamlab."
    if any(is_reference(name, reference) for name in table["model"]):
        caption += " Diamonds: untrained networks."
    if len(named_models(table)) < len(table):
        caption += " Small grey dots: all other models; hover to see their names."
    return finish(figure, title, caption, HEIGHT)


def has_plane(rows: pl.DataFrame) -> bool:
    """Return whether a board has models with a semantic and a spatial number."""
    sides = [_side(rows, name) for name in SUMMARY]
    return bool(set(sides[0]["model"]) & set(sides[1]["model"]))


def _side(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """The numbers of the probe that stands for a property, under the property's name."""
    own = rows.filter(pl.col("property") == name, pl.col("value").is_finite())
    chosen = name if name in own["probe"] else next(iter(own["probe"]), "")
    ends = [pl.col(end).cast(pl.Float64).alias(f"{name}_{end}") for end in ("low", "high")]
    about = [pl.col(key).alias(f"{name}_{key}") for key in AXES]
    value = pl.col("value").alias(name)
    return own.filter(pl.col("probe") == chosen).select("model", "status", value, *ends, *about)


def _sign(table: pl.DataFrame, name: str) -> int:
    return -1 if "lower" in table[f"{name}_direction"] else 1


def _axis(table: pl.DataFrame, number: int) -> Axis:
    name = SUMMARY[number]
    title, unit = (table[f"{name}_{key}"][0] for key in ("title", "unit"))
    if unit == "0 chance, 1 ceiling":
        return SCORES[number]
    arrow = "" if _sign(table, name) > 0 else ", lower is better"
    return Axis(f"{title} ({unit}{arrow})", lower=bool(arrow), chance=False)


def _named_apart(table: pl.DataFrame) -> pl.DataFrame:
    """Distinguish a published value from a measured one of the same model on the same plane."""
    twice = pl.col("model").is_duplicated() & (pl.col("status") == PUBLISHED)
    name = pl.when(twice).then(pl.col("model") + ", published").otherwise(pl.col("model"))
    return table.with_columns(name)


def _marks(table: pl.DataFrame, reference: str) -> dict[str, str]:
    """A filled marker for what was measured, and a hollow square for what was published."""
    named = _named_apart(table)
    names: Sequence[str] = named["model"].to_list()
    filled = {name: mark.removesuffix("-open") for name, mark in symbols(names, reference).items()}
    hollow = named.filter(pl.col("status") == PUBLISHED)["model"].to_list()
    return filled | dict.fromkeys(hollow, HOLLOW)

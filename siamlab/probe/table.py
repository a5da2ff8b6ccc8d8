"""The long table of all scores, and the protocol that each number carries.

scores = table({"mae": measured, "moco_v3": others})        # one row per number
both = concat_scores(scores, pl.read_parquet("elsewhere/scores.parquet"))

Numbers are comparable only if they were measured alike: on the same images, at the same
resolution, from the same layer, with the same k. One table does not hold two rows of a probe with
different protocols; `same_protocols` says which field differs.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from siamlab.component import UserError
from siamlab.component import unknown as unknown_name
from siamlab.machine.arguments import typed
from siamlab.machine.wording import described
from siamlab.probe.catalogue import Measured
from siamlab.probe.score import Score, Settings

if TYPE_CHECKING:
    import polars

PROTOCOL = ("probe", "layer", "head", "model", "protocol", "settings")
DRAW = "there is nothing to draw"
# what a column holds, by its name in all tables; numbers where none of these has it
TEXT = set(
    "arrow base board comparison direction measure model objective of other_model parameter point "
    "probe property protocol role run sentence settings side status term title unit verdict".split()
)
WHOLE = set("column head image images index layer other_layer pair pairs rank row step".split())
FLAGS = {"flip", "front", "hidden", "predicted"}
ENDS = ("low", "high", "chance", "ceiling")  # of numbers that a score may not have
OPTIONAL = {"layer", "head", "verdict", "sentence"}  # empty where they do not apply
UNKNOWN = {"value", "cka"}  # numbers that may be nan
DIRECTIONS = ("higher", "lower", "neither")
POSITIVE = WHOLE | {"error"}  # 0 or more


class Kind(NamedTuple):
    """What a column holds, in words, as a test of its type, and as the type of figures."""

    words: str
    fits: Callable[[Any], bool]
    plain: Any  # a type of polars


@typed
def table(results: Mapping[str, Iterable[Measured]]) -> "polars.DataFrame":
    """One row per number: model, layer, head, probe, title, property, value, low, high, chance,
    ceiling, unit, direction, protocol (a hash), settings (JSON).

    Raises UserError if there are no numbers, or the models were not measured alike.
    """
    import polars

    rows = [_row(model, m) for model, measured in results.items() for m in measured]
    if not rows:
        raise UserError("results must have a number of one model or more; probe_model returns them")
    integers = {"layer": polars.Int64, "head": polars.Int64}
    frame = polars.DataFrame(rows, schema_overrides=integers, infer_schema_length=None)
    return same_protocols(frame)


@typed
def concat_scores(*tables: "polars.DataFrame") -> "polars.DataFrame":
    """Join several tables into one. Raises UserError if they were not measured alike."""
    import polars

    if not tables:
        raise UserError("concat_scores must have one table of scores or more; `table` makes them")
    for number, part in enumerate(tables, start=1):
        columns = PROTOCOL if number == 1 else tables[0].columns
        check_columns(part, columns, f"table {number} of concat_scores", "join tables of scores")
    first, *others = tables
    try:
        joined = polars.concat([first, *(t.select(first.columns) for t in others)])
    except polars.exceptions.PolarsError as error:
        raise UserError(
            f"scores cannot be joined: their columns have different types ({error}); give tables "
            "that `table` made, or read them from Parquet files"
        ) from None
    return same_protocols(joined)


def check_frame(
    frame: Any,
    columns: Iterable[str],
    name: str = "the table of this figure",
    way: str = DRAW,
    needed: Iterable[str] = (),
) -> "polars.DataFrame":
    """Return the table with these columns as plain text, Int64, Float64 or true and false.

    Refuses anything but a polars table with these columns, each of its kind, and rows. `needed`
    must be there in every row of this table, although they may be empty in others.
    """
    columns = list(columns)
    check_columns(frame, columns, name, way)
    return frame.with_columns([_plain(frame[key], name, key in needed) for key in columns])


def check_columns(frame: Any, columns: Iterable[str], name: str, way: str) -> None:
    """Refuse anything but a polars table that has these columns, and rows."""
    import polars

    if not isinstance(frame, polars.DataFrame):
        raise UserError(f"{name} must be a polars DataFrame, got {described(frame)}")
    if missing := [key for key in columns if key not in frame.columns]:
        raise UserError(f"{name} has no column {missing}; it needs {list(columns)}")
    if frame.is_empty():
        raise UserError(f"{name} has no rows; {way}")


def check_patches(
    frame: Any,
    values: Iterable[str],
    name: str = "the table of this figure",
    by: Iterable[str] = (),
) -> "polars.DataFrame":
    """Return the table with row, column and values of patches as `check_frame` does.

    Refuses one that lacks a patch of its grid, or has one twice, for any value of `by`.
    """
    by = list(by)
    frame = check_frame(frame, (*by, "row", "column", *values), name, needed=by)
    rows, columns = (int(frame[key].max()) + 1 for key in ("row", "column"))
    wanted = rows * columns * math.prod(frame[key].n_unique() for key in by)
    twice = frame.select("row", "column", *by).is_duplicated().any()
    if twice or len(frame) != wanted:
        each = f" for each {' and '.join(by)}" if by else ""
        raise UserError(
            f"{name} must have each patch of its grid, {rows} × {columns}, once{each}: "
            f"{wanted} rows, got {len(frame)}{' with some twice' if twice else ''}"
        )
    return frame


def _plain(column: "polars.Series", name: str, needed: bool) -> "polars.Series":
    """Return a column in the type of its kind; UserError for one of another kind, or empty."""
    key, count = column.name, len(column)
    empty, kind = column.null_count(), _kind(key)
    if empty and (needed or not _may_be_empty(key)):
        raise UserError(f"{name}: {key} is empty in {empty} of {count} rows; drop them")
    if empty == count:
        return column.clear(count).cast(kind.plain)
    if not kind.fits(column.dtype):
        raise UserError(f"{name}: {key} must be {kind.words}, got {column.dtype}; cast the column")
    plain = column.cast(kind.plain, strict=False)
    if plain.null_count() > empty:
        raise UserError(f"{name}: {key} has a number that is too large; leave that out")
    if key in POSITIVE and plain.min() < 0:
        raise UserError(f"{name}: {key} must be 0 or more, got {plain.min()}; leave that out")
    if kind.words == "numbers" and key not in UNKNOWN and "/" not in key:
        unknown = plain.is_nan() if key.endswith(ENDS) else plain.is_null()
        if not (plain.is_finite() | unknown).all():
            raise UserError(f"{name}: {key} must be finite in all rows; leave the others out")
    if key.endswith("direction") and (wrong := set(plain.drop_nulls()) - set(DIRECTIONS)):
        raise UserError(unknown_name(f"{name}: no direction", min(wrong), DIRECTIONS))
    return plain


def _may_be_empty(key: str) -> bool:
    return key in OPTIONAL or key.endswith(ENDS) or "/" in key  # metrics are logged by turns


def _kind(column: str) -> Kind:
    """Return what a column of this name holds."""
    import polars

    text = (polars.String, polars.Categorical, polars.Enum)
    if column in WHOLE:
        return Kind("whole numbers", lambda dtype: dtype.is_integer(), polars.Int64)
    if column in TEXT or column.endswith(("_title", "_unit", "_direction")):
        return Kind("text", lambda dtype: dtype in text, polars.String)
    if column in FLAGS:
        return Kind("true or false", lambda dtype: dtype == polars.Boolean, polars.Boolean)
    return Kind("numbers", lambda dtype: dtype.is_numeric(), polars.Float64)


def same_protocols(scores: "polars.DataFrame") -> "polars.DataFrame":
    """Return the table if all numbers of a probe, layer and head were measured alike.

    Otherwise raises a UserError that names two models, the probe, and the fields that differ.
    """
    import polars

    rows = scores.select(PROTOCOL)
    many = rows.group_by("probe", "layer", "head", maintain_order=True).agg(
        polars.col("model", "settings").first(), polars.col("protocol").n_unique().alias("many")
    )
    for bad in many.filter(polars.col("many") > 1).head(1).iter_rows(named=True):
        same = [polars.col(key).eq_missing(bad[key]) for key in ("probe", "layer", "head")]
        others = rows.filter(*same, polars.col("settings") != bad["settings"])
        if others.is_empty():
            raise UserError(
                f"scores has different protocols of {bad['probe']} with the same settings, so it "
                "was changed; take it as `table` made it"
            )
        other = others.row(0, named=True)
        differ = "; ".join(differences(json.loads(bad["settings"]), json.loads(other["settings"])))
        one = bad["model"], other["model"]
        who = f"{one[0]} and {one[1]}" if one[0] != one[1] else f"two rows of {one[0]}"
        raise UserError(
            f"{who} were not measured alike, so they cannot stand in one table: for "
            f"{bad['probe']}, {differ}. Probe both in one call (--size gives them one resolution), "
            "or keep one table for each"
        )
    return scores


def differences(a: Settings, b: Settings) -> list[str]:
    """List every field in which two protocols differ, such as `k: 20 and 10`."""
    keys = dict.fromkeys([*a, *b])
    return [f"{k}: {a.get(k, 'none')} and {b.get(k, 'none')}" for k in keys if a.get(k) != b.get(k)]


def digest(settings: Settings) -> str:
    """Ten hexadecimal digits that identify a protocol, whatever the order of its fields."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


@typed
def named(measured: Iterable[Measured]) -> dict[str, Score]:
    """The scores of the whole model, by probe."""
    return {m.probe.key: m.score for m in measured if m.layer is None and m.head is None}


def _row(model: str, m: Measured) -> dict[str, Any]:
    score = {key: value for key, value in m.score._asdict().items() if key != "draws"}
    settings = json.loads(json.dumps(m.settings))  # tuples to lists, as a file has them
    return (
        {"model": model, "layer": m.layer, "head": m.head, "probe": m.probe.key}
        | {"title": m.probe.title, "property": m.probe.property}
        | score
        | {"protocol": digest(settings), "settings": json.dumps(settings, sort_keys=True)}
    )

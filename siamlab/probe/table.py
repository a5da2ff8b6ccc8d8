"""The long table of all that was measured, and the protocol that each number carries.

scores = table({"mae": measured, "moco_v3": others})        # one row a number
both = join(scores, pl.read_parquet("elsewhere/scores.parquet"))

Numbers are comparable only if they were measured alike: on the same images, at the same
resolution, from the same layer, with the same k. Two rows of one probe whose protocols differ are
no table; `same_protocols` says which field differs.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from siamlab.component import UserError
from siamlab.probe.catalogue import about
from siamlab.probe.score import Score

if TYPE_CHECKING:
    import polars

Settings = dict[str, Any]  # what a number depends on, but for the model: "k": 20, "data.side": 48


class Measured(NamedTuple):
    probe: str  # its key in the catalogue
    score: Score
    settings: Settings
    layer: int | None = None  # blocks passed, from 1; None: all, and the final norm
    head: int | None = None  # from 1; None: all heads, or no matter of heads


def table(results: Mapping[str, Iterable[Measured]]) -> "polars.DataFrame":
    """One row a number: model, layer, head, probe, title, property, value, low, high, chance,
    ceiling, unit, direction, protocol (a hash), settings (JSON).

    Raises UserError if there is no number, or the models were not measured alike.
    """
    import polars

    rows = [_row(model, m) for model, measured in results.items() for m in measured]
    if not rows:
        raise UserError("results must have a number of one model or more; probe_model gives them")
    whole = {"layer": polars.Int64, "head": polars.Int64}
    return same_protocols(polars.DataFrame(rows, schema_overrides=whole, infer_schema_length=None))


def join(*tables: "polars.DataFrame") -> "polars.DataFrame":
    """Several tables as one; UserError if they were not measured alike."""
    import polars

    return same_protocols(polars.concat(tables))


def same_protocols(scores: "polars.DataFrame") -> "polars.DataFrame":
    """The table, if all numbers of a probe, layer and head were measured alike.

    Else a UserError that names two models, the probe, and the fields that differ.
    """
    import polars

    rows = scores.select("probe", "layer", "head", "model", "protocol", "settings")
    many = rows.group_by("probe", "layer", "head", maintain_order=True).agg(
        polars.col("model", "settings").first(), polars.col("protocol").n_unique().alias("many")
    )
    for bad in many.filter(polars.col("many") > 1).head(1).iter_rows(named=True):
        same = [polars.col(key).eq_missing(bad[key]) for key in ("probe", "layer", "head")]
        other = rows.filter(*same, polars.col("settings") != bad["settings"]).row(0, named=True)
        differ = "; ".join(differences(json.loads(bad["settings"]), json.loads(other["settings"])))
        one = bad["model"], other["model"]
        who = f"{one[0]} and {one[1]}" if one[0] != one[1] else f"two rows of {one[0]}"
        raise UserError(
            f"{who} were not measured alike, so they cannot stand in one table: for "
            f"{bad['probe']}, {differ}. Probe both in one call (--size gives them one resolution), "
            "or keep a table each"
        )
    return scores


def differences(a: Settings, b: Settings) -> list[str]:
    """`k: 20 and 10` for every field of two protocols that is not the same."""
    keys = dict.fromkeys([*a, *b])
    return [f"{k}: {a.get(k, 'none')} and {b.get(k, 'none')}" for k in keys if a.get(k) != b.get(k)]


def digest(settings: Settings) -> str:
    """Ten hexadecimal digits that stand for a protocol, whatever the order of its fields."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def named(measured: Iterable[Measured]) -> dict[str, Score]:
    """The scores of the whole model, by probe."""
    return {m.probe: m.score for m in measured if m.layer is None and m.head is None}


def _row(model: str, m: Measured) -> dict[str, Any]:
    title, subject = about(m.probe)
    score = {key: value for key, value in m.score._asdict().items() if key != "draws"}
    settings = json.loads(json.dumps(m.settings))  # tuples to lists, as a file has them
    return (
        {"model": model, "layer": m.layer, "head": m.head, "probe": m.probe}
        | {"title": title, "property": subject}
        | score
        | {"protocol": digest(settings), "settings": json.dumps(settings, sort_keys=True)}
    )

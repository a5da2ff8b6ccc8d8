"""Rows of the leaderboard from files: a run's own scores, and values of papers.

kept_rows(Path("runs/mine/probes.json"), read_leaderboard(path))
published_rows(Path("published.csv"))
"""

import io
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import polars
from torch import nn

from siamlab.component import UserError
from siamlab.evaluate import leaderboard_rows
from siamlab.evaluate.leaderboard import Origin, board_name, with_origin
from siamlab.evaluate.leaderboard_rows import FULL, KEYS, SCHEMA, is_object
from siamlab.evaluate.models import open_model
from siamlab.interop.weights import weights_hash
from siamlab.machine.files import text_in
from siamlab.machine.sums import unsigned
from siamlab.probe.table import digest

NEEDED = ("board", "model", "probe", "title", "property", "value", "unit", "direction")
NEEDED += ("protocol", "source")  # columns of published values
ALLOWED = {"property": ("semantic", "spatial", "attention", "representation")}
ALLOWED["direction"] = leaderboard_rows.ALLOWED["direction"]
KEPT = set(FULL) - {"board", "status"}  # what a row of probes.json has
NUMBER = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?", re.IGNORECASE)
# and data.*: the same for all probes of one call
SHARED = ("revision", "resolution", "seed", "precision", "set", "protocol", "content")
OF_MODELS = ("run.toml", "encoder.safetensors", "config.json")  # in the folder of one
DIGITS = 16  # of the hash of weights


def short_hash(model: nn.Module) -> str | None:
    """Return the digits that identify a model's weights; None for one without weights."""
    return weights_hash(model)[:DIGITS] if any(p.numel() for p in model.parameters()) else None


def kept_rows(
    path: Path, table: polars.DataFrame, board: str | None = None, name: str | None = None
) -> polars.DataFrame:
    """Return the rows of a run's probes.json that fit the board in `table`, else its newest.

    Version, device and day are not in that file, so they stay unknown, and in one of an earlier
    version so do the places of the images. Raises UserError for a file that is missing, damaged or
    without a row of its run.
    """
    if path.is_file() and not any((path.parent / name).exists() for name in OF_MODELS):
        raise UserError(
            f"{path} is not in the folder of a model, {path.parent.resolve()}, whose scores it "
            "has; name the one in a run's folder, such as runs/mine/probes.json"
        )
    rows = _rows(path)
    named = open_model(path.parent)
    rows = [row for row in rows if row.get("model") == named.name]
    rows = [row for row in rows if row.get("layer") is None and row.get("head") is None]
    if not rows:
        raise UserError(f"{path} has no score of {named.name}; `siamlab probe {path.parent}` adds")
    board = board or board_name(rows[-1]["settings"])
    known = table.filter(polars.col("board") == board)["protocol"].to_list()
    rows = [row for row in rows if row["protocol"] in known] or rows
    call = _shared(rows[-1])
    rows = [dict(row, model=name or named.name) for row in rows if _shared(row) == call]
    note, places = "from the run's probes.json", rows[-1].get("places")
    made = Origin(short_hash(named.model), note=note, places=places)
    return with_origin(rows, board, {name or named.name: made})


def published_rows(path: Path) -> polars.DataFrame:
    """Return the rows of a CSV file of published values.

    Its columns are those of NEEDED, with the source of each value, and its protocol in words, or
    in siamlab's own fields as a JSON object; low, high, chance, ceiling, date (2023-06-18) and note
    may follow. Raises UserError for a missing column or value, and for a number that is none.
    """
    table = _table(path)
    if missing := [key for key in NEEDED if key not in table.columns]:
        raise UserError(
            f"{path} has no column {', '.join(missing)}; it needs {', '.join(NEEDED)}, with commas "
            f"between them, and has {', '.join(table.columns)[:200]}"
        )
    if table.is_empty():
        raise UserError(f"{path} has no rows; add a line for each published value")
    for number, row in enumerate(table.iter_rows(named=True), start=2):
        _check_row(row, f"{path}, line {number}")
    rows = [_published(row) for row in table.iter_rows(named=True)]
    frame = polars.DataFrame(rows, schema=dict.fromkeys(SCHEMA, polars.String))
    frame = frame.with_columns(polars.col("date").str.to_date("%Y-%m-%d")).cast(dict(SCHEMA))
    if twice := frame.select(KEYS).filter(frame.select(KEYS).is_duplicated()).rows():
        raise UserError(f"{path} has more than one value for {twice[0]}; keep one of them")
    return frame


def _table(path: Path) -> polars.DataFrame:
    """Return the table of a CSV file, all of it text."""
    try:
        return polars.read_csv(io.StringIO(text_in(path)), infer_schema=False)
    except OSError as error:
        why = error.strerror
    except UnicodeDecodeError:
        why = "it is not text in UTF-8"
    except polars.exceptions.PolarsError as error:
        why = str(error).splitlines()[0]
    raise UserError(f"{path} is not a table ({why}); give a CSV") from None


def _published(row: dict[str, Any]) -> dict[str, Any]:
    words = row["protocol"]
    settings = json.loads(words) if words.startswith("{") else {"protocol": words}
    own = {"status": "published", "protocol": digest(settings)}
    own["settings"] = json.dumps(settings, sort_keys=True)
    return {key: {**row, **own}.get(key) for key in SCHEMA}


def _check_row(row: dict[str, Any], where: str) -> None:
    if empty := [key for key in NEEDED if not (row[key] or "").strip()]:
        raise UserError(
            f"{where}: {empty[0]} is empty; every published value needs {', '.join(NEEDED)}"
        )
    for key, allowed in ALLOWED.items():
        if row[key] not in allowed:
            raise UserError(f"{where}: {key}={row[key]} must be one of {', '.join(allowed)}")
    if row["protocol"].startswith("{") and not is_object(row["protocol"]):
        raise UserError(f"{where}: protocol must be words, or a whole JSON object of fields")
    for key in ("value", "low", "high", "chance", "ceiling"):
        if not _is_number(row.get(key) or "0"):
            raise UserError(f"{where}: {key}={row[key]} must be a number such as 0.335 or 27.5")
    low, value, high = (float(row.get(key) or row["value"]) for key in ("low", "value", "high"))
    if not low <= value <= high:
        raise UserError(f"{where}: value={value:g} must be from low={low:g} to high={high:g}")
    if row.get("date") and not _is_day(row["date"]):
        raise UserError(f"{where}: date={row['date']} must be a day; write days as 2023-06-18")


def _is_number(text: str) -> bool:
    try:
        return bool(NUMBER.fullmatch(text)) and abs(float(text)) < float("inf")
    except ValueError:
        return False


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        rows = [unsigned(row) for row in json.loads(text_in(path))]
        if any(not KEPT <= row.keys() or not is_object(row["settings"]) for row in rows):
            raise ValueError("it lacks fields of a score")
        return rows
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); `siamlab probe` makes it"
        ) from None
    except (ValueError, TypeError, RecursionError):
        raise UserError(
            f"{path} is damaged; probe the run again: `siamlab probe {path.parent}`"
        ) from None


def _shared(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a protocol that all probes of one call have in common."""
    fields = json.loads(row["settings"])
    return {k: v for k, v in fields.items() if k in SHARED or k.startswith("data.")}

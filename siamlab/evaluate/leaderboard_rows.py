"""Rows of the leaderboard: the columns of its file, and what each of them may hold.

table = of_schema(polars.read_parquet(path), path)      # UserError names row, column and value
"""

import json
from pathlib import Path

import polars

from siamlab.component import UserError

TEXT, NUMBER = polars.String, polars.Float64
SCHEMA = {
    "board": TEXT,
    "model": TEXT,
    "status": TEXT,  # measured or published
    "probe": TEXT,
    "title": TEXT,
    "property": TEXT,
    "value": NUMBER,
    "low": NUMBER,  # of a 95 % interval; null where none was published
    "high": NUMBER,
    "chance": NUMBER,
    "ceiling": NUMBER,
    "unit": TEXT,
    "direction": TEXT,
    "protocol": TEXT,  # its hash
    "settings": TEXT,  # its fields, as JSON
    "weights": TEXT,  # hash of the model's; null where there are none
    "data": TEXT,  # hashes of the training and of the test images
    "version": TEXT,  # of siamlab
    "device": TEXT,
    "date": polars.Date,  # measured, or published
    "note": TEXT,
    "source": TEXT,  # of a published value
    "places": TEXT,  # fields of `data` that said where its files are, such as "path test_path"
}
LATER = ("places",)  # columns that older files lack
KEYS = ("board", "model", "status", "probe")  # of which there is one row
FULL = (*KEYS, "title", "property", "value", "unit", "direction", "protocol", "settings")
ALLOWED = {"status": ("measured", "published"), "direction": ("higher", "lower", "neither")}
ALIKE = ("unit", "direction")  # of all rows of a probe on one board


def of_schema(table: polars.DataFrame, path: Path) -> polars.DataFrame:
    """Return the columns of SCHEMA. Raises UserError for values that no row of `added` has."""
    way = "take the file as `siamlab leaderboard add` wrote it"
    try:
        table = table.select(SCHEMA.keys()).cast(dict(SCHEMA))
    except polars.exceptions.PolarsError as error:
        raise UserError(f"{path}: {str(error).splitlines()[0]}; {way}") from None
    for key, kind in SCHEMA.items():
        if table.schema[key] != kind:
            raise UserError(f"{path}: {key} is {table.schema[key]} and must be {kind}; {way}")
    for number, row in enumerate(table.iter_rows(named=True), start=1):
        for key in FULL:
            if row[key] is None:
                raise UserError(f"{path}, row {number}: {key} is empty; {way}")
        for key, allowed in ALLOWED.items():
            if row[key] not in allowed:
                names = ", ".join(allowed)
                raise UserError(f"{path}, row {number}: {key}={row[key]} must be {names}; {way}")
        if not is_object(row["settings"]):
            raise UserError(f"{path}, row {number}: settings must be a JSON object; {way}")
    return table


def is_object(text: str) -> bool:
    """Return whether a text is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def check_alike(board: str, rows: polars.DataFrame) -> None:
    """Raise UserError for a probe whose values have two units, or are better in two directions."""
    for own in rows.partition_by("probe", maintain_order=True):
        first = own.row(0, named=True)
        for row in own.iter_rows(named=True):
            for key in ALIKE:
                if row[key] != first[key]:
                    raise UserError(
                        f"board {board!r}: {key} of {row['probe']} is {first[key]!r} for "
                        f"{first['model']} and {row[key]!r} for {row['model']}; give both one, or "
                        "name another board"
                    )

"""The leaderboard: scores of many models in one Parquet file, in boards of one protocol each.

board = read_leaderboard(leaderboard_file())
write_leaderboard(added(board, measured_rows(scores, "scenes at 40 pixels", origins)), path)

A board is a set of numbers that can be compared: all its rows of a probe were measured alike, and
rows with another protocol are refused by name of the field that differs. A row is `measured` (by
siamlab, with the hash of the weights, version, device and day) or `published` (with its source).
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars

from siamlab.component import UserError, unknown
from siamlab.data import DataChoice
from siamlab.data.about import about_data
from siamlab.evaluate.files import check_new_file
from siamlab.evaluate.leaderboard_rows import KEYS, LATER, SCHEMA, TEXT, check_alike, of_schema
from siamlab.machine.device import device_title
from siamlab.machine.faults import reason
from siamlab.machine.files import atomic, check_has_name, with_ending
from siamlab.probe.suite.bench import PLACES
from siamlab.probe.table import check_columns, same_protocols
from siamlab.train.environment import version_of

if TYPE_CHECKING:
    import torch

HOME = "docs/leaderboard.parquet"  # in a checkout of siamlab


class Origin(NamedTuple):
    """Origin of a model's numbers."""

    weights: str | None  # hash; None for a model without weights
    version: str | None = None  # of siamlab; None: not recorded
    device: str | None = None
    note: str | None = None
    day: date | None = None
    places: str | None = None  # fields that said where the images are; None: not recorded


def origin(
    weights: str | None,
    device: "str | torch.device" = "auto",
    note: str | None = None,
    places: str | None = None,
) -> Origin:
    """Return the origin of numbers that this siamlab measures now."""
    today = datetime.now(UTC).date()
    return Origin(weights, version_of("siamlab"), device_title(device), note, today, places)


def places_of(data: DataChoice) -> str:
    """Return the fields that say where the files of a source are, without their values."""
    fields = about_data(data).items()
    return " ".join(key for key, value in fields if value and key.split(".")[-1] in PLACES)


def leaderboard_file(named: str | None = None) -> Path:
    """Return the file that is named, or the one of the checkout that the working folder is in.

    Raises UserError if neither is there.
    """
    if named is not None:
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / HOME).is_file() and (folder / "siamlab").is_dir():
            return folder / HOME
    raise UserError(
        f"there is no {HOME} in {here} or above it, as a checkout of siamlab has; name a "
        "leaderboard: --to FILE.parquet to add, --from FILE.parquet to show"
    )


def read_leaderboard(path: Path) -> polars.DataFrame:
    """Return the rows of the file. Raises UserError for one that is not a leaderboard."""
    if not path.is_file():
        raise UserError(
            f"there is no leaderboard {path} in {Path.cwd()}; `siamlab leaderboard add` makes one"
        )
    try:
        table = polars.read_parquet(path)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise UserError(
            f"{path} is not a Parquet file, or is damaged ({str(error).splitlines()[0]}); name a "
            "file that `siamlab leaderboard add` made"
        ) from None
    older = [polars.lit(None, TEXT).alias(key) for key in LATER if key not in table.columns]
    table = table.with_columns(older)
    check_columns(table, SCHEMA, str(path), "`siamlab leaderboard add` adds a model")
    return checked(of_schema(table, path))


def write_leaderboard(table: polars.DataFrame, path: Path) -> None:
    """Write the rows; a crash leaves the old file or none."""
    check_target(path)
    try:
        with atomic(path) as draft, open(draft, "wb") as drafted:
            table.write_parquet(drafted)
    except OSError as error:
        raise UserError(
            f"--to {path} cannot be written ({reason(error)}); name another place"
        ) from None


def check_target(path: Path) -> None:
    """Raise UserError for a file that no leaderboard can be written to."""
    check_has_name(path, f"--to {path}", "leaderboard", [".parquet"])
    if path.suffix != ".parquet":
        raise UserError(f"--to {path} must end in .parquet; try {with_ending(path, '.parquet')}")
    if path.exists() and not path.is_file():
        raise UserError(f"--to {path} is not a file; name another, or move it away")
    check_new_file(path, "--to")


def empty() -> polars.DataFrame:
    """Return a leaderboard without rows."""
    return polars.DataFrame(schema=SCHEMA)


def added(table: polars.DataFrame, rows: polars.DataFrame) -> polars.DataFrame:
    """Return the leaderboard with these rows; earlier ones of the same model are replaced.

    Raises UserError for a model that is there with other weights, and for rows that were not
    measured as those of their board.
    """
    for new in rows.unique(["board", "model", "status"]).iter_rows(named=True):
        same = [polars.col(key) == new[key] for key in ("board", "model", "status")]
        for old in table.filter(*same, polars.col("weights").is_not_null())["weights"].unique():
            if new["weights"] != old:
                raise UserError(
                    f"{new['model']} is on the board {new['board']!r} with other weights ({old}, "
                    f"not {new['weights']}); give this model a name of its own: --name NAME"
                )
    kept = table.join(rows, on=KEYS, how="anti", maintain_order="left")
    return checked(polars.concat([kept, rows.select(SCHEMA.keys()).cast(dict(SCHEMA))]))


def checked(table: polars.DataFrame) -> polars.DataFrame:
    """Return the leaderboard if each of its boards was measured alike."""
    for name in boards(table):
        rows = table.filter(polars.col("board") == name)
        none = (polars.lit(None, polars.Int64).alias(key) for key in ("layer", "head"))
        try:
            same_protocols(rows.with_columns(*none))
        except UserError as mixed:
            reason = str(mixed).partition(". Probe both")[0]
            raise UserError(
                f"board {name!r}: {reason}. Measure the model as the others of the board "
                "(`siamlab leaderboard show` prints how), or begin another one: --board NAME"
            ) from None
        check_alike(name, rows)
    return table


def boards(table: polars.DataFrame) -> list[str]:
    """Return the names of the boards, those with measured rows first, else in order."""
    rows = table.sort(polars.col("status") != "measured", maintain_order=True)
    return rows["board"].unique(maintain_order=True).to_list()


def board_name(settings: str) -> str:
    """Return the name of a board with this protocol, where none was chosen."""
    fields = json.loads(settings)
    if "set" in fields:
        return f"{fields['set']}, protocol {fields['protocol']}"
    sides = list(dict.fromkeys(fields["resolution"]))
    return f"{fields.get('data.kind', 'images')} at {' × '.join(map(str, sides))} pixels"


def one_board(table: polars.DataFrame, name: str) -> polars.DataFrame:
    """Return the rows of a board. Raises UserError for a board that is not there."""
    if name not in boards(table):
        raise UserError(unknown("the leaderboard has no board", name, boards(table)))
    return table.filter(polars.col("board") == name)


def with_origin(
    rows: Iterable[Mapping[str, Any]], board: str, origins: Mapping[str, Origin]
) -> polars.DataFrame:
    """Return rows of whole models, as `probe.table` makes them, with board and origin."""
    full = []
    for row in rows:
        found = origins[row["model"]]._asdict()
        own = {"board": board, "status": "measured", "date": found.pop("day")}
        own["data"] = data_hashes(row["settings"])
        full.append({key: {**row, **found, **own}.get(key) for key in SCHEMA})
    return polars.DataFrame(full, schema=SCHEMA)


def measured_rows(
    scores: polars.DataFrame, board: str, origins: Mapping[str, Origin]
) -> polars.DataFrame:
    """Return the rows of a table of scores (`probe.table`) that are of whole models.

    `origins` are those of the models that are taken, by name.
    """
    whole = scores.filter(
        polars.col("layer").is_null(), polars.col("head").is_null(),
        polars.col("model").is_in(list(origins)),
    )  # fmt: skip
    return with_origin(whole.iter_rows(named=True), board, origins)


def data_hashes(settings: str) -> str | None:
    """Return the hashes of training and test images in the fields of a protocol."""
    fields = json.loads(settings)
    found = [fields.get(f"data.{split}_content") for split in ("train", "test")]
    return "/".join(found) if all(found) else None

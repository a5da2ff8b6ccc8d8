"""The files of `siamlab probe`: the table of scores, and in each run's folder its own rows.

write_table(scores, Path("scores.csv"))
keep_rows(scores, {"runs/mine": open_model("runs/mine")})      # in runs/mine/probes.json
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamlab.component import UserError
from siamlab.evaluate.models import NamedModel
from siamlab.machine.faults import machine_fault, reason
from siamlab.machine.files import atomic, check_has_name, may_write, no_new_folders, text_in
from siamlab.machine.sums import signed, unsigned
from siamlab.machine.terminal import caution
from siamlab.train.access import check_links

if TYPE_CHECKING:
    import polars

WRITERS = {".parquet": "write_parquet", ".csv": "write_csv", ".json": "write_json"}


def check_out(out: str | None) -> None:
    """Raise UserError for a table or folder that cannot be written, before any measurement."""
    if out is None:
        return
    path = Path(out)
    check_has_name(path, f"--out {out}", "scores", WRITERS)
    if path.suffix in WRITERS:
        check_new_file(path, "--out")
        return
    file = path.suffix[1:].isalpha() and not path.is_dir()  # runs/mae-0.75 names a folder
    if file or (path.exists() and not path.is_dir()):
        raise UserError(
            f"--out {out} must be a folder, or a file that ends in {', '.join(WRITERS)}; "
            "try scores.parquet"
        )
    check_folder(path)


def check_new_file(path: Path, option: str) -> None:
    """Raise UserError where a file cannot be made: in a folder that is not there, or as one.

    So it does in a folder that may not be written.
    """
    parent = path.parent
    if not path.absolute().parent.is_dir():  # a link is replaced, wherever it leads
        raise UserError(f"{option} {path}: the folder {parent} does not exist; create it first")
    if path.is_dir():
        raise UserError(f"{option} {path} is a folder; name a file in it, or another one")
    if not may_write(path.absolute().parent):
        raise UserError(
            f"{option} {path}: the folder {parent} may not be written; make it writable, or name "
            "another place"
        )


def check_folder(path: Path, option: str = "--out") -> None:
    """Raise UserError for a folder that cannot be made. It is not made yet."""
    try:
        with no_new_folders(path):
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{option} {path} cannot be created ({error.strerror}); name another"
        ) from None


def write_table(scores: "polars.DataFrame", path: Path, **options: Any) -> None:
    """Write the table in the format of the suffix; a crash leaves the old file or none.

    `options` are those of polars for the format.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as draft, open(draft, "wb") as file:  # polars takes no odd names
            getattr(scores, WRITERS[path.suffix])(file, **options)
    except Exception as error:  # polars has its own for a full disk
        if not isinstance(error, OSError) and not machine_fault(error):
            raise
        raise UserError(
            f"--out {path} cannot be written ({reason(error)}); name another place"
        ) from error


def keep_rows(
    scores: "polars.DataFrame", trained: dict[str, NamedModel], places: str | None = None
) -> None:
    """Add to each run's folder its own rows and those of its untrained network.

    Earlier rows stay unless they have the same protocol. `trained` has the runs by their folder,
    and `places` the fields that said where the images are. A warning says what cannot be kept.
    """
    for name, named in trained.items():
        if Path(name).is_dir():
            own = scores["model"].is_in([named.name, "untrained", f"{named.name}, untrained"])
            try:
                check_links(Path(name))
                rows = [row | {"places": places} for row in scores.filter(own).to_dicts()]
                _keep(rows, Path(name) / "probes.json")
            except (OSError, UserError) as error:  # the table is printed all the same
                why = error if isinstance(error, UserError) else error.strerror
                caution(f"the scores are not kept in {name}: {why}")


def _keep(rows: list[dict[str, Any]], path: Path) -> None:
    now = {_key(row) for row in rows}
    earlier = [row for row in _earlier(path) if _key(row) not in now]
    with atomic(path) as draft:
        draft.write_text(json.dumps([*earlier, *map(signed, rows)], indent=1) + "\n")


def _key(row: dict[str, Any]) -> tuple:
    return tuple(row.get(key) for key in ("model", "layer", "head", "probe", "protocol"))


def _check_row(row: dict[str, Any]) -> None:
    """Raise ValueError for what is not a row of scores."""
    key = _key(row)
    if not isinstance(key[0], str) or any(isinstance(part, list | dict) for part in key):
        raise ValueError("not a row of scores")


def _earlier(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the file; a damaged file is kept under another name, with a warning."""
    try:
        rows = json.loads(text_in(path))
        if not isinstance(rows, list):
            raise ValueError("not a list")
        for row in rows:
            _check_row(unsigned(row))
        return rows
    except FileNotFoundError:
        return []
    except (ValueError, RecursionError):
        old = path.with_name("probes.damaged.json")
        path.replace(old)
        caution(f"{path} was damaged; it is kept as {old.name}", stacklevel=4)
        return []

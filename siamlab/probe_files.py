"""Files of what `siamlab probe` found: the table that was asked for, and each run's own rows.

write(scores, Path("scores.csv")); keep(scores, {"runs/mine": subject("runs/mine")})
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siamlab.component import UserError
from siamlab.subject import Subject

if TYPE_CHECKING:
    import polars

WRITERS = {".parquet": "write_parquet", ".csv": "write_csv", ".json": "write_json"}


def check_out(out: str | None) -> None:
    """Raises UserError, before any work, for a table or folder that could not be written."""
    if out is None:
        return
    path = Path(out)
    if path.suffix in WRITERS:
        if not path.resolve().parent.is_dir():
            raise UserError(f"--out {out}: there is no folder {path.parent}; make it first")
        return
    typed = path.suffix[1:].isalpha() and not path.is_dir()  # runs/mae-0.75 is a folder's name
    if typed or (path.exists() and not path.is_dir()):
        raise UserError(
            f"--out {out} must be a folder, or a file that ends in {', '.join(WRITERS)}; "
            "try scores.parquet"
        )
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out} cannot be made ({error.strerror}); name another") from None


def write(scores: "polars.DataFrame", path: Path) -> None:
    """The table as its suffix says; a crash leaves the old file or none."""
    try:
        with drafted(path) as draft:
            getattr(scores, WRITERS[path.suffix])(draft)
    except OSError as error:
        raise UserError(f"--out {path} cannot be written ({error}); name another place") from None


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place once it is whole."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def keep(scores: "polars.DataFrame", trained: dict[str, Subject]) -> None:
    """Into each run's folder its own rows and those of its untrained network.

    What other protocols found before, on other images or by another suite's probes, is kept too.
    """
    for name, s in trained.items():
        if not Path(name).is_dir():
            continue
        path = Path(name) / "probes.json"
        own = scores["model"].is_in([s.name, "untrained", f"{s.name}, untrained"])
        rows = scores.filter(own).to_dicts()
        now = {_key(row) for row in rows}
        rows = [*(row for row in _kept(path) if _key(row) not in now), *rows]
        try:
            with drafted(path) as draft:
                draft.write_text(json.dumps(rows, indent=1) + "\n")
        except OSError as error:
            raise UserError(f"{path} cannot be written ({error.strerror}); remove it") from None


def _key(row: dict[str, Any]) -> tuple:
    return tuple(row.get(key) for key in ("model", "layer", "head", "probe", "protocol"))


def _kept(path: Path) -> list[dict[str, Any]]:
    """The rows of the file; none where it is not there or damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return []

"""Points of the plane: models at hand, or the runs of a study, loaded when they are looked at.

points, scores = study_points("runs/studies/loss_form")
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl

from siamlab.component import UserError
from siamlab.figure.template import is_reference
from siamlab.run import Run
from siamlab.subject import Subject, subject
from siamlab.train import Folder

CHANGES = 8  # of a configuration that are told; of more, how many
SCORES = "scores.parquet"


class Point(NamedTuple):
    """One model of the plane."""

    name: str
    run: Run | None  # what trained it, where that is known
    load: Callable[[], Subject]
    folder: Path | None = None  # of its metrics


def given_points(subjects: Sequence[Subject | Point]) -> dict[str, Point]:
    """Points by name; subjects are there already."""
    points = [
        s if isinstance(s, Point) else Point(s.name, s.run, partial(lambda s: s, s), s.folder)
        for s in subjects
    ]
    return {point.name: point for point in points}


def study_points(folder: str | Path) -> tuple[list[Point], pl.DataFrame]:
    """Every trained and probed run of a study's folder, its first point first, and their scores.

    Raises UserError if there is none.
    """
    paths = [path for path in _ordered(Path(folder)) if _measured(path)]
    if not paths:
        raise UserError(
            f"{folder} holds no measured run: none of its runs/* has {SCORES} and an encoder; "
            "name the folder of a study that `siamlab study run` has begun to measure"
        )
    tables = [
        pl.read_parquet(path / SCORES).with_columns(model=pl.lit(path.name)) for path in paths
    ]
    points = [Point(path.name, Folder(path).run(), partial(_loaded, path), path) for path in paths]
    return points, pl.concat(tables, how="vertical_relaxed")


def base_of(points: Sequence[Point]) -> Point:
    """The first that was trained: what the others are compared with."""
    return next((point for point in points if not is_reference(point.name)), points[0])


def changes(point: Point, base: Point) -> str:
    """How its configuration differs from the base's, in words; "" where that is not known."""
    if point.name == base.name:
        return "the base of the comparisons"
    if not point.run or not base.run or is_reference(point.name):
        return ""
    # whole choices, `loss=mse`, before fields of one, `loss.weight=2`
    found = sorted(point.run.differences(base.run), key=lambda change: "." in change.split("=")[0])
    more = f" and {len(found) - CHANGES} more" if len(found) > CHANGES else ""
    return f"other than {base.name}: {', '.join(found[:CHANGES]) or 'nothing'}{more}"


def _ordered(folder: Path) -> list[Path]:
    """Folders of runs in the order of the study's trials: by its report, else as they began."""
    paths = sorted(folder.glob("runs/*"), key=_began)
    if (trials := folder / "trials.parquet").is_file():
        order = {name: i for i, name in enumerate(pl.read_parquet(trials)["folder"])}
        paths.sort(key=lambda path: order.get(path.name, len(order)))
    return paths


def _began(path: Path) -> tuple[float, str]:
    file = Folder(path).run_file
    return (file.stat().st_mtime if file.is_file() else float("inf")), path.name


def _measured(path: Path) -> bool:
    folder = Folder(path)
    files = folder.run_file, folder.encoder, path / SCORES
    return all(file.is_file() for file in files)


def _loaded(path: Path) -> Subject:
    return subject(str(path))

"""Points of the plane: loaded models, or the runs of a study, each loaded when it is chosen.

points, scores = study_points("runs/studies/loss_form")
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from siamlab.component import UserError
from siamlab.evaluate.models import NamedModel, open_model
from siamlab.explore.scene import decimal
from siamlab.figure.template import is_reference
from siamlab.run import Run
from siamlab.train import RunFolder

CHANGES = 8  # changes of a configuration that are named; the others are counted
SCORES = "scores.parquet"


class PlanePoint(NamedTuple):
    """One model of the plane."""

    name: str
    run: Run | None  # the run that trained it, if known
    load: Callable[[], NamedModel]
    folder: Path | None = None  # the folder of its metrics


def points_by_name(models: Sequence[NamedModel | PlanePoint]) -> dict[str, PlanePoint]:
    """Points by name; a NamedModel is loaded already."""
    points = [
        m
        if isinstance(m, PlanePoint)
        else PlanePoint(m.name, m.run, partial(lambda m: m, m), m.folder)
        for m in models
    ]
    return {point.name: point for point in points}


def study_points(folder: str | Path) -> tuple[list[PlanePoint], pl.DataFrame]:
    """Return every trained and probed run of a study's folder, in its order, and their scores.

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
    points = [
        PlanePoint(path.name, RunFolder(path).run(), partial(open_model, path), path)
        for path in paths
    ]
    return points, pl.concat(tables, how="vertical_relaxed")


def base_of(points: Sequence[PlanePoint]) -> PlanePoint:
    """Return the first trained model, with which the others are compared."""
    return next((point for point in points if not is_reference(point.name)), points[0])


def changes(point: PlanePoint, base: PlanePoint) -> str:
    """Describe how the configuration differs from the base; "" if that is unknown."""
    if point.name == base.name:
        return "the base of the comparisons"
    if not point.run or not base.run or is_reference(point.name):
        return ""
    return f"changed from {base.name}: {named_changes(point.run, base.run) or 'nothing'}"


def line_of(row: dict[str, Any], point: PlanePoint, base: PlanePoint) -> str:
    """Return a line on a model of the table: its scores, and how it differs from the base."""
    scores = ", ".join(f"{key} {decimal(row[key])}" for key in ("semantic", "spatial"))
    changed = changes(point, base)
    return f"{row['model']}: {scores}; {changed}." if changed else f"{row['model']}: {scores}."


def named_changes(run: Run, base: Run, most: int = CHANGES) -> str:
    """Name the settings in which a run differs, `most` of them, and count the others."""
    # whole choices, `loss=mse`, before fields of one, `loss.weight=2`
    found = sorted(run.differences(base), key=lambda change: "." in change.split("=")[0])
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return f"{', '.join(found[:most])}{more}"


def _ordered(folder: Path) -> list[Path]:
    """Folders of runs in the order of the study's report, or else in the order they began."""
    paths = sorted(folder.glob("runs/*"), key=_began)
    if (trials := folder / "trials.parquet").is_file():
        order = {name: i for i, name in enumerate(pl.read_parquet(trials)["folder"])}
        paths.sort(key=lambda path: order.get(path.name, len(order)))
    return paths


def _began(path: Path) -> tuple[float, str]:
    file = RunFolder(path).run_file
    return (file.stat().st_mtime if file.is_file() else float("inf")), path.name


def _measured(path: Path) -> bool:
    folder = RunFolder(path)
    files = folder.run_file, folder.encoder, path / SCORES
    return all(file.is_file() for file in files)

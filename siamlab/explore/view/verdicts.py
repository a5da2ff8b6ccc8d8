"""Verdicts: the encoders of two points of a study, whose matches a page shows next to each other.

encoders_of(results, folder, "configurations", ("mae", "siameseim"), models)     # two, or None
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from siamlab.evaluate.models import NamedModel
from siamlab.explore.plane.results import StudyResults
from siamlab.explore.plane.told import RUNS
from siamlab.study.definition import slug_of
from siamlab.train import RunFolder

Encoder = NamedModel | Path  # one that is open already, or the folder of a run
TITLE = "Whose match is right?"
ABSENT = (
    "Whose match is right? The encoders of {first} and {other} are not both here: name a folder "
    "with the runs of this study by --study, or a run of each as models, and a click leads to the "
    "places on which the two disagree."
)
FREE = "name=", "seed=", "compute."  # what may differ between a run and its configuration


def encoders_of(
    found: StudyResults,
    place: Path,
    kind: str,
    names: tuple[str, str],
    opened: Sequence[NamedModel],
) -> tuple[Encoder, Encoder] | None:
    """Return the encoders of two points: of runs by name, of configurations by their first seed.

    That is the first one of which both are here, in the folder of the study or among the models
    that are open. None if there is none.
    """
    for runs in _runs(found, kind, names):
        first, second = (_encoder(found, place, *run, opened) for run in runs)
        if first and second:
            return first, second
    return None


def _runs(
    found: StudyResults, kind: str, names: tuple[str, str]
) -> Iterator[list[tuple[str, int]]]:
    """Yield (point, seed) of both points."""
    trials = found.scores.select("point", "seed").unique()
    if kind == RUNS:
        by_name = {f"{point}, seed {seed}": (point, seed) for point, seed in trials.iter_rows()}
        yield [by_name[name] for name in names]
        return
    first, second = (set(trials.filter(pl.col("point") == name)["seed"]) for name in names)
    for seed in sorted(first & second):
        yield [(name, seed) for name in names]


def _encoder(
    found: StudyResults, place: Path, point: str, seed: int, opened: Sequence[NamedModel]
) -> Encoder | None:
    folder = RunFolder(place / "runs" / f"{slug_of(point)}-seed{seed}")
    for named in opened:
        if named.folder and named.folder.resolve() == folder.path.resolve():
            return named
        if named.run and point in found.runs and named.run.seed == seed:
            changes = named.run.differences(found.runs[point])
            if all(change.startswith(FREE) for change in changes):
                return named
    return folder.path if folder.encoder.is_file() and folder.run_file.is_file() else None

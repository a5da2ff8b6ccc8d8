"""Results of studies: the scores of their trials, wherever a study keeps them.

found = study_results("studies/headline.py");  found.scores     # point, seed, probe, value, low, …
"""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import polars as pl

from siamlab.component import UserError
from siamlab.explore.plane.runs import SCORES, study_points
from siamlab.figure.template import configuration
from siamlab.machine.files import check_readable
from siamlab.run import Run
from siamlab.study.trials_file import read_trials

OWN = Path("runs/studies")  # where `siamlab study run` keeps a study
COMMITTED = Path("studies/results")  # of a checkout
JOURNAL = "journal.log"  # of a study whose trials are in no database
FIXED = ("ablation", "path", "recipes")  # studies whose configurations have names
KEYS = ("point", "seed", "probe", "title", "unit", "direction", "value", "low", "high")
SEED = r"seed[-_= ]?(\d+)$"


class StudyResults(NamedTuple):
    """The scores of a study, and the runs of its configurations where they are known."""

    name: str
    scores: pl.DataFrame  # KEYS; one row for each trial and probe of a whole model
    runs: Mapping[str, Run]
    path: bool  # its configurations are steps, one after another


def study_results(word: str | Path) -> StudyResults:
    """Return the results of a study by its file, its name, its folder, or a file of its trials.

    Raises UserError where there are none.
    """
    place = results_place(word)
    if place.is_dir():
        by_runs = _of_runs if has_runs(place) else _of_tables
        return _of_journal(place) or by_runs(place)
    header, records = read_trials(place)
    rows = [
        {"point": record.point, "seed": record.seed} | score.model_dump()
        for record in records
        for score in record.scores
    ]
    scores = pl.DataFrame(rows, infer_schema_length=None).select(KEYS)
    runs = dict(_parsed(header.about["points"]))
    return StudyResults(_label(place), scores, runs, header.about.get("kind") == "path")


def results_place(word: str | Path) -> Path:
    """Return the folder or file that holds a study's results. Raises UserError if none does.

    Of a study's file or name these are its own folder, or else what is committed next to it.
    """
    named = Path(word)
    check_readable(str(named))
    if named.is_dir() or named.suffix == ".jsonl":
        places = [named]
    else:
        beside = (
            [named.parent / "results"] if len(named.parts) > 1 else [COMMITTED, Path("results")]
        )
        stem = named.stem if named.suffix == ".py" else named.name
        ends = (stem, f"{stem}.jsonl")
        places = [OWN / stem, *(folder / end for folder in beside for end in ends)]
    found = next((place for place in places if _has_results(place)), None)
    if found is None:
        looked = ", ".join(map(str, places))
        raise UserError(
            f"there are no results of the study {word} ({looked}); name one that `siamlab study "
            "run` has begun to measure, by its file, its name or its folder, or a .jsonl of "
            "`siamlab study export`"
        )
    return found


def known_results() -> list[Path]:
    """Return all places of results below the working folder: of its own studies, and committed."""
    places = [place for folder in (OWN, COMMITTED) for place in sorted(folder.glob("*"))]
    return [place for place in places if _has_results(place)]


def _has_results(place: Path) -> bool:
    if place.is_dir():
        return has_runs(place) or (place / SCORES).is_file() or _has_scores(place / JOURNAL)
    return place.suffix == ".jsonl" and place.is_file()


def has_runs(folder: Path) -> bool:
    """Return whether the folder of a study has runs that were measured."""
    return any(folder.glob(f"runs/*/{SCORES}"))


def _has_scores(journal: Path) -> bool:
    """Return whether trials of a journal have scores, without a replay of it."""
    return journal.is_file() and b'"scores"' in journal.read_bytes()


def _of_journal(folder: Path) -> StudyResults | None:
    """Results of the trials in the journal of a folder, those that were imported too.

    None without such trials, as in the folder of a study whose trials are in a database.
    """
    if not _has_scores(folder / JOURNAL) or find_spec("optuna") is None:
        return None
    from siamlab.study.results import stored_results

    found = [study for study in stored_results(folder) if study.about["kind"] in FIXED]
    if len(found) != 1:
        return None  # several studies in one folder, or a search, whose trials have no names
    (study,) = found
    runs = dict(_parsed(study.about["points"]))
    path = study.about["kind"] == "path"
    return StudyResults(_label(folder), study.scores.select(KEYS), runs, path)


def _of_runs(folder: Path) -> StudyResults:
    """Results of the runs that are measured so far, by the names of their folders."""
    points, table = study_points(folder)
    whole = table.filter(pl.col("layer").is_null(), pl.col("head").is_null())
    scores = whole.with_columns(
        point=pl.col("model").map_elements(configuration, return_dtype=pl.String),
        seed=pl.col("model").str.extract(SEED).cast(pl.Int64).fill_null(0),
    ).select(KEYS)
    runs = {configuration(p.name): p.run for p in reversed(points) if p.run}
    return StudyResults(_label(folder), scores, runs, False)


def _of_tables(folder: Path) -> StudyResults:
    """Results as `siamlab study report` writes them."""
    file = folder / SCORES
    try:
        table = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(
            f"{file} cannot be read ({error}); `siamlab study report` writes it again"
        ) from error
    if missing := [key for key in KEYS if key not in table.columns]:
        raise UserError(
            f"{file} has no column {missing[0]!r}; name a folder whose table `siamlab study "
            "report` wrote"
        )
    return StudyResults(_label(folder), table.select(KEYS), {}, False)


def _parsed(texts: Mapping[str, str]) -> Iterator[tuple[str, Run]]:
    """Yield the runs of the configurations that this siamlab still knows."""
    for point, text in texts.items():
        try:
            yield point, Run.parse(text)
        except UserError:
            continue  # of a choice that someone has added; its scores are shown all the same


def _label(place: Path) -> str:
    return str(place.with_suffix("") if place.suffix == ".jsonl" else place)

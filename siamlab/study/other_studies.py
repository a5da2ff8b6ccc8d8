"""Trials of another study whose run is also one of this study: the same numbers, trained once.

found = shared_trials(path, read_trials(path), definition, about)

The base of most ablations is a run of `headline`, and so is the end of each path.
"""

from pathlib import Path
from typing import Any, NamedTuple

from siamlab.component import UserError
from siamlab.probe.suite import QUICK
from siamlab.run import Run
from siamlab.study.definition import SCORES, FixedStudy
from siamlab.study.description import IGNORED, Difference, differences
from siamlab.study.export_trials import binding_keys
from siamlab.study.trials_file import ProbeValue, TrialRecord, Trials

LARGER = {"quick": "full"}  # a suite, and one that measures all of it in the same way
MEASURED = {"quick": {*SCORES, *(probe.key for probe in QUICK.probes)}}


class Shared(NamedTuple):
    records: list[TrialRecord]  # under the labels of this study
    unknown: list[TrialRecord]  # of runs that this study does not have


def shared_trials(
    path: Path, trials: Trials, definition: FixedStudy, mine: dict[str, Any]
) -> Shared:
    """Return the trials whose runs this study has too.

    Raises UserError where the images, or what was measured on them, differ, and for a file without
    any such run.
    """
    theirs = trials.header.about
    if difference := _first_difference(mine, theirs):
        raise UserError(
            f"--from {path} has trials of the study {trials.header.study!r}, whose "
            f"{difference.key} is {difference.theirs} there and {difference.mine} here; nothing "
            "was changed. Name a file of this study, or of one on the same images"
        )
    labels = {_settings(point.run): point.label for point in definition.points()}
    shared, unknown = [], []
    for record in trials.records:
        label = labels.get(_settings(Run.parse(theirs["points"][record.point])))
        if label is None:
            unknown.append(record)
        else:
            kept = tuple(score for score in record.scores if _is_measured(score, mine["suite"]))
            shared.append(record.model_copy(update={"point": label, "scores": kept}))
    if not shared:
        raise UserError(
            f"--from {path} has trials of the study {trials.header.study!r}, and none is of a run "
            "of this study; nothing was changed"
        )
    return Shared(shared, unknown)


def _first_difference(mine: dict[str, Any], theirs: dict[str, Any]) -> Difference | None:
    """Return the first difference in images and probes; which runs there are does not matter."""
    mine, theirs = ({**binding_keys(about), "points": {}} for about in (mine, theirs))
    if LARGER.get(mine["suite"]) == theirs["suite"]:
        mine["suite"] = theirs["suite"]
    mine["data"] = {key: mine["data"][key] for key in theirs["data"] if key in mine["data"]}
    return next(differences(mine, theirs), None)


def _is_measured(score: ProbeValue, suite: str) -> bool:
    """Return whether a suite has this probe."""
    return suite not in MEASURED or score.probe in MEASURED[suite]


def _settings(run: Run) -> str:
    """Return as text all that the numbers of a run depend on, but for the content of its images."""
    return run.model_dump_json(exclude=set(IGNORED))

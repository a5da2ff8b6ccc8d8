"""Import finished trials from files into a study's storage, also those of other studies.

import_trials("studies/loss_form.py", [], out, "", [Path("loss_form.jsonl")])

An imported trial ends one that waits, just as a worker's results do: workers skip it and the
report counts it. Results that the study already has are not changed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from siamlab.component import UserError
from siamlab.study.claims import (
    enqueue_retry,
    heartbeat,
    latest_attempts,
    requeue_lost,
    try_claim,
    unfinished,
)
from siamlab.study.definition import FixedStudy, Search
from siamlab.study.description import (
    Difference,
    describe,
    differences,
    release_numbers,
    versions,
)
from siamlab.study.export_trials import binding_keys, print_line, refuse_search
from siamlab.study.file import load
from siamlab.study.optuna_internals import first_attempt, live_trial
from siamlab.study.other_studies import Shared, shared_trials
from siamlab.study.plan import open_study, sampler
from siamlab.study.storage import open_storage
from siamlab.study.trial import run_of_trial
from siamlab.study.trials_file import (
    ProbeValue,
    TrialRecord,
    Trials,
    content_hash,
    read_trials,
)

OUTCOMES = {
    "imported": "imported: {count}",
    "same": "already complete: {count}",
    "other": "already complete with other numbers, which are kept: {count} ({names})",
    "running": "running now, and left to their workers: {count} ({names})",
    "no run": "left out, since this study does not have their runs: {count}",
    "no seed": "skipped, since this study does not have their seeds: {count} ({names})",
}


def import_trials(
    file: str,
    words: Sequence[str],
    out: Path,
    url: str,
    sources: Sequence[Path],
    any_version: bool = False,
) -> None:
    """Import the trials of the files into the study, which is created if it does not exist.

    Of the file of another study, those trials are imported whose run this study has too.
    Raises UserError, with nothing changed, for files that are damaged, have another definition,
    other images or other versions (unless `any_version`), or were measured in another way.
    """
    name, definition = load(file, words)
    if isinstance(definition, Search):
        raise UserError(refuse_search(name))
    files = [(path, read_trials(path)) for path in sources]
    records, unknown = _usable(files, name, definition, any_version)
    _check_protocols(_scores(records))
    storage = open_storage(url, out)
    study = open_study(definition, name, storage)
    _check_protocols([*_stored_scores(study), *_scores(records)])
    requeue_lost(study, storage, out / "locks")
    outcomes = defaultdict(list, {"no run": unknown})
    for record in records:
        outcomes[_import(record, definition, study, storage, out)].append(record)
    for outcome, sentence in OUTCOMES.items():
        if of_outcome := outcomes[outcome]:
            print_line(sentence.format(count=_count(of_outcome), names=_names(of_outcome)))
    total = len(latest_attempts(study))
    print_line(f"{name}: {len(unfinished(study))} of {total} trials are not finished yet")


def _usable(
    files: Sequence[tuple[Path, Trials]], name: str, definition: FixedStudy, any_version: bool
) -> Shared:
    """Return the trials of all files that this study can take, and those of runs it lacks."""
    about, found = describe(definition), Shared([], [])
    for path, trials in files:
        _check_versions(path, trials, any_version)
        if trials.header.study == name:
            _check(path, trials, about)
            shared = Shared(trials.records, [])
        else:
            shared = shared_trials(path, trials, definition, about)
        found = Shared(found.records + shared.records, found.unknown + shared.unknown)
    return found


def _import(
    record: TrialRecord, definition: FixedStudy, study: optuna.Study, storage: BaseStorage,
    out: Path,
) -> str:  # fmt: skip
    """Import one trial and return the outcome, a key of OUTCOMES."""
    trial = _counterpart(record, study)
    if trial is None:
        return "no seed"
    if trial.state == TrialState.COMPLETE:
        return "same" if _same_numbers(record, trial) else "other"
    if trial.state == TrialState.FAIL:
        enqueue_retry(study, trial)
        trial = _counterpart(record, study)
    waits = trial.state == TrialState.WAITING
    lock = try_claim(trial, storage, out / "locks") if waits else None
    if lock is None:
        return "running"
    study.sampler = sampler(definition, first_attempt(trial))
    with lock, heartbeat(storage, trial):
        handle = live_trial(study, trial)
        run_of_trial(definition, handle, first_attempt(trial))  # records its parameters
        attrs = {
            "scores": [score.model_dump() for score in record.scores],
            "seconds": record.seconds,
            "collapsed": record.collapsed,
            "environment": record.environment | {"finished": record.finished},
        }
        for key, value in attrs.items():
            handle.set_user_attr(key, value)
        study.tell(trial.number, list(record.values))  # last: killed before this, it waits again
    return "imported"


def _counterpart(record: TrialRecord, study: optuna.Study) -> FrozenTrial | None:
    """Return the study's trial of the same point and seed."""
    for trial in latest_attempts(study):
        attrs = trial.user_attrs
        if (attrs.get("point"), attrs.get("seed")) == (record.point, record.seed):
            return trial
    return None


def _same_numbers(record: TrialRecord, trial: FrozenTrial) -> bool:
    """Compare scores by their text, for which NaN equals NaN."""
    stored = [ProbeValue.model_validate(row).model_dump() for row in trial.user_attrs["scores"]]
    return content_hash(stored) == content_hash(_scores([record]))


def _check(path: Path, trials: Trials, mine: dict[str, Any]) -> None:
    """Raise UserError that names the first difference between the file's study and this one."""
    theirs, points = trials.header.about, {record.point for record in trials.records}
    for difference in _differences(mine, theirs, points):
        raise UserError(
            f"--from {path} has trials of another definition: {difference.key} is "
            f"{difference.theirs} there and {difference.mine} here; nothing was changed. Name a "
            "file of this study, or undo the change"
        )


def _check_versions(path: Path, trials: Trials, any_version: bool) -> None:
    theirs = trials.header.about["versions"]
    here, there = (release_numbers(found) for found in (versions(), theirs))
    if here != there and not any_version:
        raise UserError(
            f"--from {path} has trials of other versions: {there} there and {here} here; nothing "
            "was changed. Install those, or add --any-version: the summary will mention it"
        )


def _differences(
    mine: dict[str, Any], theirs: dict[str, Any], points: set[str]
) -> Iterator[Difference]:
    """Yield differences that affect the trials; this study may have more choices and images."""
    for label in theirs["points"]:
        if label in points and label not in mine["points"]:
            yield Difference("choices", list(mine["points"]), list(theirs["points"]))
    mine, theirs = binding_keys(mine), binding_keys(theirs)
    for about in (mine, theirs):
        about["points"] = {label: about["points"][label] for label in sorted(points)}
    mine["data"] = {key: mine["data"][key] for key in theirs["data"] if key in mine["data"]}
    yield from differences(mine, theirs)


def _check_protocols(scores: Iterable[dict[str, Any]]) -> None:
    """Raise UserError where two values of one probe were measured by different protocols."""
    protocols: dict[str, str] = {}
    for score in scores:
        first = protocols.setdefault(score["probe"], score["protocol"])
        if first != score["protocol"]:
            raise UserError(
                f"the trials were measured by different protocols: {score['protocol']} and {first} "
                f"for {score['probe']}; nothing was changed. Keep them in separate studies (--out)"
            )


def _scores(records: Iterable[TrialRecord]) -> list[dict[str, Any]]:
    return [score.model_dump() for record in records for score in record.scores]


def _stored_scores(study: optuna.Study) -> Iterator[dict[str, Any]]:
    for trial in latest_attempts(study):
        if trial.state == TrialState.COMPLETE:
            yield from trial.user_attrs["scores"]


def _count(records: list[TrialRecord]) -> str:
    return f"{len(records)} trial{'s' * (len(records) != 1)}"


def _names(records: list[TrialRecord]) -> str:
    return "; ".join(f"{record.point}, seed {record.seed}" for record in records)

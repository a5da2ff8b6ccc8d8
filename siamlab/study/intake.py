"""Finished trials from files into a study's storage.

import_study("studies/loss_form.py", [], out, "", [Path("loss_form.jsonl")])

A trial that is taken in ends one that waits, as a worker's numbers do: workers pass over it, and
the report counts it. What is there already stays as it is.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from siamlab.component import UserError
from siamlab.study.definition import Fixed, Search
from siamlab.study.export import bound, no_search, say
from siamlab.study.file import load
from siamlab.study.plan import (
    Difference,
    described,
    differences,
    opened,
    released,
    sampler,
    versions,
)
from siamlab.study.storage import (
    give_back_dead,
    held,
    latest,
    left,
    open_storage,
    original,
    queue,
    take,
)
from siamlab.study.trial import run_of_trial
from siamlab.study.trials_file import (
    Kept,
    KeptTrial,
    Number,
    hashed,
    read_trials,
)

SENTENCES = {
    "taken": "taken in: {count}",
    "known": "there already: {count}",
    "other": "there already with other numbers, which are kept: {count} ({names})",
    "busy": "at work at this moment, and left to their workers: {count} ({names})",
    "beyond": "of seeds that this study does not have, and left out: {count} ({names})",
}


def import_study(
    file: str,
    words: Sequence[str],
    out: Path,
    url: str,
    sources: Sequence[Path],
    any_version: bool = False,
) -> None:
    """Take the trials of the files into the study, which is made if it is not there.

    Raises UserError, with nothing changed, for files that are damaged, of another definition or
    other images, by other versions (unless `any_version`), or measured otherwise.
    """
    name, definition = load(file, words)
    if isinstance(definition, Search):
        raise UserError(no_search(name))
    found = [(path, read_trials(path)) for path in sources]
    mine = described(definition)
    for path, kept in found:
        _check(path, kept, mine, any_version)
    trials = [trial for _, kept in found for trial in kept.trials]
    _check_protocols([score.model_dump() for trial in trials for score in trial.scores])
    storage = open_storage(url, out)
    study = opened(definition, name, storage)
    _check_protocols([*_numbers(study), *(s.model_dump() for t in trials for s in t.scores)])
    give_back_dead(study, storage, out / "locks")
    ends = defaultdict(list)
    for trial in trials:
        ends[_taken_in(trial, definition, study, storage, out)].append(trial)
    for end, sentence in SENTENCES.items():
        if given := ends[end]:
            say(sentence.format(count=_counted(given), names=_names(given)))
    say(f"{name}: {len(left(study))} of {len(latest(study))} trials are left to do")


def _taken_in(
    given: KeptTrial, definition: Fixed, study: optuna.Study, storage: BaseStorage, out: Path
) -> str:
    """How it ended: a key of SENTENCES."""
    trial = _counterpart(given, study)
    if trial is None:
        return "beyond"
    if trial.state == TrialState.COMPLETE:
        return "known" if _same_numbers(given, trial) else "other"
    if trial.state == TrialState.FAIL:
        queue(study, trial)
        trial = _counterpart(given, study)
    lock = take(trial, storage, out / "locks") if trial.state == TrialState.WAITING else None
    if lock is None:
        return "busy"
    study.sampler = sampler(definition, original(trial))
    with lock, held(storage, trial._trial_id):
        handle = optuna.trial.Trial(study, trial._trial_id)
        run_of_trial(definition, handle, original(trial))  # puts its parameters on record
        told = given.environment | {"finished": given.finished}
        scores = [score.model_dump() for score in given.scores]
        about = {"scores": scores, "seconds": given.seconds, "collapsed": given.collapsed}
        for key, value in (about | {"environment": told}).items():
            handle.set_user_attr(key, value)
        study.tell(trial.number, list(given.values))  # last: killed before, it waits again
    return "taken"


def _counterpart(given: KeptTrial, study: optuna.Study) -> FrozenTrial | None:
    """The trial of the study that is of the same choice and seed."""
    for trial in latest(study):
        attrs = trial.user_attrs
        if (attrs.get("point"), attrs.get("seed")) == (given.point, given.seed):
            return trial
    return None


def _same_numbers(given: KeptTrial, trial: FrozenTrial) -> bool:
    """By their text: NaN is the same as NaN."""
    mine = [Number.model_validate(row) for row in trial.user_attrs["scores"]]
    one, other = ([score.model_dump() for score in scores] for scores in (mine, given.scores))
    return hashed(one) == hashed(other)


def _check(path: Path, kept: Kept, mine: dict[str, Any], any_version: bool) -> None:
    """Raises UserError that names the first thing that the file's study has otherwise."""
    theirs, wanted = kept.about.about, {trial.point for trial in kept.trials}
    for found in _differences(mine, theirs, wanted):
        raise UserError(
            f"--from {path} holds trials of another definition: {found.key} is {found.theirs} "
            f"there and {found.mine} here; nothing was changed. Name a file of this study's, or "
            "undo the change"
        )
    here, there = (released(found) for found in (versions(), theirs["versions"]))
    if here != there and not any_version:
        raise UserError(
            f"--from {path} holds trials by other versions: {there} there and {here} here; nothing "
            "was changed. Install those, or add --any-version: the summary will say so"
        )


def _differences(
    mine: dict[str, Any], theirs: dict[str, Any], wanted: set[str]
) -> Iterator[Difference]:
    """Of all that a trial's numbers depend on; this study may have more choices and images."""
    for label in theirs["points"]:
        if label in wanted and label not in mine["points"]:
            yield Difference("choices", list(mine["points"]), list(theirs["points"]))
    mine, theirs = bound(mine), bound(theirs)
    for about in (mine, theirs):
        about["points"] = {label: about["points"][label] for label in sorted(wanted)}
    mine["data"] = {key: mine["data"][key] for key in theirs["data"] if key in mine["data"]}
    yield from differences(mine, theirs)


def _check_protocols(numbers: Iterable[dict[str, Any]]) -> None:
    """Raises UserError where two numbers of a probe were measured otherwise."""
    known: dict[str, str] = {}
    for number in numbers:
        first = known.setdefault(number["probe"], number["protocol"])
        if first != number["protocol"]:
            raise UserError(
                f"the trials were not measured alike: protocol is {number['protocol']} and {first} "
                f"for {number['probe']}; nothing was changed. Keep them in a study each (--out)"
            )


def _numbers(study: optuna.Study) -> Iterator[dict[str, Any]]:
    for trial in latest(study):
        if trial.state == TrialState.COMPLETE:
            yield from trial.user_attrs["scores"]


def _counted(trials: list[KeptTrial]) -> str:
    return f"{len(trials)} trial{'s' * (len(trials) != 1)}"


def _names(trials: list[KeptTrial]) -> str:
    return "; ".join(f"{trial.point}, seed {trial.seed}" for trial in trials)

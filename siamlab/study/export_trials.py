"""Export the finished trials of a study from its storage to a file.

export_trials("loss_form", out, "", Path("loss_form.jsonl"))
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import tomli_w
from optuna.trial import FrozenTrial, TrialState

from siamlab.component import UserError, unknown
from siamlab.machine.terminal import say
from siamlab.probe.suite.bench import PLACES
from siamlab.study.claims import latest_attempts
from siamlab.study.storage import open_existing
from siamlab.study.summary import environment, finished
from siamlab.study.trials_file import (
    FORMAT,
    StudyHeader,
    TrialRecord,
    Trials,
    content_hash,
    write_trials,
)

# keys of a study's description on which no number of a single trial depends
UNBOUND = ("question", "kind", "seeds", "trials", "comparisons", "versions")


def export_trials(name: str, out: Path, url: str, to: Path) -> None:
    """Write the complete trials of a study to one file.

    Raises UserError for a study that does not exist, has no complete trial, or is a search: what a
    search tries depends on all its trials, so some of them are of no use elsewhere.
    """
    storage = open_existing(url, out)
    names = [s.study_name for s in storage.get_all_studies()]
    if not names:
        raise UserError(f"the storage has no study yet; `siamlab study run {name}.py` creates one")
    if name not in names:
        raise UserError(unknown("the storage has no study", name, names))
    study = optuna.load_study(study_name=name, storage=storage)
    about = study.user_attrs.get("about", {})
    if about.get("kind") not in ("ablation", "path", "recipes"):
        raise UserError(refuse_search(name))
    about = about | {"points": {k: without_paths(text) for k, text in about["points"].items()}}
    trials = latest_attempts(study)
    records = [_record(t, about, out) for t in trials if t.state == TrialState.COMPLETE]
    if not records:
        raise UserError(f"no trial of {name!r} is complete yet; `siamlab study run` continues it")
    order = list(about["points"])
    records.sort(key=lambda record: (order.index(record.point), record.seed))
    definition = content_hash(binding_keys(about))
    header = StudyHeader(
        format=FORMAT, study=name, definition=definition, about=about, trials=len(records)
    )
    write_trials(to, Trials(header, records))
    print_line(f"{len(records)} of {len(trials)} trials of {name} are in {to}")


def binding_keys(about: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a description that the numbers of a single trial depend on.

    Versions are compared separately.
    """
    return {key: value for key, value in about.items() if key not in UNBOUND}


def refuse_search(name: str) -> str:
    """Say why trials of a search can be neither exported nor imported."""
    return (
        f"{name!r} is a search, or was not created by siamlab: what it tries depends on all its "
        "trials, so single ones cannot move to another study; share its --storage instead"
    )


def without_paths(text: str) -> str:
    """Return the TOML of a run without the paths of its images."""
    fields = tomllib.loads(text)
    return tomli_w.dumps(fields | {"data": _without(PLACES, fields["data"])})


def print_line(sentence: str) -> None:
    """Print one line on the terminal as it is, without markup or wrapping."""
    say(sentence)


def _record(trial: FrozenTrial, about: dict[str, Any], out: Path) -> TrialRecord:
    attrs = trial.user_attrs
    return TrialRecord(
        point=attrs["point"],
        seed=attrs["seed"],
        params=trial.params,
        run=content_hash(about["points"][attrs["point"]]),
        values=tuple(trial.values),
        scores=tuple(attrs["scores"]),
        seconds=attrs["seconds"],
        collapsed=attrs.get("collapsed") or "",
        finished=finished(trial),
        environment={k: v for k, v in environment(trial, out).items() if k != "finished"},
    )


def _without(keys: Sequence[str], fields: dict[str, Any]) -> dict[str, Any]:
    inner = {k: _without(keys, v) if isinstance(v, dict) else v for k, v in fields.items()}
    return {key: value for key, value in inner.items() if key not in keys}

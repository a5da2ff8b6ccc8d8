"""Finished trials out of a study's storage into a file of their own.

export_study("loss_form", out, "", Path("loss_form.jsonl"))
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import tomli_w
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from siamlab.component import UserError, unknown
from siamlab.probe.suite.bench import PLACES
from siamlab.study.storage import existing_storage, latest
from siamlab.study.summary import environment, finished
from siamlab.study.trials_file import FORMAT, About, Kept, KeptTrial, hashed, write_trials

# of what a study is: nothing that the numbers of one of its trials depend on
FREE = ("question", "kind", "seeds", "trials", "comparisons", "versions")


def export_study(name: str, out: Path, url: str, to: Path) -> None:
    """Write the complete trials of a study into one file.

    Raises UserError for a study that is not there, has none, or is a search: what a search tries
    depends on all its trials, so a part of them is of no use elsewhere.
    """
    storage = existing_storage(url, out)
    names = [s.study_name for s in storage.get_all_studies()]
    if name not in names:
        raise UserError(unknown("the storage has no study", name, names))
    study = optuna.load_study(study_name=name, storage=storage)
    about = study.user_attrs.get("about", {})
    if about.get("kind") not in ("ablation", "path", "recipes"):
        raise UserError(no_search(name))
    about = about | {"points": {k: placeless(text) for k, text in about["points"].items()}}
    trials = [_kept(t, about, out) for t in latest(study) if t.state == TrialState.COMPLETE]
    if not trials:
        raise UserError(
            f"no trial of {name!r} is complete yet; `siamlab study run` goes on with it"
        )
    order = list(about["points"])
    trials.sort(key=lambda trial: (order.index(trial.point), trial.seed))
    head = About(
        format=FORMAT, study=name, definition=hashed(bound(about)), about=about, trials=len(trials)
    )
    write_trials(to, Kept(head, trials))
    say(f"{len(trials)} of {len(latest(study))} trials of {name} are in {to}")


def bound(about: dict[str, Any]) -> dict[str, Any]:
    """Of what a study is, all that the numbers of one of its trials depend on, but versions."""
    return {key: value for key, value in about.items() if key not in FREE}


def no_search(name: str) -> str:
    """Why trials of a search stay where they are."""
    return (
        f"{name!r} is a search, or not one of siamlab's: what it tries depends on all its trials, "
        "so they cannot be taken elsewhere one by one; share its --storage instead"
    )


def _kept(trial: FrozenTrial, about: dict[str, Any], out: Path) -> KeptTrial:
    attrs = trial.user_attrs
    return KeptTrial(
        point=attrs["point"],
        seed=attrs["seed"],
        params=trial.params,
        run=hashed(about["points"][attrs["point"]]),
        values=tuple(trial.values),
        scores=tuple(attrs["scores"]),
        seconds=attrs["seconds"],
        collapsed=attrs.get("collapsed") or "",
        finished=finished(trial),
        environment={k: v for k, v in environment(trial, out).items() if k != "finished"},
    )


def placeless(text: str) -> str:
    """The TOML of a run without the paths of its images."""
    fields = tomllib.loads(text)
    return tomli_w.dumps(fields | {"data": _without(PLACES, fields["data"])})


def _without(keys: Sequence[str], fields: dict[str, Any]) -> dict[str, Any]:
    inside = {k: _without(keys, v) if isinstance(v, dict) else v for k, v in fields.items()}
    return {key: value for key, value in inside.items() if key not in keys}


def say(sentence: str) -> None:
    """One line on the terminal."""
    Console().print(sentence, markup=False, highlight=False, soft_wrap=True)

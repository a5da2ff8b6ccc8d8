"""The results of a study, read from its storage as polars tables.

scores = results(study)         # one row per value: point, seed, probe, value, ...
"""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from siamlab.component import UserError
from siamlab.study.claims import latest_attempts
from siamlab.study.definition import SCORES
from siamlab.study.storage import open_existing

if TYPE_CHECKING:
    import polars

MIN_TRIALS = 4  # fewest trials for importances
SHUFFLES = 100  # random orders of the scores, for the importance that chance alone gives
MIN_SEARCHED = 50  # fewest trials of a search: the best tenth is then five


class StoredResults(NamedTuple):
    """The description of a study in its storage, and its `results`."""

    about: dict[str, Any]
    scores: "polars.DataFrame"


def stored_results(folder: Path) -> list[StoredResults]:
    """Return the results of each study with complete trials in the journal of a folder."""
    storage, found = open_existing("", folder), []
    for each in storage.get_all_studies():
        study = optuna.load_study(study_name=each.study_name, storage=storage)
        complete = any(trial.state == TrialState.COMPLETE for trial in latest_attempts(study))
        if complete and "about" in study.user_attrs:
            found.append(StoredResults(study.user_attrs["about"], results(study)))
    return found


def results(study: optuna.Study) -> "polars.DataFrame":
    """Return point, seed and the columns of a long table of scores, for all complete trials.

    In a search, each trial is a point. Raises UserError if no trial is complete, or if the trials
    were measured by different protocols.
    """
    import polars

    rows: list[dict[str, Any]] = []
    for trial in latest_attempts(study):
        if trial.state == TrialState.COMPLETE:
            attrs = trial.user_attrs
            key = {
                "point": attrs.get("point", f"trial {trial.number}"),
                "seed": attrs.get("seed", 0),
            }
            rows += [key | row for row in attrs["scores"]]
    if not rows:
        raise UserError(
            f"no trial of {study.study_name!r} is complete yet; `siamlab study run` continues it"
        )
    scores = polars.DataFrame(rows, infer_schema_length=None)
    protocols = scores.group_by("probe").agg(polars.col("protocol").n_unique())
    if mixed := protocols.filter(polars.col("protocol") > 1)["probe"].to_list():
        raise UserError(
            f"the trials were measured by different protocols ({', '.join(sorted(mixed))} differ)"
        )
    return sort_by_definition(scores, study.user_attrs["about"])


def sort_by_definition(scores: "polars.DataFrame", about: dict[str, Any]) -> "polars.DataFrame":
    """Sort by the order of the definition's points, then by seed."""
    import polars

    order = {label: i for i, label in enumerate(about["points"])}
    place = polars.col("point").replace_strict(order, default=len(order), return_dtype=polars.Int64)
    return scores.sort(place, "seed", maintain_order=True)


def trials(study: optuna.Study) -> "polars.DataFrame":
    """Return one row per trial: point, seed, state, seconds, folder, collapsed, reason."""
    import polars

    rows = [
        {
            "point": t.user_attrs.get("point", f"trial {t.number}"),
            "seed": t.user_attrs.get("seed", 0),
            "state": t.state.name.lower(),
            "seconds": t.user_attrs.get("seconds"),
            "folder": t.user_attrs.get("folder"),
            "collapsed": t.user_attrs.get("collapsed") or "",
            "reason": t.user_attrs.get("reason") or "",
        }
        for t in latest_attempts(study)
    ]
    text = dict.fromkeys(("folder", "collapsed", "reason"), polars.String)
    return polars.DataFrame(rows, schema_overrides=text | {"seconds": polars.Float64})


def importances(study: optuna.Study) -> dict[str, dict[str, float]]:
    """Return the importance of each parameter, by score; {} with too few trials or no variation.

    It is `explained_variance`, or for a search `best_tenth_importance`.
    """
    found = {name: measure(values) for name, values, measure in _measured(study)}
    return {name: shares for name, shares in found.items() if shares}


def chance_importances(study: optuna.Study) -> dict[str, dict[str, float]]:
    """Return what 95 % of random orders of the scores stay below, by score and parameter."""
    found = {}
    for name, values, measure in _measured(study):
        rng = np.random.default_rng(0)
        shuffled = [measure(rng.permutation(values)) for _ in range(SHUFFLES)]
        names = {parameter for shares in shuffled for parameter in shares}
        found[name] = {
            parameter: float(np.quantile([s.get(parameter, 0.0) for s in shuffled], 0.95))
            for parameter in names
        }
    return {name: shares for name, shares in found.items() if shares}


Importances = Callable[[np.ndarray], dict[str, float]]  # of the values of one score, by trial


def _measured(study: optuna.Study) -> Iterator[tuple[str, np.ndarray, Importances]]:
    """Yield each score, its values and the measure of importance, if there are enough trials."""
    about = study.user_attrs["about"]
    done = [t for t in latest_attempts(study) if t.state == TrialState.COMPLETE]
    search = about["kind"] == "search"
    if len(done) < (MIN_SEARCHED if search else MIN_TRIALS):
        return
    for i, name in enumerate(about["objectives"]):
        if name in SCORES:
            values = np.array([trial.values[i] for trial in done])
            own = partial(best_tenth_importance, study, done, i)
            yield name, values, own if search else partial(explained_variance, done)


def explained_variance(done: list[FrozenTrial], values: np.ndarray) -> dict[str, float]:
    """Return each parameter's share η² of the sum of squares of a score's values, 0 to 1.

    The seed counts as a parameter, which shows the share that random variation reaches. Parameters
    with a single value, or a different one in each trial, are left out.
    """
    mean, shares = values.mean(), {}
    for name in done[0].params:
        levels = [trial.params[name] for trial in done]
        _, group, sizes = np.unique(levels, return_inverse=True, return_counts=True)
        if 1 < len(sizes) < len(done) and np.ptp(values):
            between = sizes * (np.bincount(group, values) / sizes - mean) ** 2
            shares[name] = float(between.sum() / ((values - mean) ** 2).sum())
    return shares


def best_tenth_importance(
    study: optuna.Study, done: list[FrozenTrial], i: int, values: np.ndarray
) -> dict[str, float]:
    """Return how much each parameter decides which trials are the best tenth; the sum is 1.

    Optuna's PED-ANOVA on the values of objective i. Source: Watanabe et al. (2023),
    arXiv:2304.10255.
    """
    by_trial = {trial.number: float(value) for trial, value in zip(done, values, strict=True)}
    target = lambda trial: -by_trial.get(trial.number, trial.values[i])  # noqa: E731
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "evaluates low values": hence the minus
            return optuna.importance.get_param_importances(study, target=target)
    except (ValueError, RuntimeError):  # all values equal, or a single parameter value
        return {}

"""What a study found, out of its storage, as polars tables.

found = results(study)          # a row a number: point, seed, probe, value, ...
"""

import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from siamlab.component import UserError
from siamlab.study.definition import SCORES
from siamlab.study.storage import latest

if TYPE_CHECKING:
    import polars

COMPARED = 4  # least trials of which shares are told
SEARCHED = 50  # the same in a search: its best tenth is five


def results(study: optuna.Study) -> "polars.DataFrame":
    """point, seed, then the columns of a long table of scores, of every trial that is complete.

    A trial of a search is a point of its own. Raises UserError if there is none, or the trials
    were not measured alike.
    """
    import polars

    rows: list[dict[str, Any]] = []
    for trial in latest(study):
        if trial.state == TrialState.COMPLETE:
            about = trial.user_attrs
            who = {
                "point": about.get("point", f"trial {trial.number}"),
                "seed": about.get("seed", 0),
            }
            rows += [who | row for row in about["scores"]]
    if not rows:
        raise UserError(
            f"no trial of {study.study_name!r} is complete yet; `siamlab study run` goes on with it"
        )
    scores = polars.DataFrame(rows, infer_schema_length=None)
    kinds = scores.group_by("probe").agg(polars.col("protocol").n_unique())
    if mixed := kinds.filter(polars.col("protocol") > 1)["probe"].to_list():
        raise UserError(f"the trials were not measured alike ({', '.join(sorted(mixed))} differ)")
    return in_order(scores, study.user_attrs["about"])


def in_order(scores: "polars.DataFrame", about: dict[str, Any]) -> "polars.DataFrame":
    """By the order of the definition's points, then by seed."""
    import polars

    order = {label: i for i, label in enumerate(about["points"])}
    place = polars.col("point").replace_strict(order, default=len(order), return_dtype=polars.Int64)
    return scores.sort(place, "seed", maintain_order=True)


def trials(study: optuna.Study) -> "polars.DataFrame":
    """A row a trial: point, seed, state, seconds of training, folder, collapsed, reason."""
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
        for t in latest(study)
    ]
    text = dict.fromkeys(("folder", "collapsed", "reason"), polars.String)
    return polars.DataFrame(rows, schema_overrides=text | {"seconds": polars.Float64})


def importances(study: optuna.Study) -> dict[str, dict[str, float]]:
    """Of every parameter for each of the two scores: `explained`, or of a search `decided`.

    {} where there are too few trials, or nothing differs.
    """
    about = study.user_attrs["about"]
    done = [t for t in latest(study) if t.state == TrialState.COMPLETE]
    search = about["kind"] == "search"
    measure, least = (partial(decided, study), SEARCHED) if search else (explained, COMPARED)
    if len(done) < least:
        return {}
    found = {name: measure(done, i) for i, name in enumerate(about["objectives"]) if name in SCORES}
    return {name: shares for name, shares in found.items() if shares}


def explained(done: list[FrozenTrial], i: int) -> dict[str, float]:
    """Share of the sum of squares of objective i between a parameter's values: η², 0 to 1.

    The seed counts as a parameter, so that the others can be compared with chance. One with a
    single value, or a value of its own for each trial, is left out.
    """
    values = np.array([trial.values[i] for trial in done])
    middle, found = values.mean(), {}
    for name in done[0].params:
        given = [trial.params[name] for trial in done]
        _, group, sizes = np.unique(given, return_inverse=True, return_counts=True)
        if 1 < len(sizes) < len(done) and np.ptp(values):
            between = sizes * (np.bincount(group, values) / sizes - middle) ** 2
            found[name] = float(between.sum() / ((values - middle) ** 2).sum())
    return found


def decided(study: optuna.Study, done: list[FrozenTrial], i: int) -> dict[str, float]:
    """How much each parameter decides which trials are the best tenth on objective i; sum 1.

    Optuna's PED-ANOVA. Source: Watanabe et al. (2023), arXiv:2304.10255.
    """
    target = lambda trial: -trial.values[i]  # noqa: E731
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it looks at low values
            return optuna.importance.get_param_importances(study, target=target)
    except (ValueError, RuntimeError):  # all values equal, or a single parameter value
        return {}

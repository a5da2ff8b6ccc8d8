"""What a study found, out of its storage, as polars tables.

found = results(study)          # a row a number: point, seed, probe, value, ...
"""

import warnings
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from siamlab.component import UserError
from siamlab.study.definition import SCORES
from siamlab.study.storage import latest

if TYPE_CHECKING:
    import polars


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
    """Of every parameter for each of the two scores, by Optuna's PED-ANOVA; {} if too few trials.

    Source: Watanabe et al. (2023), arXiv:2304.10255. The seed counts as a parameter, so that the
    others can be compared with chance.
    """
    names = study.user_attrs["about"]["objectives"]
    done = [t for t in latest(study) if t.state == TrialState.COMPLETE]
    if len(done) < 4:
        return {}
    found = {}
    for i, name in enumerate(names):
        if name in SCORES:
            # PED-ANOVA looks at low values; a score is better high
            target = lambda trial, i=i: -trial.values[i]  # noqa: E731
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)  # that it looks at low values
                    found[name] = optuna.importance.get_param_importances(study, target=target)
            except (ValueError, RuntimeError):  # all values equal, or a single parameter value
                return {}
    return found

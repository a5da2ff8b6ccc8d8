"""Changes to a study from the command line.

study = assign(study, ["seeds=5", "optimiser.lr=1e-3"])   # own keys, then keys of all its runs
"""

from collections.abc import Sequence

from siamlab.component import UserError
from siamlab.machine.fields import literal
from siamlab.run.mistakes import made
from siamlab.study.definition import Recipes, Search, Study

# fields of a study that the command line may set; the others define the question
SETTABLE = (
    "seeds", "images", "test_images", "held_out", "trials", "suite", "prune", "precision",
)  # fmt: skip


def assign(study: Study, words: Sequence[str]) -> Study:
    """Return the study with each `key=value`: a key of the study's own, or one of all its runs.

    Raises UserError for a key that neither has, or that defines what the study asks.
    """
    own = [word for word in words if word.partition("=")[0] in type(study).model_fields]
    rest = [word for word in words if word not in own]
    for word in own:
        study = _set_field(study, word)
    if not rest:
        return study
    if isinstance(study, Recipes):
        return study.replace(runs=tuple(run.change(*rest) for run in study.runs))
    if isinstance(study, Search):
        suggest = study.suggest
        return study.replace(suggest=lambda trial: suggest(trial).change(*rest))
    return study.replace(base=study.base.change(*rest))


def _set_field(study: Study, word: str) -> Study:
    key, _, value = word.partition("=")
    if key not in SETTABLE:
        raise UserError(f"{word!r}: {key} defines the study; change it in the study's file")
    return made(type(study), dict(study) | {key: literal(value)})

"""From the definition of a study to trials in a storage, and the check that the two agree.

study = open_study(definition, "loss_form", storage)     # creates the study, or checks and loads it
"""

import time
from contextlib import suppress
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.trial import TrialState
from pydantic import TypeAdapter

from siamlab.component import UserError
from siamlab.study.definition import Ablation, FixedStudy, Path, Recipes, Search, Study
from siamlab.study.description import check_same, check_versions, describe
from siamlab.study.optuna_internals import delete_study
from siamlab.study.storage import ignore_experimental
from siamlab.train.seeds import seed_of

BEGUN = "begun by siamlab"  # first attribute of a study, and "about" the last
CREATION = 20  # seconds without a new trial after which the worker that creates a study is dead
POLL = 0.5  # seconds between two looks at it


def open_study(definition: Study, name: str, storage: BaseStorage) -> optuna.Study:
    """Load the study from the storage, or create it with all its trials.

    One whose creation was cut short by a kill is created again. Raises UserError, with nothing
    changed, where the storage has a study of this name with another definition, other data or
    other versions.
    """
    about = describe(definition)
    while (study := _loaded(name, storage)) is None:
        with suppress(DuplicatedStudyError):  # another worker creates it at this moment
            return _create(definition, name, storage, about)
    check_same(study, about)
    check_versions(study)
    return study


def stored_definition(study: optuna.Study) -> FixedStudy:
    """Return the definition that a study was created from.

    Raises UserError for a search, whose function only its file has.
    """
    fields = study.user_attrs.get("definition")
    if fields is None:
        raise UserError(
            f"the study {study.study_name!r} is a search, or was not created by siamlab: a worker "
            f"needs its file too, as in `siamlab study worker studies/{study.study_name}.py`"
        )
    return TypeAdapter(Ablation | Path | Recipes).validate_python(fields)


def sampler(definition: Study, number: int) -> optuna.samplers.BaseSampler:
    """Return the sampler of a trial, seeded by its number so that workers draw differently."""
    seed = definition.sampler_seed if isinstance(definition, Search) else 0
    return optuna.samplers.TPESampler(seed=seed_of(seed, "sampler", number) % 2**32)


def _create(
    definition: Study, name: str, storage: BaseStorage, about: dict[str, Any]
) -> optuna.Study:
    goals = ["minimize" if o == "cost" else "maximize" for o in definition.objectives]
    study = optuna.create_study(study_name=name, storage=storage, directions=goals)
    with ignore_experimental():
        study.set_metric_names(list(definition.objectives))
    study.set_user_attr(BEGUN, True)
    if isinstance(definition, Search):
        for _ in range(definition.trials):
            study.enqueue_trial({})
    else:
        for seed in range(definition.seeds):  # by seed first: early reports compare all points
            for point in definition.points():
                attrs = {"point": point.label, "seed": seed}
                study.enqueue_trial(point.params | {"seed": seed}, user_attrs=attrs)
        study.set_user_attr("definition", definition.model_dump(mode="json"))
    study.set_user_attr("about", about)  # last: a study that has it is complete
    return study


def _loaded(name: str, storage: BaseStorage) -> optuna.Study | None:
    """Return a complete study, or one of another program; None where it must be created."""
    if name not in {s.study_name for s in storage.get_all_studies()}:
        return None
    with suppress(KeyError):  # another worker deleted what was half made
        study = optuna.load_study(study_name=name, storage=storage)
        _wait_while_it_grows(study)
        if not _is_half_made(study):
            return study
        delete_study(storage, study)
    return None


def _wait_while_it_grows(study: optuna.Study) -> None:
    """Wait while another worker creates the study."""
    count, until = 0, time.monotonic() + CREATION
    while "about" not in study.user_attrs and time.monotonic() < until:
        if (now := len(study.get_trials(deepcopy=False))) > count:
            count, until = now, time.monotonic() + CREATION
        time.sleep(POLL)


def _is_half_made(study: optuna.Study) -> bool:
    """Tell whether siamlab began to create the study and died, so that nothing is lost with it."""
    attrs, trials = study.user_attrs, study.get_trials(deepcopy=False)
    begun = BEGUN in attrs or not (attrs or trials)
    return "about" not in attrs and begun and all(t.state == TrialState.WAITING for t in trials)

"""The private parts of Optuna that studies rely on, in one place.

tests/test_study_optuna_internals.py fails when Optuna changes one of them.
"""

from datetime import datetime
from typing import Any

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

# system attributes by which Optuna links a new attempt at a trial to the one before
FIRST_ATTEMPT = "failed_trial"  # number of the first attempt
RETRIES = "retry_history"  # numbers of the attempts that ended with their worker


def trial_id(trial: FrozenTrial) -> int:
    """Return the key of a trial in its storage; its `number` counts within one study."""
    return trial._trial_id


def live_trial(study: optuna.Study, trial: FrozenTrial) -> optuna.Trial:
    """Return the handle of a running trial, which `Study.ask` gives only for new trials."""
    return optuna.trial.Trial(study, trial_id(trial))


def first_attempt(trial: FrozenTrial) -> int:
    """Return the number of a trial's first attempt, which stays the same over retries."""
    return trial.system_attrs.get(FIRST_ATTEMPT, trial.number)


def as_retry(trial: FrozenTrial) -> dict[str, Any]:
    """Return the system attributes of a new attempt at the trial, its retries counted from zero."""
    return trial.system_attrs | {FIRST_ATTEMPT: first_attempt(trial), RETRIES: []}


def as_retry_of_lost(trial: FrozenTrial) -> dict[str, Any]:
    """Return the system attributes of a new attempt after the death of a worker."""
    lost = [*trial.system_attrs.get(RETRIES, []), trial.number]
    return trial.system_attrs | {FIRST_ATTEMPT: first_attempt(trial), RETRIES: lost}


def stale_trials(storage: RDBStorage, study: optuna.Study) -> list[FrozenTrial]:
    """Return the running trials whose last heartbeat is too old; all must have had one."""
    return [storage.get_trial(key) for key in storage._get_stale_trial_ids(study._study_id)]


def replace_attempt(
    storage: RDBStorage, study: optuna.Study, trial: FrozenTrial, retry: FrozenTrial
) -> None:
    """End a running attempt in a database and enqueue the next one: both or, on death, neither.

    Does nothing where another worker ended the attempt before.
    """
    from optuna.storages._rdb import models
    from optuna.storages._rdb.storage import _create_scoped_session

    with _create_scoped_session(storage.scoped_session) as session:
        models.StudyModel.find_or_raise_by_id(study._study_id, session, for_update=True)
        row = models.TrialModel.find_or_raise_by_id(trial_id(trial), session, for_update=True)
        if row.state == TrialState.RUNNING:
            row.state, row.datetime_complete = TrialState.FAIL, datetime.now()
            storage._get_prepared_new_trial(study._study_id, retry, session)


def delete_study(storage: BaseStorage, study: optuna.Study) -> None:
    """Delete exactly this study; KeyError if it is gone, even where another one has its name."""
    storage.delete_study(study._study_id)

"""The private parts of Optuna that studies rely on still do what we use them for."""

from copy import deepcopy

import optuna
import pytest
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from siamlab.study.optuna_internals import (
    FIRST_ATTEMPT,
    RETRIES,
    as_retry,
    as_retry_of_lost,
    first_attempt,
    live_trial,
    trial_id,
)
from siamlab.study.storage import ignore_experimental, open_storage


@pytest.fixture
def study(tmp_path):
    """A study with one running trial, whose id in the storage is not its number."""
    storage = open_storage("", tmp_path)
    optuna.create_study(storage=storage, study_name="another").ask()
    study = optuna.create_study(storage=storage, study_name="this")
    study.ask()
    return study


def test_the_id_of_a_trial_is_its_key_in_the_storage(study):
    (trial,) = study.get_trials()
    assert (trial_id(trial), trial.number) == (1, 0)
    assert study._storage.get_trial(trial_id(trial)).number == trial.number


def test_the_handle_of_a_running_trial_suggests_and_stores(study):
    (trial,) = study.get_trials()
    handle = live_trial(study, trial)
    assert handle.suggest_categorical("loss", ["cosine"]) == "cosine"
    handle.set_user_attr("seconds", 1.0)
    (trial,) = study.get_trials()
    assert (trial.params, trial.user_attrs) == ({"loss": "cosine"}, {"seconds": 1.0})


def test_optuna_marks_retries_by_the_attributes_that_we_read_and_reset(study):
    with ignore_experimental():
        retry = RetryHeartbeatStaleTrialCallback(max_retry=5)
    for _ in range(2):
        trial = study.get_trials()[-1]
        study._storage.set_trial_state_values(trial_id(trial), TrialState.FAIL)
        retry(study, deepcopy(study.get_trials()[-1]))
    last = study.get_trials()[-1]
    assert last.system_attrs == {FIRST_ATTEMPT: 0, RETRIES: [0, 1]} and first_attempt(last) == 0
    assert as_retry(last) == {FIRST_ATTEMPT: 0, RETRIES: []}
    assert as_retry_of_lost(study.get_trials()[1]) == last.system_attrs
    assert as_retry_of_lost(study.get_trials()[0]) == {FIRST_ATTEMPT: 0, RETRIES: [0]}
    assert as_retry(study.get_trials()[0]) == {FIRST_ATTEMPT: 0, RETRIES: []}

"""Who holds a trial: none is lost, or done twice, by a death, a stop, or a failure."""

from contextlib import nullcontext
from copy import deepcopy

import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from siamlab.component import UserError
from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice
from siamlab.study import worker as worker_module
from siamlab.study.plan import opened
from siamlab.study.storage import (
    RETRIES,
    claim,
    give_back,
    latest,
    left,
    open_storage,
    quiet,
    retry_failed,
)
from siamlab.study.worker import attempt
from siamlab.train import Folder, Stopped

TINY = "data.images=16 data.test_images=8 data.side=40 batch=4 steps=2 model.depth=1".split()
LOSSES = Ablation(
    question="Which loss?",
    base=demo_size(siameseim()).change(*TINY),
    axes=(Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine")),),
    seeds=1,
)


def taken(study, storage, out):
    """The next trial, at work."""
    trial, lock = claim(study, storage, out / "locks")
    lock.close()
    return trial


def one_trial(storage, out):
    """The study, and its first trial at work, the other one done."""
    study = opened(LOSSES, "losses", storage)
    trial, other = (taken(study, storage, out) for _ in range(2))
    study.tell(other.number, [0.0, 0.0])
    return study, trial


def die(study, storage, trial):
    """What another worker does with a trial whose heartbeat is late."""
    storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    with quiet():
        take_up = RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)
    take_up(study, deepcopy(storage.get_trial(trial._trial_id)))


@pytest.mark.parametrize("end", [None, UserError("no"), ValueError("no"), Stopped("stopped")])
def test_a_worker_whose_trial_was_taken_for_dead_leaves_it_to_the_other(tmp_path, monkeypatch, end):
    storage = open_storage("", tmp_path)
    study, trial = one_trial(storage, tmp_path)

    def measured(definition, study, handle, run, path):
        give_back(study, storage, trial)
        if end:
            raise end
        with pytest.raises(UpdateFinishedTrialError):
            handle.set_user_attr("seconds", 1.0)
        handle.set_user_attr("seconds", 1.0)

    monkeypatch.setattr(worker_module, "measured", measured)
    with pytest.raises(Stopped) if isinstance(end, Stopped) else nullcontext():
        attempt(LOSSES, study, storage, trial, tmp_path, 0)
    assert [t.state for t in latest(study)] == [TrialState.WAITING, TrialState.COMPLETE]
    assert "reason" not in latest(study)[0].user_attrs


def test_a_run_that_is_still_trained_is_passed_over(tmp_path):
    storage = open_storage("", tmp_path)
    study, trial = one_trial(storage, tmp_path)
    storage.set_trial_user_attr(trial._trial_id, "folder", "UniGrad-seed0")
    give_back(study, storage, trial)
    folder = Folder(tmp_path / "runs" / "UniGrad-seed0")
    folder.path.mkdir(parents=True)
    with folder.claim():
        assert claim(study, storage, tmp_path / "locks") is None and len(left(study)) == 1
    assert taken(study, storage, tmp_path).user_attrs["point"] == "UniGrad"


def test_stops_are_no_deaths_and_a_trial_of_many_deaths_gets_another_chance(tmp_path):
    storage = open_storage("", tmp_path)
    study, trial = one_trial(storage, tmp_path)
    for _ in range(RETRIES + 1):
        give_back(study, storage, trial)
        trial = taken(study, storage, tmp_path)
    for _ in range(2):
        for _ in range(RETRIES):
            die(study, storage, trial)
            trial = taken(study, storage, tmp_path)
        die(study, storage, trial)
        assert not left(study)
        retry_failed(study)
        trial = taken(study, storage, tmp_path)
    assert len(latest(study)) == 2 and trial.user_attrs == {"point": "UniGrad", "seed": 0}


def test_a_trial_lost_between_its_end_and_the_queue_gets_another_chance(tmp_path):
    storage = open_storage("", tmp_path)
    study, trial = one_trial(storage, tmp_path)
    storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    retry_failed(study)
    (again,) = left(study)
    assert again.user_attrs["point"] == "UniGrad"


@pytest.mark.parametrize(
    "name, found, why",
    [
        ("semantic", {}, "data=scenes: it needs labels"),
        ("spatial", {}, "data=scenes: it needs 10 test images or more"),
        ("spatial", {"correspondence_centred": 0.5}, "5 × 5 patches: they are too coarse"),
    ],
)
def test_a_score_that_cannot_be_had_names_its_cause(tmp_path, monkeypatch, name, found, why):
    rows = {"semantic": 0.1, "spatial": 0.1} | found
    del rows[name]
    for function in ("trained", "probed"):
        monkeypatch.setattr(worker_module, function, lambda *of: Folder(tmp_path))
    kept = [{"probe": probe, "value": value} for probe, value in rows.items()]
    monkeypatch.setattr(worker_module, "kept", lambda scores: kept)
    storage = open_storage("", tmp_path)
    study, trial = one_trial(storage, tmp_path)
    attempt(LOSSES, study, storage, trial, tmp_path, 0)
    ended = study.get_trials()[trial.number]
    assert ended.state == TrialState.FAIL and why in ended.user_attrs["reason"]


def test_a_study_whose_folder_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file.*cannot be made.*another --out"):
        open_storage("", tmp_path / "file")

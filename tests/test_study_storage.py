"""Ownership of trials: none is lost or run twice after a death, a stop or a failure."""

from contextlib import nullcontext

import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from siamlab.component import UserError
from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice
from siamlab.study import worker as worker_module
from siamlab.study.claims import (
    MAX_RETRIES,
    claim_next,
    latest_attempts,
    note_progress,
    requeue,
    requeue_failed,
    unfinished,
)
from siamlab.study.plan import open_study
from siamlab.study.storage import open_storage
from siamlab.study.worker import attempt
from siamlab.train import RunFolder, Stopped

TINY = "data.images=16 data.test_images=8 data.side=40 batch=4 steps=2 model.depth=1".split()
LOSSES = Ablation(
    question="Which loss?",
    base=demo_size(siameseim()).change(*TINY),
    axes=(Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine")),),
    seeds=1,
)


def claimed(study, storage, out):
    """Claim the next trial."""
    trial, lock = claim_next(study, storage, out / "locks")
    lock.close()
    return trial


def one_trial(storage, out):
    """Return a study and its first trial, which runs; the other one is done."""
    study = open_study(LOSSES, "losses", storage)
    trial, other = (claimed(study, storage, out) for _ in range(2))
    study.tell(other.number, [0.0, 0.0])
    return study, trial


def die(study, storage, trial):
    """Do what another worker does with a trial without a recent heartbeat."""
    requeue(study, storage, trial, lost=True)


@pytest.mark.parametrize("end", [None, UserError("no"), ValueError("no"), Stopped("stopped")])
def test_a_worker_whose_trial_was_taken_for_dead_leaves_it_to_the_other(tmp_path, monkeypatch, end):
    storage = open_storage("", tmp_path)
    study, trial = one_trial(storage, tmp_path)

    def train_and_probe(definition, study, handle, run, path):
        requeue(study, storage, trial)
        if end:
            raise end
        with pytest.raises(UpdateFinishedTrialError):
            handle.set_user_attr("seconds", 1.0)
        handle.set_user_attr("seconds", 1.0)

    monkeypatch.setattr(worker_module, "train_and_probe", train_and_probe)
    with pytest.raises(Stopped) if isinstance(end, Stopped) else nullcontext():
        attempt(LOSSES, study, storage, trial, tmp_path, 0)
    assert [t.state for t in latest_attempts(study)] == [TrialState.WAITING, TrialState.COMPLETE]
    assert "reason" not in latest_attempts(study)[0].user_attrs


def test_a_run_that_is_still_training_is_skipped(tmp_path):
    storage = open_storage("", tmp_path)
    study, trial = one_trial(storage, tmp_path)
    storage.set_trial_user_attr(trial._trial_id, "folder", "UniGrad-seed0")
    requeue(study, storage, trial)
    folder = RunFolder(tmp_path / "runs" / "UniGrad-seed0")
    folder.path.mkdir(parents=True)
    with folder.claim():
        assert claim_next(study, storage, tmp_path / "locks") is None
        assert len(unfinished(study)) == 1
    assert claimed(study, storage, tmp_path).user_attrs["point"] == "UniGrad"


def test_stops_do_not_count_as_deaths_and_a_trial_of_many_deaths_can_be_repeated(tmp_path):
    storage = open_storage("", tmp_path)
    study, trial = one_trial(storage, tmp_path)
    for _ in range(MAX_RETRIES + 1):
        requeue(study, storage, trial)
        trial = claimed(study, storage, tmp_path)
    for _ in range(2):
        for _ in range(MAX_RETRIES):
            die(study, storage, trial)
            trial = claimed(study, storage, tmp_path)
        die(study, storage, trial)
        assert not unfinished(study)
        requeue_failed(study)
        trial = claimed(study, storage, tmp_path)
    assert len(latest_attempts(study)) == 2 and trial.user_attrs == {"point": "UniGrad", "seed": 0}


@pytest.mark.parametrize("url", ["", "sqlite:///{}/trials.db"])
def test_deaths_count_anew_once_there_is_a_later_checkpoint(tmp_path, url):
    storage = open_storage(url.format(tmp_path), tmp_path)
    study, trial = one_trial(storage, tmp_path)
    storage.set_trial_user_attr(trial._trial_id, "folder", "UniGrad-seed0")
    checkpoints = tmp_path / "runs" / "UniGrad-seed0" / "checkpoints"
    for step in range(2 * MAX_RETRIES):
        die(study, storage, trial)
        (checkpoints / f"step_{step + 1:08d}").mkdir(parents=True)
        trial = claimed(study, storage, tmp_path)
        note_progress(storage, trial, tmp_path / "runs")
    for _ in range(MAX_RETRIES):  # at the same checkpoint
        die(study, storage, trial)
        trial = claimed(study, storage, tmp_path)
        note_progress(storage, trial, tmp_path / "runs")
    die(study, storage, trial)
    (last,) = [t for t in latest_attempts(study) if t.state == TrialState.FAIL]
    assert "died 6 times in a row without a new checkpoint" in last.user_attrs["reason"]


def test_a_new_attempt_comes_after_the_trials_that_were_not_tried(tmp_path):
    storage = open_storage("", tmp_path)
    study = open_study(LOSSES, "losses", storage)
    die(study, storage, claimed(study, storage, tmp_path))
    order = [claimed(study, storage, tmp_path).user_attrs["point"] for _ in range(2)]
    assert order == ["cosine", "UniGrad"]


def test_a_trial_lost_between_its_end_and_the_queue_can_be_repeated(tmp_path):
    storage = open_storage("", tmp_path)
    study, trial = one_trial(storage, tmp_path)
    storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    requeue_failed(study)
    (again,) = unfinished(study)
    assert again.user_attrs["point"] == "UniGrad"


@pytest.mark.parametrize(
    "name, found, why",
    [
        ("semantic", {}, "data=scenes gives no semantic score, which needs labels"),
        ("spatial", {}, "data=scenes gives no spatial score, which needs 10 test images or more"),
        (
            "spatial",
            {"correspondence_centred": 0.5},
            "5 × 5 patches give no spatial score",
        ),
    ],
)
def test_a_missing_score_is_explained(tmp_path, monkeypatch, name, found, why):
    rows = {"semantic": 0.1, "spatial": 0.1} | found
    del rows[name]
    for function in ("train_trial", "probe_trial"):
        monkeypatch.setattr(worker_module, function, lambda *of: RunFolder(tmp_path))
    kept = [{"probe": probe, "value": value} for probe, value in rows.items()]
    monkeypatch.setattr(worker_module, "network_rows", lambda scores: kept)
    storage = open_storage("", tmp_path)
    study, trial = one_trial(storage, tmp_path)
    attempt(LOSSES, study, storage, trial, tmp_path, 0)
    ended = study.get_trials()[trial.number]
    assert ended.state == TrialState.FAIL and why in ended.user_attrs["reason"]


def test_a_study_whose_folder_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file.*cannot be made.*another --out"):
        open_storage("", tmp_path / "file")

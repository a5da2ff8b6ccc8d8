"""A fault of the machine is none of the trial: the worker stops, says so, and keeps the queue."""

import errno
import os
import resource

import optuna
import polars as pl
import pytest
import torch
from commands import Command
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from safetensors import SafetensorError
from test_study import FILE, TINY, wait_for
from test_study_storage import LOSSES, claimed

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.machine.console import Console
from siamlab.study import attach as attach_module
from siamlab.study import journal as journal_module
from siamlab.study import worker as worker_module
from siamlab.study.attach import attach_study
from siamlab.study.claims import MAX_RETRIES, latest_attempts, requeue_lost
from siamlab.study.description import describe
from siamlab.study.file import load
from siamlab.study.plan import open_study
from siamlab.study.runner import conclude
from siamlab.study.storage import open_storage
from siamlab.study.worker import MachineFault, work
from siamlab.train import RunFolder

RUST = "Error while serializing: I/O error: No space left on device (os error 28)"
FAULTS = [
    (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
    (OSError(errno.EROFS, "Read-only file system"), "the disk is read-only"),
    (OSError(errno.EIO, "Input/output error"), "the disk cannot be read or written"),
    (pl.exceptions.ComputeError("No space left on device (os error 28)"), "the disk is full"),
    (SafetensorError(RUST), "the disk is full"),
    (MemoryError(), "there is not enough memory: MemoryError"),
    (torch.OutOfMemoryError("CUDA out of memory. Tried"), "there is not enough memory"),
]


@pytest.fixture
def study(tmp_path):
    return open_study(LOSSES, "losses", open_storage("", tmp_path))


def states(study):
    return [trial.state for trial in latest_attempts(study)]


def raising(monkeypatch, error):
    """Let every trial end so."""

    def train_and_probe(*of):
        raise error

    monkeypatch.setattr(worker_module, "train_and_probe", train_and_probe)


@pytest.mark.parametrize("error, words", FAULTS, ids=lambda given: type(given).__name__)
def test_the_worker_stops_and_its_trial_waits_again(study, tmp_path, monkeypatch, error, words):
    raising(monkeypatch, error)
    with pytest.raises(MachineFault, match=f"{words}.*no trial is lost"):
        work(LOSSES, study, study._storage, tmp_path)
    assert states(study) == [TrialState.WAITING] * 2
    assert len(study.get_trials()) == 3  # one was given back, and the other never begun


@pytest.mark.parametrize("cause", [OSError(errno.ENOSPC, "full"), None])
def test_what_is_behind_an_error_decides(study, tmp_path, monkeypatch, cause):
    error = UserError("the run cannot be written")
    error.__cause__ = cause
    raising(monkeypatch, error)
    if cause:
        with pytest.raises(MachineFault, match="the disk is full: the run cannot be written"):
            work(LOSSES, study, study._storage, tmp_path)
    else:
        work(LOSSES, study, study._storage, tmp_path)
    assert states(study) == [TrialState.WAITING if cause else TrialState.FAIL] * 2


def test_a_journal_on_the_full_disk_keeps_the_queue(study, tmp_path, monkeypatch):
    """Not even the trial can be given back; the next worker finds it."""

    def full(*of):
        raise OSError(errno.ENOSPC, "No space left on device")

    def train_and_probe(*of):
        monkeypatch.setattr(journal_module.os, "write", full)
        full()

    monkeypatch.setattr(worker_module, "train_and_probe", train_and_probe)
    with pytest.raises(MachineFault, match="the disk is full"):
        work(LOSSES, study, study._storage, tmp_path)
    monkeypatch.undo()
    assert states(study) == [TrialState.RUNNING, TrialState.WAITING]
    requeue_lost(study, study._storage, tmp_path / "locks")
    assert states(study) == [TrialState.WAITING] * 2


@pytest.mark.parametrize("step", ["claim_next", "requeue_lost", "unfinished"])
def test_a_full_disk_between_two_trials_is_told_too(study, tmp_path, monkeypatch, step):
    def full(*of):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker_module, step, full)
    with pytest.raises(MachineFault, match="the disk is full"):
        work(LOSSES, study, study._storage, tmp_path)
    assert states(study) == [TrialState.WAITING] * 2


def test_a_trial_that_needs_too_much_memory_fails_in_the_end(study, tmp_path, monkeypatch):
    raising(monkeypatch, MemoryError())
    for _ in range(2 * (MAX_RETRIES + 1)):
        with pytest.raises(MachineFault, match="not enough memory"):
            work(LOSSES, study, study._storage, tmp_path)
    work(LOSSES, study, study._storage, tmp_path)
    assert states(study) == [TrialState.FAIL] * 2
    assert "its worker died 6 times in a row" in latest_attempts(study)[0].user_attrs["reason"]


def test_a_lost_database_ends_the_worker_with_a_sentence(study, tmp_path, monkeypatch, capsys):
    def lost(*of):
        raise StorageInternalError("gone")

    monkeypatch.setattr(worker_module, "claim_next", lost)
    monkeypatch.setattr(worker_module, "PATIENCE", 0.2)
    monkeypatch.setattr(worker_module, "POLL", 0.05)
    with pytest.raises(MachineFault, match="could not be reached for 0.2 seconds; start"):
        work(LOSSES, study, study._storage, tmp_path)
    assert capsys.readouterr().err == "siamlab: waits up to 0.2 s for the storage\n"
    assert states(study) == [TrialState.WAITING] * 2


def test_a_worker_that_may_not_write_ends_with_its_trials_kept(tmp_path):
    """The system itself refuses, in the middle of the first checkpoint."""
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(FILE)
    describe(load(file, TINY)[1])  # decodes the images, which need more
    worker = Command("study", "run", file, *TINY, "steps=30", "--out", out, "--workers", 1)
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (40_000, 40_000))
    output = worker.finish()
    assert worker.status == 2 and "siamlab: a file may not grow any more" in output, output
    assert "Nothing is lost: the same command continues" in output and "Traceback" not in output
    study = optuna.load_study(study_name="mine", storage=open_storage("", out))
    assert TrialState.FAIL not in set(states(study)) and len(states(study)) == 4


@pytest.mark.slow
def test_a_study_whose_folder_is_deleted_ends_with_a_sentence(tmp_path):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(FILE)
    run = Command("study", "run", file, *TINY, "steps=9999", "--out", out, "--workers", 1)
    wait_for(lambda: list(out.glob("runs/*/metrics.jsonl")) or run.status is not None)
    out.rename(tmp_path / "gone")  # at once, as `rm -r` of a folder on another disk is not
    output = run.finish()
    assert run.status == 2 and "Traceback" not in output, output
    assert f"siamlab: the study's folder {out} is gone, and the state of all trials" in output
    assert "put it back and start again to continue" in output and "Nothing is lost" not in output
    assert not out.exists()  # nor is a part of it made again


def test_scores_that_are_no_numbers_are_a_failure_with_a_reason(study, tmp_path, monkeypatch):
    rows = [{"probe": "semantic", "value": float("nan")}, {"probe": "spatial", "value": 0.5}]
    for function in ("train_trial", "probe_trial"):
        monkeypatch.setattr(worker_module, function, lambda *of: RunFolder(tmp_path))
    monkeypatch.setattr(worker_module, "network_rows", lambda scores: rows)
    work(LOSSES, study, study._storage, tmp_path)
    assert states(study) == [TrialState.FAIL] * 2
    assert "must be a finite number" in latest_attempts(study)[0].user_attrs["reason"]


def test_a_study_whose_every_trial_failed_is_not_done(study, tmp_path, monkeypatch, capsys):
    (tmp_path / "losses.py").touch()
    monkeypatch.setattr(attach_module, "load", lambda *of: ("losses", LOSSES))
    raising(monkeypatch, ValueError("no"))
    assert attach_study("losses.py", [], tmp_path, "", tmp_path, 0) == 1
    assert "every trial of losses failed, the first because: ValueError: no" in (
        capsys.readouterr().out
    )
    assert conclude(study, "losses.py", Console()) == 1
    said = capsys.readouterr().out
    assert "2 failed; --again" in said and "Every trial of losses failed" in said
    assert "Done" not in said


def test_a_study_with_some_results_is_done(study, tmp_path, capsys):
    first, second = (claimed(study, study._storage, tmp_path) for _ in range(2))
    study.tell(first.number, [0.0, 0.0])
    study.tell(second.number, state=TrialState.FAIL)
    assert conclude(study, "losses.py", Console()) == 0
    assert "1 failed; --again" in (said := capsys.readouterr().out) and "Done" in said


def test_a_finished_study_of_failures_says_so_again(tmp_path, capsys):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(FILE)
    words = ["study", "run", str(file), "seeds=1", *TINY[1:], "--out", str(out), "--workers", "1"]
    (out / "runs").mkdir(parents=True)
    for name in ("UniGrad-seed0", "cosine-seed0"):
        (out / "runs" / name).touch()  # a file where the run's folder should be
    run = Command(*words)
    assert "Every trial of mine failed" in run.finish() and run.status == 1
    assert main(words) == 1 and "Every trial of mine failed" in capsys.readouterr().out
    assert os.path.exists(out / "journal.log")

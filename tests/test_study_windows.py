"""A worker that dies before or after any single write to the storage: no trial is lost or doubled.

The writes are counted, and a forked worker ends at the first, the second, and so on, until one
lives to its end. Each time another worker finishes the study.
"""

import os
import shutil
from collections import Counter
from itertools import count

import pytest
from optuna.trial import TrialState
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session
from test_study_postgres import server  # noqa: F401
from test_study_storage import LOSSES

from siamlab.study import plan as plan_module
from siamlab.study import worker as worker_module
from siamlab.study.claims import latest_attempts
from siamlab.study.description import describe
from siamlab.study.journal import Journal
from siamlab.study.plan import open_study
from siamlab.study.storage import PatientStorage, open_storage
from siamlab.study.worker import work
from siamlab.train import Stopped

KILLED = 9
LONG_AGO = "2020-01-01 00:00:00"


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Wait for nobody, and read the images once."""
    about = describe(LOSSES)
    monkeypatch.setattr(plan_module, "describe", lambda definition: about)
    monkeypatch.setattr(plan_module, "CREATION", 0)
    monkeypatch.setattr(plan_module, "POLL", 0)
    monkeypatch.setattr(worker_module, "POLL", 0.01)


def one_is_done_and_one_given_back(monkeypatch):
    """Let a worker end its first trial, and be stopped in its second."""
    calls = []

    def train_and_probe(definition, study, handle, run, path):
        calls.append(run)
        if len(calls) == 2:
            raise Stopped("stopped")
        return [0.0, 0.0]

    monkeypatch.setattr(worker_module, "train_and_probe", train_and_probe)


def dies_at(step, after, url, out, monkeypatch):
    """Run a worker that ends at one write; return whether it did."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    one_is_done_and_one_given_back(monkeypatch)
    written, append = [], Journal.append_logs

    def dying(self, logs):
        written.append(logs)
        if len(written) == step and not after:
            os._exit(KILLED)
        append(self, logs)
        if len(written) == step:
            os._exit(KILLED)

    Journal.append_logs = dying
    try:
        storage = open_storage(url, out)
        if isinstance(storage, PatientStorage):
            kill_at_commit(storage, step, after)
        work(LOSSES, open_study(LOSSES, "losses", storage), storage, out)
    except Stopped:
        os._exit(0)
    finally:
        os._exit(1)


def kill_at_commit(storage, step, after):
    """End this process before or after the given transaction that wrote something."""
    session, written, changes = storage.scoped_session.session_factory, [], []
    event.listen(Session, "after_flush", lambda session, flush: changes.append(1))

    def before(session):
        session.flush()
        if changes:
            written.append(1)
            if len(written) == step and not after:
                os._exit(KILLED)

    def behind(session):
        if changes and len(written) == step:
            os._exit(KILLED)
        changes.clear()

    event.listen(session, "before_commit", before)
    event.listen(session, "after_commit", behind)


def finished_by_another(url, out, monkeypatch):
    """Finish the study, once the heartbeats are old; return all attempts, and the latest ones."""
    if url:
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE trial_heartbeats SET heartbeat = '{LONG_AGO}'"))
        engine.dispose()
    monkeypatch.setattr(worker_module, "train_and_probe", lambda *of: [0.0, 0.0])
    storage = open_storage(url, out)
    study = open_study(LOSSES, "losses", storage)
    work(LOSSES, study, storage, out)
    trials, latest = study.get_trials(), latest_attempts(study)
    if url:
        storage.engine.dispose()
    return trials, latest


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database with tables and nothing in them: making them takes longer than all else."""
    folder = tmp_path_factory.mktemp("empty")
    open_storage(f"sqlite:///{folder}/x.db", folder).engine.dispose()
    return folder / "x.db"


def check_every_step(place, tmp_path, monkeypatch, after):
    """Let a worker die at each write to a storage, whose URL `place` returns for a new folder."""
    for step in count(1):
        out = tmp_path / str(step)
        out.mkdir()
        url = place(out)
        died = dies_at(step, after, url, out, monkeypatch)
        trials, latest = finished_by_another(url, out, monkeypatch)
        done = [t.user_attrs["point"] for t in trials if t.state == TrialState.COMPLETE]
        assert Counter(done) == {"UniGrad": 1, "cosine": 1}, step
        assert [t.state for t in latest] == [TrialState.COMPLETE] * 2, step
        assert TrialState.RUNNING not in {t.state for t in trials}, step
        if not died:
            break
    assert step > 8  # it dies at many places


@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_no_death_at_a_write_to_a_journal_loses_or_doubles_a_trial(tmp_path, monkeypatch, after):
    check_every_step(lambda out: "", tmp_path, monkeypatch, after)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_nor_at_a_transaction_of_sqlite(tmp_path, monkeypatch, empty, after):
    place = lambda out: f"sqlite:///{shutil.copy(empty, out)}"  # noqa: E731
    check_every_step(place, tmp_path, monkeypatch, after)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_nor_at_a_transaction_of_postgresql(tmp_path, monkeypatch, server, after):  # noqa: F811
    open_storage(server.url, tmp_path).engine.dispose()  # makes the tables
    home = create_engine(server.url.replace(":", "+psycopg:", 1), isolation_level="AUTOCOMMIT")

    def place(out):
        with home.connect() as connection:
            connection.execute(text(f"CREATE DATABASE step{out.name} TEMPLATE postgres"))
        home.dispose()  # a template may have no connection
        return f"{server.url.rpartition('/')[0]}/step{out.name}"

    check_every_step(place, tmp_path, monkeypatch, after)

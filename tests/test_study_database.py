"""Databases that are not there, not yet there, or named wrongly."""

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.study import storage as storage_module
from siamlab.study.storage import open_existing, open_storage

# what psycopg says, as SQLAlchemy passes it on
STARTING = "connection failed: FATAL:  the database system is starting up"
FULL = "connection failed: FATAL:  sorry, too many clients already"
RESERVED = "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute"
REFUSED = 'connection to server at "127.0.0.1", port 5432 failed: Connection refused'
WRONG = 'connection failed: FATAL:  password authentication failed for user "me"'
NONE = 'connection failed: FATAL:  database "lab" does not exist'

RECIPES = (
    "from siamlab.recipes import mae, moco_v3\nfrom siamlab.study import Recipes\n"
    'study = Recipes(question="?", runs=(mae(), moco_v3()))'
)


@pytest.fixture
def answers(monkeypatch):
    """Let the database answer so, one error after the other, and then open."""
    waiting = []

    class Opening(storage_module.PatientStorage):
        def __init__(self, url, **how):
            if waiting:
                error = Exception(waiting.pop(0))
                raise OperationalError("", None, error) from error

    monkeypatch.setattr(storage_module, "PatientStorage", Opening)
    monkeypatch.setattr(storage_module, "RETRY", 0.01)
    return waiting


@pytest.mark.parametrize("said", [STARTING, FULL, RESERVED, REFUSED])
def test_a_database_that_restarts_or_is_full_is_waited_for(answers, tmp_path, capsys, said):
    answers += [said] * 3
    assert open_storage("postgresql://me@127.0.0.1/lab", tmp_path)
    printed = capsys.readouterr().err
    assert printed == f"siamlab: waits up to 60 s for the database ({said})\n" and not answers


@pytest.mark.parametrize("said", [STARTING, FULL, RESERVED, REFUSED])
def test_the_wait_has_an_end(answers, tmp_path, monkeypatch, said):
    monkeypatch.setattr(storage_module, "WAIT", 0.2)
    answers += [said] * 1000
    with pytest.raises(UserError, match="cannot be opened .*; write postgresql:.*start the server"):
        open_storage("postgresql://me@127.0.0.1/lab", tmp_path)
    assert 0 < len(answers) < 1000


@pytest.mark.parametrize("said", [WRONG, NONE])
def test_what_waiting_does_not_mend_is_refused_at_once(answers, tmp_path, capsys, said):
    answers += [said] * 2
    with pytest.raises(UserError, match="cannot be opened .connection failed: FATAL"):
        open_storage("postgresql://me@127.0.0.1/lab", tmp_path)
    assert len(answers) == 1 and not capsys.readouterr().err


@pytest.mark.parametrize("beat", ["abc", "", "0", "-1", "inf", "nan", "1.5", "1e3", "3601", "²"])
def test_a_heartbeat_that_is_no_time_is_refused(tmp_path, monkeypatch, beat):
    monkeypatch.setenv("SIAMLAB_HEARTBEAT", beat)
    words = f"SIAMLAB_HEARTBEAT={beat} must be a whole number of seconds from 1 to 3600"
    with pytest.raises(UserError, match=words):
        open_storage(f"sqlite:///{tmp_path}/x.db", tmp_path)
    assert not (tmp_path / "x.db").exists()


def test_a_heartbeat_can_be_set(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_HEARTBEAT", "3")
    storage = open_storage(f"sqlite:///{tmp_path}/x.db", tmp_path)
    assert (storage.get_heartbeat_interval(), storage.grace_period) == (3, 12)


@pytest.mark.parametrize("command", ["list", "worker", "report FILE", "export FILE --to x.jsonl"])
def test_only_run_and_import_make_a_database(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(RECIPES)
    words = command.replace("FILE", "mine.py").split()
    assert main(["study", *words, "--storage", "sqlite:///none.db"]) == 2
    assert "has no study yet, since there is no file none.db" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_a_database_in_memory_needs_no_file(tmp_path):
    assert open_existing("sqlite://", tmp_path).get_all_studies() == []


def test_a_port_that_is_no_number_is_one_sentence(tmp_path):
    with pytest.raises(
        UserError, match="postgresql://me@127.0.0.1:abc/lab cannot be opened .its p"
    ):
        open_storage("postgresql://me@127.0.0.1:abc/lab", tmp_path)


def test_a_broken_journal_does_not_hide_the_others(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("good", "bad"):
        folder = tmp_path / "runs/studies" / name
        optuna.create_study(storage=open_storage("", folder), study_name=name)
    (folder / "journal.log").write_bytes(b"PAR1")
    assert main(["study", "list"]) == 0
    printed = capsys.readouterr().out
    assert "skips runs/studies/bad/journal.log is not the journal" in printed and "good" in printed


@pytest.mark.parametrize("command", ["list", "report mine.py", "export mine.py --to x", "worker"])
def test_a_database_that_is_lost_meanwhile_is_one_sentence(tmp_path, monkeypatch, capsys, command):
    def lost(*of):
        raise StorageInternalError("An exception is raised during the commit.") from Exception(
            "server closed the connection unexpectedly\n\tThis probably means"
        )

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(RECIPES)
    url = f"sqlite:///{tmp_path}/x.db"
    open_storage(url, tmp_path)
    monkeypatch.setattr(storage_module.PatientStorage, "get_all_studies", lost)
    assert main(["study", *command.split(), "--storage", url]) == 2
    said = capsys.readouterr().err
    assert said.startswith("siamlab: the database was lost (server closed the connection unexpec")
    assert said.count("\n") == 1

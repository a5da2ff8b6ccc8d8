"""The journal of a study after a full disk, a kill in the middle of a write, and foreign files."""

import errno
import os
import resource
import signal

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from siamlab.component import UserError
from siamlab.study import journal as journal_module
from siamlab.study.journal import open_journal
from siamlab.study.storage import open_storage


@pytest.fixture
def path(tmp_path):
    """The journal of a study with one finished trial."""
    study = optuna.create_study(storage=open_storage("", tmp_path), study_name="mine")
    study.add_trial(create_trial(value=0.5))
    return tmp_path / "journal.log"


def values(path):
    study = optuna.load_study(study_name="mine", storage=open_journal(path))
    return [trial.value for trial in study.get_trials()]


def add(path, value):
    study = optuna.load_study(study_name="mine", storage=open_journal(path))
    study.add_trial(create_trial(value=value))


def tear(path):
    """Append the beginning of a line, as a process that is killed in the middle of a write."""
    last = path.read_bytes().splitlines()[-1]
    with path.open("ab") as file:
        file.write(last[:57])
    return last[:57]


def test_a_line_that_was_cut_short_is_cut_off_before_the_next_one(path, capsys):
    torn = tear(path)
    assert values(path) == [0.5]
    add(path, 0.75)
    said = capsys.readouterr().err
    assert f"the last line of {path} was incomplete" in said and "its 57 bytes" in said
    assert "cut off and are in journal.log.cut" in said
    assert (path.parent / "journal.log.cut").read_bytes() == torn + b"\n"
    assert values(path) == [0.5, 0.75]
    tear(path)
    add(path, 1.0)
    assert values(path) == [0.5, 0.75, 1.0] and (path.parent / "journal.log.cut1").exists()


def test_a_journal_that_was_damaged_before_is_mended_and_kept(path, capsys):
    """A line was appended to one that was cut short, which nothing could read any more."""
    add(path, 0.75)
    last = path.read_bytes().splitlines()[-1]
    tear(path)
    with path.open("ab") as file:
        file.write(last + b"\n\0\0\0\n" + last + b"\n")
    before = path.read_bytes()
    assert values(path) == [0.5, 0.75, 0.75, 0.75]  # what was appended to it counts
    said = capsys.readouterr().err
    assert "had 2 damaged lines" in said and "journal.log.damaged is the file as it was" in said
    assert (path.parent / "journal.log.damaged").read_bytes() == before
    assert values(path) == [0.5, 0.75, 0.75, 0.75] and not capsys.readouterr().err


def test_a_full_disk_leaves_whole_lines(path, monkeypatch):
    study = optuna.load_study(study_name="mine", storage=open_journal(path))
    before, write = path.read_bytes(), os.write

    def full(file, content):
        """Take ten bytes, as the system does, and then nothing more."""
        if path.stat().st_size > len(before):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, content[:10])

    monkeypatch.setattr(journal_module.os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        study.add_trial(create_trial(value=0.75))
    assert path.read_bytes() == before
    monkeypatch.undo()
    study.add_trial(create_trial(value=1.0))
    assert values(path) == [0.5, 1.0] == [trial.value for trial in study.get_trials()]


def test_a_file_that_may_not_grow_leaves_whole_lines(path):
    """The system itself refuses the bytes: the limit lies in the middle of a line."""
    before = path.read_bytes()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, resource.RLIM_INFINITY))
        try:
            add(path, 0.75)
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.EFBIG
    assert path.read_bytes() == before and not list(path.parent.glob("journal.log.*"))


@pytest.mark.parametrize("step", range(4))
def test_a_kill_in_the_middle_of_a_write_loses_nothing_that_was_written(path, step):
    child = os.fork()
    if not child:
        write, calls = os.write, []

        def dying(file, content):
            calls.append(file)
            return write(file, content) if len(calls) < step else (
                write(file, content[: 11 * step]), os.kill(os.getpid(), signal.SIGKILL)
            )  # fmt: skip

        journal_module.os.write = dying
        for n in range(1, 9):
            add(path, n)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    add(path, 99.0)
    assert values(path) == [0.5, *range(1, max(1, step)), 99.0]


@pytest.mark.parametrize(
    "content, words",
    [
        (b"PAR1\xff\xfe\x00\n\x00", "journal.log is not the journal of a study; move it away"),
        (b"\x00" * 4096, "journal.log is not the journal of a study"),
        (b'{"loss": 1}\n{"loss": 2}\n', "journal.log is not the journal of a study"),
        (b"step,loss\n1,2\n", "journal.log is not the journal of a study"),
        (b"[1, 2]\n", "journal.log is not the journal of a study"),
        (b'{"op_code":77,"worker_id":"x"}\n', "cannot be replayed .* choose another --out"),
        (b'{"op_code":4,"worker_id":"x"}\n', "cannot be replayed .* choose another --out"),
        (None, "journal.log cannot be opened .Is a directory.; move what is there away"),
    ],
    ids=["binary", "zeros", "other lines", "a table", "lists", "unknown", "incomplete", "a folder"],
)
def test_foreign_files_are_one_sentence(tmp_path, content, words):
    path = tmp_path / "journal.log"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        open_storage("", tmp_path)
    if content is not None:
        assert path.read_bytes() == content and not list(tmp_path.glob("journal.log.*"))


def test_an_empty_journal_has_no_study(tmp_path):
    (tmp_path / "journal.log").touch()
    storage = open_storage("", tmp_path)
    assert storage.get_all_studies() == []
    optuna.create_study(storage=storage, study_name="mine").enqueue_trial({})
    (trial,) = optuna.load_study(study_name="mine", storage=storage).get_trials()
    assert trial.state == TrialState.WAITING


@pytest.mark.parametrize(
    "use", [lambda s: s.get_trials(), lambda s: s.add_trial(create_trial(value=1))]
)
def test_a_journal_that_is_removed_is_missed_and_not_begun_anew(path, use):
    study = optuna.load_study(study_name="mine", storage=open_journal(path))
    path.unlink()
    with pytest.raises(UserError, match=f"journal {path} is gone.*put it back"):
        use(study)
    assert not path.exists()

"""Files that one may not read or write, or that are in the way: a sentence with the right way out.

Nothing that exists may be taken for lost: a run whose checkpoints cannot be listed never starts
again from its first step.
"""

import pytest
from test_train import noise, tiny
from test_train_faults import folder, locked, trained  # noqa: F401  (fixtures)

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.evaluate.export import export_model
from siamlab.evaluate.models import open_model
from siamlab.train import RunFolder, checkpoint, train


@pytest.mark.parametrize("mode", [0o300, 0o400, 0])
@pytest.mark.parametrize("deep", [False, True])
def test_a_run_whose_checkpoints_may_not_be_read_never_starts_again(mode, deep, folder):  # noqa: F811
    folder.encoder.unlink()
    kept = checkpoint.found(folder.checkpoints)
    lines = folder.metrics.read_bytes()
    path = kept[-1] / "checksums.json" if deep else folder.checkpoints
    with locked(path, mode & 0o200 if deep else mode):
        with pytest.raises(UserError, match="(s|00000004|checksums.json) cannot be read"):
            train(tiny(), folder.path, noise(), resume=True)
    assert checkpoint.found(folder.checkpoints) == kept
    assert folder.metrics.read_bytes() == lines and not folder.encoder.exists()


def test_an_encoder_that_may_not_be_read_is_not_called_damaged(folder, capsys):  # noqa: F811
    with locked(folder.encoder, 0):
        for name in (folder.path, folder.encoder):
            assert main(["probe", str(name)]) == 2
            said = capsys.readouterr().err
            assert "cannot be read (Permission denied); make it readable" in said
            assert "copy it again" not in said and "No such file" not in said
    with locked(folder.path, 0):
        assert main(["probe", str(folder.encoder)]) == 2
        assert "make it readable, with the folders that lead to it" in capsys.readouterr().err
        assert main(["probe", str(folder.path)]) == 2
        assert "cannot be read (Permission denied); make it readable" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["run_file", "metrics"])
def test_nobody_is_told_to_remove_what_may_not_be_read(file, folder):  # noqa: F811
    path = getattr(folder, file)
    with locked(path, 0), pytest.raises(UserError, match="make it readable$"):
        train(tiny(), folder.path, noise(), resume=True)


def test_a_folder_that_may_not_be_written_is_not_said_to_be_full(folder, tmp_path):  # noqa: F811
    (tmp_path / "closed").mkdir()
    with locked(tmp_path / "closed", 0o500):
        with pytest.raises(UserError, match="Permission denied.; make it readable and writa"):
            train(tiny(), tmp_path / "closed" / "run", noise())
        with pytest.raises(UserError, match="closed may not be written; make it writable, or"):
            export_model(open_model(folder.path), str(tmp_path / "closed" / "x.pt2"))


@pytest.mark.parametrize(
    "words", ["embed {} --out", "export {} --to", "probe {} --out", "leaderboard add {} --to"]
)
def test_a_file_that_may_not_be_made_is_refused_before_any_work(
    words, folder, tmp_path, monkeypatch, capsys,  # noqa: F811
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "closed").mkdir()
    ending = ".pt2" if "export" in words else ".parquet"
    with locked(tmp_path / "closed", 0o500):
        assert main([*words.format(folder.path).split(), f"closed/x{ending}"]) == 2
    said = capsys.readouterr().err
    assert "the folder closed may not be written; make it writable, or name another place" in said


def test_a_run_that_view_may_not_read_need_not_be_writable(folder, capsys):  # noqa: F811
    with locked(folder.path, 0):
        assert main(["view", str(folder.path), "--no-browser"]) == 2
    assert "cannot be read (Permission denied); make it readable\n" in capsys.readouterr().err


@pytest.mark.parametrize("put", [lambda path: path.mkdir(), lambda path: path.symlink_to("none")])
def test_an_encoder_that_is_no_file_is_not_replaced_by_a_checkpoint(put, folder):  # noqa: F811
    folder.encoder.unlink()
    put(folder.encoder)
    with pytest.raises(UserError, match="encoder.safetensors is a folder, or a link to nothing"):
        open_model(folder.path)


@pytest.mark.parametrize("name", ["checkpoints", "encoder.safetensors", ".lock"])
def test_what_is_in_the_way_is_said_to_be(name, tmp_path):
    run = RunFolder(tmp_path / "run")
    path = run.path / name
    run.path.mkdir()
    if name == "checkpoints":
        path.write_text("")
    else:
        path.mkdir()
    with pytest.raises(UserError) as said:
        train(tiny(), run.path, noise())
    assert "free some space" not in str(said.value)
    assert any(way in str(said.value) for way in ("move away what is there", "is not empty"))


def test_a_cache_that_may_not_be_read_is_not_empty(tmp_path, monkeypatch, capsys):
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    with locked(tmp_path / "cache", 0):
        for words in (["cache", "list"], ["cache", "remove", "--all"]):
            assert main(words) == 2
            assert "cannot be read (Permission denied); make it rea" in capsys.readouterr().err


def test_a_study_file_that_may_not_be_read_is_one_sentence(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text("study = 3")
    with locked(file, 0):
        assert main(["study", "report", str(file)]) == 2
    assert "mine.py cannot be read (Permission denied); make it re" in capsys.readouterr().err


def test_a_demo_in_the_browser_is_refused_before_its_work(tmp_path, capsys):
    (tmp_path / "closed").mkdir()
    with locked(tmp_path / "closed", 0o500):
        assert main(["export-demo", "--to", str(tmp_path / "closed" / "site")]) == 2
    assert f"--to {tmp_path}/closed/site cannot be created" in capsys.readouterr().err


def test_the_runs_of_a_demo_have_names_of_their_own(tmp_path, capsys):
    words = ["demo", "--data", "photographs", "name=x", "--out", str(tmp_path / "new")]
    assert main(words) == 2
    assert "name=x would be the name of all runs; leave it out" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file", ["run.toml", "notes.txt"])
def test_the_demo_trains_in_no_folder_of_other_things(file, tmp_path, capsys):
    (tmp_path / file).write_text("")
    assert main(["demo", "--smallest", "--out", str(tmp_path)]) == 2
    assert "holds something else than this demo; name a new folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [file]

"""Finished trials in a file: exported from one study, imported into another and not repeated."""

import errno
import getpass
import json
import math
import os
import signal
from pathlib import Path

import optuna
import polars as pl
import pytest
import test_study_report as report_case
from optuna.trial import TrialState
from test_study_report import FILE, LOSSES, SEARCH, finish, rows, waiting

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.recipes import demo_size, siameseim
from siamlab.study import description as description_module
from siamlab.study.claims import claim_next, latest_attempts, requeue_lost
from siamlab.study.export_trials import export_trials, without_paths
from siamlab.study.import_trials import import_trials
from siamlab.study.plan import open_study
from siamlab.study.report import report_study
from siamlab.study.results import results, trials
from siamlab.study.storage import ignore_experimental, open_storage
from siamlab.study.trials_file import content_hash, read_trials
from siamlab.study.worker import work
from siamlab.train import RunFolder

MSE = 'Choice("MSE", "loss=mse")'
# another study, whose base is the same run
OTHER = (
    FILE[: FILE.index("    Axis(")]
    + """\
    Axis("masks", Choice("blockwise"), Choice("random", "masking=random", "masking.ratio=0.6"),
         Choice("none", "masking=none")),))
"""
)


@pytest.fixture
def there(tmp_path):
    """A study elsewhere, with all but two of its trials done."""
    study = open_study(LOSSES, "losses", open_storage("", tmp_path / "there"))
    for trial in waiting(study)[:-2]:
        finish(study, trial, trial.user_attrs["point"], trial.user_attrs["seed"])
    return study


@pytest.fixture
def exported(there, tmp_path):
    export_trials("losses", tmp_path / "there", "", tmp_path / "kept" / "losses.jsonl")
    return tmp_path / "kept" / "losses.jsonl"


@pytest.fixture
def file(tmp_path):
    (tmp_path / "losses.py").write_text(FILE)
    return tmp_path / "losses.py"


def here(tmp_path):
    """Load the study that trials are imported into."""
    return optuna.load_study(study_name="losses", storage=open_storage("", tmp_path / "here"))


def imported(file, tmp_path, exported, capsys, *words, **options):
    """Import the file and return the output."""
    capsys.readouterr()
    import_trials(str(file), words, tmp_path / "here", "", [exported], **options)
    return capsys.readouterr().out


def edited(path, change, line=1, rehash=True):
    """Change one line of the file by hand."""
    lines = path.read_text().split("\n")
    fields = json.loads(lines[line - 1])
    change(fields["content"])
    if rehash:
        fields["hash"] = content_hash(fields["content"])
    lines[line - 1] = json.dumps(fields)
    path.write_text("\n".join(lines))


def test_values_parameters_and_unfinished_trials_are_the_same_elsewhere(
    there, exported, file, tmp_path, capsys
):
    output = imported(file, tmp_path, exported, capsys)
    assert output == "imported: 10 trials\nlosses: 2 of 12 trials are not finished yet\n"
    study = here(tmp_path)
    assert results(study).equals(results(there).select(results(study).columns))
    for one, other in zip(latest_attempts(study), latest_attempts(there), strict=True):
        assert (one.values, one.params, one.state) == (other.values, other.params, other.state)
    assert trials(study)["seconds"].sum() == 10 * 3600
    again = tmp_path / "again.jsonl"
    export_trials("losses", tmp_path / "here", "", again)
    assert again.read_bytes() == exported.read_bytes()


def test_the_file_has_the_keys_of_its_format(exported):
    """Files that were exported earlier must still be read: a change needs another FORMAT."""
    header, record, *_ = [json.loads(line) for line in exported.read_text().splitlines()]
    assert header.keys() == record.keys() == {"hash", "content"}
    assert [*header["content"]] == ["format", "study", "definition", "about", "trials"]
    assert [*header["content"]["about"]] == [
        "question", "kind", "suite", "probe images", "seeds", "trials", "prune", "sampler_seed",
        "points", "comparisons", "objectives", "versions", "held out", "precision", "data",
        "test images",
    ]  # fmt: skip
    assert [*record["content"]] == [
        "point", "seed", "params", "run", "values", "scores", "seconds", "collapsed", "finished",
        "environment",
    ]  # fmt: skip
    assert [*record["content"]["scores"][0]] == [
        "probe", "title", "property", "value", "low", "high", "chance", "ceiling", "unit",
        "direction", "protocol",
    ]  # fmt: skip


def test_importing_twice_changes_nothing(exported, file, tmp_path, capsys):
    imported(file, tmp_path, exported, capsys)
    before = results(here(tmp_path))
    output = imported(file, tmp_path, exported, capsys)
    assert output == "already complete: 10 trials\nlosses: 2 of 12 trials are not finished yet\n"
    assert len(here(tmp_path).get_trials()) == 12 and results(here(tmp_path)).equals(before)


def test_values_are_the_same_to_the_bit_and_nan_stays_nan(tmp_path, file, capsys, monkeypatch):
    odd = {"chance": math.nan, "low": 0.1 + 0.2, "high": 5e-324}
    monkeypatch.setattr(report_case, "rows", lambda *who: [row | odd for row in rows(*who)])
    study = open_study(LOSSES, "losses", open_storage("", tmp_path / "there"))
    finish(study, waiting(study)[0], "UniGrad", 0)
    export_trials("losses", tmp_path / "there", "", tmp_path / "x.jsonl")
    imported(file, tmp_path, tmp_path / "x.jsonl", capsys)
    for row in latest_attempts(here(tmp_path))[0].user_attrs["scores"]:
        assert math.isnan(row["chance"]) and (row["low"], row["high"]) == (0.1 + 0.2, 5e-324)
    output = imported(file, tmp_path, tmp_path / "x.jsonl", capsys)
    assert output.startswith("already complete: 1 trial\n")


def test_a_worker_skips_imported_trials(exported, file, tmp_path, capsys, monkeypatch):
    from siamlab.study import worker as worker_module

    imported(file, tmp_path, exported, capsys)
    done = []

    def train_and_probe(definition, study, handle, run, path):
        done.append((run.name, run.seed))
        return [0.0, 0.0]

    monkeypatch.setattr(worker_module, "train_and_probe", train_and_probe)
    study = here(tmp_path)
    work(LOSSES, study, study._storage, tmp_path / "here")
    assert done == [("cosine", 3), ("MSE", 3)]


def test_the_report_of_trials_from_elsewhere(there, file, tmp_path, capsys):
    """Their machine is named; pictures and curves, which stayed there, are left out."""
    made = RunFolder(tmp_path / "there/runs/UniGrad-seed0")
    made.create(LOSSES.points()[0].run)
    path = tmp_path / "losses.jsonl"
    export_trials("losses", tmp_path / "there", "", path)
    kept = read_trials(path).records[0].environment
    assert kept["compute"]["precision"] == "auto" and kept["packages"]["torch"]
    assert not {"git", "uncommitted"} & kept.keys()
    imported(file, tmp_path, path, capsys)
    report_study(str(file), [], tmp_path / "here", "", 0.02)
    summary = (tmp_path / "here/summary.md").read_text()
    assert "10 of 12 trials" in summary and kept["processor"] in summary
    page = (tmp_path / "here/report.html").read_text()
    assert "10 complete" in page and "pictures.html" not in page and "Learning curves" not in page
    assert len(pl.read_parquet(tmp_path / "here/scores.parquet")) == 20


def test_complete_trials_with_other_values_are_kept(there, exported, file, tmp_path, capsys):
    study = open_study(LOSSES, "losses", open_storage("", tmp_path / "here"))
    finish(study, waiting(study)[0], "UniGrad", 1)  # numbers of another seed
    before = latest_attempts(study)[0].values
    output = imported(file, tmp_path, exported, capsys)
    assert "imported: 9 trials\n" in output
    assert (
        "already complete with other numbers, which are kept: 1 trial (UniGrad, seed 0)" in output
    )
    assert latest_attempts(here(tmp_path))[0].values == before


def test_running_trials_are_left_to_their_workers_and_imported_once_those_are_dead(
    exported, file, tmp_path, capsys
):
    storage = open_storage("", tmp_path / "here")
    study = open_study(LOSSES, "losses", storage)
    trial, lock = claim_next(study, storage, tmp_path / "here/locks")
    output = imported(file, tmp_path, exported, capsys)
    assert "imported: 9 trials\nrunning now, and left to their workers: 1 trial" in output
    assert "(UniGrad, seed 0)" in output
    assert study.get_trials()[trial.number].state == TrialState.RUNNING
    lock.close()
    assert "imported: 1 trial\nalready complete: 9 trials\n" in imported(
        file, tmp_path, exported, capsys
    )
    assert len(results(here(tmp_path))) == 20


def test_failed_trials_are_imported(exported, file, tmp_path, capsys):
    study = open_study(LOSSES, "losses", open_storage("", tmp_path / "here"))
    study._storage.set_trial_state_values(waiting(study)[0]._trial_id, TrialState.FAIL)
    assert "imported: 10 trials\n" in imported(file, tmp_path, exported, capsys)
    states = [trial.state.name for trial in latest_attempts(here(tmp_path))]
    assert states == ["COMPLETE"] * 10 + ["WAITING"] * 2


def test_a_study_of_more_seeds_imports_all_and_one_of_fewer_names_the_skipped(
    exported, file, tmp_path, capsys
):
    output = imported(file, tmp_path, exported, capsys, "seeds=6")
    assert output == "imported: 10 trials\nlosses: 8 of 18 trials are not finished yet\n"
    fewer = tmp_path / "fewer"
    import_trials(str(file), ["seeds=3"], fewer, "", [exported])
    output = capsys.readouterr().out
    assert (
        "imported: 9 trials\nskipped, since this study does not have their seeds: 1 trial" in output
    )
    assert "(UniGrad, seed 3)" in output and "0 of 9 trials are not finished" in output


def test_a_study_of_more_choices_imports_them(exported, file, tmp_path, capsys):
    file.write_text(FILE.replace(MSE, f'{MSE}, Choice("VICReg", "loss=vicreg")'))
    output = imported(file, tmp_path, exported, capsys)
    assert "imported: 10 trials\nlosses: 6 of 16 trials" in output


@pytest.mark.parametrize(
    "change, words, named",
    [
        ((f", {MSE}", ""), [], "choices is .*'MSE'.* there and .*'cosine'.* here"),
        (("loss=mse", "loss=vicreg"), [], "MSE: loss is "),
        ((), ["optimiser.lr=1.0"], "MSE: optimiser is "),
        ((), ["data.seed=7"], "data is "),
        ((), ["suite=full"], "suite is quick there and full here"),
        ((), ["images=11"], "probe images is 3000 there and 11 here"),
        ((), ["held_out=0.5"], "held out is 0.0 there and 0.5 here"),
    ],
)
def test_trials_of_another_definition_are_refused(exported, file, tmp_path, change, words, named):
    file.write_text(FILE.replace(*change) if change else FILE)
    with pytest.raises(UserError, match=f"losses.jsonl has trials of another definition: {named}"):
        import_trials(str(file), words, tmp_path / "here", "", [exported])
    assert not (tmp_path / "here").exists()


def test_trials_of_other_versions_are_refused_or_mentioned(exported, file, tmp_path, capsys):
    def older(content):
        content["about"]["versions"]["torch"] = "1.0+cu999"

    edited(exported, older)
    with pytest.raises(UserError, match="of other versions: .*'torch': '1.0'.*add --any-version"):
        import_trials(str(file), [], tmp_path / "here", "", [exported])
    assert not (tmp_path / "here").exists()
    assert "10 trials" in imported(file, tmp_path, exported, capsys, any_version=True)


def test_builds_of_one_version_are_the_same_version(exported, file, tmp_path, capsys, monkeypatch):
    whole = description_module.version_of
    monkeypatch.setattr(description_module, "version_of", lambda package: whole(package) + "+cu999")
    assert "10 trials" in imported(file, tmp_path, exported, capsys)


def test_the_summary_names_the_versions_of_trials_from_elsewhere(exported, file, tmp_path, capsys):
    def older(content):
        content["environment"] = {"siamlab": None, "packages": {"torch": "1.0+cu999"}}

    edited(exported, older, line=2)
    imported(file, tmp_path, exported, capsys)
    report_study(str(file), [], tmp_path / "here", "", 0.02)
    assert "(1 trial with torch 1.0)" in (tmp_path / "here/summary.md").read_text()


def test_trials_of_other_protocols_are_refused(exported, file, tmp_path):
    study = open_study(LOSSES, "losses", open_storage("", tmp_path / "here"))
    finish(study, waiting(study)[0], "UniGrad", 0, protocol="q")
    before = (tmp_path / "here/journal.log").read_bytes()
    with pytest.raises(UserError, match="measured by different protocols: p and q for semantic"):
        import_trials(str(file), [], tmp_path / "here", "", [exported])
    assert (tmp_path / "here/journal.log").read_bytes() == before


def test_an_import_that_is_killed_can_be_repeated(exported, file, tmp_path, capsys):
    child = os.fork()
    if not child:  # dies between a trial's numbers and its end
        calls, tell = [], optuna.Study.tell

        def dying(self, *args, **kwargs):
            calls.append(args)
            return tell(self, *args, **kwargs) if len(calls) < 4 else os.kill(os.getpid(), 9)

        optuna.Study.tell = dying
        import_trials(str(file), [], tmp_path / "here", "", [exported])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    study = here(tmp_path)
    counted = [trial.state.name for trial in latest_attempts(study)]
    assert (counted.count("COMPLETE"), counted.count("RUNNING")) == (3, 1)
    requeue_lost(study, study._storage, tmp_path / "here/locks")  # as the next worker does
    assert [trial.state.name for trial in latest_attempts(study)].count("WAITING") == 9
    output = imported(file, tmp_path, exported, capsys)
    assert output.startswith("imported: 7 trials\nalready complete: 3 trials\n")
    assert len(results(here(tmp_path))) == 20


def test_the_file_has_no_path_or_name_of_the_machine(tmp_path):
    from PIL import Image

    for name in "ab":
        for k in range(20):
            path = tmp_path / f"photos/{name}/{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 40), (k, 9, 9)).save(path)
    base = LOSSES.base.change("data=folder", f"data.path={tmp_path}/photos", "data.side=40")
    study = open_study(LOSSES.replace(base=base), "losses", open_storage("", tmp_path / "there"))
    finish(study, waiting(study)[0], "UniGrad", 0)
    RunFolder(tmp_path / "there/runs/UniGrad-seed0").create(base)
    export_trials("losses", tmp_path / "there", "", tmp_path / "x.jsonl")
    text = (tmp_path / "x.jsonl").read_text()
    assert "photos" in study.user_attrs["about"]["points"]["UniGrad"]
    for private in (
        "photos",
        str(tmp_path),
        str(Path.home()),
        f"/{getpass.getuser()}",
        os.uname()[1],
    ):
        assert private not in text
    objects = demo_size(siameseim()).change("data.objects=folder", "data.objects.path=/secret")
    assert "secret" in objects.toml() and "secret" not in without_paths(objects.toml())


def damage(path, how):
    text = path.read_text()
    lines = text.split("\n")
    if how == "binary":
        path.write_bytes(b"PAR1\xff\xfe\x00")
    elif how == "missing":
        path.unlink()
    elif how == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_text({
            "empty": "",
            "foreign": "point,seed\nUniGrad,0\n",
            "list": "[1, 2]\n",
            "deep": "[" * 100_000,
            "a digit": text.replace('"seconds": 3600.0', '"seconds": 3601.0', 1),
            "a line less": "\n".join(lines[:-2]) + "\n",
            "cut off": text[: len(text) - 99],
            "only its head": lines[0],
        }[how])  # fmt: skip


@pytest.mark.parametrize(
    "how, sentence",
    [
        ("missing", "cannot be read .No such file or directory.; name a file"),
        ("folder", "cannot be read .Is a directory"),
        ("binary", "cannot be read .it is not text"),
        ("empty", "line 1, was not written by `siamlab study export`"),
        ("foreign", "line 1, was not written by `siamlab study export`"),
        ("list", "line 1, was not written by `siamlab study export`"),
        ("deep", "line 1, was not written by `siamlab study export`"),
        ("a digit", "line 2, is damaged: its content does not match its hash"),
        ("a line less", "has 9 of its 10 trials, so it was truncated"),
        ("cut off", "line 11, was not written"),
        ("only its head", "has 0 of its 10 trials"),
    ],
)
def test_damaged_and_foreign_files_are_refused(exported, file, tmp_path, capsys, how, sentence):
    damage(exported, how)
    with pytest.raises(UserError, match=sentence):
        import_trials(str(file), [], tmp_path / "here", "", [exported])
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    "line, change, sentence",
    [
        (1, {"format": 2}, "has format=2, and this siamlab reads 1"),
        (2, {"seed": -1}, "line 2, is not in the form that this siamlab reads .seed: "),
        (2, {"more": 1}, "line 2, is not in the form.*.TrialRecord has no field 'more'"),
        (2, {"run": "0"}, "line 2, has run=0, which is not the hash of the run of 'UniGrad'"),
        (2, {"point": "none"}, "line 2, has run=.*of the run of 'none' in line 1"),
        (1, {"about": {}}, "line 1, is not in the form.*it lacks the table points"),
    ],
)
def test_files_of_other_forms_are_refused(exported, file, tmp_path, line, change, sentence):
    edited(exported, lambda content: content.update(change), line)
    with pytest.raises(UserError, match=sentence):
        import_trials(str(file), [], tmp_path / "here", "", [exported])


def test_a_full_disk_leaves_the_old_file(there, exported, tmp_path, monkeypatch):
    before = exported.read_bytes()

    def full(self, text, **kwargs):
        with self.open("w") as file:
            file.write(text[:50])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(
        UserError, match="cannot be written .No space left on device.; free some space"
    ):
        export_trials("losses", tmp_path / "there", "", exported)
    assert exported.read_bytes() == before and len(list(exported.parent.iterdir())) == 1


def test_studies_that_cannot_be_exported_are_refused(tmp_path, file):
    storage, out = open_storage("", tmp_path / "there"), tmp_path / "there"
    with pytest.raises(UserError, match="the storage has no study yet; `siamlab study run"):
        export_trials("losses", out, "", tmp_path / "x")
    open_study(LOSSES, "losses", storage)
    with pytest.raises(UserError, match="no study 'loses'; did you mean 'losses'"):
        export_trials("loses", out, "", tmp_path / "x")
    with pytest.raises(UserError, match="no trial of 'losses' is complete yet"):
        export_trials("losses", out, "", tmp_path / "x")
    open_study(SEARCH, "deep", storage)
    with pytest.raises(UserError, match="'deep' is a search.*share its --storage"):
        export_trials("deep", out, "", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_the_commands(there, file, tmp_path, capsys):
    def run(*words):
        main(["study", *map(str, words)])
        return capsys.readouterr().out

    to = tmp_path / "losses.jsonl"
    output = run("export", file, "--to", to, "--out", tmp_path / "there")
    assert output == f"10 of 12 trials of losses are in {to}\n"
    for number, sources in enumerate([(to, to), (to, "--from", to)]):
        here = tmp_path / f"here {number}"
        output = run("import", file, "seeds=4", "--from", *sources, "--out", here)
        assert "imported: 10 trials\nalready complete: 10 trials\n" in output


def test_trials_can_be_imported_into_a_database(exported, file, tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/trials.db"
    for expected in ("imported: 10 trials\n", "already complete: 10 trials\n"):
        with ignore_experimental():
            import_trials(str(file), [], tmp_path / "here", url, [exported])
        assert expected in capsys.readouterr().out


def test_trials_of_another_study_with_the_same_run_are_imported_under_the_label_of_this_one(
    there, exported, tmp_path, capsys
):
    (tmp_path / "masks.py").write_text(OTHER)
    output = imported(tmp_path / "masks.py", tmp_path, exported, capsys, "seeds=3")
    assert output == (
        "imported: 3 trials\nleft out, since this study does not have their runs: 6 trials\n"
        "skipped, since this study does not have their seeds: 1 trial (blockwise, seed 3)\n"
        "masks: 6 of 9 trials are not finished yet\n"
    )
    study = optuna.load_study(study_name="masks", storage=open_storage("", tmp_path / "here"))
    mine, theirs = results(study), results(there).filter(pl.col("point") == "UniGrad")
    assert mine["point"].unique().to_list() == ["blockwise"]
    assert mine["value"].to_list() == theirs.filter(pl.col("seed") < 3)["value"].to_list()
    done = [trial for trial in latest_attempts(study) if trial.state == TrialState.COMPLETE]
    assert [trial.params for trial in done] == [{"masks": "blockwise", "seed": k} for k in range(3)]


def test_of_a_larger_suite_only_the_probes_of_this_study_are_imported(
    there, exported, tmp_path, capsys
):
    def larger(content):
        content["about"]["suite"] = "full"

    def measured(content):
        content["scores"].append(content["scores"][0] | {"probe": "rankme"})

    edited(exported, larger)
    edited(exported, measured, line=2)
    (tmp_path / "masks.py").write_text(OTHER)
    imported(tmp_path / "masks.py", tmp_path, exported, capsys)
    study = optuna.load_study(study_name="masks", storage=open_storage("", tmp_path / "here"))
    assert set(results(study)["probe"]) == {"semantic", "spatial"}
    (tmp_path / "more.py").write_text(OTHER.replace("seeds=4", "seeds=4, suite='full'"))
    imported(tmp_path / "more.py", tmp_path, exported, capsys)
    study = optuna.load_study(study_name="more", storage=open_storage("", tmp_path / "here"))
    assert set(results(study)["probe"]) == {"semantic", "spatial", "rankme"}


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["loss=vicreg"], "of the study 'losses', and none is of a run of this study; nothing was"),
        (["data.seed=7"], "of the study 'losses', whose data is .* there and .* here; nothing was"),
        (["suite=full"], "of the study 'losses', whose suite is quick there and full here"),
        (["held_out=0.5"], "of the study 'losses', whose held out is 0.0 there and 0.5 here"),
    ],
)
def test_another_study_without_shared_runs_is_refused(exported, tmp_path, words, sentence):
    (tmp_path / "masks.py").write_text(OTHER)
    with pytest.raises(UserError, match=sentence):
        import_trials(str(tmp_path / "masks.py"), words, tmp_path / "here", "", [exported])
    assert not (tmp_path / "here").exists()

"""Studies: errors in their files, and trials that run once each, whatever process dies."""

import os
import signal
import time
from pathlib import Path

import optuna
import pytest
from commands import Command, Interpreter
from optuna.trial import TrialState, create_trial

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.recipes import demo_size, photo_size, siameseim
from siamlab.study import Search
from siamlab.study import storage as storage_module
from siamlab.study.claims import latest_attempts
from siamlab.study.file import load
from siamlab.study.plan import open_study
from siamlab.study.pruning import MIN_OTHERS, is_dominated, training_gflop
from siamlab.study.storage import open_storage
from siamlab.study.worker import work
from siamlab.train import RunFolder

SHIPPED = sorted((Path(__file__).parent.parent / "studies").glob("*.py"))
TINY = "seeds=2 log_every=1 save_every=2 data.images=128 data.test_images=100 images=64".split()
FILE = """
from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice
study = Ablation(question="?", base=demo_size(siameseim()),
                 axes=(Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine")),))
"""


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_study_is_short_and_all_its_runs_differ(file):
    _, study = load(file)
    if study.kind != "search":
        runs = [point.run.replace(name="one") for point in study.points()]
        assert len(set(runs)) == len(runs) and study.comparisons()
    assert len(file.read_text().splitlines()) <= 25


@pytest.mark.parametrize("name", ["mim_to_siameseim", "id_to_siameseim"])
@pytest.mark.parametrize("images, sized", [("", photo_size), ("_scenes", demo_size)])
def test_a_path_ends_at_siameseim(name, images, sized):
    _, study = load(next(file for file in SHIPPED if file.stem == name + images))
    last, whole = study.points()[-1].run, sized(siameseim())
    assert last.replace(name="siameseim", steps=whole.steps) == whole


@pytest.mark.parametrize(
    "change, words",
    [
        (
            ("loss=cosine", "loss=cosinus"),
            "choice 'cosine': loss has no choice 'cosinus'.*'cosine'",
        ),
        (("loss=cosine", "los=cosine"), "a run has no key 'los'; did you mean 'loss'"),
        (('"cosine",', '"UniGrad",'), "axis 'loss' has the label 'UniGrad' twice"),
        (
            ('"cosine",', '"UniGrad!",'),
            "labels 'UniGrad' and 'UniGrad!', whose runs would share the folder",
        ),
        (("study = ", "stduy = "), "sets no `study`"),
        (("import demo_size", "import demo_sise"), "line 2, does not import: ImportError"),
    ],
)
def test_mistakes_in_a_file_are_one_sentence_errors(tmp_path, change, words):
    file = tmp_path / "mine.py"
    file.write_text(FILE.replace(*change))
    with pytest.raises(UserError, match=words):
        load(file)


def test_an_unreachable_storage_is_a_one_sentence_error(tmp_path, monkeypatch):
    monkeypatch.setattr(storage_module, "WAIT", 0)
    with pytest.raises(UserError, match="--storage postgresql.*cannot be opened.*start the server"):
        open_storage("postgresql://me:secret@127.0.0.1:1/none", tmp_path)


def test_only_trials_that_most_others_beat_on_both_scores_are_dominated():
    others = [[0.5, 0.5]] * MIN_OTHERS
    assert is_dominated([0.1, 0.1], others) and not is_dominated([0.1, 0.9], others)
    assert not is_dominated([0.1, 0.1], others[1:])


@pytest.mark.parametrize("better, state", [(1.0, TrialState.PRUNED), (-1.0, TrialState.COMPLETE)])
def test_a_search_stops_dominated_trials_at_a_stage(tmp_path, better, state):
    base = demo_size(siameseim()).change("steps=8", "batch=16", *TINY[1:-1], "model.depth=1")
    search = Search(
        question="?",
        suggest=lambda trial: base.change(f"prediction.depth={trial.suggest_int('depth', 1, 1)}"),
        trials=1,
        images=64,
    )
    storage = open_storage("", tmp_path)
    study = open_study(search, "search", storage)
    depth = {"depth": optuna.distributions.IntDistribution(1, 1)}
    for _ in range(MIN_OTHERS):
        trial = create_trial(values=[0, 0], params={"depth": 1}, distributions=depth)
        trial.set_user_attr("rung 0.25", [better, better])
        study.add_trial(trial)
    work(search, study, storage, tmp_path, threads=1)
    first = study.get_trials()[0]
    assert first.state == state and "rung 0.25" in first.user_attrs
    if state == TrialState.PRUNED:
        assert "at 25% of its steps more than half of 8" in first.user_attrs["reason"]
        steps = [line["step"] for line in RunFolder(tmp_path / "runs/trial-000-seed0").lines()]
        assert max(steps) < 8
    else:
        assert len(first.user_attrs["rung 0.5"]) == 2  # compared again, without any others


def test_cost_grows_with_the_depth_of_the_decoder():
    run = demo_size(siameseim())
    assert training_gflop(run) < training_gflop(run.change("prediction.depth=4"))


def output_of(capsys, *words):
    """The output of a command, run in this process."""
    main(["study", *map(str, words)])
    return "".join(capsys.readouterr())


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_other_definitions_are_refused(tmp_path, capsys):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(FILE)
    words = [file, *TINY, "steps=24", "--out", out]
    first = Command("study", "worker", *words)
    saved = lambda: list(out.glob("runs/*/checkpoints/step_*"))  # noqa: E731
    wait_for(lambda: saved() or first.status is not None)
    first.send(signal.SIGKILL)
    first.finish()
    (begun,) = {path.parent.parent for path in saved()}
    step = max(int(path.name.removeprefix("step_")) for path in saved())
    before = RunFolder(begun).lines()[:step]

    refusal = output_of(capsys, "run", file, *TINY, "steps=25", "--out", out)
    assert "holds the study 'mine' with another definition: UniGrad: steps" in refusal

    second = Command("study", "run", *words, "--workers", 2)
    output = second.finish()
    assert second.status == 0 and "Done" in output, output
    study = optuna.load_study(study_name="mine", storage=open_storage("", out))
    done = [t for t in study.get_trials() if t.state == TrialState.COMPLETE]
    assert sorted((t.user_attrs["point"], t.user_attrs["seed"]) for t in done) == [
        ("UniGrad", 0), ("UniGrad", 1), ("cosine", 0), ("cosine", 1)
    ]  # fmt: skip
    assert len(latest_attempts(study)) == 4
    lines = RunFolder(begun).lines()
    assert len(lines) == 24 and lines[:step] == before  # resumed, did not start again

    assert "cosine" in output_of(capsys, "report", *words) and (out / "report.html").exists()


@pytest.mark.slow
def test_a_run_that_is_stopped_or_killed_leaves_no_worker_behind(tmp_path):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(FILE)
    words = [file, *TINY, "steps=2000", "--out", out, "--workers", 2]
    saved = lambda: set(out.glob("runs/*/checkpoints/step_*"))  # noqa: E731
    ends = (
        (Interpreter, lambda run: os.killpg(run.pid, signal.SIGINT), 130),  # reaches workers too
        (Command, lambda run: run.send(signal.SIGTERM), 130),
        (Command, lambda run: run.send(signal.SIGKILL), -signal.SIGKILL),
    )
    for start, end, code in ends:
        before = saved()
        run = start("study", "run", *words)
        wait_for(lambda: len(saved() - before) >= 2 or run.status is not None)  # noqa: B023
        end(run)
        output = run.finish()  # also waits for the workers: they share the pipe
        assert run.status == code and "Traceback" not in output, output
        assert ("Nothing is lost" in output) == (code == 130)
    storage = open_storage("", out)
    study = optuna.load_study(study_name="mine", storage=storage)
    assert {t.state for t in latest_attempts(study)} == {TrialState.WAITING}


@pytest.mark.slow
def test_a_budget_ends_a_run_and_failed_trials_can_be_repeated(tmp_path, capsys):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(FILE)
    words = [file, "seeds=1", *TINY[1:], "steps=4", "--out", out, "--workers", 1]
    run = Command("study", "run", *words, "--budget", "0.1s")
    assert "the same command continues" in run.finish() and run.status == 130

    blocked = out / "runs" / "cosine-seed0"  # a file where a trial's folder should be
    blocked.parent.mkdir(exist_ok=True)
    blocked.touch()
    output = Command("study", "run", *words).finish()
    assert "cosine-seed0: " in output and "UniGrad-seed0: 0." in output and "Done" in output, output
    blocked.unlink()
    output = output_of(capsys, "run", *words)
    assert "done already" in output and "--again" in output, output
    output = Command("study", "run", *words, "--again").finish()
    assert "cosine-seed0: 0." in output and "UniGrad" not in output, output
    study = optuna.load_study(study_name="mine", storage=open_storage("", out))
    assert [t.state for t in latest_attempts(study)] == [TrialState.COMPLETE] * 2


def wait_for(ready, seconds=300):
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.05)

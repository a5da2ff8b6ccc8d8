"""Studies: what a file may say, and trials that are done once each, whoever dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from siamlab import cli
from siamlab.component import UserError
from siamlab.recipes import demo_size, photo_size, siameseim
from siamlab.study import Search
from siamlab.study.file import load
from siamlab.study.plan import opened
from siamlab.study.rung import LEAST, cost, dominated
from siamlab.study.storage import latest, open_storage
from siamlab.study.worker import work
from siamlab.train import Folder

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
        (("study = ", "stduy = "), "sets no `study`"),
        (("import demo_size", "import demo_sise"), "line 2, does not import: ImportError"),
    ],
)
def test_mistakes_in_a_file_are_one_sentence(tmp_path, change, words):
    file = tmp_path / "mine.py"
    file.write_text(FILE.replace(*change))
    with pytest.raises(UserError, match=words):
        load(file)


def test_a_storage_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="--storage postgresql.*cannot be opened.*start the server"):
        open_storage("postgresql://me:secret@127.0.0.1:1/none", tmp_path)


def test_only_what_most_others_beat_on_both_scores_is_stopped():
    others = [[0.5, 0.5]] * LEAST
    assert dominated([0.1, 0.1], others) and not dominated([0.1, 0.9], others)
    assert not dominated([0.1, 0.1], others[1:])


@pytest.mark.parametrize("better, state", [(1.0, TrialState.PRUNED), (-1.0, TrialState.COMPLETE)])
def test_a_search_stops_what_the_others_beat_at_a_rung(tmp_path, better, state):
    base = demo_size(siameseim()).change("steps=8", "batch=16", *TINY[1:-1], "model.depth=1")
    search = Search(
        question="?",
        suggest=lambda trial: base.change(f"prediction.depth={trial.suggest_int('depth', 1, 1)}"),
        trials=1,
        images=64,
    )
    storage = open_storage("", tmp_path)
    study = opened(search, "search", storage)
    depth = {"depth": optuna.distributions.IntDistribution(1, 1)}
    for _ in range(LEAST):
        trial = create_trial(values=[0, 0], params={"depth": 1}, distributions=depth)
        trial.set_user_attr("rung 0.25", [better, better])
        study.add_trial(trial)
    work(search, study, storage, tmp_path, threads=1)
    first = study.get_trials()[0]
    assert first.state == state and "rung 0.25" in first.user_attrs
    if state == TrialState.PRUNED:
        assert "at 25% of its steps more than half of 8" in first.user_attrs["reason"]
        steps = [line["step"] for line in Folder(tmp_path / "runs/trial-000-seed0").lines()]
        assert max(steps) < 8
    else:
        assert len(first.user_attrs["rung 0.5"]) == 2  # asked again, with nothing to compare with


def test_cost_grows_with_the_depth_of_the_decoder():
    run = demo_size(siameseim())
    assert cost(run) < cost(run.change("prediction.depth=4"))


def study_command(*words):
    command = [sys.executable, "-m", "siamlab.cli", "study", *map(str, words)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    kind = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    kind["start_new_session"] = True  # a process group of its own, as in a terminal
    return subprocess.Popen(command, **kind)


def said(capsys, *words):
    """What a command that starts no process says."""
    cli.main(["study", *map(str, words)])
    return "".join(capsys.readouterr())


def test_a_killed_worker_loses_nothing_and_other_definitions_are_refused(tmp_path, capsys):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(FILE)
    words = [file, *TINY, "steps=24", "--out", out]
    first = study_command("worker", *words)
    saved = lambda: list(out.glob("runs/*/checkpoints/step_*"))  # noqa: E731
    wait_for(lambda: saved() or first.poll() is not None)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (begun,) = {path.parent.parent for path in saved()}
    step = max(int(path.name.removeprefix("step_")) for path in saved())
    before = Folder(begun).lines()[:step]

    refused = said(capsys, "run", file, *TINY, "steps=25", "--out", out)
    assert "holds the study 'mine' with another definition: UniGrad: steps" in refused

    second = study_command("run", *words, "--workers", 2)
    told = second.communicate(timeout=500)[0]
    assert second.returncode == 0 and "Done" in told, told
    study = optuna.load_study(study_name="mine", storage=open_storage("", out))
    done = [t for t in study.get_trials() if t.state == TrialState.COMPLETE]
    assert sorted((t.user_attrs["point"], t.user_attrs["seed"]) for t in done) == [
        ("UniGrad", 0), ("UniGrad", 1), ("cosine", 0), ("cosine", 1)
    ]  # fmt: skip
    assert len(latest(study)) == 4
    lines = Folder(begun).lines()
    assert len(lines) == 24 and lines[:step] == before  # went on, did not begin again

    assert "cosine" in said(capsys, "report", *words) and (out / "report.html").exists()


def test_a_run_that_is_stopped_or_killed_leaves_no_worker_behind(tmp_path):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(FILE)
    words = [file, *TINY, "steps=2000", "--out", out, "--workers", 2]
    saved = lambda: set(out.glob("runs/*/checkpoints/step_*"))  # noqa: E731
    ends = (
        (lambda run: os.killpg(run.pid, signal.SIGINT), 130),  # Ctrl-C reaches workers too
        (lambda run: run.terminate(), 130),
        (lambda run: run.kill(), -signal.SIGKILL),
    )
    for end, code in ends:
        before = saved()
        run = study_command("run", *words)
        wait_for(lambda: len(saved() - before) >= 2 or run.poll() is not None)  # noqa: B023
        end(run)
        told = run.communicate(timeout=100)[0]  # also waits for the workers: they share the pipe
        assert run.returncode == code and "Traceback" not in told, told
        assert ("Nothing is lost" in told) == (code == 130)
    storage = open_storage("", out)
    study = optuna.load_study(study_name="mine", storage=storage)
    assert {t.state for t in latest(study)} == {TrialState.WAITING}


def test_a_budget_ends_a_run_and_a_failed_trial_gets_another_chance(tmp_path, capsys):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(FILE)
    words = [file, *TINY, "seeds=1", "steps=4", "--out", out, "--workers", 1]
    run = study_command("run", *words, "--budget", "0.1s")
    assert "the same command goes on" in run.communicate(timeout=100)[0] and run.returncode == 130

    blocked = out / "runs" / "cosine-seed0"  # a file where a trial's folder should be
    blocked.parent.mkdir(exist_ok=True)
    blocked.touch()
    told = study_command("run", *words).communicate(timeout=200)[0]
    assert "cosine-seed0: " in told and "UniGrad-seed0: 0." in told and "Done" in told, told
    blocked.unlink()
    told = said(capsys, "run", *words)
    assert "done already" in told and "--again" in told, told
    told = study_command("run", *words, "--again").communicate(timeout=200)[0]
    assert "cosine-seed0: 0." in told and "UniGrad" not in told, told
    study = optuna.load_study(study_name="mine", storage=open_storage("", out))
    assert [t.state for t in latest(study)] == [TrialState.COMPLETE] * 2


def wait_for(ready, seconds=300):
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.05)

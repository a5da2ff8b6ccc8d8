"""The main job from end to end at its smallest, stopped in the middle and started again."""

import os
import signal
import subprocess
import sys
import time

import polars
import pytest

from siamlab.demo import DEMO, LONG, SMALLEST, demo
from siamlab.demo_report import training_minutes
from siamlab.recipes import RECIPES, demo_size
from siamlab.train import Folder, checkpoint


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    assert demo(SMALLEST, out) == 0
    return out


def test_the_report_names_every_model_and_says_its_scale(made):
    page = (made / "report.html").read_text()
    for word in ("siameseim", "mae", "moco_v3", "untrained", "small-scale demonstration"):
        assert word in page


def test_every_model_has_both_scores(made):
    scores = polars.read_parquet(made / "scores.parquet")
    models = ["untrained", *SMALLEST.recipes]
    assert scores["model"].unique(maintain_order=True).to_list() == models
    for name in ("semantic", "spatial", "knn", "linear", "correspondence"):
        rows = scores.filter(polars.col("probe") == name)
        assert len(rows) == 4
        assert (rows["low"] <= rows["value"]).all() and (rows["value"] <= rows["high"]).all()


def test_a_finished_demo_is_not_trained_again(made):
    before = (made / "mae" / "encoder.safetensors").stat().st_mtime_ns
    assert demo(SMALLEST, made) == 0
    assert (made / "mae" / "encoder.safetensors").stat().st_mtime_ns == before


def test_the_clock_of_a_run_that_was_resumed_adds_up(tmp_path):
    folder = Folder(tmp_path)
    for step, seconds in enumerate((10, 70, 5, 50)):
        folder.log({"step": step, "seconds": seconds})
    assert training_minutes(folder) == 2


def test_the_three_runs_share_data_and_budget():
    for scale in (SMALLEST, DEMO, LONG):
        runs = [demo_size(RECIPES[name]()).change(*scale.changes) for name in scale.recipes]
        assert len({(run.data, run.steps, run.batch, run.size, run.seed) for run in runs}) == 1


# Ctrl-C is ignored in what a shell starts in the background, so it is put back
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from siamlab.cli import main; sys.exit(main())"
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_demo_stopped_in_the_middle_goes_on(number, tmp_path):
    """Killed without warning, its workers end too, and the next start uses what they saved."""
    out = tmp_path / "demo"
    command = [sys.executable, "-c", PROGRAM, "demo", "--smallest", "--out", str(out)]
    child = subprocess.Popen(command, start_new_session=True, stdout=-1, stderr=-1, text=True)
    deadline = time.time() + 120
    while not list(out.glob("*/metrics.jsonl")) and time.time() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, number)
    told = child.communicate()[0]
    assert child.returncode == (130 if number == signal.SIGINT else -number)
    assert number == signal.SIGKILL or "the same command goes on" in told
    assert demo(SMALLEST, out) == 0
    for name in SMALLEST.recipes:
        folder = Folder(out / name)
        assert [line["step"] for line in folder.lines()] == sorted(
            {line["step"] for line in folder.lines()}
        ), "no step is logged twice"
        assert checkpoint.newest(folder.checkpoints)[1] == []

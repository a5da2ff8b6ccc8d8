"""The main job from end to end at its smallest, stopped in the middle and started again."""

import os
import signal
import subprocess
import sys
import time

import polars
import pytest

from siamlab.demo import DEMO, LONG, SMALLEST, demo, photographs
from siamlab.demo_report import training_minutes
from siamlab.train import Folder, checkpoint

# Ctrl-C is ignored in what a shell starts in the background, so it is put back
PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from siamlab.cli import main; sys.exit(main())"
)


def lines(out):
    return sum(len(path.read_text().splitlines()) for path in out.glob("*/metrics.jsonl"))


def stopped(out, number):
    """Exit status and words of a demo that got the signal once it had trained a little further."""
    before = lines(out)
    command = [sys.executable, "-c", PROGRAM, "demo", "--smallest", "--out", str(out)]
    child = subprocess.Popen(command, start_new_session=True, stdout=-1, stderr=-1, text=True)
    deadline = time.time() + 120
    while lines(out) == before and time.time() < deadline:
        time.sleep(0.01)
    os.kill(child.pid, number)
    told = child.communicate()[0]  # waits for its workers too: they share the pipe
    return child.returncode, told


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Stopped in the middle, started again and killed without warning, and then to the end."""
    out = tmp_path_factory.mktemp("demo")
    status, told = stopped(out, signal.SIGINT)
    assert status == 130 and "the same command goes on" in told
    assert stopped(out, signal.SIGKILL)[0] == -signal.SIGKILL
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
    for scale in (SMALLEST, DEMO, LONG, photographs("cifar10")):
        runs = scale.runs()
        assert len({(run.data, run.steps, run.batch, run.size, run.seed) for run in runs}) == 1


def test_a_demo_stopped_and_killed_in_the_middle_went_on(made):
    for name in SMALLEST.recipes:
        folder = Folder(made / name)
        assert [line["step"] for line in folder.lines()] == [1, 2, 4, 6], "none is logged twice"
        assert checkpoint.newest(folder.checkpoints)[1] == []

"""A collapse is reported in words; a healthy line has none."""

import io

import pytest
from test_train import noise, tiny

from siamlab.machine.console import Console
from siamlab.recipes import demo_size, mae
from siamlab.train import Metrics, Notice, train
from siamlab.train import bar as progress

HEALTHY = {"context/spread": 0.6, "context/rankme": 20.0}
METRICS = Metrics(50, 12800, 16.0, rate=800.0, wait=0.0042, loss=0.5, values=HEALTHY)


def metrics(found):
    return METRICS._replace(values=HEALTHY | found)


def test_a_healthy_line_says_nothing():
    assert progress.collapse_warning(HEALTHY) == "" == progress.collapse_warning({})


@pytest.mark.parametrize(
    "sign", [{"context/spread": 0.01}, {"target/spread": 0.01}, {"context/rankme": 1.2}]
)
def test_each_sign_of_collapse_is_said(sign):
    side = next(iter(sign)).split("/")[0]
    said = progress.collapse_warning(HEALTHY | sign)
    assert said.startswith(f"the {side}'s features have collapsed") and "optimiser.lr" in said


def test_a_bar_shows_rate_loss_and_time_left_and_the_collapse_above_it():
    console = Console(width=120, record=True, force_terminal=True, force_interactive=True)
    with progress.bars(console) as bars:
        bar = progress.add(bars, demo_size(mae()))
        progress.update(bars, bar, "mae", metrics({"context/spread": 0.0}))
        progress.update(bars, bar, "mae", Notice("resumes after step 40"))
    shown = console.export_text()
    speed = "800 images/s, 0.4 % waiting"
    for part in ("50/1000", speed, "loss 0.5000", "left", "resumes after step 40"):
        assert part in shown
    assert "mae, step 50: the context's features have collapsed" in shown


def test_what_probes_found_is_said_above_the_bar():
    console = Console(width=120, record=True, force_terminal=True, force_interactive=True)
    found = {"probe/semantic": 0.1234, "probe/spatial": 0.2, "probe/knn": 0.314, "probe/linear": 1}
    with progress.bars(console) as bars:
        bar = progress.add(bars, demo_size(mae()))
        progress.update(bars, bar, "mae", metrics(found))
    said = "mae, step 50: semantic score 0.123, spatial score 0.200, k-NN 31.4 %"
    assert said in console.export_text()
    assert progress.scores_text(HEALTHY | {"probe/spatial": 0.2}) == "spatial score 0.200"
    assert progress.scores_text(HEALTHY) == ""


def test_a_log_file_has_the_rate_and_the_share_of_waiting_in_its_last_line(capsys):
    with progress.bars(Console(file=io.StringIO())) as bars:
        bar = progress.add(bars, demo_size(mae()))
        progress.update(bars, bar, "mae", METRICS)
        later = METRICS._replace(step=1000, rate=213.0, wait=0.031)
        progress.update(bars, bar, "mae", later)
    said = "mae 1000/1000 loss 0.5000 213 images/s, 3.1 % waiting for data"
    assert capsys.readouterr().err.splitlines()[-1] == said


@pytest.mark.parametrize("wanted", [True, False])
def test_training_in_python_shows_its_way_if_asked(wanted, tmp_path, capsys):
    train(tiny(mae), tmp_path / "run", noise(), progress=wanted)
    assert ("mae 6/6 loss" in capsys.readouterr().err) == wanted

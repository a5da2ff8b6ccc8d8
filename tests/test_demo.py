"""The main job from end to end at its smallest, stopped in the middle and started again."""

import signal
import time

import polars
import pytest
from commands import Command, Interpreter
from PIL import Image

from siamlab.cli.demo import DEMO, LONG, SMALLEST, demo, photographs
from siamlab.cli.main import main
from siamlab.data import Folder
from siamlab.report.answers import leader
from siamlab.report.demo import SCENES, WHY_LOWER, opening, training_minutes
from siamlab.train import RunFolder, checkpoint
from siamlab.train.events import Metrics

RUN = DEMO.runs()[0]


def lines(out):
    return sum(len(path.read_text().splitlines()) for path in out.glob("*/metrics.jsonl"))


def stopped(out, start, number):
    """Exit status and words of a demo that got the signal once it had trained a little further."""
    before = lines(out)
    child = start("demo", "--smallest", "--out", out)
    deadline = time.time() + 120
    while lines(out) == before and time.time() < deadline:
        time.sleep(0.01)
    child.send(number)
    told = child.finish()  # waits for its workers too: they share the pipe
    return child.status, told


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Stopped in the middle, started again and killed without warning, and then to the end."""
    out = tmp_path_factory.mktemp("demo")
    status, told = stopped(out, Interpreter, signal.SIGINT)
    assert status == 130 and "the same command resumes" in told
    assert stopped(out, Command, signal.SIGKILL)[0] == -signal.SIGKILL
    assert demo(SMALLEST, out) == 0
    return out


@pytest.mark.slow
def test_the_demo_begins_with_its_plan_its_time_and_the_path_of_its_report(made, capsys):
    assert demo(SMALLEST, made) == 0  # all is finished: it only probes
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("Trains siameseim, mae and moco_v3 for 6 steps each on scenes, probes")
    assert str(made / "report.html") in first and "roughly a minute on two idle cores" in first
    assert "5 to 10 minutes" in DEMO.time and "90 minutes" in LONG.time


def test_an_interrupt_while_probing_says_what_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("siamlab.cli.demo.train_all", lambda *_: None)
    monkeypatch.setattr("siamlab.cli.demo.open_models", raiser(KeyboardInterrupt))
    assert demo(SMALLEST, tmp_path / "new") == 130
    said = f"Stopped. What {tmp_path / 'new'} holds is kept: the same command resumes from there."
    assert said in capsys.readouterr().out


def raiser(error):
    def raises(*_):
        raise error

    return raises


def test_a_place_that_cannot_be_written_is_said_before_anything_is_read(tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    assert main(["demo", "--smallest", "--out", str(tmp_path / "taken" / "demo")]) == 2
    out, error = capsys.readouterr()
    assert out == "" and "cannot be created (Not a directory)" in error


@pytest.mark.slow
def test_the_report_names_every_model_and_says_its_scale(made):
    page = (made / "report.html").read_text()
    for word in ("siameseim", "mae", "moco_v3", "untrained", "small-scale demonstration"):
        assert word in page


@pytest.mark.slow
def test_the_report_opens_with_the_encoders_trained_on_photographs(made):
    page = (made / "report.html").read_text()
    first = page.split("<h2>")[1]
    assert first.startswith("Trained on photographs</h2>")
    opening = first.split("<p>")[1]
    assert "zoo:siameseim is the highest on both scores." in opening
    assert "The networks trained here saw 384 images of scenes." in opening


def scored(**values):
    """The spatial scores, with intervals of ± 0.02."""
    rows = [
        {"model": m, "probe": "spatial", "value": v, "low": v - 0.02, "high": v + 0.02}
        for m, v in values.items()
    ]
    return polars.DataFrame(rows)


def both(**values):
    """The same values as semantic and as spatial scores."""
    return polars.concat(
        scored(**values).with_columns(probe=polars.lit(probe)) for probe in ("semantic", "spatial")
    )


def test_a_model_below_its_untrained_network_is_named_and_explained():
    told = opening(both(untrained=0.1, mae=0.2), both(untrained=0.16, mae=0.2, moco_v3=0.154), RUN)
    assert "moco_v3 (0.15) on the spatial score (untrained: 0.16)." in told
    assert told.count("Below the untrained network: ") == 1 and WHY_LOWER in told
    above = both(untrained=0.1, mae=0.2, moco_v3=0.15)
    assert "elow the untrained network" not in opening(above, above, RUN)
    assert WHY_LOWER not in opening(above, above, RUN)


def test_scenes_are_said_not_to_show_the_published_order():
    """Whatever the scores are: also where every model lies above the untrained network."""
    shown = both(untrained=0.1, mae=0.3, siameseim=0.2)
    assert SCENES in opening(shown, shown, RUN)
    assert SCENES not in opening(shown, shown, photographs("cifar10").runs()[0])


def test_the_highest_is_named_for_each_score():
    both = polars.concat(
        scored(untrained=0.9, mae=a, moco_v3=b).with_columns(probe=polars.lit(probe))
        for probe, a, b in (("semantic", 0.1, 0.2), ("spatial", 0.4, 0.3))
    )
    one = (
        "moco_v3 is the highest on the semantic score and mae is the highest on the spatial score."
    )
    assert leader(both) == one


def test_a_leader_that_intervals_do_not_tell_from_another_is_said_to_overlap():
    close, apart = (
        scored(untrained=0.9, mae=0.4, moco_v3=other).with_columns(probe=polars.lit(probe))
        for probe, other in (("spatial", 0.37), ("semantic", 0.3))
    )
    assert leader(polars.concat([close, apart])) == (
        "mae is the highest on both scores, though on the spatial score its interval overlaps "
        "another model's."
    )


def test_photographs_of_ones_own_are_trained_on_by_the_same_recipes(tmp_path, capsys):
    scale = photographs("folder").change("data.path=photos", "steps=7")
    assert [run.name for run in scale.runs()] == list(DEMO.recipes)
    for run in scale.runs():
        assert run.data == Folder(path="photos") and run.steps == 7 and run.grid == (8, 8)
    assert all(run.data.download for run in photographs("cifar10").runs())
    few = photographs(str(tmp_path))
    assert few.name == f"demo-{tmp_path.name}"
    assert {run.data for run in few.runs()} == {Folder(path=str(tmp_path), side=32)}
    assert main(["demo", "steps=7", "--out", str(tmp_path)]) == 2
    assert "demo takes 'steps=7' only with --data NAME" in capsys.readouterr().err


def test_images_without_a_plane_are_refused_before_any_training(tmp_path, capsys):
    assert main(["demo", "--data", "photographs", "--out", str(tmp_path / "out")]) == 2
    assert "--data photographs: the plane needs" in capsys.readouterr().err
    for i in range(8):
        (tmp_path / "few" / f"{i % 2}").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (30 * i, 0, 9)).save(tmp_path / "few" / f"{i % 2}" / f"{i}.png")
    words = ["--data", "folder", f"data.path={tmp_path / 'few'}", "--out", str(tmp_path / "out")]
    assert main(["demo", *words]) == 2
    assert "the plane needs 10 test images or more, but there are 2" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_every_model_has_both_scores(made):
    scores = polars.read_parquet(made / "scores.parquet")
    models = ["untrained", *SMALLEST.recipes]
    assert scores["model"].unique(maintain_order=True).to_list() == models
    for name in ("semantic", "spatial", "knn", "linear", "correspondence"):
        rows = scores.filter(polars.col("probe") == name)
        assert len(rows) == 4
        assert (rows["low"] <= rows["value"]).all() and (rows["value"] <= rows["high"]).all()


@pytest.mark.slow
def test_a_finished_demo_is_not_trained_again(made):
    before = (made / "mae" / "encoder.safetensors").stat().st_mtime_ns
    assert demo(SMALLEST, made) == 0
    assert (made / "mae" / "encoder.safetensors").stat().st_mtime_ns == before


def test_the_clock_of_a_run_that_was_resumed_adds_up(tmp_path):
    folder = RunFolder(tmp_path)
    for step, seconds in enumerate((10.0, 70.0, 5.0, 50.0)):
        folder.log(Metrics(step, 0, seconds, rate=1.0, wait=0.0, loss=0.0, values={}))
    assert training_minutes(folder) == 2


def test_the_three_runs_share_data_and_budget():
    for scale in (SMALLEST, DEMO, LONG, photographs("cifar10")):
        runs = scale.runs()
        assert len({(run.data, run.steps, run.batch, run.size, run.seed) for run in runs}) == 1


@pytest.mark.slow
def test_a_demo_stopped_and_killed_in_the_middle_went_on(made):
    for name in SMALLEST.recipes:
        folder = RunFolder(made / name)
        assert [line["step"] for line in folder.lines()] == [1, 2, 4, 6], "none is logged twice"
        assert checkpoint.newest(folder.checkpoints)[1] == []

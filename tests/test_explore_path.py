"""Path explorer: the steps of a study in their order, their scores over seeds, and their models."""

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
from test_explore import panel, path_study
from test_study_report import LOSSES, finish, waiting

from siamlab.component import UserError
from siamlab.data import Photographs
from siamlab.evaluate.models import open_model
from siamlab.explore import ModelsExplorer, PathExplorer
from siamlab.study.plan import open_study
from siamlab.study.storage import open_storage
from siamlab.study.trials_file import read_trials

COMMITTED = Path(__file__).parent.parent / "studies" / "results" / "mim_to_siameseim.jsonl"


@pytest.fixture(scope="module")
def study():
    return path_study()[0]


def test_each_step_has_its_mean_over_seeds_its_interval_and_what_it_changed(study):
    """Student's t of two values: 12.706 standard errors."""
    shown = PathExplorer(study)
    first, second = (shown.set(step=step).state["text"].splitlines()[0] for step in (1, 2))
    half = 12.706 * 0.05
    assert first == (
        f"Step 1 of 2, start: semantic 0.250 [−{half - 0.25:.3f}, {0.25 + half:.3f}]; "
        "spatial 0.300 [0.300, 0.300]; mean of 2 seeds; the encoder shown is that of seed 0."
    )
    assert second.startswith("Step 2 of 2, masked (seed=3, masking.ratio=0.4): semantic 0.450 [")
    assert "+0.200 since start; spatial 0.700 [" in second and "+0.400 since start; " in second


def test_the_panels_are_those_of_the_steps_model_on_one_scale(study):
    shown = PathExplorer(study).set(image=2)
    runs = [study / "runs" / f"{name}-seed0" for name in ("start", "masked")]
    alone = ModelsExplorer(runs, shown.models.pixels).set(image=2)
    for step, run in enumerate(runs, 1):
        shown.set(step=step).select(panel_of(shown, "attention"), 7)
        alone.select(f"{run.name} attention", 7)
        for kind in ("attention", "similarity", "match"):
            mine = panel(shown, panel_of(shown, kind)).heat
            theirs = panel(alone, f"{run.name} {kind}").heat
            assert torch.equal(torch.tensor(mine.values), torch.tensor(theirs.values)), kind
        assert shown.scene().scales == alone.scene().scales
        assert "row 2, column 3" in shown.state["text"]


def panel_of(explorer, kind):
    return next(p.id for p in explorer.scene().panels if p.id.endswith(kind))


def test_a_point_of_the_plane_is_its_step_and_the_patch_stays(study):
    shown = PathExplorer(study).select("start similarity", 11).select("path", 1)
    assert (shown.state["step"], shown.state["view"], shown.state["patch"]) == (2, "a", 11)
    chart = panel(shown, "path").chart
    assert list(chart.names) == ["start", "masked"] and list(chart.chosen) == [1]
    assert chart.x[0] < chart.x[1] and chart.y[0] < chart.y[1]
    assert {control.name for control in shown.controls()} == {
        "step", "image", "views", "layer", "head"
    }  # fmt: skip


def test_a_page_answers_every_step_and_patch(study, tmp_path):
    shown = PathExplorer(study)
    events = {answer.event for answer in shown.answers()}
    assert {"step=1", "step=2", "path 0", "path 1", "start attention 24"} <= events
    assert shown.snapshot(tmp_path / "path.png")[:4] == b"\x89PNG"


def test_a_page_of_many_models_has_several_photographs_instead_of_layers():
    one = open_model("zoo:mae")
    for count, layers in ((3, 6), (7, 1)):
        models = [one._replace(name=name) for name in "abcdefg"[:count]]
        held = ModelsExplorer(models, Photographs()("test")).held()
        sizes = {c.name: c.high - c.low + 1 for c in held.controls if c.name in ("image", "layer")}
        assert sizes["layer"] == layers and sizes["image"] * layers >= 3
        assert len(json.dumps([held.data, held.images])) < 3e6


def test_what_is_no_path_is_refused(study, tmp_path):
    with pytest.raises(UserError, match="there are no results of the study"):
        PathExplorer(tmp_path)
    shutil.copytree(study / "runs" / "start-seed0", tmp_path / "runs" / "start-seed0")
    with pytest.raises(UserError, match="one measured configuration, 'start'; a path has two"):
        PathExplorer(tmp_path)
    copied = shutil.copytree(study / "runs" / "masked-seed0", tmp_path / "runs" / "masked-seed0")
    table = pl.read_parquet(copied / "scores.parquet")
    table.filter(probe="spatial").write_parquet(copied / "scores.parquet")
    with pytest.raises(UserError, match=re.escape("lacks a semantic or spatial score of 'masked'")):
        PathExplorer(tmp_path)


def test_the_steps_of_exported_trials_are_opened_from_named_models():
    """In the order of the definition, with the scores of the trials."""
    names = read_trials(COMMITTED).header.about["points"]
    models = dict.fromkeys(names, "zoo:mae") | {"blockwise masks": "zoo:siameseim"}
    shown = PathExplorer(COMMITTED, Photographs(side=32)("test"), models=models)
    assert [step.name for step in shown.steps] == list(names)
    trials = [r for r in read_trials(COMMITTED).records if r.point == "blockwise masks"]
    values = [score.value for r in trials for score in r.scores if score.probe == "semantic"]
    last = shown.set(step=len(names)).state["text"]
    assert f"semantic {sum(values) / len(values):.3f} [" in last and "blockwise masks" in last
    assert f"mean of {len(values)} seeds" in last
    alone = ModelsExplorer(["zoo:siameseim"], shown.models.pixels)
    mine, theirs = (panel(e, e.scene().panels[1].id).heat.values for e in (shown, alone))
    assert list(mine) == list(theirs)


def test_a_step_without_a_model_is_told_and_so_is_a_model_without_a_step():
    with pytest.raises(UserError, match="has no run of 'MAE' with its encoder; name a model"):
        PathExplorer(COMMITTED)
    with pytest.raises(UserError, match="has no configuration 'MAEE'.*MAE"):
        PathExplorer(COMMITTED, models={"MAEE": "zoo:mae"})


def test_a_study_whose_first_step_was_imported_keeps_the_order_of_its_definition(study, tmp_path):
    """Trials end in reverse order, and only those of the other steps were run here."""
    stored = open_study(LOSSES, "losses", open_storage("", tmp_path))
    for trial in reversed(waiting(stored)):
        finish(stored, trial, trial.user_attrs["point"], trial.user_attrs["seed"])
    with pytest.raises(UserError, match="has no run of 'UniGrad' with its encoder; name a model"):
        PathExplorer(tmp_path)
    for name, source in {"MSE-seed0": "start-seed0", "cosine-seed1": "masked-seed0"}.items():
        shutil.copytree(study / "runs" / source, tmp_path / "runs" / name)
    shown = PathExplorer(tmp_path, models={"UniGrad": study / "runs" / "start-seed1"})
    assert [step.name for step in shown.steps] == ["UniGrad", "cosine", "MSE"]
    first = shown.steps[0]
    assert first.seeds == 4 and first.changes == ""
    assert first.scores["semantic"][0] == pytest.approx(0.2 + 0.05 * 1.5)
    assert shown.steps[1].changes == "loss=cosine"

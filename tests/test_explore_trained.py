"""Explorers over the steps of a training: of runs that kept encoders, step by step."""

import shutil

import pytest
import torch
from pages import at, becomes, click, expect, watched
from test_explore import panel
from test_explore_browser import drawn_as
from test_explore_path import COMMITTED
from test_train import noise, tiny
from test_view_film import keeping

from siamlab.component import UserError
from siamlab.evaluate.course import at_step
from siamlab.evaluate.models import NamedModel
from siamlab.explore import (
    EyeExplorer,
    ModelsExplorer,
    PairExplorer,
    PathExplorer,
    ReconstructionExplorer,
)
from siamlab.recipes import mae, siameseim
from siamlab.study.trials_file import read_trials
from siamlab.train import train
from siamlab.train.device import build
from siamlab.train.kept import branch_steps, branches_at


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return keeping(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def pixels():
    return noise().pixels[:3]


PREDICTED = {"eye": (siameseim, EyeExplorer), "reconstruction": (mae, ReconstructionExplorer)}


@pytest.fixture(scope="module", params=PREDICTED)
def predicted(request, tmp_path_factory):
    """A run that kept both branches every two steps, and its explorer."""
    recipe, explorer = PREDICTED[request.param]
    run = tiny(recipe, "keep_every=2", "keep=branches", "save_every=2")
    return train(run, tmp_path_factory.mktemp(request.param) / "run", noise()).path, explorer


def numbers_of(explorer):
    """What its model predicts and what its target has, in the present state."""
    found = explorer.expected() if isinstance(explorer, EyeExplorer) else explorer.reconstructed()
    return found.prediction, found.target


def same_numbers(shown, wanted):
    for mine, theirs in zip(numbers_of(shown), numbers_of(wanted), strict=True):
        torch.testing.assert_close(mine, theirs, equal_nan=True)


def test_a_prediction_is_that_of_both_branches_after_the_step(predicted, pixels, tmp_path):
    folder, explorer = predicted
    shown = explorer(folder, pixels)
    (control,) = (c for c in shown.controls() if c.name == "training_step")
    assert control.value == "6" and list(control.options) == ["0", "2", "4", "6"]
    before = shutil.copytree(folder, tmp_path / "before")  # the same run after four steps
    shutil.rmtree(before / "checkpoints" / "step_00000006")
    shutil.rmtree(before / "branches")
    earlier = explorer(before, pixels)
    assert "training_step" not in earlier.state and branch_steps(before) == []
    finished = numbers_of(shown)
    same_numbers(shown.set(training_step=4), earlier)
    state = build(shown.run, torch.device("cpu"))
    for mine, theirs in zip(shown.branches.at("0"), (state.model, state.teacher), strict=True):
        torch.testing.assert_close(mine.state_dict(), theirs.state_dict())
    assert not torch.equal(numbers_of(shown.set(training_step=0))[0].nan_to_num(),
                           finished[0].nan_to_num())  # fmt: skip
    for mine, theirs in zip(numbers_of(shown.set(training_step=6)), finished, strict=True):
        torch.testing.assert_close(mine, theirs, equal_nan=True, rtol=0, atol=0)


def test_a_step_that_was_not_kept_or_is_damaged_is_told(predicted, tmp_path):
    copy = shutil.copytree(predicted[0], tmp_path / "copy")
    with pytest.raises(UserError, match=r"branches of step 3 .*; choose one of \[0, 2, 4, 6\]"):
        branches_at(copy, 3)
    file = copy / "branches" / "step_00000002" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="branches of step 2 .model.safetensors changed"):
        branches_at(copy, 2)


STEPS = "input[name=training_step]"  # the slider


def steps_of(page, explorer, folder):
    """Go through training steps on the page of an explorer; yield each, once it is shown."""
    page.goto(explorer.to_html(folder / "page.html").as_uri())
    slider = page.locator(STEPS)
    expect(slider).to_have_attribute("max", "3")
    expect(slider).to_have_value("3")
    for place, step in ((0, "0"), (2, "4")):
        slider.fill(str(place))
        drawn_as(page, explorer.set(training_step=step))
        yield step


@pytest.mark.slow
def test_a_page_of_predictions_goes_through_the_steps(browser, predicted, pixels, tmp_path):
    folder, made = predicted
    explorer = made(folder, pixels)
    view = "expected" if made is EyeExplorer else "reconstruction"
    with watched(browser, width=1200, height=900) as page:
        slider = page.locator(STEPS)
        for _ in steps_of(page, explorer, tmp_path):
            becomes(page, "shown.scene.panels.every((each) => shown.images[each.image])", True)
        click(page, view, 0.9, 0.1)
        drawn_as(page, explorer.select(view, explorer.grid[1] - 1))
        slider.press("ArrowRight")
        drawn_as(page, explorer.set(training_step="6"))


def alone(named, step):
    """The encoder after a step, as a model that knows of no others."""
    return NamedModel(named.name, at_step(named, step), named.run)


def same_heat(shown, wanted, name):
    mine, theirs = (torch.tensor(panel(e, name).heat.values) for e in (shown, wanted))
    torch.testing.assert_close(mine, theirs)


def test_a_pair_is_that_of_the_encoder_after_the_step(models, pixels):
    shown = PairExplorer(models[0], pixels)
    (control,) = (c for c in shown.controls() if c.name == "training_step")
    assert control.value == "6" and list(control.options) == ["0", "2", "4", "6"]
    finished = panel(shown, "b").heat.values
    for step in (0, 2, 6):
        shown.set(training_step=step)
        for view in "ab":
            same_heat(shown, PairExplorer(alone(models[0], step), pixels), view)
    assert panel(shown, "b").heat.values == finished


def test_models_show_what_they_kept_by_the_step(models, pixels):
    shown = ModelsExplorer(models, pixels).set(training_step=2, head=2)
    for named, step in zip(models, (2, 0, None), strict=True):
        own = named if step is None else alone(named, step)
        wanted = ModelsExplorer(own._replace(folder=None), pixels).set(head=2)
        for kind in ("attention", "similarity", "match"):
            same_heat(shown, wanted, f"{named.name} {kind}")


def test_without_kept_encoders_there_is_no_slider(models, pixels):
    for explorer in (PairExplorer(models[2], pixels), ModelsExplorer(models[2:], pixels)):
        assert "training_step" not in explorer.state
        assert "training_step" not in {c.name for c in explorer.scene().controls}


@pytest.mark.parametrize("kind", ["pair", "models"])
def test_a_page_goes_through_the_steps(browser, models, pixels, kind, tmp_path):
    explorer = PairExplorer(models[0], pixels) if kind == "pair" else ModelsExplorer(models, pixels)
    view = "a" if kind == "pair" else f"{models[1].name} similarity"
    with watched(browser, width=1200, height=900) as page:
        slider = page.locator(STEPS)
        for step in steps_of(page, explorer, tmp_path):
            expect(slider.locator("xpath=following-sibling::output")).to_have_text(step)
        click(page, view, 0.9, 0.1)
        columns = explorer.scene().panels[-1].grid if kind == "pair" else explorer.grid
        drawn_as(page, explorer.select(view, columns[1] - 1))
        slider.press("ArrowRight")
        drawn_as(page, explorer.set(training_step="6"))
        page.mouse.move(*at(page, view, 0.1, 0.1))  # pinned: the answer stays
        drawn_as(page, explorer)


def test_a_path_goes_through_the_training_of_its_models(browser, models, pixels, tmp_path):
    """Steps of the path are models, and each is shown as its training had made it by then."""
    names = read_trials(COMMITTED).header.about["points"]
    kept, sparse, _ = (named.folder for named in models)
    walked = dict.fromkeys(names, kept) | {"MAE": sparse}
    explorer = PathExplorer(COMMITTED, pixels, models=walked).set(training_step="2")
    for step, own in ((1, alone(models[1], 0)), (2, alone(models[0], 2))):
        explorer.set(step=step)
        wanted, name = ModelsExplorer(own, pixels), explorer.steps[step - 1].name
        for kind in ("attention", "similarity", "match"):
            mine = panel(explorer, f"{name} {kind}").heat.values
            assert list(mine) == list(panel(wanted, f"{own.name} {kind}").heat.values)
    explorer.set(training_step="6")
    with watched(browser, width=1200, height=900) as page:
        for _ in steps_of(page, explorer, tmp_path):
            page.locator("input[name=step]").fill("1")
            drawn_as(page, explorer.set(step=1))

"""The page of the linked plane: any brushing of any models, answered without Python."""

import polars as pl
import pytest
import torch
from pages import becomes, click, comes_true, drag, expect, mentions, says, waits, watched
from test_explore import REST
from test_explore_browser import bar
from test_explore_plane import study  # noqa: F401
from test_explore_study_page import flat

from siamlab.data import Scenes
from siamlab.evaluate.models import open_model
from siamlab.explore import PlaneExplorer
from siamlab.explore.plane import held

KINDS = ("siameseim", "mae", "moco_v3")


def many(count):
    """As many models, those of the zoo under several names, from the upper left to the right."""
    names = [f"zoo:scenes_{KINDS[i % 3]}" for i in range(count)]
    models = [open_model(name)._replace(name=f"run {i}") for i, name in enumerate(names)]
    places = {"semantic": lambda i: 0.05 * i, "spatial": lambda i: 0.9 - 0.04 * i}
    rows = [
        dict(model=f"run {i}", probe=probe, value=place(i), low=place(i) - 0.01,
             high=place(i) + 0.01, layer=None, head=None) | REST
        for i in range(count) for probe, place in places.items()
    ]  # fmt: skip
    few = Scenes(images=8, test_images=10)("test")
    return PlaneExplorer(models, pl.DataFrame(rows, infer_schema_length=None), few)


def drawn_as(page, explorer):
    """Text, controls, charts and marks become those of the object."""
    says(page, explorer.state["text"])
    wanted = explorer.scene().as_dict()
    comes_true(page, lambda: same_scene(page, wanted))


def same_scene(page, wanted):
    shown = page.evaluate("window.shown.scene")
    assert shown["legend"] == wanted["legend"]
    for ours, theirs in zip(shown["controls"], wanted["controls"], strict=True):
        assert (ours["name"], ours["value"]) == (theirs["name"], theirs["value"])
        assert list(ours["options"]) == list(theirs["options"])
    for ours, theirs in zip(shown["panels"], wanted["panels"], strict=True):
        for key in ("id", "title", "image", "grid", "span", "still", "several"):
            assert ours[key] == theirs[key], key
        assert [m["kind"] for m in ours["marks"]] == [m["kind"] for m in theirs["marks"]]
        for mine, mark in zip(ours["marks"], theirs["marks"], strict=True):
            assert [mine["y"], mine["x"]] == flat([mark["y"], mark["x"]])
        assert [flat(ends) for ends in ours["arrows"]] == theirs["arrows"]
        if theirs["chart"]:
            same_chart(ours["chart"], theirs["chart"])
    images = "shown.scene.panels.every((each) => each.chart || shown.images[each.image])"
    assert page.evaluate(images)


def same_chart(mine, chart):
    for key in ("kind", "names", "colours", "symbols", "x_title", "y_title", "note"):
        assert mine[key] == chart[key], key
    assert list(mine["chosen"]) == list(chart["chosen"])
    for key in ("x_ticks", "y_ticks"):
        assert [words for _, words in mine[key]] == [words for _, words in chart[key]], key
        assert [place for place, _ in mine[key]] == flat([place for place, _ in chart[key]])
    for key in ("x", "y"):
        for ours, theirs in zip(mine[key], chart[key], strict=True):
            assert ours == flat(theirs)
    named = [bool(place) for place in chart["places"]]
    assert [bool(place) for place in mine["places"]] == named


@pytest.fixture(scope="module")
def dozen():
    return many(13)  # more than those that all have names


@pytest.mark.slow
def test_any_brushing_of_many_models_is_answered(browser, dozen, tmp_path):
    file = dozen.to_html(tmp_path / "page.html")
    assert file.stat().st_size < 3e6
    with watched(browser, width=1280, height=900) as page:
        page.goto(file.as_uri())
        drawn_as(page, dozen)
        drag(page, "plane", (0.02, 0.02), (0.98, 0.7))
        waits(page, "() => shown.scene.panels[0].chart.chosen.length > 4")
        chosen = page.evaluate("shown.scene.panels[0].chart.chosen")
        drawn_as(page, dozen.brush("plane", chosen))
        measures = dozen.controls()[1].options  # the last one has no patches
        for measure in measures:
            page.locator("select[name=measure]").select_option(measure)
            drawn_as(page, dozen.set(measure=measure))
        drag(page, "histogram", bar(2), bar(6))
        drawn_as(page, dozen.brush("histogram", range(2, 7)))
        other = dozen.controls()[0].options[2]
        page.locator("select[name=model]").select_option(other)
        drawn_as(page, dozen.set(model=other))
        page.locator("select[name=measure]").select_option(measures[0])
        drawn_as(page, dozen.set(measure=measures[0]))
        click(page, "histogram", *bar(1))
        drawn_as(page, dozen.select("histogram", 1))


def test_curves_of_runs_are_those_of_the_object(browser, study, tmp_path):  # noqa: F811
    explorer = PlaneExplorer.of_study(study)
    with watched(browser, width=1280, height=900) as page:
        page.goto(explorer.to_html(tmp_path / "page.html").as_uri())
        drawn_as(page, explorer)
        drag(page, "plane", (0.18, 0.02), (0.98, 0.7))
        drawn_as(page, explorer.brush("plane", [0, 1]))


def bytes_of_values(page):
    measured = [each for model in page.data["models"].values() for each in model["values"].values()]
    return sum(len(each["values"]) for each in measured)


@pytest.mark.slow
def test_a_page_of_too_many_values_holds_fewer_images_and_says_so(browser, monkeypatch, tmp_path):
    explorer = many(3)
    name, measure = explorer.state["model"], explorer.state["measure"]
    rows = explorer._measured(name, measure)
    size = bytes_of_values(explorer.held())
    monkeypatch.setattr(held, "VALUES", size / 2)
    images = explorer.held().images
    assert 1 < len(images) < 10 and bytes_of_values(explorer.held()) < 0.52 * size
    own = rows[rows[:, 0] < len(images)]
    with watched(browser, width=1280, height=900) as page:
        page.goto(explorer.to_html(tmp_path / "page.html").as_uri())
        mentions(page, f"are of the first {len(images)} of 10 images: the values of all")
        mentions(page, f"of {len(own)} with {measure} from")
        expect(page.locator(".text")).not_to_contain_text(": 0 patches")
        bars = page.evaluate("shown.scene.panels[1].chart.names")
        assert sum(int(words.rsplit(": ")[-1]) for words in bars) == len(own)
        becomes(page, "shown.scene.panels.length > 2", True)  # with examples


def test_values_of_many_models_are_those_of_as_many_images_as_fit():
    patches = torch.cartesian_prod(torch.arange(40), torch.arange(196), torch.arange(1)).float()
    measured = [{str(measure): patches for measure in range(5)}] * 40  # 0.21 MB of each image
    assert held.images_that_fit(measured, 40) == 4
    assert held.images_that_fit(measured[:4], 40) == 40
    assert held.images_that_fit(measured * 9, 40) == 1


def test_curves_of_many_runs_have_fewer_points_and_the_last_one():
    lines = [{"step": step, "loss": 1 / (step + 3)} for step in range(500)]
    for runs, most in ((2, 101), (300, 24)):
        kind = held.held_curves({str(i): lines for i in range(runs)})["kinds"][0]
        steps, _ = kind["runs"]["0"]
        assert most / 2 < len(steps) <= most and steps[-1] == 499

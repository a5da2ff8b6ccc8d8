"""The page of a study explorer: any selection of points, of any study, answered without Python."""

import pytest
from pages import at, comes_true, drag, mentions, says, waits, watched
from test_explore_browser import point
from test_view_plane import RESULTS

from siamlab.explore import StudyExplorer

NAMES = [str(RESULTS / f"{name}.jsonl") for name in ("mim_to_siameseim", "headline")]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    return StudyExplorer(*NAMES).to_html(tmp_path_factory.mktemp("study") / "page.html").as_uri()


@pytest.fixture
def page(browser, url):
    with watched(browser, width=1280, height=900) as page:
        page.goto(url)
        yield page


def flat(ends):
    return None if ends is None else pytest.approx(ends, abs=2e-4)


def drawn_as(page, explorer):
    """Text, controls and charts become those of the object; names lie anywhere clear of points."""
    says(page, explorer.state["text"])
    wanted = explorer.scene().as_dict()
    comes_true(page, lambda: same_scene(page.evaluate("window.shown.scene"), wanted))


def same_scene(shown, wanted):
    for ours, theirs in zip(shown["controls"], wanted["controls"], strict=True):
        assert {key: ours[key] for key in theirs} == theirs
    for ours, theirs in zip(shown["panels"], wanted["panels"], strict=True):
        assert (ours["title"], ours["grid"]) == (theirs["title"], theirs["grid"])
        mine, chart = ours["chart"], theirs["chart"]
        for key in ("names", "colours", "symbols", "chosen", "x_title", "y_title", "joined"):
            assert mine[key] == chart[key], key
        assert mine["x"] == flat(chart["x"]) and mine["y"] == flat(chart["y"])
        for key in ("x_ticks", "y_ticks"):
            assert [words for _, words in mine[key]] == [words for _, words in chart[key]]
            assert [place for place, _ in mine[key]] == flat([place for place, _ in chart[key]])
        assert mine["whiskers"] == [flat(ends) for ends in chart["whiskers"]]
        named = [i for i, place in enumerate(chart["places"]) if place]
        assert [i for i, place in enumerate(mine["places"]) if place] == named
        for i in named:
            x, y = mine["places"][i]
            wide = (18 * len(mine["names"][i]) + 8) / 800 / 2
            for other, (at_x, at_y) in enumerate(zip(mine["x"], mine["y"], strict=True)):
                assert abs(at_x - x) > wide or abs(at_y - y) > 0.03, (mine["names"][i], other)


def test_several_of_many_points_are_brushed_and_every_control_answers(page):
    explorer = StudyExplorer(*NAMES)
    drawn_as(page, explorer)
    plane, told = (page.locator(place).bounding_box() for place in (".panels", ".text"))
    assert told["y"] >= plane["y"] + plane["height"]  # the pictures first, then the list
    page.locator("select[name=points]").select_option("runs")
    drawn_as(page, explorer.set(points="runs"))
    count = len(explorer.scene().panels[0].chart.names)
    assert count > 12  # more than have names
    drag(page, "plane", (0.18, 0.05), (0.96, 0.8))  # all of them
    drawn_as(page, explorer.brush("plane", range(count)))
    page.locator("select[name=probe]").select_option("linear")
    drawn_as(page, explorer.set(probe="linear"))
    page.mouse.click(*at(page, "plane", *point(explorer, 4)))
    waits(page, "() => window.shown.scene.panels[0].chart.chosen.length === 1")
    chosen = page.evaluate("window.shown.scene.panels[0].chart.chosen")  # the nearest of a crowd
    drawn_as(page, explorer.select("plane", chosen[0]))


def test_another_study_keeps_the_probe_and_differences_are_those_of_the_first_chosen(page):
    explorer = StudyExplorer(*NAMES)
    page.locator("select[name=probe]").select_option("spatial")
    page.locator("select[name=study]").select_option(NAMES[1])
    drawn_as(page, explorer.set(probe="spatial").set(study=NAMES[1]))
    page.mouse.click(*at(page, "plane", *point(explorer, 2)))
    drawn_as(page, explorer.select("plane", 2))
    page.keyboard.down("Shift")
    page.mouse.click(*at(page, "plane", *point(explorer, 0)))
    waits(page, "() => window.shown.scene.panels[0].chart.chosen.length === 2")
    chosen = page.evaluate("window.shown.scene.panels[0].chart.chosen")
    assert sorted(chosen) == [0, 2]
    drawn_as(page, explorer.brush("plane", chosen))
    mentions(page, "seed by seed: semantic")

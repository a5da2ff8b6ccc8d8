"""The plane of `siamlab view`: results of studies in the browser, with the numbers of Python."""

import shutil
from pathlib import Path

import pytest
from pages import at, drag, expect, in_address, patient, says, watched
from starlette.testclient import TestClient
from test_explore import path_study

from benchmarks.serving import served
from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.evaluate.models import open_model
from siamlab.explore import StudyExplorer
from siamlab.explore.plane.results import study_results
from siamlab.explore.view import encoders, server
from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.photos import Album, shipped
from siamlab.explore.view.studies import Studies
from siamlab.explore.view.verdicts import ABSENT, encoders_of

RESULTS = Path(__file__).parents[1] / "studies" / "results"
STUDIES = [str(RESULTS / name) for name in ("headline.jsonl", "headline_scenes")]
FIRST = "/secret/plane/matches/1"  # of the second chosen point and the first


@pytest.fixture(scope="module")
def app():
    return server.application(Encoders([]), Album(shipped()), "secret", None, Studies(STUDIES))


@pytest.fixture
def client(app):
    return TestClient(app, base_url="http://127.0.0.1")


@pytest.fixture
def url(app):
    with served(app) as address:
        yield address


@pytest.fixture
def explorer():
    return StudyExplorer(*STUDIES)


def told(explorer):
    """What the page says: of a study without encoders, what its matches need too."""
    first, *others = explorer.state["chosen"]
    needed = ABSENT.format(first=first, other=others[0]) if others else ""
    return f"{explorer.state['text']}\n{needed}".rstrip()


@pytest.fixture
def runs():
    """The folder of a study with its runs."""
    return path_study()[0]


def of_runs(runs, *models):
    """The application of a study whose encoders are there."""
    found = Encoders(models)
    return server.application(found, Album(shipped()[:2]), "secret", None, Studies([str(runs)]))


def test_a_state_of_a_link_is_a_scene_of_python(client, explorer):
    words = {"study": STUDIES[1], "points": "runs", "probe": "knn", "chosen": "2.0"}
    explorer.set(study=STUDIES[1], points="runs", probe="knn").brush("plane", [0, 2])
    own = explorer.scene().as_dict() | {"text": told(explorer)}
    answer = client.get("/secret/plane", params=words).json()
    assert answer == own | {"jumps_title": answer["jumps_title"]} and not answer["jumps"]
    assert client.get("/secret/about").json()["studies"] == STUDIES


@pytest.mark.parametrize(
    "words, said",
    [
        ({"study": "loss"}, "'loss'"),
        ({"points": "seeds"}, "has no choice 'seeds'"),
        ({"study": STUDIES[0], "probe": "fid"}, "'fid'"),
        ({"chosen": "7"}, "chosen=7 must be numbers from 0 to 6, joined by dots"),
        ({"chosen": "0..1"}, "chosen=0..1 must be numbers"),
    ],
)
def test_a_state_that_no_study_has_is_one_sentence(client, words, said):
    answer = client.get("/secret/plane", params=words)
    assert answer.status_code in (400, 404) and said in answer.json()["error"]


def test_points_are_clicked_and_brushed_and_a_link_restores_them(browser, url, explorer):
    with watched(browser, width=1280, height=900) as page:
        page.goto(url)  # without a model, the plane is all there is
        expect(page.locator(".shows button")).to_have_text(["plane"])
        says(page, told(explorer))
        expect(page.locator(".strip")).to_be_hidden()
        chart = explorer.scene().panels[0].chart
        for part in (".point.chosen", ".whisker"):
            expect(page.locator(f'[data-panel="plane"] {part}')).to_have_count(len(chart.x))
        place = lambda i: (  # noqa: E731
            0.17 + chart.x[i] * 0.8, (0.03 + (1 - chart.y[i]) * 0.6) / 0.75)  # fmt: skip
        page.mouse.click(*at(page, "plane", *place(1)))
        says(page, told(explorer.select("plane", 1)))
        (x, y), (to_x, to_y) = sorted([place(1), place(2)])
        drag(page, "plane", (x - 0.04, max(y, to_y) + 0.04), (to_x + 0.04, min(y, to_y) - 0.04))
        says(page, told(explorer.brush("plane", [1, 2])))
        page.locator("select[name=probe]").select_option("knn")
        explorer.set(probe="knn")
        head, controls = (page.locator(part).bounding_box() for part in ("header", ".controls"))
        assert head["y"] + head["height"] <= controls["y"]
        title = page.locator('[data-panel="values"] figcaption')
        expect(title).to_contain_text("Chosen configurations: knn")
        in_address(page, probe="knn")
        with watched(browser, width=1280, height=900) as other:
            other.goto(page.url)
            says(other, told(explorer))
            expect(other.locator("select[name=probe]")).to_have_value("knn")


def test_another_study_and_runs_are_chosen_by_keys(browser, url, explorer):
    with watched(browser, width=480, height=900) as page:
        page.goto(url)
        says(page, told(explorer))
        for name, change in (("study", {"study": STUDIES[1]}), ("points", {"points": "runs"})):
            page.locator(f"select[name={name}]").focus()
            page.keyboard.press("ArrowDown")
            says(page, told(explorer.set(**change)))
        page.locator('[data-panel="plane"] svg').focus()
        for key in ("Enter", "ArrowLeft", "Shift+Enter"):
            page.keyboard.press(key)
        explorer.select("plane", 6).brush("plane", [5, 6])
        says(page, told(explorer))
        assert page.evaluate("document.documentElement.scrollWidth") <= 480


def test_a_link_to_points_that_are_not_there_is_told(browser, url):
    with patient(browser) as page:
        page.goto(f"{url}#runs=77")
        expect(page.locator(".alert")).to_contain_text("chosen=77 must be numbers from 0 to 6")


def test_a_comparison_leads_to_the_matches_of_its_two_encoders(browser, runs):
    with served(of_runs(runs)) as address, watched(browser, width=1280, height=900) as page:
        page.goto(address)
        expect(page.locator(".jumps strong")).to_have_text("Whose match is right?")
        page.get_by_role("button", name="masked against start").click()
        expect(page.locator("select[name=first]")).to_have_value("start-seed0")
        expect(page.locator("select[name=second]")).to_have_value("masked-seed0")
        expect(page.locator("#matches .match")).to_have_count(4)  # two photographs
        in_address(page, show="matches")
        page.locator("[data-show=plane]").click()  # now that they are open, no page is loaded
        page.get_by_role("button", name="masked against start").click()
        expect(page.locator("#matches .match").first).to_be_visible()


@pytest.mark.parametrize(
    "words, names",
    [
        ({}, ("start-seed0", "masked-seed0")),
        ({"points": "configurations", "chosen": "0.1"}, ("start-seed0", "masked-seed0")),
        ({"points": "runs", "chosen": "1.2"}, ("masked-seed0", "start-seed1")),
    ],
)
def test_the_encoders_of_a_comparison_become_models_of_the_page(runs, words, names):
    client = TestClient(of_runs(runs), base_url="http://127.0.0.1")
    (jump,) = client.get("/secret/plane", params=words).json()["jumps"]
    assert (jump["panel"], jump["patch"]) == ("matches", 1)
    for _ in range(2):  # a second time they are open
        opened = client.post(FIRST, params=words).json()
        assert (opened["first"], opened["second"]) == names
    assert tuple(m["name"] for m in client.get("/secret/about").json()["models"]) == names


def test_a_run_that_is_open_is_found_by_what_trained_it(runs, tmp_path):
    """Its folder has another name, and the results of the study come without runs."""
    for name in ("start", "masked"):
        shutil.copytree(runs / "runs" / f"{name}-seed0", tmp_path / name)
    names = "start", "masked"
    start, masked = (open_model(tmp_path / name) for name in names)
    other = masked._replace(run=masked.run.change("seed=0", "compute.threads=3"))
    found = study_results(runs)._replace(runs={"start": start.run, "masked": masked.run})
    here = lambda *opened: encoders_of(  # noqa: E731
        found, tmp_path, "configurations", names, opened)  # fmt: skip
    assert here(start) is None
    assert here(start, masked) is None  # of another seed than any trial
    assert here(other, start) == (start, other)


def test_what_a_page_cannot_open_is_one_sentence(runs, client, monkeypatch):
    answer = client.post(FIRST, params={"chosen": "0.1"})
    assert answer.status_code == 404 and "no encoders of the chosen point 1" in answer.text
    monkeypatch.setattr(encoders, "MOST_MODELS", 1)
    few = TestClient(of_runs(runs), base_url="http://127.0.0.1")
    for number, status, said in ((1, 409, "this page has 1 models, as many"), (2, 404, "point 2")):
        answer = few.post(f"/secret/plane/matches/{number}")
        assert answer.status_code == status and said in answer.json()["error"]


@pytest.mark.parametrize(
    "words, said",
    [
        (["view", "--study", "nothing"], "there are no results of the study nothing"),
        (["view", "photo.jpg", "--study", STUDIES[0]], "view needs a model before"),
        (["view"], "view needs a model before"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_a_page_is_served(words, said, monkeypatch, capsys):
    monkeypatch.setattr("siamlab.cli.view.serve", lambda *_: pytest.fail("a page was served"))
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_study_alone_is_served(monkeypatch, capsys):
    served = []
    monkeypatch.setattr("siamlab.cli.view.serve", lambda app, _: served.append(app))
    assert not main(["view", "--study", STUDIES[0], "--no-browser"])
    assert served and "http://127.0.0.1:" in capsys.readouterr().out


def test_studies_that_are_not_there_are_told_when_they_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    studies = Studies()
    assert studies.names == []
    with pytest.raises(UserError, match="no results of studies below"):
        studies.scene({})

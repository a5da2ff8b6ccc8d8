"""The plane of `siamlab view`: results of studies in the browser, with the numbers of Python."""

from pathlib import Path

import pytest
from pages import at, drag, expect, in_address, patient, says, watched
from starlette.testclient import TestClient

from benchmarks.serving import served
from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.explore import StudyExplorer
from siamlab.explore.view import server
from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.photos import Album, shipped
from siamlab.explore.view.studies import Studies

RESULTS = Path(__file__).parents[1] / "studies" / "results"
STUDIES = [str(RESULTS / name) for name in ("headline.jsonl", "headline_scenes")]


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


def test_a_state_of_a_link_is_a_scene_of_python(client, explorer):
    words = {"study": STUDIES[1], "points": "runs", "probe": "knn", "chosen": "2.0"}
    explorer.set(study=STUDIES[1], points="runs", probe="knn").brush("plane", [0, 2])
    assert client.get("/secret/plane", params=words).json() == explorer.scene().as_dict()
    assert client.get("/secret/about").json()["studies"] == STUDIES


@pytest.mark.parametrize(
    "words, said",
    [
        ({"study": "loss"}, "'loss'"),
        ({"points": "seeds"}, "has no choice 'seeds'"),
        ({"study": STUDIES[0], "probe": "fid"}, "'fid'"),
        ({"chosen": "6"}, "chosen=6 must be numbers from 0 to 5, joined by dots"),
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
        says(page, explorer.state["text"])
        expect(page.locator(".strip")).to_be_hidden()
        for part in (".point.chosen", ".whisker"):
            expect(page.locator(f'[data-panel="plane"] {part}')).to_have_count(6)
        chart = explorer.scene().panels[0].chart
        place = lambda i: (  # noqa: E731
            0.17 + chart.x[i] * 0.8, (0.03 + (1 - chart.y[i]) * 0.6) / 0.75)  # fmt: skip
        page.mouse.click(*at(page, "plane", *place(1)))
        says(page, explorer.select("plane", 1).state["text"])
        (x, y), (to_x, to_y) = sorted([place(1), place(2)])
        drag(page, "plane", (x - 0.04, max(y, to_y) + 0.04), (to_x + 0.04, min(y, to_y) - 0.04))
        says(page, explorer.brush("plane", [1, 2]).state["text"])
        page.locator("select[name=probe]").select_option("knn")
        explorer.set(probe="knn")
        title = page.locator('[data-panel="values"] figcaption')
        expect(title).to_contain_text("Chosen configurations: knn")
        in_address(page, probe="knn")
        with watched(browser, width=1280, height=900) as other:
            other.goto(page.url)
            says(other, explorer.state["text"])
            expect(other.locator("select[name=probe]")).to_have_value("knn")


def test_another_study_and_runs_are_chosen_by_keys(browser, url, explorer):
    with watched(browser, width=480, height=900) as page:
        page.goto(url)
        says(page, explorer.state["text"])
        for name, change in (("study", {"study": STUDIES[1]}), ("points", {"points": "runs"})):
            page.locator(f"select[name={name}]").focus()
            page.keyboard.press("ArrowDown")
            says(page, explorer.set(**change).state["text"])
        page.locator('[data-panel="plane"] svg').focus()
        for key in ("Enter", "ArrowLeft", "Shift+Enter"):
            page.keyboard.press(key)
        explorer.select("plane", 6).brush("plane", [5, 6])
        says(page, explorer.state["text"])
        assert page.evaluate("document.documentElement.scrollWidth") <= 480


def test_a_link_to_points_that_are_not_there_is_told(browser, url):
    with patient(browser) as page:
        page.goto(f"{url}#runs=77")
        expect(page.locator(".alert")).to_contain_text("chosen=77 must be numbers from 0 to 5")


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

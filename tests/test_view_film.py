"""The page of `siamlab view` over the steps of a training: what runs kept, as Python shows it."""

import shutil

import pytest
import torch
import torch.nn.functional as F
from pages import becomes, expect, in_address, shows, waits, watched
from starlette.testclient import TestClient
from test_train import noise, tiny

from benchmarks.serving import served
from siamlab import open_models, probe
from siamlab.component import UserError
from siamlab.data import Fashion, sample
from siamlab.evaluate.course import at_step, course, kept_steps
from siamlab.explore.view import server
from siamlab.explore.view.collection import Collection
from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.matches import disagreements
from siamlab.explore.view.photos import Album, shipped
from siamlab.explore.view.routes import cropped
from siamlab.recipes import mae
from siamlab.train import train


def keeping(root):
    """Models of runs that kept their encoder every two steps, every four, and never."""
    for name, every in (("kept", 2), ("sparse", 4), ("none", 0)):
        train(tiny(mae, f"keep_every={every}"), root / name, noise())
    return open_models([root / name for name in ("kept", "sparse", "none")])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return keeping(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def app(models):
    return server.application(Encoders(models), Album(shipped()[:2]), "secret")


def patches(model, layer=-1):
    return probe.by_layer(model, shipped()[0].pixels[None], "patches")[layer][0]


def test_kept_steps_begin_before_training_and_end_with_the_model(models):
    assert [kept_steps(named) for named in models] == [[0, 2, 4, 6], [0, 4, 6], []]
    assert at_step(models[0], 6) is models[0].model
    for step, wanted in course(models[0].folder).items():
        torch.testing.assert_close(patches(at_step(models[0], step)), patches(wanted))
    assert kept_steps(open_models("zoo:mae")[0]) == []
    larger = open_models(models[0].folder, size=32)[0]
    assert at_step(larger, 2).patch_embed.img_size == (32, 32)
    with pytest.raises(UserError, match=r"step 3 of kept was not kept; choose one of \[0, 2"):
        at_step(models[0], 3)


def test_a_run_that_still_trains_ends_with_its_newest_checkpoint(models, tmp_path):
    shutil.copytree(models[0].folder, folder := tmp_path / "kept")
    (folder / "encoder.safetensors").unlink()
    named = open_models(folder)[0]
    assert kept_steps(named)[:2] == [0, 2] and kept_steps(named)[-1] == 6


def test_the_server_answers_for_a_step(models, app):
    client = TestClient(app, base_url=f"http://{server.HERE}/secret/")
    about = client.get("about").json()
    assert [model["steps"] for model in about["models"]] == [[0, 2, 4, 6], [0, 4, 6], []]
    place = f"features/0/{about['photos'][0]['id']}/1"
    for address, model in ((f"{place}?step=2", at_step(models[0], 2)), (place, models[0].model)):
        got = torch.frombuffer(bytearray(client.get(address).content), dtype=torch.float16)
        wanted = patches(model, 0)
        torch.testing.assert_close(got.view_as(wanted).float(), wanted, atol=2e-3, rtol=2e-3)
    photo = about["photos"][0]["id"]
    for kind in ("features", "attention"):
        answer = client.get(f"{kind}/0/{photo}/1?step=3")
        assert answer.status_code == 404 and "step 3 of kept" in answer.json()["error"]
    answer = client.get(f"{place}?step=soon")
    assert answer.status_code == 404 and "step=soon must be one of the steps" in answer.text


def test_attention_map_and_matches_are_those_of_the_step(models):
    ships, early = shipped()[:2], at_step(models[0], 2)
    images = sample(Fashion()("test"), 40)
    collection = Collection(images, "fashion")
    app = server.application(Encoders(models), Album(ships), "secret", collection)
    client = TestClient(app, base_url=f"http://{server.HERE}/secret/")
    numbers = lambda address: torch.frombuffer(  # noqa: E731
        bytearray(client.get(address).content), dtype=torch.float16).float()  # fmt: skip
    own = Encoders([models[0]._replace(model=early)])  # the same, as the only model there is
    for address, wanted in (
        (f"attention/0/{ships[0].id}/1", own.attention(0, ships[0], 1)),
        (f"rollout/0/{ships[0].id}", own.rollout(0, ships[0])),
        ("map/0", own.pooled(0, collection)),
    ):
        got = numbers(f"{address}?step=2").view_as(wanted)
        torch.testing.assert_close(got, wanted.float(), atol=2e-3, rtol=2e-3)
        assert not torch.allclose(numbers(address).view_as(wanted), wanted.float(), atol=2e-3)
    votes = client.get("map/0/votes?step=2").json()
    assert votes["label"] == own.votes(0, collection).label.tolist()
    crops = cropped(Encoders(models), Album(ships), collection)
    alone = Encoders([models[0]._replace(model=early), models[1]])
    got = client.get("matches/0/1?step=2").json()
    assert got == disagreements(alone, crops, 0, 1)
    assert got["models"][0]["mean"] != client.get("matches/0/1").json()["models"][0]["mean"]
    other = client.get("matches/1/0?second_step=2").json()["models"][1]
    assert other["mean"] == pytest.approx(got["models"][0]["mean"])


def test_a_slider_goes_through_the_steps(browser, models, app):
    with served(app) as url, watched(browser, width=1000, height=700) as page:
        page.goto(url)
        page.wait_for_selector("[data-ready]")
        titles = page.locator("figcaption")
        expect(titles).to_have_text(["kept, step 6", "sparse, step 6", "none"])
        page.locator("input[name=step]").fill("1")
        expect(titles).to_have_text(["kept, step 2", "sparse, step 0", "none"])
        for named, step in zip(models, (2, 0, None), strict=True):
            x = F.normalize(patches(named.model if step is None else at_step(named, step)), dim=1)
            shows(page, named.name, x @ x[len(x) // 2])
        in_address(page, step=1)
        page.locator('[data-show="components"]').click()
        waits(page, "() => window.shown.scene.text.includes('models or steps')")
        expect(titles.first).to_have_text("kept, step 2")
        page.locator('[data-show="attention"]').click()
        waits(page, "() => window.shown.scene.text.startsWith('Where the patch')")
        expect(titles.first).to_have_text("kept, step 2")
        page.locator("input[name=step]").fill("0")
        expect(titles.first).to_have_text("kept, step 0")
        rows = Encoders(models).attention(0, shipped()[0], len(models[0].model.blocks), 0)
        shows(page, "kept", rows.float().mean(dim=0)[1 + len(x) // 2])


def test_the_slider_is_in_the_map_and_in_matches_too(browser, models):
    ships = shipped()[:2]
    collection = Collection(sample(Fashion()("test"), 40), "fashion")
    encoders = Encoders(models)
    app = server.application(encoders, Album(ships), "secret", collection)
    with served(app) as url, watched(browser, width=1000, height=700) as page:
        page.goto(f"{url}#show=map")
        page.wait_for_selector("[data-ready]", state="attached")
        titles = page.locator("#map figcaption > span:first-child")
        expect(titles).to_have_text(["kept, step 6", "sparse, step 6", "none"])
        page.locator("#map input[name=step]").fill("0")
        expect(titles).to_have_text(["kept, step 0", "sparse, step 0", "none"])
        votes = [encoders.votes(i, collection, step).label for i, step in enumerate((0, 0, None))]
        right = [(each == collection.images.labels).float().mean().item() for each in votes]
        said = [f"k-NN right: {100 * share:.0f} %" for share in right]
        expect(page.locator("#map figcaption .right")).to_have_text(said)
        page.locator('[data-show="matches"]').click()
        text = page.locator("#matches .text")
        expect(text).to_contain_text("kept, step 0")
        crops = cropped(encoders, Album(ships), collection)
        answer = disagreements(encoders, crops, 0, 1, (0, 0))
        page.locator("#matches input[name=step]").fill("1")
        expect(text).to_contain_text("kept, step 2")
        page.locator("#matches input[name=step]").fill("0")
        expect(text).to_contain_text("kept, step 0")
        said = text.text_content()
        for model in answer["models"]:
            shown = float(said.split(f"{model['name']}, step 0 ")[1].split(";")[0].rstrip("."))
            assert shown == pytest.approx(model["mean"], rel=0.05)
        page.locator("#matches .match").first.click()  # opened at this step
        waits(page, "() => window.shown.scene.text?.includes('the true place')")
        becomes(page, "window.shown.scene.panels[0].title", "kept, step 0")

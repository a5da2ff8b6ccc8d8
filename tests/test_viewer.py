"""The viewer: what Python sets, says and draws of it, and how it answers its widget."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_view import file, noise

from siamlab import open_models, probe
from siamlab.component import UserError
from siamlab.explore import Viewer
from siamlab.explore.view import inside
from siamlab.explore.view.photos import MOST_BYTES, shipped

MODELS = ["zoo:siameseim", "zoo:scenes_mae"]  # of 32 and 40 pixels


@pytest.fixture(scope="module")
def models():
    return [open_models(name)[0] for name in MODELS]


@pytest.fixture
def viewer(models):
    return Viewer(models, device="cpu")


def features(named, photo, number):
    layers = probe.by_layer(named.model, photo.pixels[None], "patches")
    return F.normalize(layers[number - 1][0], dim=1)


def test_a_selected_patch_is_shown_with_the_cosines_of_python(viewer, models):
    viewer.set(layer=3, beside="raccoon").select("zoo:siameseim", 40)  # row 3, column 9
    a, b = (features(models[0], photo, 3) for photo in shipped()[:2])
    row = [(x @ b[16]).view(8, 8) for x in (a, b)]
    panel = viewer.scene()["panels"][0]
    values = torch.tensor(panel["heat"]["values"]).view(8, 16)
    torch.testing.assert_close(values, torch.cat(row, dim=1), atol=2e-3, rtol=0)
    assert viewer.state["view"] == "zoo:siameseim" and viewer.state["patch"] == 40


def test_settings_are_taken_in_any_order_and_stay(viewer):
    viewer.set(head="2", heads="zoo:scenes_mae", show="attention", from_="class token")
    wanted = {"show": "attention", "from": "class token", "heads": "zoo:scenes_mae", "head": "2"}
    assert wanted.items() <= viewer.state.items()
    viewer.set(show="segments", k=6)
    assert viewer.state["k"] == 6 and "head" not in viewer.state
    colours = np.array(viewer.scene()["panels"][0]["heat"]["rgba"]).reshape(-1, 4)
    assert len(np.unique(colours, axis=0)) == 6
    assert viewer.set(show="attention").state["head"] == "2"


@pytest.mark.parametrize(
    "act, sentence",
    [
        (lambda v: v.set(depth=3), "setting 'depth'; allowed: beside, cosine, layer, opacity"),
        (lambda v: v.set(k=3), "setting 'k'; allowed"),  # without segments
        (lambda v: v.set(layer=7), "layer=7 must be a whole number from 1 to 6"),
        (lambda v: v.set(show="map"), "show has no choice 'map'; allowed: attention, components"),
        (lambda v: v.set(photo="nobody"), "photo has no choice 'nobody'; allowed: astronaut"),
        (lambda v: v.select("zoo:mae", 0), "view 'zoo:mae'; did you mean 'zoo:scenes_mae'"),
        (lambda v: v.select("zoo:scenes_mae", 25), "from 0 to 24: zoo:scenes_mae has 5 × 5"),
        (lambda v: v.set(show="segments").select("zoo:scenes_mae", 0), "has no patches to select"),
    ],
)
def test_what_is_not_there_is_told_and_changes_nothing(viewer, act, sentence):
    viewer.set(opacity=50)
    with pytest.raises(UserError, match=sentence.replace("(", r"\(")):
        act(viewer)
    assert viewer.state["opacity"] == 50 and viewer.state["layer"] == 6


def test_photographs_are_files_images_or_tensors(models, tmp_path):
    noise(50, 30).save(tmp_path / "own.png")
    own = Viewer(models, tmp_path / "own.png", device="cpu")
    assert own.state["photo"] == "own.png"
    pixels = torch.arange(2 * 3 * 4 * 6, dtype=torch.uint8).view(2, 3, 4, 6)
    first, second = Viewer(models, pixels, device="cpu").album
    assert torch.equal(second.pixels, pixels[1, :, :, 1:5])  # the centre square
    assert first.name == "image 0"
    with pytest.raises(UserError, match="nothing.jpg"):
        Viewer(models, "nothing.jpg")


def test_a_snapshot_shows_what_is_shown(viewer, tmp_path):
    viewer.set(show="segments", k=2, opacity=40, beside="raccoon")
    viewer.snapshot(tmp_path / "s.svg")
    drawn = ElementTree.parse(tmp_path / "s.svg").getroot()
    name = "{http://www.w3.org/2000/svg}"
    heats = [g for g in drawn.iter(f"{name}g") if g.get("shape-rendering")]
    assert [g.get("opacity") for g in heats] == ["0.4", "0.4"]
    assert [len(g) for g in heats] == [128, 50]
    assert len({rect.get("fill") for rect in heats[0]}) == 2
    viewer.set(show="similarity", least=0)
    assert b'class="link"' in viewer.snapshot(tmp_path / "t.svg")
    assert viewer.snapshot().startswith(b"\x89PNG")


def asking(viewer):
    """The widget of a viewer, and a function that asks it as the page does."""
    widget, replies = viewer.widget(), []
    widget.send = lambda content, buffers: replies.append((content, b"".join(buffers)))

    def ask(address, method=None, parts=(b"",), number=7):
        *first, last = parts
        for part in first:
            widget._handle_custom_msg({"ask": number}, [memoryview(part)])
        assert not replies
        content = {"ask": number, "address": address, "method": method}
        widget._handle_custom_msg(content, [memoryview(last)])
        (reply,) = replies
        replies.clear()
        assert reply[0]["answer"] == number
        return reply[0]["status"], reply[1]

    return widget, ask


def test_a_widget_answers_as_the_server_of_the_page(viewer, models):
    _, ask = asking(viewer)
    status, about = ask("about")
    facts = json.loads(about)
    assert status == 200 and [m["name"] for m in facts["models"]] == MODELS
    photo = facts["photos"][0]["id"]
    _, found = ask(f"features/0/{photo}/3")
    got = torch.from_numpy(np.frombuffer(found, "<f2").astype("f4")).view(64, -1)
    wanted = features(models[0], shipped()[0], 3)
    torch.testing.assert_close(F.normalize(got, dim=1), wanted, atol=2e-3, rtol=0)
    assert ask(f"photos/{photo}")[1].startswith(b"\x89PNG")
    status, refusal = ask("features/9/x/1")
    assert status == 404 and "this page has no photograph x" in json.loads(refusal)["error"]
    assert ask("map/0")[0] == ask("plane")[0] == ask("")[0] == 404


def test_a_photograph_in_parts_is_added_within_the_bounds_of_the_server(viewer):
    _, ask = asking(viewer)
    data = file(noise(60, 60))
    status, added = ask("photos?name=my%20own", "POST", [data[:100], data[100:200], data[200:]])
    assert status == 201 and json.loads(added)["name"] == "my own"
    assert viewer.set(photo="my own").state["photo"] == "my own"
    status, refusal = ask("photos?name=big", "POST", [bytes(MOST_BYTES), b"1"])
    assert status == 413 and "big is larger than 32 MB" in json.loads(refusal)["error"]


def test_widget_and_python_share_the_link(viewer):
    widget = viewer.set(layer=2).widget()
    assert widget.link == viewer.link == "#layer=2"
    widget.link = "#layer=4&show=segments&k=5"  # as the page does
    assert (viewer.state["layer"], viewer.state["k"]) == (4, 5)
    viewer.set(show="similarity")
    assert widget.link == viewer.link
    widget.link = "#layer=99&photo=gone"  # of another page: left out
    assert viewer.state["layer"] == 6 and viewer.state["photo"] == "chelsea"


def test_a_mistake_of_ours_is_answered_and_raised(viewer, monkeypatch):
    widget, _ = asking(viewer)
    sent = []
    widget.send = lambda content, buffers: sent.append((content["status"], buffers[0]))

    def fails(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("siamlab.explore.view.encoders.Encoders.about", fails)
    with pytest.raises(ZeroDivisionError):
        inside.asked(viewer.rules.app, "about")
    monkeypatch.setattr("siamlab.explore.view.cell.asked", fails)
    widget._handle_custom_msg({"ask": 1, "address": "about"}, [])
    ((status, told),) = sent
    assert status == 500 and "the kernel failed" in json.loads(told)["error"]

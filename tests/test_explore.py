"""Explorers as plain objects: what a click answers, against the definitions; pages and pictures."""

import base64
import gc
import io
import json
import os
import shutil
import tempfile
import time
import weakref
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from siamlab import explore, probe
from siamlab.component import UserError
from siamlab.crop import cut
from siamlab.evaluate.models import NamedModel, open_model
from siamlab.explore import (
    EyeExplorer,
    ModelsExplorer,
    PairExplorer,
    PathExplorer,
    PlaneExplorer,
    ReconstructionExplorer,
    StudyExplorer,
)
from siamlab.explore.answers import Change
from siamlab.explore.boxes import inside
from siamlab.explore.explorer import Explorer
from siamlab.explore.page import state_key
from siamlab.explore.scene import MOST, Control, Mark, Panel, Scene
from siamlab.geometry import patch_centres, to_source, to_view
from siamlab.masking import Mask
from siamlab.recipes import demo_size, mae, siameseim
from siamlab.train import load_branches, train
from siamlab.train.step import compare


def plane_explorer(*wanted, device="auto"):
    names = wanted or ("zoo:scenes_siameseim", "zoo:scenes_mae")
    rows = [
        dict(model=n, probe=p, value=v, low=v - 0.1, high=v + 0.1, layer=None, head=None) | REST
        for n, v in zip(names, (0.3, 0.2, 0.1), strict=False)
        for p in ("semantic", "spatial")
    ]
    scores = pl.DataFrame(rows, infer_schema_length=None)
    return PlaneExplorer([open_model(n) for n in names], scores, device=device)


@cache
def masked_run():
    """A run of MAE in a folder that goes with the interpreter."""
    few = ("data.images=64", "data.test_images=8", "steps=3", "batch=16", "model.depth=1")
    place = tempfile.TemporaryDirectory()
    return train(demo_size(mae()).change(*few), f"{place.name}/mae").path, place


def reconstruction_explorer(**options):
    return ReconstructionExplorer(masked_run()[0], **options)


VALUES = {  # semantic and spatial score of each run
    "start-seed0": (0.2, 0.3), "start-seed1": (0.3, 0.3),
    "masked-seed0": (0.5, 0.6), "masked-seed1": (0.4, 0.8),
}  # fmt: skip


@cache
def path_study():
    """Two configurations with two seeds each, in a folder that goes with the interpreter.

    The second seeds are copies with other scores.
    """
    few = ("data.images=16", "data.test_images=8", "steps=1", "batch=8", "model.depth=1")
    place = tempfile.TemporaryDirectory()
    runs = Path(place.name) / "runs"
    base = demo_size(mae()).change(*few)
    for name, run in {"start": base, "masked": base.change("masking.ratio=0.4", "seed=3")}.items():
        shutil.copytree(train(run, runs / f"{name}-seed0").path, runs / f"{name}-seed1")
    for name, values in VALUES.items():
        table = pl.DataFrame(
            [dict(model=name, probe=p, value=v, low=v, high=v, layer=None, head=None) | REST
             for p, v in zip(("semantic", "spatial"), values, strict=True)],
            infer_schema_length=None,
        )  # fmt: skip
        table.write_parquet(runs / name / "scores.parquet")
    order = [name for seed in "01" for name in VALUES if name.endswith(seed)]
    pl.DataFrame({"folder": order}).write_parquet(runs.parent / "trials.parquet")
    return runs.parent, place


def study_explorer(**options):
    return StudyExplorer(path_study()[0])


def path_explorer(**options):
    return PathExplorer(path_study()[0], **options)


REST = dict(title="", property="", chance=0.0, ceiling=1.0, unit="", direction="higher")
REST |= dict(protocol="p", settings="{}")
EXPLORERS = {
    "pair": PairExplorer,
    "models": ModelsExplorer,
    "eye": EyeExplorer,
    "plane": plane_explorer,
    "reconstruction": reconstruction_explorer,
    "path": path_explorer,
    "study": study_explorer,
}


@pytest.fixture(scope="module", params=EXPLORERS)
def explorer(request):
    return EXPLORERS[request.param]()


class Brightness(Explorer):
    """An explorer of a user: one image, whose brightness a slider sets."""

    title = "brightness"

    def __init__(self):
        super().__init__({"level": 2}, "image", 0)

    def scene(self):
        centre = (self.selected[1] // 2 + 0.5) / 2, (self.selected[1] % 2 + 0.5) / 2
        image = Panel("image", "image", f"level {self.values['level']}", (2, 2),
                      marks=[Mark(*centre, "query")])  # fmt: skip
        level = Control("level", "brightness", self.values["level"], 0, 4)
        return Scene([image], 1, f"Level {level.value}, patch {self.selected[1]}.", [level])

    def images(self):
        level = self.values["level"]
        return {f"level {level}": torch.full((3, 8, 8), 50 * level, dtype=torch.uint8)}


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_dropped_explorer_goes_at_once_and_never_holds_a_file_open(name):
    EXPLORERS[name]().images()  # what is loaded once for all
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    gc.disable()
    try:
        explorer = EXPLORERS[name]()
        explorer.scene(), explorer.images()
        assert len(os.listdir("/dev/fd")) == before
        gone = weakref.ref(explorer)
        del explorer
        assert gone() is None
    finally:
        gc.enable()


def test_an_explorer_is_a_scene_and_images(tmp_path):
    explorer = Brightness().set(level=3).select("image", 2)
    assert explorer.state == dict(level=3, view="image", patch=2, text="Level 3, patch 2.")
    picture = Image.open(io.BytesIO(explorer.snapshot())).convert("RGB")
    assert picture.getpixel((600, 600)) == (150, 150, 150)
    events = {answer.event: answer for answer in explorer.answers()}
    assert set(events) == {"", *(f"image {i}" for i in range(4)), *(f"level={i}" for i in range(5))}
    assert events["level=1"].scene["text"] == "Level 1, patch 2." and explorer.values["level"] == 3
    assert "Level 3, patch 1." in explorer.to_html(tmp_path / "x.html").read_text()


def test_every_explorer_of_the_package_obeys_the_laws(explorer):
    kinds = [kind for kind in map(vars(explore).get, explore.__all__) if issubclass(kind, Explorer)]
    assert type(explorer) in kinds and len(EXPLORERS) == len(kinds)


def panel(explorer, name):
    return next(p for p in explorer.scene().panels if p.id == name)


def marks(explorer, name, kind):
    return [mark for mark in panel(explorer, name).marks if mark.kind == kind]


@pytest.mark.parametrize("here, there", ["ab", "ba"])
@pytest.mark.parametrize("layer", [1, 4])
def test_a_click_is_answered_as_the_features_say(here, there, layer):
    explorer = PairExplorer("zoo:scenes_mae").set(layer=layer, image=7, views=3)
    views = dict(zip("ab", explorer._views(7, 3), strict=True))
    model, centres = explorer.named.model, patch_centres((5, 5))
    x = {side: (v.image - 0) for side, v in views.items()}
    want = probe.inputs(model)
    shift, scale = (torch.tensor(t).view(3, 1, 1) for t in (want.mean, want.std))
    with torch.no_grad():
        found = {
            side: model.forward_intermediates((image - shift) / scale, indices=[layer - 1],
                                              norm=True, intermediates_only=True, output_fmt="NLC")
            for side, image in x.items()
        }  # fmt: skip
    unit = {side: F.normalize(f[0][0], dim=-1) for side, f in found.items()}
    for patch in (0, 12, 24):
        explorer.select(here, patch)
        cosine = unit[there] @ unit[here][patch]
        heat = torch.tensor(panel(explorer, there).heat.values)
        torch.testing.assert_close(heat, cosine, atol=1e-4, rtol=0)
        (match,) = marks(explorer, there, "match")
        assert (match.y, match.x) == pytest.approx(centres[cosine.argmax()].tolist())
        true = to_view(to_source(centres[None, patch : patch + 1], views[here]), views[there])[0, 0]
        shown = bool(((true >= 0) & (true <= 1)).all())
        found_true = [(m.y, m.x) for m in marks(explorer, there, "true")]
        assert found_true == ([pytest.approx(true.tolist(), abs=1e-5)] if shown else [])
        assert ("does not show" in explorer.state["text"]) != shown
        if shown:
            error = ((centres[cosine.argmax()] - true) * 40).norm()
            told = f"matched {error:.1f} px, {error / 8:.1f} patches from"  # patches of 8 pixels
            assert told in explorer.state["text"]
        order = cosine.argsort(descending=True)[1:5]
        nexts = [(m.y, m.x) for m in marks(explorer, there, "next")]
        assert nexts == [pytest.approx(centres[i].tolist()) for i in order]


def test_views_that_are_the_same_are_matched_exactly():
    explorer = PairExplorer("zoo:scenes_siameseim")
    a, _ = explorer._views(4, 1)
    explorer._views = lambda image, draw: (a, a)
    found = explorer.matches("a")
    assert found.inside.all() and found.error.max() < 1e-4 and found.ceiling.max() < 1e-4


def test_the_worst_matches_lead_to_themselves():
    explorer = PairExplorer("zoo:scenes_moco_v3")
    found, jumps = explorer.matches("a"), explorer.scene().jumps
    errors = [float(found.error[jump.patch]) for jump in jumps]
    inside = found.error[found.inside]
    assert errors == sorted(inside.tolist(), reverse=True)[: len(jumps)]
    told = [f"{e:.1f} px, {e / 8:.1f} patches" for e in errors]
    assert [jump.text.split(": ")[1] for jump in jumps] == told
    explorer.handle({"panel": jumps[0].panel, "patch": jumps[0].patch})
    assert f"matched {told[0]} from its true place" in explorer.state["text"]


@cache
def pair_explorer():
    return PairExplorer("zoo:scenes_mae")


# what no page sends, and a part of the sentence
MALFORMED = [
    (None, "event must be a dictionary as a page sends it.*got None: reload the page"),
    ("click", "got 'click': reload"),
    ([1], r"got \[1\]: reload"),
    ({}, r"got one of \[\]: reload"),
    ({"unknown": 1}, "must be a dictionary as a page sends it"),
    ({"control": "layer"}, "must be a dictionary as a page sends it"),
    ({"patch": 3}, "must be a dictionary as a page sends it"),
    ({"box": None}, "must be a dictionary as a page sends it"),
    ({"box": [1]}, "must be a dictionary as a page sends it"),
    ({"control": None, "value": 3}, "control 'None'"),
    ({"control": "layer", "value": None}, "layer=None must be a whole number"),
    ({"patch": 1, "panel": ["a"]}, "view ['\"].*a"),
    ({"patch": "x", "panel": "a"}, "patch='x' must be a whole number"),
    ({"parts": 3, "panel": "a"}, "no points or bars to brush"),
    ({"box": [0, 0, 1, 1]}, "has no box to move"),
]


@pytest.mark.usefixtures("untyped")
@pytest.mark.parametrize("event, said", MALFORMED)
def test_an_event_that_no_page_sends_is_one_sentence(event, said):
    explorer = pair_explorer()
    before = explorer.values, explorer.selected
    with pytest.raises(UserError, match=said) as error:
        explorer.handle(event)
    assert "\n" not in str(error.value) and (explorer.values, explorer.selected) == before


def test_a_state_is_changed_by_events_alone():
    explorer = pair_explorer()
    before, patch = explorer._state, explorer.selected
    for mutation in (
        lambda: explorer.values.update(layer=1),
        lambda: explorer.values.__setitem__("layer", 1),
        lambda: setattr(explorer, "values", {}),
        lambda: setattr(explorer, "selected", ("b", 0)),
        lambda: setattr(before, "selected", ("b", 0)),
    ):
        with pytest.raises((AttributeError, TypeError)):
            mutation()
    explorer.select("b", 3)
    assert explorer.selected == ("b", 3) and before.selected == patch


def test_an_image_passes_a_model_once_for_all_clicks():
    seen, chosen = [], open_model("zoo:scenes_mae")
    chosen.model.patch_embed.register_forward_hook(lambda *_: seen.append("both views"))
    PairExplorer(chosen).select("a", 3).set(layer=2).select("b", 7).snapshot()
    assert len(seen) == 1


def test_a_comparison_of_no_model_is_refused():
    with pytest.raises(UserError, match="models must name one or more"):
        ModelsExplorer([])


def test_every_model_answers_the_one_click_on_one_scale():
    names = ("zoo:scenes_siameseim", "zoo:scenes_mae", "zoo:scenes_moco_v3")
    explorer = ModelsExplorer(names).set(layer=2)
    explorer.handle({"panel": "zoo:scenes_mae similarity", "patch": 8})
    view = explorer.first._views(4, 1)[0].image
    for name in names:
        model = open_model(name).model
        rows = probe.patch_attentions(model, view, 8)[0, 1]
        shown = torch.tensor(panel(explorer, f"{name} attention").heat.values)
        torch.testing.assert_close(shown, rows.mean(dim=0))
        alone = PairExplorer(name).set(layer=2).select("a", 8)
        assert panel(explorer, f"{name} match").heat == panel(alone, "b").heat
    assert "view b does not show it, so no model can match it" in explorer.state["text"]
    own = f"{names[0]} attention"
    explorer.select(own, 12)
    error = PairExplorer(names[2]).set(layer=2).matches("a").error[12]
    assert explorer.state["text"].endswith(f"; {names[2]} {error:.1f} px, {error / 8:.1f} patches.")
    explorer.select(own, 8)
    high = explorer.scene().scales["attention"].high
    assert (
        explorer.select("zoo:scenes_mae attention", 20).scene().scales["attention"].high == high
    )  # locked
    explorer.select("zoo:scenes_mae attention", 8)
    most = [
        torch.stack([probe.patch_attentions(open_model(n).model, view, q)[0, 1].mean(dim=0).max()
                     for q in range(25)]).median() for n in names
    ]  # fmt: skip
    assert high == pytest.approx(float(max(most)), rel=1e-4)
    explorer.handle({"panel": "head 3", "patch": 0})
    assert explorer.state["head"] == "3" and explorer.state["patch"] == 8
    (atlas,) = [p for p in explorer.scene().panels if p.chosen]
    assert atlas.heat == panel(explorer, "zoo:scenes_siameseim attention").heat
    explorer.handle({"control": "heads of", "value": "zoo:scenes_mae"})
    assert explorer.state["head"] == "mean"


def test_models_that_see_otherwise_are_not_put_side_by_side():
    other = open_model("timm:test_vit", weights=False)
    with pytest.raises(UserError, match=r"inputs have \(40, 40\) and \(160, 160\) pixels"):
        ModelsExplorer(["zoo:scenes_mae", other])
    with pytest.raises(UserError, match="timm:test_vit has patches of .* same patch size"):
        ModelsExplorer([open_model("zoo:scenes_mae", size=48), open_model(other, size=48)])
    larger = open_model("zoo:scenes_moco_v3", size=48)
    with pytest.raises(UserError, match="scenes_mae and zoo:scenes_moco_v3 cannot be compared"):
        ModelsExplorer(["zoo:scenes_mae", larger])
    with pytest.raises(UserError, match="zoo:scenes_mae is named twice"):
        ModelsExplorer(["zoo:scenes_mae", "zoo:scenes_mae"])


def test_one_model_alone_and_two_of_one_last_name(folder, tmp_path):
    folders = [tmp_path / place / "mine" for place in ("one", "other")]
    for path in folders:
        shutil.copytree(folder, path)
    assert list(ModelsExplorer(folders).pairs) == [str(folder) for folder in folders]
    assert PairExplorer(folders[0]).named.name == "mine"
    for one in ("zoo:scenes_mae", open_model("zoo:scenes_mae"), open_model("zoo:scenes_mae").model):
        assert len(ModelsExplorer(one).pairs) == 1


MISTAKES = [
    (lambda e: e.select("c", 0), "view 'c'"),
    (lambda e: e.select(next(p.id for p in e.scene().panels if p.parts), 1000), "from 0 to "),
    (lambda e: e.set(nothing=1), "control 'nothing'; allowed: "),
    (lambda e: e.set(**{e.scene().controls[0].name: -1}), "(=-1 must be|no choice '-1')"),
    (lambda e: e.set(**{e.scene().controls[0].name: 1.5}), "(=1.5 must be|no choice '1.5')"),
]


@pytest.mark.parametrize("mistake, sentence", MISTAKES)
def test_mistakes_are_told_and_change_nothing(explorer, mistake, sentence):
    assert_refused(explorer, mistake, sentence)


def assert_refused(explorer, mistake, sentence):
    before = explorer.state
    with pytest.raises(UserError, match=sentence):
        mistake(explorer)
    assert explorer.state == before


def test_an_explorer_in_another_state_leaves_this_one_as_it_is(explorer):
    before, shown = explorer.state, (explorer.scene().as_dict(), explorer.data_uris())
    control = next(c for c in explorer.controls() if len(c.nearby()) > 1)
    value = next(value for value in control.nearby() if value != control.value)
    other = explorer.at(explorer.on_set({control.name: value}))
    found = other.scene().as_dict(), other.data_uris()
    assert explorer.state == before != other.state
    assert (explorer.scene().as_dict(), explorer.data_uris()) == shown
    explorer.set(**{control.name: value})
    assert (explorer.scene().as_dict(), explorer.data_uris()) == found
    explorer.apply(Change({key: before[key] for key in explorer.values}))
    assert explorer.state == before


WRONG = {  # images, as a user may hand them over
    "one image or more": torch.zeros(0, 3, 48, 48, dtype=torch.uint8),
    "or None": "photos",
    r"got uint8 \[3, 48, 48\]": torch.zeros(3, 48, 48, dtype=torch.uint8),
    r"got float32 \[2, 3, 48, 48\]": torch.zeros(2, 3, 48, 48),
    r"got ndarray uint8 \[2, 3, 48, 48\]": np.zeros((2, 3, 48, 48), dtype=np.uint8),
    "a tensor of bytes": [1, 2],
}


@pytest.mark.parametrize("sentence", WRONG)
@pytest.mark.parametrize("kind", ["pair", "models", "eye"])
def test_what_is_no_images_is_refused(kind, sentence, untyped):
    with pytest.raises(UserError, match=f"images.* must .*{sentence}"):
        EXPLORERS[kind](images=WRONG[sentence])


@pytest.mark.parametrize("kind", ["pair", "models", "eye"])
@pytest.mark.parametrize("count", [1, 3])
def test_few_images_of_ones_own(kind, count):
    pixels = torch.randint(0, 255, (count, 3, 48, 48), dtype=torch.uint8)
    explorer = EXPLORERS[kind](images=pixels)
    assert explorer.state["image"] == count - 1
    assert EXPLORERS[kind]().state["image"] == 4


WHOLE = [7, np.int64(7), torch.tensor(7)]  # one number in the forms that libraries have it


@pytest.mark.parametrize("number", WHOLE)
def test_whole_numbers_of_any_kind_are_plain_ones(number, untyped):
    explorer = PairExplorer("zoo:scenes_mae").select("a", number).set(image=number)
    state = explorer.state
    assert type(state["patch"]) is int is type(state["image"])
    assert state == PairExplorer("zoo:scenes_mae").select("a", 7).set(image=7).state
    json.dumps(state)


WRONG_KINDS = [
    (lambda e: e.select("a", 7.0), "patch=7.0 must be a whole number"),
    (lambda e: e.select("a", "7"), "patch='7' must be a whole number"),
    (lambda e: e.select(0, 7), "view '0'"),
    (lambda e: e.set(image=True), "image=True must be a whole number"),
    (lambda e: e.set(layer=2.0), "layer=2.0 must be a whole number"),
]


@pytest.mark.parametrize("mistake, sentence", WRONG_KINDS)
def test_values_of_a_wrong_kind_are_told_and_change_nothing(mistake, sentence, untyped):
    assert_refused(PairExplorer("zoo:scenes_mae"), mistake, sentence)


def test_a_box_of_no_numbers_is_told(untyped):
    for box in (("a", 0, 1, 1), (0, float("nan"), 1, 1), (None, 0, 1, 1)):
        mistake = lambda e, box=box: e.move(*box)  # noqa: E731
        assert_refused(EyeExplorer("zoo:siameseim"), mistake, "must be four numbers")


@pytest.mark.parametrize("shown", [False, True])
def test_a_state_without_a_scene_is_not_kept(shown):
    explorer = PairExplorer("zoo:scenes_mae")
    seen = explorer.widget().scene if shown else None
    before = explorer.state
    explorer._layers = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        explorer.set(image=9)
    del explorer._layers
    assert explorer.state == before and (not shown or explorer.widget().scene == seen)


def test_a_head_may_be_told_as_a_number():
    explorer = ModelsExplorer("zoo:scenes_mae").set(head=3)
    assert explorer.state["head"] == "3"
    assert_refused(explorer, lambda e: e.set(head=9), "head has no choice '9'; allowed: 1, 2, 3, 4")


def test_a_module_that_is_no_vision_transformer_is_told():
    with pytest.raises(UserError, match="Linear is not a vision transformer .* such as timm:vit"):
        PairExplorer(torch.nn.Linear(2, 2))


def test_files_get_their_folders_and_a_picture_its_name(tmp_path):
    explorer = PairExplorer("zoo:scenes_mae")
    explorer.to_html(tmp_path / "new" / "pages" / "a.html")
    explorer.snapshot(tmp_path / "new" / "pictures" / "a.png")
    assert {file.name for file in tmp_path.rglob("a.*")} == {"a.html", "a.png"}
    with pytest.raises(
        UserError, match="a snapshot is a PNG or SVG; name its file b.png, not '/.*b.jpg'"
    ):
        explorer.snapshot(tmp_path / "b.jpg")
    assert not (tmp_path / "b.jpg").exists()


@pytest.mark.parametrize("path, why", [
    ("folder", "Is a directory.; move away what is there, or name another place"),
    ("file.svg/page", "(File exists|Not a directory).; move away what is there"),
    ("x" * 300, "File name too long.; choose a shorter name, or name another place"),
    ("loop.svg/page", "symbolic links.; move away what is there|File exists"),
])  # fmt: skip
def test_a_file_that_cannot_be_written_is_one_sentence_before_the_answers(
    path, why, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for folder in ("folder.svg", "folder.html"):
        (tmp_path / folder).mkdir()
    (tmp_path / "file.svg").touch()
    (tmp_path / "loop.svg").symlink_to("loop.svg")
    there = sorted(tmp_path.iterdir())
    explorer = Brightness()
    for write, ending in ((explorer.to_html, ".html"), (explorer.snapshot, ".svg")):
        with pytest.raises(UserError, match=f"could not be written .{why}"):
            write(path + ending)
    with pytest.raises(UserError, match="name its file snapshot.png, not ''"):
        explorer.snapshot("")
    assert sorted(tmp_path.iterdir()) == there


@pytest.mark.parametrize("box", [(0.2, 0.2, 0.6, 0.6), (0.1, 0.3, 1 / 3, 0.71)])
def test_a_page_calls_each_box_as_javascript_writes_it(box):
    explorer = EyeExplorer("zoo:siameseim").move(*box)
    assert len(set(explorer.exported_boxes())) == 25
    for place in explorer.exported_boxes():
        there = explorer.at(Change({"box": place}))
        key = state_key(there.values, there.selected)
        (words,) = [word for word in key.split() if word.startswith("box=")]
        numbers = json.loads(json.dumps(place))  # the shortest digits, as in JavaScript
        assert words == "box=" + ",".join(f"{n:g}" if n == int(n) else repr(n) for n in numbers)


@pytest.mark.parametrize("image", [0, 4, 30, 50, 97, 99])
def test_a_page_holds_the_values_around_the_one_that_is_shown(image):
    control = Control("image", "image", image, 0, 99)
    held = control.nearby()
    assert image in held and len(held) == MOST and 0 <= held[0] and held[-1] <= 99
    assert held == list(range(held[0], held[-1] + 1))
    few = min(image - held[0], held[-1] - image)
    assert few >= MOST // 2 - 1 or 0 in held or 99 in held
    assert control._replace(value=1, low=1, high=3).nearby() == [1, 2, 3]


def test_a_pair_keeps_few_passes_in_memory():
    explorer = PairExplorer("zoo:scenes_mae")
    for image in range(8):
        explorer.set(image=image)
    held = explorer._layers.cache_info().currsize
    assert held <= 4
    names = ["zoo:scenes_siameseim", "zoo:scenes_mae", "zoo:scenes_moco_v3"]
    models = ModelsExplorer(names).set(layer=1).set(layer=2).set(layer=3)
    misses = models._attentions.cache_info().misses
    models.select("zoo:scenes_mae similarity", 3)  # of all models again, without a pass
    assert models._attentions.cache_info().misses == misses
    assert models._attentions.cache_info().currsize == 2 * len(names)


def test_heads_are_named_with_their_model():
    explorer = ModelsExplorer(["zoo:scenes_siameseim", "zoo:scenes_mae"]).set(
        **{"heads of": "zoo:scenes_mae"}
    )
    titles = [p.title for p in explorer.scene().panels if p.id.startswith("head ")]
    assert titles == [f"zoo:scenes_mae: head {i}" for i in range(1, 5)]


def test_the_widget_follows_the_object_and_the_object_the_widget():
    explorer = PairExplorer()
    widget = explorer.widget()
    explorer.select("b", 3)
    assert widget.scene == explorer.scene().as_dict()
    assert set(widget.images) == {p["image"] for p in widget.scene["panels"]}
    widget.event = {"panel": "a", "patch": 20, "count": 1}
    assert explorer.state["view"] == "a" and explorer.state["patch"] == 20
    widget.event = {"control": "views", "value": 5, "count": 2}
    assert explorer.state["views"] == 5 and widget.scene == explorer.scene().as_dict()
    assert widget.answered == 2
    with pytest.raises(UserError, match="views=99"):
        widget.event = {"control": "views", "value": 99, "count": 3}
    assert widget.answered == 3  # refused: the browser sets its control back
    json.dumps([widget.scene, widget.images])
    data, told = explorer._repr_mimebundle_()
    drawn = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))  # sharp on dense screens
    assert drawn.width == 2 * told["image/png"]["width"]
    assert {"image/png", "text/plain", "application/vnd.jupyter.widget-view+json"} <= set(data)


def test_a_widget_keeps_what_a_page_answers_from(explorer, tmp_path):
    for shown in (explorer, Brightness()):
        widget = shown.widget()
        assert widget.kept == {}
        widget.keep = True
        page = shown.to_html(tmp_path / "page.html").read_text("utf-8")
        written = page.partition('id="data">')[2].partition("</script>")[0]
        assert json.loads(json.dumps(widget.kept)) == json.loads(written)
    explorer._widget = None  # as other tests find it


def test_a_picture_has_every_panel(explorer, tmp_path):
    png = explorer.snapshot(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == png
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    assert len(picture.getcolors(1 << 24)) > 100
    first = next(p for p in explorer.scene().panels if p.parts)
    explorer.select(first.id, first.parts - 1)
    assert explorer.snapshot() != png


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    run = demo_size(siameseim()).change("data.images=64", "data.test_images=8", "steps=3")
    return train(run, tmp_path_factory.mktemp("eye") / "run").path


def test_what_differs_within_predictions_and_targets_has_one_colour_in_both(folder, monkeypatch):
    """The two sets differ only by their means, which are at right angles."""
    own = F.normalize(torch.randn(25, 10, generator=torch.Generator().manual_seed(0)), dim=1)
    sets = [F.pad(0.4 * own, (0, 2)) + torch.eye(12)[10 + i] for i in range(2)]
    monkeypatch.setattr(EyeExplorer, "expected", lambda self: sets)
    explorer = EyeExplorer(folder, image=2)
    shown = explorer.images()
    predicted, target = (
        shown[panel(explorer, name).image].int() for name in ("expected", "target")
    )
    assert (predicted - target).abs().max() <= 1
    assert predicted.float().std() > 30


@pytest.mark.parametrize("flip", ["not mirrored", "mirrored"])
def test_the_eye_sees_what_a_training_step_compares(folder, flip):
    explorer = EyeExplorer(folder, image=2).set(flip=flip).move(0.1, 0.3, 0.5, 0.7)
    run, model, teacher = load_branches(folder)
    image, every = run.data("test").pixels[2:3], torch.ones(1, 25, dtype=torch.bool)
    whole = cut(image, torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([False]), (40, 40))
    box = torch.tensor([[0.1, 0.3, 0.5, 0.7]])
    target = cut(image, box, torch.tensor([flip == "mirrored"]), (40, 40))
    places = run.positions(whole, target, run.grid)
    with torch.no_grad():
        prediction = model(whole.image, places, Mask(every, every))
        goal = teacher(target, places.own, every)
        loss = sum(compare(run, prediction, goal).values())
        shown = sum(compare(run, *((part[None],) for part in explorer.expected())).values())
    torch.testing.assert_close(shown, loss)
    cosine = F.cosine_similarity(prediction[0][0], goal[0][0], dim=-1)
    heat = torch.tensor(panel(explorer, "query").heat.values)
    torch.testing.assert_close(heat, cosine, atol=1e-5, rtol=0)


def test_the_box_stays_in_the_image_and_keeps_a_side():
    assert inside(-1.0, 0.9, 0.5, 0.5) == (0.0, 0.5, 0.5, 0.5)
    assert inside(0.5, 0.5, 0.0, 9.0) == (0.5, 0.0, 0.15, 1.0)


def test_a_run_without_a_dense_prediction_of_features_has_no_eye(tmp_path):
    few = ("data.images=16", "data.test_images=8", "steps=1", "batch=8", "model.depth=1")
    path = train(demo_size(mae()).change(*few), tmp_path / "mae").path
    with pytest.raises(
        UserError, match="prediction=dense and target=pixels; .*for example of siameseim"
    ):
        EyeExplorer(path)
    with pytest.raises(UserError, match="not a run's folder"):
        EyeExplorer(tmp_path)
    with pytest.raises(UserError, match="zoo:scenes_mae is an encoder only: .*siamlab train mae"):
        EyeExplorer("zoo:scenes_mae")
    with pytest.raises(UserError, match="pair explorer has no box to move"):
        PairExplorer().move(0.0, 0.0, 1.0, 1.0)


def test_the_plane_leads_to_the_patches_behind_a_bar():
    explorer = plane_explorer().select("plane", 1)
    assert explorer.state["model"] == "zoo:scenes_mae" and "loss=mse" in explorer.state["text"]
    errors = []
    for image in range(40):
        found = PairExplorer("zoo:scenes_mae", image=image, views=1).matches("a")
        errors += [(float(found.error[p]), image, int(p)) for p in found.inside.nonzero()[:, 0]]
    chart = panel(explorer, "histogram").chart
    assert len(chart.y) == 12 and len(chart.x) == 13
    total = sum(chart.y)
    counts = [round(y / total * len(errors)) for y in chart.y]
    assert sum(counts) == len(errors)
    top = max(errors)
    explorer.select("histogram", max(i for i, count in enumerate(counts) if count))
    example = panel(explorer, "0 b")
    assert example.title == f"View b: {top[0]:.3g}" and f"-{top[1]}-1" in example.image
    assert f"{counts[explorer.state['patch']]} patches" in explorer.state["text"]
    with pytest.raises(UserError, match="view '0 b'"):
        explorer.select("0 b", 0)  # a picture, not a question
    explorer.handle({"control": "measure", "value": "cosine of the match"})
    assert panel(explorer, "histogram").chart.x_title == "cosine of the match"


def test_a_plane_of_models_that_are_not_given_is_refused():
    scores = plane_explorer("zoo:scenes_mae", "zoo:scenes_moco_v3").table
    assert scores["model"].to_list() == ["zoo:scenes_mae", "zoo:scenes_moco_v3"]
    rows = [
        dict(model="other", probe=p, value=0.1, low=0.0, high=0.2, layer=None, head=None) | REST
        for p in ("semantic", "spatial")
    ]
    with pytest.raises(UserError, match="'other', which is not among the models"):
        PlaneExplorer([open_model("zoo:scenes_mae")], pl.DataFrame(rows))


def test_another_size_of_model_and_an_image_of_other_sides():
    wide = torch.randint(0, 255, (2, 3, 30, 90), dtype=torch.uint8)
    model = open_model("timm:test_vit", weights=False)
    explorer = PairExplorer(NamedModel("mine", model.model, None), wide, image=1)
    assert explorer.grid == (10, 10) and "mine, patch in row 6" in explorer.state["text"]
    assert Image.open(io.BytesIO(explorer.snapshot())).width == 2 * 776


def test_a_page_of_one_pair_at_224_pixels_holds_all_patches_and_layers(tmp_path):
    """A model with the patches and layers of a ViT-B/16, but narrow, as the width is not stored."""
    model = open_model("timm:vit_tiny_patch16_224", weights=False)
    pixels = torch.randint(0, 255, (3, 3, 224, 224), generator=torch.Generator().manual_seed(0))
    explorer = PairExplorer(model, pixels.byte())
    start = time.monotonic()
    page = explorer.to_html(tmp_path / "x.html")
    assert time.monotonic() - start < 60  # a busy machine is slow; a free one needs 2 s
    assert page.stat().st_size < 3e6
    held = explorer.held()
    assert {c.name: (c.low, c.high) for c in held.controls}["layer"] == (1, 12)
    (place,) = [v for k, v in held.data["pairs"].items() if k.startswith("2 1")]
    for layer in place["layers"].values():
        assert len(base64.b64decode(layer["across"])) == 196**2
        assert len(layer["a"]["top"]) == len(layer["b"]["error"]) == 196
    cosine = explorer.matches("a").cosine.flatten()
    levels = torch.frombuffer(
        bytearray(base64.b64decode(place["layers"][12]["across"])), dtype=torch.uint8
    )
    assert ((levels.float() - 128) / 127 - cosine).abs().max() < 0.01


def test_a_snapshot_is_written_as_svg_where_its_name_says_so(tmp_path):
    explorer = Brightness().set(level=3).select("image", 2)
    text = explorer.snapshot(tmp_path / "new" / "a.svg").decode()
    assert text == (tmp_path / "new" / "a.svg").read_text()
    assert text.startswith("<svg") and ">Level 3, patch 2.</text>" in text

"""Laws of all standard sets, each on small files in its format."""

import json

import pytest
import test_boxes
import test_davis
import test_hpatches
import test_normals
import test_nyu
import test_spair
import test_standard_segmentation as test_regions
import test_warps
import torch
from pretend_device import pretended
from shown_at import shown_at
from test_spair import colours

from siamlab.cli.choices import STANDARD as SUITES
from siamlab.component import UserError
from siamlab.evaluate.models import open_model
from siamlab.evaluate.standard import (
    SETS,
    AnySize,
    measure_standard,
)
from siamlab.probe.suite.standard import STANDARD

WRITERS = {
    "spair": lambda root: test_spair.write_spair(root),
    "davis": lambda root: test_davis.write_video(root, "bear"),
    "nyu": lambda root: test_nyu.write_nyu(root),
    "normals": lambda root: test_normals.write_normals(root),
    "hpatches": lambda root: test_hpatches.write_scene(root, "v_wall"),
    "warps": lambda root: test_warps.write_images(root),
    "voc": lambda root: test_regions.write_voc(root),
    "ade20k": lambda root: test_regions.write_ade20k(root),
    "cityscapes": lambda root: test_regions.write_cityscapes(root),
    "regions": lambda root: test_regions.write_own(root),
    "voc_boxes": lambda root: test_boxes.write_voc(root),
    "coco_boxes": lambda root: test_boxes.write_coco(root),
}
WINDOWS = dict(side=32, window=32, stride=21)
SMALLER = {
    "spair": dict(side=48), "davis": dict(side=32, multiple=8), "nyu": dict(size=(48, 64)),
    "normals": dict(side=48), "hpatches": dict(side=48), "warps": dict(side=48), "voc": WINDOWS,
    "ade20k": WINDOWS, "cityscapes": WINDOWS, "regions": WINDOWS, "voc_boxes": dict(side=48),
    "coco_boxes": dict(side=48),
}  # fmt: skip
UNPUBLISHED = {"regions", "coco_boxes"}  # of your own, or by a head of siamlab's
FIELDS = {"nyu": dict(crop="whole")}
UNTOLD = {("cityscapes", "hummingbird"), ("spair", "probe3d"), ("voc_boxes", "fcos-448"),
          ("voc", "capi"), ("cityscapes", "capi")}  # fmt: skip  # none in text we may cite
EVERY = pytest.mark.parametrize("kind", SETS)
CPU = torch.device("cpu")

pytestmark = pytest.mark.filterwarnings("ignore:.*are not comparable with")


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path / "cache"))
    for kind, chosen in SETS.items():
        shown_at(monkeypatch, chosen, **SMALLER[kind])


def data(kind, root, **fields):
    return SETS[kind](path=str(WRITERS[kind](root)), **FIELDS.get(kind, {}) | fields)


def test_every_set_is_a_suite_of_the_command():
    assert tuple(SETS) == SUITES == tuple(WRITERS)


@EVERY
def test_numbers_are_rows_of_the_catalogue_between_chance_and_ceiling(kind, tmp_path):
    rows = measure_standard([colours()], data(kind, tmp_path), "cpu").to_dicts()
    keys = {probe.key: probe for probe in STANDARD}
    for row in rows:
        better = 1 if row["direction"] == "higher" else -1
        assert row["property"] == keys[row["probe"]].property
        assert better * (row["ceiling"] - row["chance"]) >= 0
        settings = json.loads(row["settings"])
        assert {"set", "protocol", "content", "revision"} <= settings.keys()


@EVERY
def test_where_the_files_lie_decides_nothing(kind, tmp_path):
    first, second = (
        measure_standard([colours()], data(kind, tmp_path / name), "cpu", cache=False)
        for name in ("here", "there")
    )
    assert first.equals(second)


@EVERY
def test_published_numbers_are_of_rows_and_name_their_source(kind):
    chosen = SETS[kind]
    for name in chosen.model_fields["protocol"].annotation.__args__:
        found = chosen(protocol=name).published()
        assert bool(found) != (kind in UNPUBLISHED or (kind, name) in UNTOLD), name
        assert all(p.source and p.model for p in found)
        units = {probe.key: probe.unit for probe in STANDARD}
        most = {"degrees": 180}
        assert all(0 < p.value < most.get(units[p.probe], 1) for p in found)


@pytest.mark.parametrize(
    "kind",  # a detector takes as long as all other heads together
    [pytest.param(k, marks=[pytest.mark.slow] * k.endswith("_boxes")) for k in SETS],
)
def test_a_device_gives_the_numbers_of_the_processor(kind, tmp_path):
    """It refuses tensors of two devices in one operation, as a GPU does."""
    chosen = data(kind, tmp_path)
    protocols = SETS[kind].model_fields["protocol"].annotation.__args__
    for name in protocols:
        one = chosen.replace(protocol=name)
        expected = measure_standard([colours()], one, "cpu", cache=False)
        with pretended() as device:
            found = measure_standard([colours()], one, device, cache=False)
        assert found["protocol"].to_list() == expected["protocol"].to_list()
        assert found["value"].to_list() == pytest.approx(expected["value"].to_list(), abs=1e-4)


@EVERY
def test_what_was_passed_is_read_the_next_time(kind, tmp_path, monkeypatch):
    chosen, model = data(kind, tmp_path), "zoo:scenes_mae"
    first = measure_standard([open_model(model)], chosen, "cpu")
    for name in ("tokens_of", "residual_tokens"):
        monkeypatch.setattr(f"siamlab.probe.suite.passes.{name}", lambda *a: 1 / 0)
    assert measure_standard([open_model(model)], chosen, "cpu").equals(first)


@EVERY
def test_a_set_without_its_folder_is_one_sentence(kind, tmp_path):
    for path in ("", f"{tmp_path}/none", "~nouser9/set"):
        with pytest.raises(UserError, match=f"^data.path='{path}' must be .*; set data.path to"):
            SETS[kind](path=path)()


# models at any size


def test_a_model_takes_any_size_and_stays_as_it_was():
    named = open_model("zoo:scenes_mae")
    before = {key: value.clone() for key, value in named.model.state_dict().items()}
    eye = AnySize(named, CPU)
    side = eye.patch
    seen = eye.passes((4 * side, 7 * side)).features(
        torch.zeros(2, 3, 4 * side, 7 * side, dtype=torch.uint8)
    )
    assert seen.grid == (4, 7) and seen.patches.shape[1] == 28
    after = named.model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    own = tuple(named.model.patch_embed.img_size)
    assert eye.passes(own).model is named.model  # nothing to resample
    assert [eye.rounded(n * side + 1) for n in (0, 1, 20)] == [side, side, 20 * side]


def test_a_model_of_one_size_is_refused_by_name():
    named = open_model("zoo:scenes_mae")

    class Fixed(torch.nn.Module):
        patch_embed = named.model.patch_embed
        pretrained_cfg = {"input_size": (3, 40, 40), "mean": (0.5,) * 3, "std": (0.5,) * 3}

    eye = AnySize(named._replace(name="fixed", model=Fixed()), CPU)
    with pytest.raises(UserError, match=r"fixed takes \(40, 40\) pixels only, and this set needs"):
        eye.passes((80, 80))

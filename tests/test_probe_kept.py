"""Features that are kept: the same scores to the bit, and nothing is read that is not the same."""

import pytest
import timm
import torch
from pretend_device import pretended
from test_train import tiny
from torch import nn

from siamlab.data import Scenes
from siamlab.evaluate.evaluate import feature_shelf, probe_all
from siamlab.evaluate.models import NamedModel, open_model
from siamlab.geometry import View
from siamlab.interop.adapter import TokenGrid
from siamlab.machine.shelf import Shelf, files
from siamlab.probe import (
    Inputs,
    by_layer,
    features,
    probe_model,
    residual_features,
    view_features,
)
from siamlab.probe.attention_maps import attention_profile, class_attention
from siamlab.probe.suite import FULL, QUICK, Suite, passes, rows
from siamlab.probe.suite.identity import identity
from siamlab.probe.suite.passes import Kept, Passes
from siamlab.recipes import siameseim
from siamlab.train import untrained

INPUTS = Inputs((24, 24), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
DRAW = torch.Generator().manual_seed(0)  # names of tests are the same in every process
PIXELS = torch.randint(256, (6, 3, 24, 24), dtype=torch.uint8, generator=DRAW)
VIEW = View(
    torch.rand(6, 3, 24, 24, generator=DRAW), torch.tensor([[0.0, 0, 1, 1]] * 6), torch.zeros(6) > 0
)


def model(**changes):
    torch.manual_seed(0)
    size = dict(img_size=24, patch_size=8, embed_dim=24, depth=2, num_heads=3, num_classes=0)
    return timm.models.vision_transformer.VisionTransformer(**size | changes).eval()


@pytest.fixture(scope="module")
def images():
    data = Scenes(side=24, images=80, test_images=40)
    return data("train"), data("test")


def everything(measured):
    return [(m.probe.key, m.layer, m.head, repr(m.score), m.settings) for m in measured]


@pytest.mark.parametrize(
    "suite", [QUICK, pytest.param(FULL, marks=pytest.mark.slow)], ids=["quick", "full"]
)
def test_scores_are_the_same_to_the_bit_with_and_without(suite, images, tmp_path):
    run = tiny(siameseim, "size=24", "model.depth=2")
    network = lambda: untrained(run)  # noqa: E731
    kept = lambda: Kept(Shelf(tmp_path, 10**9), "mae")  # noqa: E731
    plain = everything(probe_model(network(), *images, suite))
    assert everything(probe_model(network(), *images, suite, kept=kept())) == plain
    written = files(tmp_path)
    assert everything(probe_model(network(), *images, suite, kept=kept())) == plain
    assert files(tmp_path) == written, "computed again"


PARTS = {
    "features": lambda x: [*x.features(PIXELS)[:3]],
    "view_features": lambda x: [*x.view_features(VIEW)[:3]],
    "pooled": lambda x: [x.pooled(PIXELS)],
    "residual": lambda x: [*x.residual(PIXELS)[:3]],
    "by_layer": lambda x: x.by_layer(PIXELS, "patches"),
    "attention_profile": lambda x: [*x.attention_profile(PIXELS)],
    "class_attention": lambda x: [x.class_attention(PIXELS)],
}


@pytest.mark.parametrize("part", PARTS)
def test_what_is_read_is_what_is_computed_to_the_bit(part, tmp_path):
    plain = PARTS[part](Passes(model(), INPUTS))
    passes = Passes(model(), INPUTS, kept=Kept(Shelf(tmp_path, 10**9)))
    for found in (PARTS[part](passes), PARTS[part](passes)):
        assert all(torch.equal(a, b) for a, b in zip(plain, found, strict=True))
    assert len(files(tmp_path)) == 1
    alone = {
        "features": features(model(), PIXELS, INPUTS),
        "view_features": view_features(model(), VIEW, INPUTS),
        "pooled": features(model(), PIXELS, INPUTS)[:1],
        "residual": residual_features(model(), PIXELS, INPUTS),
        "by_layer": [*by_layer(model(), PIXELS, "patches", INPUTS)],
        "attention_profile": attention_profile(model(), PIXELS, INPUTS),
        "class_attention": [class_attention(model(), PIXELS, INPUTS)],
    }
    ours = alone[part][: len(plain)]
    assert all(torch.equal(a, b) for a, b in zip(plain, ours, strict=True))


@pytest.mark.parametrize(
    "suite",
    [QUICK, Suite(rows.ATTENTION, by_layer=True), pytest.param(FULL, marks=pytest.mark.slow)],
    ids=["quick", "attention", "full"],
)
def test_the_second_probe_of_a_model_passes_no_image(suite, images, tmp_path, monkeypatch):
    kept = Kept(Shelf(tmp_path, 10**9), "mae")
    first = everything(probe_model(model(), *images, suite, kept=kept))
    for way in ("forward_features", "forward_intermediates"):
        monkeypatch.setattr(type(model()), way, None)
    assert everything(probe_model(model(), *images, suite, kept=kept)) == first


@pytest.mark.parametrize(
    "change",
    [
        dict(pixels=PIXELS.flip(0)),
        dict(pixels=PIXELS.float() / 255),
        dict(inputs=INPUTS._replace(mean=(0.4, 0.5, 0.5))),
        dict(inputs=INPUTS._replace(size=(16, 16))),
        dict(batch=4),
        dict(network=dict(num_heads=2)),
        dict(network=dict(act_layer=nn.ReLU)),
        dict(what="pooled"),
        dict(format=2),
        dict(threads=3),
    ],
    ids=str,
)
def test_whatever_decides_the_numbers_is_part_of_the_key(change, tmp_path, monkeypatch):
    shelf = Shelf(tmp_path, 10**9)
    use = dict(pixels=PIXELS, inputs=INPUTS, batch=256, network={}, what="features") | change
    before = Passes(model(dynamic_img_size=True), INPUTS, kept=Kept(shelf))
    before.features(PIXELS)
    before.features(PIXELS)
    assert len(files(tmp_path)) == 1
    if "format" in change:
        monkeypatch.setattr(passes, "FORMAT", 2)
    if "threads" in change:
        monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    network = model(dynamic_img_size=True, **use["network"])
    then = Passes(network, use["inputs"], use["batch"], Kept(shelf))
    getattr(then, use["what"])(use["pixels"])
    assert len(files(tmp_path)) == 2


def test_changed_weights_are_another_model():
    one, two = model(), model()
    assert identity(one) == identity(two)
    with torch.no_grad():
        two.blocks[1].attn.qkv.bias[0] = 1e-9
    assert identity(one) != identity(two)


@pytest.mark.parametrize(
    "name",
    ["vit_small_patch14_reg4_dinov2", "vit_base_patch16_clip_quickgelu_224", "resnet18",
     "vit_small_patch16_dinov3", "beit_base_patch16_224", "zoo:mae"],
)  # fmt: skip
def test_models_of_known_packages_have_an_identity(name):
    with torch.device("meta"):  # the fields alone
        made = None if name.startswith("zoo") else timm.create_model(name)
    network = open_model(name).model if made is None else made.to_empty(device="cpu")
    assert identity(network) == identity(network) is not None


class Mine(nn.Linear):
    pass


@pytest.mark.parametrize("how", ["class", "hook", "function", "method"])
def test_code_of_ones_own_is_never_kept_because_it_may_change(how, tmp_path):
    network = model()
    if how == "class":
        network.head_drop = Mine(2, 2)
    if how == "hook":
        network.blocks[0].register_forward_hook(lambda *_: None)
    if how == "function":
        network = TokenGrid(nn.Conv2d(3, 8, 8, 8), 24, output=lambda out: out)
    if how == "method":
        network.forward_features = network.forward_features
    assert identity(network) is None
    Passes(network, INPUTS, kept=Kept(Shelf(tmp_path, 10**9))).features(PIXELS)
    assert files(tmp_path) == []


def test_a_device_is_given_what_was_kept(tmp_path):
    kept, plain = Kept(Shelf(tmp_path, 10**9)), features(model(), PIXELS, INPUTS)
    with pretended() as device:
        network = model().to(device)
        first, second = (Passes(network, INPUTS, kept=kept).features(PIXELS) for _ in range(2))
        assert first.patches.device == second.patches.device == device
        assert torch.equal(first.patches.cpu(), second.patches.cpu())
        assert torch.allclose(second.patches.cpu(), plain.patches, atol=1e-5)
    assert len(files(tmp_path)) == 1


def test_probe_all_keeps_features_unless_asked_not_to(images, tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path))
    named = NamedModel("mine", model(), None)
    probe_all([named], *images, cache=False)
    assert files(feature_shelf().root) == []
    first = probe_all([named], *images)
    assert files(tmp_path / "features") and first.equals(probe_all([named], *images))

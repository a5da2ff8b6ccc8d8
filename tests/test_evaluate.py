"""Models and images by name, and one sentence for whatever is missing."""

import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import timm
import torch
from huggingface_hub import constants
from PIL import Image

from siamlab import zoo
from siamlab.component import UserError
from siamlab.data import Cifar10, Folder, Photographs, Scenes, sample
from siamlab.data.images import plain
from siamlab.evaluate.evaluate import with_untrained
from siamlab.evaluate.images import one_image, open_images
from siamlab.evaluate.images import test_images as images_to_show
from siamlab.evaluate.models import NamedModel, open_model, open_models
from siamlab.interop.timm_models import load_timm
from siamlab.machine.network import cached_if_offline
from siamlab.model.timm_names import frozen_transformer
from siamlab.probe import inputs

SMALL = dict(train=30, test=10)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Fifty images of two classes."""
    folder = tmp_path_factory.mktemp("photos")
    pixels = Scenes(images=50, side=24)("train").pixels
    for i, image in enumerate(pixels):
        (folder / f"{i % 2}").mkdir(exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i % 2}" / f"{i}.png")
    return folder


def test_without_data_the_images_are_those_of_the_run():
    models = open_models(["zoo:scenes_mae", "zoo:scenes_siameseim"])
    train, test = open_images(models=models, **SMALL)
    assert [m.name for m in models] == ["zoo:scenes_mae", "zoo:scenes_siameseim"]
    own = models[0].run.data("train").pixels
    assert len(train.pixels) == 30 and len(test.pixels) == 10
    assert (own == train.pixels[0]).flatten(1).all(dim=1).any()


def test_a_folder_is_read_at_the_side_that_the_models_want(photos):
    model = open_model("timm:test_vit", weights=False)
    train, test = open_images(str(photos), model)
    assert inputs(model.model).size == (160, 160)
    assert train.pixels.shape[2:] == test.pixels.shape[2:] == (184, 184)
    assert len(train.pixels) + len(test.pixels) == 50 and len(train.classes) == 2


def test_a_folder_is_read_at_its_own_default_side_without_models(photos):
    train, _ = open_images(photos)
    assert train.pixels.shape[-1] == Folder(path=str(photos)).side


@pytest.mark.parametrize("data", ["scenes", Scenes(images=40, test_images=8, side=24)])
def test_data_by_name_or_by_fields(data):
    train, test = open_images(data, open_model("zoo:scenes_mae"), **SMALL)
    assert len(train.pixels) == 30 and len(test.pixels) == (10 if data == "scenes" else 8)


def test_models_by_name_path_object_or_module():
    file = zoo.file("scenes_mae")
    named = open_model(file)
    assert named.name == str(file) and open_models(file)[0].name == str(file)
    assert open_model(named) is named
    module = open_model(named.model)
    assert module.model is named.model and module.name == "VisionTransformer"
    assert [m.name for m in open_models([named, module])] == [str(file), "VisionTransformer"]
    with pytest.raises(UserError, match="Linear is not a vision transformer"):
        open_model(torch.nn.Linear(2, 2))


def test_a_model_that_is_handed_over_keeps_its_size():
    named = open_model("zoo:scenes_mae")
    for larger in (open_model(named, size=48), open_model(named.model, size=48)):
        assert inputs(larger.model).size == (48, 48)
    assert inputs(named.model).size == (40, 40)
    by_name = open_model("zoo:scenes_mae", size=48).model
    assert torch.equal(larger.model.pos_embed, by_name.pos_embed)


def test_a_model_at_its_own_size_is_the_same_to_the_bit():
    """Encoders of the zoo keep their tables in 16 bits; computed anew they would differ."""
    plain, sized = (open_model("zoo:scenes_mae", size=size).model for size in (None, 40))
    assert torch.equal(plain.pos_embed, sized.pos_embed)


def test_a_size_that_is_not_possible_is_refused_for_python_too():
    with pytest.raises(
        UserError, match=r"\(in Python: size=41\) must be a multiple of .* 8 pixels"
    ):
        open_models("zoo:scenes_mae", size=41)


def test_the_start_of_a_module_is_not_known():
    named = NamedModel("mine", open_model("zoo:scenes_mae").model, None)
    with pytest.raises(UserError, match="mine does not say which run .* open it by name"):
        with_untrained([named])


def test_no_more_than_there_are(photos):
    images = Folder(path=str(photos), side=16)("train")
    assert sample(images, 10_000) is images and sample(images, None) is images
    assert len(sample(images, 7).pixels) == 7


def test_images_with_a_label_are_taken_first():
    """Labels like STL-10's: 5,000 of 105,000 images have one."""
    pixels = torch.arange(60, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 1, 1)
    known = torch.arange(60) % 3 == 1
    images = plain(pixels, torch.where(known, 7, -1), "abcdefgh")
    few, more = sample(images, 12), sample(images, 30)
    assert (few.labels == 7).all() and (more.labels == 7).sum() == 20
    numbers = [some.pixels[:, 0, 0, 0].tolist() for some in (few, more)]
    assert set(numbers[0]) < set(numbers[1]) and numbers == list(map(sorted, numbers))
    for labels in (images.labels.clamp(min=7), images.labels.clamp(max=-1)):
        alike = images._replace(labels=labels)
        order = torch.randperm(60, generator=torch.Generator().manual_seed(0))[:12]
        assert sample(alike, 12).pixels[:, 0, 0, 0].tolist() == sorted(order.tolist())


@pytest.mark.parametrize("number", [-1, 8])
def test_an_image_that_is_not_there(number):
    images = Scenes(images=40, test_images=8, side=24)("test")
    assert torch.equal(one_image(images, 7), images.pixels[7])
    with pytest.raises(UserError, match=f"image={number} must be 0 to 7"):
        one_image(images, number)


def test_the_untrained_network_has_the_size_that_the_trained_one_was_brought_to():
    start, _ = with_untrained(open_models("zoo:scenes_mae", size=48))
    assert inputs(start.model).size == (48, 48)


def test_models_of_two_sizes_are_brought_to_one(photos):
    names = ["timm:test_vit", "timm:test_vit2"]
    models = open_models(names, weights=False, size=64)
    train, _ = open_images(photos, models)
    assert {inputs(m.model).size for m in models} == {(64, 64)}
    assert train.pixels.shape[-1] == round(1.15 * 64)


@pytest.mark.parametrize(
    "models, data, sentence",
    [
        ([], None, "models must name one or more"),
        ("zoo:mea", None, "zoo: there is no model 'mea'; did you mean 'mae'?"),
        ("runs/nowhere", None, "no run's folder or encoder file runs/nowhere, as seen from /"),
        (["zoo:scenes_mae", "zoo:scenes_mae"], None, "zoo:scenes_mae is named twice"),
        (
            "zoo:scenes_mae",
            "fotos",
            "data: there is no folder 'fotos' in /.* and no source 'fotos';",
        ),
        ("zoo:scenes_mae", "scene", "no source 'scene'; did you mean 'scenes'"),
        (
            ["zoo:scenes_mae", "timm:test_vit"],
            None,
            r"inputs have \(40, 40\) and \(160, 160\) pixels",
        ),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(models, data, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        open_images(data, open_models(models, weights=False))
    assert "\n" not in str(error.value)


def test_the_same_model_as_by_itself():
    (first,) = open_models("zoo:scenes_mae")
    alone = open_model("zoo:scenes_mae")
    weights = zip(first.model.parameters(), alone.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


def test_explorers_show_photographs_where_public_images_are_not_here(tmp_path, monkeypatch):
    run = open_model("zoo:siameseim").run
    assert run.data == Cifar10()
    monkeypatch.setenv("SIAMLAB_CACHE", str(tmp_path))
    assert torch.equal(images_to_show(run).pixels, Photographs()("test").pixels)
    moved = run.replace(data=Cifar10(path="moved away"))
    with pytest.raises(UserError, match="not in .*moved away.*set data.path to"):
        images_to_show(moved)


@pytest.mark.parametrize(
    "name, sentence",
    [
        ("vit_tiny_patch16_224", "must be written timm:NAME"),
        ("timm:", "must be written timm:NAME"),
        ("timm:vit_tiny_patch16_225", "no vision transformer .*nearest are.*vit_tiny_patch16_224"),
        ("timm:vit_tiny_patch16_224.mea", r"nearest are vit_tiny_patch16_224\."),
        ("timm:resnet18", "resnet18 is not a vision transformer"),
    ],
)
@pytest.mark.parametrize("weights", [True, False])
def test_bad_names_are_refused_in_a_sentence(name, sentence, weights):
    with pytest.raises(UserError, match=sentence):
        load_timm(name, weights)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No server is reached, no proxy is set, and nothing is cached."""

    def refused(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("socket.create_connection", refused)
    monkeypatch.setattr("siamlab.machine.network.getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


def test_without_a_network_the_sentence_comes_at_once(offline, capfd):
    start = time.monotonic()
    for load in (
        lambda: load_timm("timm:test_vit"),
        lambda: frozen_transformer("test_vit", "pretrained"),
    ):
        with pytest.raises(UserError, match="connect to the network"):
            load()
    assert time.monotonic() - start < 10
    assert "retry" not in "".join(capfd.readouterr()).lower()
    assert not constants.HF_HUB_OFFLINE


@pytest.fixture
def proxy(monkeypatch):
    """A proxy on loopback that gives every request the status in the server's `status`."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("status, offline", [(200, False), (404, False), (502, True), (504, True)])
def test_behind_a_proxy_its_answer_decides(proxy, status, offline):
    proxy.status = status
    with cached_if_offline():
        assert constants.HF_HUB_OFFLINE is offline


def test_a_proxy_that_is_away_means_no_network(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr(constants, "ENDPOINT", "http://hub.invalid")
    with cached_if_offline():
        assert constants.HF_HUB_OFFLINE


def test_without_a_network_the_way_out_is_named(monkeypatch):
    def no_network(*args, **kwargs):
        raise OSError("no route to the hub\nand more")

    monkeypatch.setattr(timm, "create_model", no_network)
    with pytest.raises(UserError, match=r"\(no route to the hub\).*--no-weights"):
        load_timm("timm:test_vit")

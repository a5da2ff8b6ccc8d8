"""Probes on a GPU, as far as a device that pretends to be one can tell."""

import pytest
import torch
from pretend_device import pretended
from test_train import tiny

from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.evaluate.models import open_model, open_models
from siamlab.machine.device import device_named, lent, numbers_on
from siamlab.probe import Suite, attention_maps, batches, features, probe_model
from siamlab.probe.finetune_recipe import FineTune
from siamlab.probe.suite import FULL, QUICK, passes, rows
from siamlab.recipes import siameseim
from siamlab.train import untrained

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images():
    data = Scenes(side=24, images=80, test_images=40)
    return data("train"), data("test")


def model():
    return untrained(tiny(siameseim, "size=24", "model.depth=2"))


def numbers(measured):
    return {(m.probe.key, m.layer, m.head): m.score.value for m in measured}


@pytest.mark.parametrize(
    "suite", [QUICK, pytest.param(FULL, marks=pytest.mark.slow)], ids=["quick", "full"]
)
def test_numbers_of_a_device_are_those_of_the_processor(suite, images):
    expected = probe_model(model(), *images, suite)
    with pretended() as device:
        found = probe_model(model(), *images, suite, device=device)
    assert [m.settings for m in found] == [m.settings for m in expected]
    assert numbers(found) == pytest.approx(numbers(expected), abs=1e-3, nan_ok=True)


def test_fine_tuning_on_a_device_is_that_of_the_processor(images):
    none, recipe = Suite(()), FineTune(epochs=1, batch=40)
    expected = probe_model(model(), *images, none, recipe=recipe)
    with pretended() as device:
        found = probe_model(model(), *images, none, recipe=recipe, device=device)
    assert numbers(found) == pytest.approx(numbers(expected), abs=1e-6)


def test_features_lie_where_the_model_does_and_a_lent_model_comes_back(images):
    network = model()
    before = features(network, images[1].pixels)
    with pretended() as device:
        with lent(network, device):
            there = features(network, images[1].pixels)
            assert {part.device for part in there[:3]} == {device}
            with pytest.raises(RuntimeError, match="tensors on .* and on the processor"):
                there.pooled + before.pooled
        assert next(network.parameters()).device == CPU
        assert torch.allclose(there.patches.cpu(), before.patches, atol=1e-6)


def test_a_lent_model_multiplies_in_full_precision_and_training_goes_on_as_before():
    product = torch.backends.cuda.matmul
    before, product.allow_tf32 = product.allow_tf32, True
    try:
        with lent(model(), CPU):
            assert not product.allow_tf32 and not torch.backends.cudnn.allow_tf32
        assert product.allow_tf32 and torch.backends.cudnn.allow_tf32
    finally:
        product.allow_tf32 = before


@pytest.mark.parametrize("there, chosen", [(True, "cuda"), (False, "cpu")])
def test_auto_is_a_gpu_where_there_is_one(there, chosen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device_named("auto").type == chosen and device_named("cpu") == CPU


@pytest.mark.parametrize(
    "name, message",
    [
        ("cuda", "--device cuda .* asks for a GPU, but torch finds none here; leave it out"),
        ("cuda:1", "--device cuda:1 .* asks for a GPU"),
        ("gpu", "does not know 'gpu'.*auto, cpu, cuda"),
    ],
)
def test_a_device_that_is_not_there_is_refused(name, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=message):
        device_named(name)


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_gpu_that_is_not_there_is_refused_where_a_model_is_opened(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    sentence = f"--device {name} .* asks for a GPU.*, but torch finds none here"
    for opened in (open_model, open_models):
        with pytest.raises(UserError, match=sentence):
            opened("zoo:scenes_mae", device=name)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device_named("mps").type == "mps" and device_named("auto").type == "cpu"


def test_models_are_opened_on_a_device_and_a_module_that_was_handed_over_stays():
    own = model()
    with pretended() as device:
        assert next(open_model(own, device=device).model.parameters()).device == device
        assert next(own.parameters()).device == CPU
        opened = open_models([own, open_model("zoo:scenes_mae")], size=24, device=device)
        assert [next(named.model.parameters()).device for named in opened] == [device] * 2
    assert next(own.parameters()).device == CPU
    assert open_model(own).model is own is open_model(own, device="cpu").model


def test_without_float64_numbers_are_computed_on_the_processor(images, monkeypatch):
    """The device behaves as Apple's GPU, which it stands for."""
    assert numbers_on(torch.device("mps")) == CPU and numbers_on(CPU) == CPU
    suite = Suite((*QUICK.probes, *rows.ATTENTION), by_layer=True)
    expected = probe_model(model(), *images, suite)
    for module in (batches, attention_maps, passes):
        monkeypatch.setattr(module, "numbers_on", lambda _: CPU)
    with pretended() as device:
        network = model().to(device)
        for found in (features, attention_maps.attention_profile):
            assert {part.device for part in found(network, images[1].pixels)[:3]} == {CPU}
        found = probe_model(network, *images, suite)
    assert numbers(found) == pytest.approx(numbers(expected), abs=1e-3, nan_ok=True)

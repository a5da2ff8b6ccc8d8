"""Probes on a GPU, as far as a device that pretends to be one can tell."""

import pytest
import torch
from pretend_device import pretended
from test_train import tiny

from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.machine.device import device_named, lent
from siamlab.probe import Suite, features, probe_model
from siamlab.probe.finetune_recipe import FineTune
from siamlab.probe.suite import FULL, QUICK
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

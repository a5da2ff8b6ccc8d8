"""The linear probe of MAE on features: its steps against its formulas, its schedule, its waits."""

import sys

import numpy as np
import pytest
import torch
from pretend_device import pretended
from test_gpu_waits import Waits, claimed
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from siamlab.component import UserError
from siamlab.machine.seeding import seeded
from siamlab.probe import linear_lars
from siamlab.probe.finetune_model import linear_head
from siamlab.probe.linear_lars import RECIPE, STEPS, _batches, _fitted

CPU = torch.device("cpu")


def blobs(n, seed, spread=0.2, width=6, classes=3):
    """Features of classes that lie apart, in dimensions of different place and scale."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    x = torch.eye(classes, width)[labels] + spread * torch.randn(n, width, generator=g)
    return 3 + x * torch.arange(1.0, width + 1), labels


def by_hand(x, labels, epochs, batch):
    """MAE's main_linprobe.py, util/lars.py and util/lr_sched.py by formulas, at a rate of 10."""
    with seeded(0, CPU):
        weight, bias = (
            p.detach().double().numpy() for p in linear_head(x.shape[1], 3).parameters()
        )
    x = x.double().numpy()
    z = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-6)
    goal, pace = np.eye(3)[labels.numpy()], [0.0, 0.0]
    for step in range(epochs):
        logits = np.exp(z @ weight.T + bias)
        error = (logits / logits.sum(1, keepdims=True) - goal) / len(x)
        slope, lift = error.T @ z, error.sum(0)
        trust = 0.001 * np.linalg.norm(weight) / np.linalg.norm(slope)
        pace = [0.9 * pace[0] + trust * slope, 0.9 * pace[1] + lift]
        warm = epochs / 9
        rate = 10 * batch / 256
        rate *= (
            step / warm
            if step < warm
            else (0.5 + 0.5 * np.cos(np.pi * (step - warm) / (epochs - warm)))
        )
        weight, bias = weight - rate * pace[0], bias - rate * pace[1]
    return weight, bias


def test_its_weights_are_those_of_the_published_formulas():
    x, labels = blobs(60, 0)
    recipe = RECIPE.model_copy(update={"epochs": 90, "batch": 60, "lr": 10.0})
    found = _fitted(x, labels, 3, recipe, 0)[1]
    weight, bias = by_hand(x, labels, 90, 60)
    start, _ = by_hand(x, labels, 0, 60)
    assert np.abs(weight - start).max() > 1e-3  # else the start alone would be compared
    np.testing.assert_allclose(found.weight.numpy(), weight, atol=5e-6)
    np.testing.assert_allclose(found.bias.numpy(), bias, atol=5e-6)


def test_classes_that_lie_apart_are_told_apart_by_7020_steps_and_not_by_90():
    train, test = blobs(240, 0), blobs(120, 1)
    score = linear_lars(*train, *test)
    assert score.value == 1 and score.chance == pytest.approx(1 / 3) and score.ceiling == 1
    assert STEPS == 7020 and linear_lars(*train, *test, steps=1).value < 0.9


def test_scale_and_place_of_dimensions_say_nothing():
    x, labels = blobs(60, 0, 0.8)
    scale, shift = torch.tensor([1.0, 9, 0.2, 5, 3, 40]), torch.arange(6.0)
    recipe = RECIPE.model_copy(update={"epochs": 90, "batch": 60, "lr": 10.0})
    one, other = (_fitted(part, labels, 3, recipe, 0)[1] for part in (x, x * scale + shift))
    torch.testing.assert_close(other.weight, one.weight, atol=1e-5, rtol=1e-3)


def test_an_epoch_is_full_batches_of_all_images_in_a_new_order():
    recipe = RECIPE.model_copy(update={"epochs": 2, "batch": 5})
    batches = list(_batches(13, recipe, 0, CPU))
    assert [len(b) for b in batches] == [5] * 4
    first, second = torch.cat(batches[:2]), torch.cat(batches[2:])
    assert len(first.unique()) == len(second.unique()) == 10 and not torch.equal(first, second)


@pytest.mark.parametrize(
    "n, asked, taken",  # images; epochs, batch and steps that are asked for; epochs and batch
    [
        (40, (90, 16_384, 7020), (7020, 40)),
        (40, (90, 16, 100), (90, 16)),
        (40, (9, 16, 101), (51, 16)),
    ],
)
def test_epochs_become_more_until_there_are_steps_enough(n, asked, taken, monkeypatch):
    seen = []

    def fitted(x, labels, classes, recipe, seed):
        seen.append((recipe.epochs, recipe.batch))
        return linear_head(x.shape[1], classes)

    monkeypatch.setattr(sys.modules["siamlab.probe.linear_lars"], "_fitted", fitted)
    linear_lars(*blobs(n, 0), *blobs(9, 1), *asked)
    assert seen == [taken]


def test_the_seed_decides_and_the_global_generators_are_left():
    data = *blobs(60, 0, 0.8), *blobs(90, 1, 0.8)
    state = torch.random.get_rng_state()
    one, same, other = (linear_lars(*data, steps=90, seed=s).value for s in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state) and one == same != other


def test_a_batch_of_one_is_refused():
    with pytest.raises(UserError, match="batch=1 must be 2 or more"):
        linear_lars(*blobs(9, 0), *blobs(9, 1), batch=1)


def test_a_device_gives_the_numbers_of_the_processor():
    data = *blobs(60, 0, 0.8), *blobs(90, 1, 0.8)
    expected = linear_lars(*data, steps=90, batch=20)
    with pretended() as device:
        found = linear_lars(*(part.to(device) for part in data), steps=90, batch=20)
    assert found.value == pytest.approx(expected.value, abs=1e-6)


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
def test_its_steps_never_wait_for_a_gpu(monkeypatch):
    """On tensors that only claim to be on one."""
    module, layer = sys.modules["siamlab.probe.linear_lars"], linear_head(6, 3)
    monkeypatch.setattr(module, "linear_head", lambda *size: layer)
    monkeypatch.setattr(module, "seeded", lambda seed, device: seeded(seed, CPU))
    monkeypatch.setattr(nn.Sequential, "to", lambda head, device: head)  # it lies there already
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda order: order)
    monkeypatch.setattr(torch.Tensor, "backward", lambda loss: sloped(layer))
    recipe = RECIPE.model_copy(update={"epochs": 3, "batch": 4})
    with FakeTensorMode(allow_non_fake_inputs=True), Waits() as seen:
        layer = claimed(layer)
        x, labels = torch.empty(9, 6, device="cuda"), torch.empty(9, dtype=int, device="cuda")
        _fitted(x, labels, 3, recipe, 0)
    assert seen.found == []


def sloped(layer):
    for p in layer.parameters():
        p.grad = torch.empty_like(p)

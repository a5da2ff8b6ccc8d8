"""Batches: how many images a pass takes, and what happens where memory runs out."""

import warnings
from weakref import ref

import pytest
import torch
from test_gpu_waits import claimed
from test_probe_features import SIZE, WANT, made, pictures
from torch._subclasses.fake_tensor import FakeTensorMode

from siamlab.probe import batches, by_layer, residual_features
from siamlab.probe.attention_maps import attention_profile, class_attentions
from siamlab.probe.batches import evaluated, images_in_memory, images_per_pass
from siamlab.probe.features import features, features_without_patches
from siamlab.probe.layers import block_patches

WAYS = {
    "features": lambda m, x: features(m, x, WANT)[:3],
    "without patches": lambda m, x: features_without_patches(m, x, WANT)[:3],
    "residual": lambda m, x: residual_features(m, x, WANT)[:3],
    "by layer": lambda m, x: by_layer(m, x, "patches", WANT),
    "blocks": lambda m, x: block_patches(m, x, WANT, [1, 2]),
    "attention": lambda m, x: attention_profile(m, x, WANT),
    "class attention": lambda m, x: class_attentions(m, x, WANT, [1]),
}
IMAGE = 4 * (12 * 24 * 48 + 2 * 3 * 32 * 48)  # bytes: 24 patches of 48 numbers, its pixels twice


def sizes_of(model):
    """Return the list to which the number of images of each pass is added."""
    sizes = []
    model.patch_embed.register_forward_hook(lambda _, args, out: sizes.append(len(args[0])))
    return sizes


def short(model, most, error=torch.OutOfMemoryError):
    """The model where memory is enough for `most` images; it runs out in the last block."""

    def run_out(_, args):
        if len(args[0]) > most:
            raise error("CUDA out of memory. Tried to allocate 20.50 GiB")

    model.blocks[1].register_forward_pre_hook(run_out)
    return model


def test_a_pass_takes_fewer_images_where_they_or_the_model_are_large(monkeypatch):
    model = made("any size")
    sizes = sizes_of(model)
    assert images_per_pass(model, SIZE) == 256  # 24 patches of 48 numbers
    assert images_per_pass(model, (1024, 1024)) == 50_176 * 768 // (128**2 * 48)
    monkeypatch.setattr(batches, "ACTIVATIONS", 24 * 48 * 3 + 1)
    features(model, pictures(8), WANT)
    features(model, pictures(8), WANT, batch=2)
    assert sizes == [3, 3, 2, 2, 2, 2, 2]
    assert images_per_pass(model, (800, 800)) == 1


def test_a_pass_takes_fewer_images_where_little_memory_is_free(monkeypatch):
    model = made("plain")
    sizes, want = sizes_of(model), features(model, pictures(8), WANT)
    monkeypatch.setattr(batches, "free_memory", lambda gpu: (2 * 3 * IMAGE, 2**30))
    found = features(model, pictures(8), WANT)
    by_layer(model, pictures(8), "cls", WANT)  # all layers of a pass are held until its end
    assert sizes == [8, 3, 3, 2, 2, 2, 2, 2]
    assert torch.allclose(found.patches, want.patches, atol=1e-5)
    monkeypatch.setattr(batches, "free_memory", lambda gpu: (0, 2**30))
    assert images_in_memory(model, SIZE) == 1
    monkeypatch.setattr(batches, "free_memory", lambda gpu: None)
    assert images_in_memory(model, SIZE) == 256


def test_the_memory_is_that_of_the_model_s_device(monkeypatch):
    model, asked = made("plain"), []
    monkeypatch.setattr(batches, "free_memory", asked.append)
    images_in_memory(model, SIZE)
    with FakeTensorMode(allow_non_fake_inputs=True):
        images_in_memory(claimed(model), SIZE)
    assert asked == [False, True]


@pytest.mark.parametrize("way", WAYS)
def test_where_memory_runs_out_passes_are_halved_and_that_is_said_once(way):
    want = WAYS[way](made("plain"), pictures(9))
    model = short(made("plain"), most=2)
    sizes = sizes_of(model)
    with pytest.warns(UserWarning, match="not enough for more than 2 images at once") as said:
        found = WAYS[way](model, pictures(9))
    again = WAYS[way](model, pictures(9))
    assert len(said) == 1 and sizes == [9, 4, 2, 2, 2, 2, 1, 2, 2, 2, 2, 1]
    for one, other in zip((*found, *again), (*want, *want), strict=True):
        assert torch.allclose(one, other, atol=1e-5, equal_nan=True)


def test_the_tensors_of_a_failed_pass_are_gone_when_it_is_repeated():
    model, held, alive = short(made("plain"), most=2), [], []

    def hold(_, args, out):
        alive.append([kept() is not None for kept in held])
        held.append(ref(out))

    model.blocks[0].register_forward_hook(hold)
    with pytest.warns(UserWarning, match="images at once"):
        features(model, pictures(9), WANT)
    assert alive[1:3] == [[False], [False, False]]


def test_a_single_image_that_does_not_fit_and_any_other_error_pass():
    with pytest.raises(torch.OutOfMemoryError):
        features(short(made("plain"), most=0), pictures(9), WANT)
    model = short(made("plain"), 2, lambda text: RuntimeError("another mistake"))
    sizes = sizes_of(model)
    with warnings.catch_warnings(), pytest.raises(RuntimeError, match="another mistake"):
        features(model, pictures(9), WANT)
    assert sizes == [9]


def test_what_a_model_makes_of_images_has_no_gradient_and_may_be_kept_for_training():
    x = torch.ones(2, requires_grad=True)
    made_of = evaluated(torch.nn.Identity(), lambda x: 2 * x, x)
    assert not made_of.requires_grad and not made_of.is_inference()

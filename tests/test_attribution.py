"""Attribution against closed forms, finite differences and the model's own output."""

import sys
from copy import deepcopy
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from siamlab.component import UserError
from siamlab.probe.attribution import (
    ToPatch,
    ToPrototype,
    ToView,
    attention_gradient,
    grad_cam,
    integrated_gradients,
    prototypes,
)
from siamlab.probe.batches import Inputs

SIZE, PATCH, GRID, WIDTH = (16, 24), 8, (2, 3), 12
WANT = Inputs(SIZE, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
SIZES = dict(img_size=SIZE, patch_size=PATCH, embed_dim=WIDTH, depth=2, num_heads=3, num_classes=0)
MODELS = {
    "plain": (VisionTransformer, {}),
    "registers": (VisionTransformer, dict(reg_tokens=4)),
    "no class token": (VisionTransformer, dict(class_token=False, global_pool="avg")),
    "rotary registers": (Eva, dict(use_rot_pos_emb=True, num_reg_tokens=4, rope_type="dinov3")),
}
METHODS = {
    "integrated gradients": lambda *a, **k: integrated_gradients(*a, steps=8, **k).map,
    "grad-cam": grad_cam,
    "attention gradient": attention_gradient,
    "attention gradient, first block": partial(attention_gradient, layer=0),
}
EVERY_MODEL = pytest.mark.parametrize("name", MODELS)
EVERY_METHOD = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def made(name="plain"):
    cls, fields = MODELS[name]
    torch.manual_seed(0)
    model = cls(**SIZES | fields).eval()
    for parameter in model.parameters():  # away from zero biases and unit norms
        nn.init.normal_(parameter, std=0.3)
    return model


def linear_model():
    """Patch tokens are linear in the pixels: no blocks, norm, position or class token."""
    fields = dict(class_token=False, global_pool="avg", pos_embed="none")
    model = VisionTransformer(**SIZES | fields).eval()
    for block in model.blocks:
        for layer in (block.attn.proj, block.mlp.fc2):
            nn.init.zeros_(layer.weight)
    model.norm = model.fc_norm = nn.Identity()
    return model


def pictures(n=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, 3, *SIZE), generator=g, dtype=torch.uint8)


def standardised(images):
    shift, scale = (torch.tensor(t).view(3, 1, 1) for t in WANT[1:])
    return (images / 255 - shift) / scale


def vector(seed=1):
    return torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed))


def value(model, target, x):
    """The target, from timm's tokens and written out once more."""
    tokens = model.forward_features(x)
    if isinstance(model.norm, nn.Identity):  # timm's norm after pooling, on each token
        tokens = model.fc_norm(tokens)
    patches = tokens[:, model.num_prefix_tokens :]
    if isinstance(target, ToPatch):
        feature = patches[:, target.patch]
    else:
        feature = tokens[:, 0] if target.feature == "cls" else patches.mean(dim=1)
    goal = target[0].to(feature)
    return (feature @ goal) / (feature.norm(dim=1) * goal.norm())


def targets(name):
    found = [ToView(vector()), ToPatch(vector(), 4)]
    return found if name == "no class token" else [*found, ToPrototype(vector(), "cls")]


def close(a, b, atol):
    torch.testing.assert_close(a, b, atol=atol, rtol=1e-3, check_dtype=False)


@EVERY_MODEL
def test_integrated_gradients_sum_to_the_change_from_the_mean_colour(name):
    model, images = made(name), pictures()
    for target in targets(name):
        found = integrated_gradients(model, images, target, WANT)
        with torch.no_grad():
            x = standardised(images)
            change = value(model, target, x) - value(model, target, torch.zeros_like(x))
        assert change.abs().max() > 0.01  # there is something to sum to
        close(found.change, change, atol=1e-5)
        close(found.map.sum(dim=(1, 2)) - found.error, change, atol=1e-5)
        assert found.error.abs().max() < 1e-3 and found.map.shape == (3, *SIZE)


def test_fewer_steps_leave_a_larger_error_and_the_same_change():
    coarse, fine = (
        integrated_gradients(made(), pictures(), ToView(vector()), WANT, steps=n) for n in (2, 64)
    )
    assert coarse.error.abs().min() > 10 * fine.error.abs().max()
    close(coarse.change, fine.change, atol=1e-5)


def test_integrated_gradients_of_a_linear_model_are_pixel_times_weight():
    model, images, v = linear_model(), pictures(), vector()
    found = integrated_gradients(model, images, lambda f: f.patches[:, 4] @ v, WANT, steps=1)
    kernel = torch.einsum("d,dchw->chw", v, model.patch_embed.proj.weight.detach())
    expected = torch.zeros(3, *SIZE)
    expected[:, 8:16, 8:16] = (standardised(images)[:, :, 8:16, 8:16] * kernel).sum(dim=1)
    close(found.map, expected, atol=1e-5)
    assert found.error.abs().max() < 1e-5


def test_a_patch_that_sees_only_itself_is_attributed_to_itself_only():
    found = integrated_gradients(linear_model(), pictures(), ToPatch(vector(), 5), WANT).map
    inside = torch.zeros(SIZE, dtype=torch.bool)
    inside[8:, 16:] = True
    assert (found[:, inside] != 0).all() and not found[:, ~inside].any()


@EVERY_MODEL
def test_grad_cam_is_the_slope_when_every_patch_moves_along_this_one(name):
    model, images = made(name), pictures()
    for target in targets(name):
        found = grad_cam(model, images, target, WANT)
        slopes = torch.stack([slope_along(model, images, target, i) for i in range(6)], dim=1)
        assert (slopes > 0.001).any() and (slopes < -0.001).any()
        close(found, (slopes.clamp(min=0) / 6).unflatten(1, GRID), atol=1e-6)


def slope_along(model, images, target, patch, step=1e-5):
    """Change of the target when all patches that the last block reads move along one of them."""
    model, x = deepcopy(model).double(), standardised(images).double()
    prefix = model.num_prefix_tokens

    def moved(by):
        def move(_, args):
            tokens = args[0].clone()
            tokens[:, prefix:] += by * args[0][:, prefix + patch, None]
            return (tokens, *args[1:])

        hook = model.blocks[-1].register_forward_pre_hook(move)
        with torch.no_grad():
            found = value(model, target, x)
        hook.remove()
        return found

    return (moved(step) - moved(-step)) / (2 * step)


@EVERY_MODEL
@pytest.mark.parametrize("layer", [0, -1])
def test_attention_gradient_is_the_slope_when_a_patch_is_attended_more(name, layer):
    model, images = made(name), pictures()
    for target in targets(name):
        found = attention_gradient(model, images, target, WANT, layer=layer)
        slopes = torch.stack(
            [slope_of_attention(model, images, target, i, layer) for i in range(6)], dim=1
        )
        assert slopes.abs().max() > 0.001
        close(found, slopes.unflatten(1, GRID), atol=1e-6)


def slope_of_attention(model, images, target, patch, layer, step=1e-5):
    """Change of the target when all attention to one patch in a block is scaled."""
    model, x = deepcopy(model).double(), standardised(images).double()
    model.blocks[layer].attn.fused_attn = False

    def scaled(by):
        def scale(_, args, matrix):
            assert matrix.shape[-1] == matrix.shape[-2] == model.num_prefix_tokens + 6
            matrix = matrix.clone()
            matrix[..., model.num_prefix_tokens + patch] *= 1 + by
            return matrix

        hook = model.blocks[layer].attn.attn_drop.register_forward_hook(scale)
        with torch.no_grad():
            found = value(model, target, x)
        hook.remove()
        return found

    return (scaled(step) - scaled(-step)) / (2 * step)


def test_grad_cam_shows_the_one_patch_that_holds_the_object():
    model = linear_model()
    images = torch.full((1, 3, *SIZE), 0.7)
    thing = torch.rand(3, PATCH, PATCH, generator=torch.Generator().manual_seed(3))
    images[0, :, 8:, :8] = thing  # patch 3
    shown = grad_cam(model, images, ToPrototype(seen_alone(model, thing)), WANT)
    assert shown[0, 1, 0] > 0 and shown.count_nonzero() == 1


def seen_alone(model, thing):
    tokens = model.forward_features(standardised_float(thing.tile(1, 2, 3)[None]))
    return tokens[0, 0].detach()


def standardised_float(images):
    return standardised(images * 255)


@EVERY_METHOD
def test_what_the_target_does_not_depend_on_is_given_nothing(method):
    found = method(made(), pictures(), lambda f: 0 * f.patches.sum(dim=(1, 2)) + 7, WANT)
    assert found.shape[0] == 3 and not found.any()


@EVERY_METHOD
@EVERY_MODEL
def test_the_model_and_the_images_are_left_as_they_were(name, method):
    model, images = made(name), pictures()
    model.train()
    model.blocks[0].eval().requires_grad_(False)
    before, seen = deepcopy(model), images.clone()
    first = method(model, images, ToView(vector()), WANT)
    assert torch.equal(images, seen) and same_state(model, before)
    assert torch.equal(first, method(model.eval(), images, ToView(vector()), WANT))
    close(torch.cat([method(model, i[None], ToView(vector()), WANT) for i in images]), first, 1e-6)
    assert not first.requires_grad and first.isfinite().all() and first.any()


@EVERY_METHOD
def test_the_model_is_left_as_it_was_when_a_target_fails(method):
    model = made().train()
    before = deepcopy(model)
    with pytest.raises(UserError, match="target has 5 dimensions, the model's features have 12"):
        method(model, pictures(), ToView(torch.ones(5)), WANT)
    assert same_state(model, before)


def same_state(model, before):
    def state(m):
        parameters = [(p.requires_grad, p.grad) for p in m.parameters()]
        modules = [
            (
                type(x),
                x.training,
                getattr(x, "fused_attn", None),
                len(x._forward_hooks),
                len(x._forward_pre_hooks),
            )
            for x in m.modules()
        ]
        return parameters, modules

    weights = zip(model.state_dict().values(), before.state_dict().values(), strict=True)
    return state(model) == state(before) and all(torch.equal(a, b) for a, b in weights)


def test_images_are_resized_and_stay_oblong():
    images = torch.randint(256, (1, 3, 40, 40), dtype=torch.uint8)
    for method in METHODS.values():
        found = method(made("registers"), images, ToView(vector()), WANT)
        assert found.shape[1:] in (SIZE, GRID)


def test_any_cosine_needs_a_model_without_fused_attention_of_its_own():
    model = made()
    model.blocks[1].attn = nn.Identity()
    with pytest.raises(UserError, match="cannot be read in layer=-1.*use grad_cam"):
        attention_gradient(model, pictures(), ToView(vector()), WANT)


@pytest.mark.parametrize("method", [grad_cam, attention_gradient])
@pytest.mark.parametrize("layer", [2, -3])
def test_a_block_that_is_not_there_is_refused(method, layer):
    with pytest.raises(UserError, match=f"layer={layer} must be from 0 to 1.*has 2 blocks"):
        method(made(), pictures(), ToView(vector()), WANT, layer=layer)


@pytest.mark.parametrize("patch", [-1, 6])
def test_a_patch_that_is_not_there_is_refused(patch):
    with pytest.raises(UserError, match=f"patch={patch} must be from 0 to 5.*patch r . 3 . c"):
        grad_cam(made(), pictures(), ToPatch(vector(), patch), WANT)


def test_no_steps_are_refused():
    with pytest.raises(UserError, match="steps=0 must be a whole number, 1 or more"):
        integrated_gradients(made(), pictures(), ToView(vector()), WANT, steps=0)


def test_without_captum_the_way_to_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(UserError, match=r"pip install 'siamlab\[notebook\]'"):
        grad_cam(made(), pictures(), ToView(vector()), WANT)


def test_prototypes_are_means_of_directions():
    features = torch.tensor([[3.0, 0.0], [0.0, 0.5], [0.0, -7.0]])
    found = prototypes(features, torch.tensor([0, 0, 2]))
    assert found.tolist() == [[0.5, 0.5], [0.0, 0.0], [0.0, -1.0]]


def test_targets_are_cosines():
    features = torch.randn(4, WIDTH)
    patches = torch.randn(4, 6, WIDTH)
    from siamlab.probe.features import Features

    found = Features(features, -features, patches, GRID)
    cosine = F.cosine_similarity(features, vector()[None])
    close(ToView(vector())(found), cosine, 1e-6)
    close(ToPrototype(5 * vector(), "cls")(found), -cosine, 1e-6)
    close(ToPatch(patches[2, 4], 4)(found)[2], torch.tensor(1.0), 1e-6)

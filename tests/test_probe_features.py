"""Features of timm models, against timm's own forward pass."""

import sys

import pytest
import torch
from timm.models.beit import Beit
from timm.models.deit import VisionTransformerDistilled
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer

from siamlab.evaluate.models import open_model
from siamlab.geometry import View
from siamlab.probe.batches import Inputs
from siamlab.probe.features import features, features_without_patches, inputs, view_features

SIZE = (32, 48)
SIZES = dict(img_size=SIZE, patch_size=8, embed_dim=48, depth=2, num_heads=3, num_classes=0)
MODELS = {
    "plain": (VisionTransformer, {}),
    "registers": (VisionTransformer, dict(reg_tokens=4)),
    "no class token": (VisionTransformer, dict(class_token=False, global_pool="avg")),
    "registers only": (
        VisionTransformer,
        dict(class_token=False, reg_tokens=2, global_pool="avg"),
    ),
    "normed queries": (VisionTransformer, dict(qk_norm=True)),
    "pooled by attention": (VisionTransformer, dict(class_token=False, global_pool="map")),
    "any size": (VisionTransformer, dict(dynamic_img_size=True)),
    "two class tokens": (VisionTransformerDistilled, {}),
    "relative places": (Beit, dict(use_rel_pos_bias=True)),
    "eva": (Eva, {}),
    "rotary": (Eva, dict(use_rot_pos_emb=True)),
    "rotary registers": (Eva, dict(use_rot_pos_emb=True, num_reg_tokens=4, rope_type="dinov3")),
    "rotary, mixed": (Eva, dict(use_rot_pos_emb=True, rope_type="mixed", attn_type="rope")),
    "rotary, split": (Eva, dict(use_rot_pos_emb=True, qkv_fused=False)),
    "grouped keys": (
        Eva,
        dict(use_rot_pos_emb=True, qkv_fused=False, attn_type="rope", num_kv_heads=1),
    ),
}
WITHOUT_CLASS = ("no class token", "registers only", "pooled by attention")
EVERY = pytest.mark.parametrize("name", MODELS)
WANT = Inputs(SIZE, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25))


def made(name):
    cls, fields = MODELS[name]
    torch.manual_seed(0)
    model = cls(**SIZES | fields).eval()
    for parameter in model.parameters():  # away from zero biases and unit norms
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def final(model):
    """The norm after the last block, wherever timm puts it."""
    return model.fc_norm if isinstance(model.norm, torch.nn.Identity) else model.norm


def pictures(n=5, size=SIZE, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(256, (n, 3, *size), generator=g, dtype=torch.uint8)


def standardised(images):
    shift, scale = (torch.tensor(t).view(3, 1, 1) for t in WANT[1:])
    return (images / 255 - shift) / scale


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


@EVERY
def test_features_are_timms_tokens_without_the_prefix(name):
    model, images = made(name), pictures()
    found = features(model, images, WANT, batch=2)
    with torch.no_grad():
        tokens = model.forward_features(standardised(images))
        tokens = tokens if final(model) is model.norm else model.fc_norm(tokens)
    prefix = tokens.shape[1] - 24
    assert found.grid == (4, 6) and found.patches.shape == (5, 24, 48)
    close(found.patches, tokens[:, prefix:])
    close(found.pooled, tokens[:, prefix:].mean(dim=1))
    close(found.cls, found.pooled if name in WITHOUT_CLASS else tokens[:, 0])


@EVERY
def test_features_without_patches_are_the_others(name):
    model, images = made(name), pictures()
    found, want = (f(model, images, WANT, batch=2) for f in (features_without_patches, features))
    assert found.patches.shape == (5, 0, 48) and found.grid == want.grid
    assert torch.equal(found.pooled, want.pooled) and torch.equal(found.cls, want.cls)


def test_what_is_kept_without_patches_is_no_view_of_them():
    home = sys.modules["siamlab.probe.features"]  # whose name is that of a function, too
    kept = home._without_patches(features(made("plain"), pictures(), WANT))
    for part in kept[:3]:
        assert part.untyped_storage().nbytes() == part.nbytes


@pytest.mark.parametrize("name", ["no class token", "registers only"])
def test_a_patch_is_what_timm_makes_of_a_mean_over_it_alone(name):
    """Models that pool by the mean are normed after it."""
    model, images = made(name), pictures()
    with torch.no_grad():
        tokens = model.forward_features(standardised(images))
        alone = torch.cat([tokens[:, : model.num_prefix_tokens], tokens[:, -1:]], dim=1)
        expected = model.forward_head(alone, pre_logits=True)
    close(features(model, images, WANT).patches[:, -1], expected)


def test_the_model_is_given_back_as_it_came():
    model = made("plain").train()
    model.blocks[0].eval()
    features(model, pictures(), WANT)
    assert model.training and model.blocks[1].training and not model.blocks[0].training
    assert not model.blocks[0].attn.training
    assert all(p.grad is None for p in model.parameters())


def test_dropout_is_off():
    model = VisionTransformer(**SIZES | dict(proj_drop_rate=0.5)).train()
    one, two = (features(model, pictures(), WANT).pooled for _ in range(2))
    assert torch.equal(one, two)


def test_images_of_another_size_are_resized_with_antialiasing():
    model = made("plain")
    fine = torch.zeros(1, 3, 128, 192, dtype=torch.uint8)
    fine[..., ::4] = 255  # every fourth column: shrinking by four must turn it grey, not black
    grey = torch.full((1, 3, *SIZE), 64, dtype=torch.uint8)
    a, b = (features(model, images, WANT).patches for images in (fine, grey))
    assert (a - b).abs().mean() < 0.1 * b.std()


def test_features_of_a_view_are_those_of_its_image():
    model, images = made("any size"), pictures(size=(24, 16))
    view = View(images / 255, torch.tensor([[0.0, 0, 1, 1]] * 5), torch.zeros(5) > 0)
    found = view_features(model, view, WANT, batch=2)
    whole = features(model, images, WANT._replace(size=(24, 16)))
    assert found.grid == (3, 2)
    close(found.patches, whole.patches)


def test_features_can_be_trained_on():
    found = features(made("plain"), pictures(), WANT)
    weight = torch.nn.Parameter(torch.ones(48))
    (found.pooled * weight).sum().backward()
    assert weight.grad is not None


def test_inputs_are_what_timm_says():
    model = open_model("timm:vit_base_patch16_clip_224", weights=False).model
    assert inputs(model).size == (224, 224)
    assert inputs(model).mean == pytest.approx((0.4815, 0.4578, 0.4082), abs=1e-4)
    assert inputs(made("plain")).size == SIZE


def test_a_timm_model_comes_without_a_classifier():
    model = open_model("timm:test_vit", weights=False).model
    assert not model.training and isinstance(model.head, torch.nn.Identity)
    found = features(model, pictures(2))
    assert found.patches.shape == (2, 100, 64) and found.grid == (10, 10)

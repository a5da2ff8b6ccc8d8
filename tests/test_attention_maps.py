"""Attention maps of timm models, against what timm hands torch's fused kernel."""

import weakref

import pytest
import timm
import torch
import torch.nn.functional as F
from test_probe_features import MODELS, SIZES, WANT, WITHOUT_CLASS, close, pictures, standardised
from timm.layers import DiffAttention
from timm.models import vision_transformer as vit
from timm.models.beit import Beit
from timm.models.eva import Eva
from timm.models.vision_transformer_relpos import ResPostRelPosBlock, VisionTransformerRelPos

from siamlab.component import UserError
from siamlab.probe import attention as pure
from siamlab.probe.attention_maps import (
    attended,
    attention_profile,
    class_attention,
    class_attentions,
    patch_attentions,
    rollout,
)

SMALL = dict(num_classes=0, img_size=(32, 48), patch_size=8, embed_dim=48, depth=2, num_heads=3)
OTHERS = {
    "parallel to the MLP": (vit.VisionTransformer, dict(block_fn=vit.ParallelScalingBlock)),
    "parallel, normed": (
        vit.VisionTransformer,
        dict(block_fn=vit.ParallelScalingBlock, qk_norm=True, qkv_bias=False),
    ),
    "norm after": (vit.VisionTransformer, dict(block_fn=vit.ResPostBlock)),
    "shared relative places": (Beit, dict(use_shared_rel_pos_bias=True)),
    "relative places by MLP": (VisionTransformerRelPos, {}),
    "relative places by table": (
        VisionTransformerRelPos,
        dict(rel_pos_type="bias", class_token=True, block_fn=ResPostRelPosBlock, qk_norm=True),
    ),
    "relative places of all": (VisionTransformerRelPos, dict(shared_rel_pos=True)),
    "two groups of keys": (
        Eva,
        dict(MODELS["grouped keys"][1], num_heads=4, num_kv_heads=2),
    ),
    "one head": (vit.VisionTransformer, dict(num_heads=1)),
}
NAMED = (
    "vit_small_patch16_dinov3",
    "vit_base_patch16_rope_reg1_gap_256",
    "vit_small_patch14_reg4_dinov2",
)
CLASSLESS = (*WITHOUT_CLASS, "relative places by MLP", "relative places of all", NAMED[1])
EVERY = pytest.mark.parametrize("name", [*MODELS, *OTHERS, *NAMED])
N, LAYERS = 24, 2  # patches, 4 by 6


def made(name, depth=LAYERS):
    torch.manual_seed(0)
    if name in NAMED:
        model = timm.create_model(name, **SMALL | dict(depth=depth))
    else:
        cls, fields = (MODELS | OTHERS)[name]
        model = cls(**SIZES | dict(depth=depth) | fields)
    for parameter in model.parameters():  # away from zero biases and unit norms
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def fused(model, images):
    """The matrix of each layer [n, heads, T, T] from what timm hands torch's fused kernel, and
    the number of prefix tokens. (siamlab reads timm's other path, which the kernel has no part in.)
    """
    matrices, kernel = [], F.scaled_dot_product_attention

    def recorded(q, k, v, attn_mask=None, **more):
        k_ = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)  # grouped queries share a key
        logits = q @ k_.mT * more.get("scale", q.shape[-1] ** -0.5)
        matrices.append((logits if attn_mask is None else logits + attn_mask).softmax(dim=-1))
        return kernel(q, k, v, attn_mask=attn_mask, **more)

    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(F, "scaled_dot_product_attention", recorded)
        tokens = model.forward_features(standardised(images))
    rows, columns = model.patch_embed.grid_size
    return matrices, tokens.shape[1] - rows * columns


def rows_of(name, matrix, prefix):
    """Return the class token if there is one, otherwise the mean of the patches."""
    rows = matrix[..., prefix:]
    rows = rows[:, :, prefix:].mean(dim=2) if name in CLASSLESS else rows[:, :, 0]
    return rows / rows.sum(dim=-1, keepdim=True)


@EVERY
def test_attention_is_that_of_the_fused_pass(name):
    model, images = made(name), pictures()
    found = attended(model, images, lambda layer, matrix: matrix, WANT, batch=2)
    rows = class_attentions(model, images, WANT, batch=2)
    seen, prefix = fused(model, images)
    assert len(seen) == len(found) == LAYERS
    for layer, (ours, theirs) in enumerate(zip(found, seen, strict=True)):
        close(theirs.sum(dim=-1), torch.ones(theirs.shape[:3]))
        close(ours, theirs)
        close(rows[:, layer], rows_of(name, theirs, prefix))
        assert ours.std(dim=-1).min() > 1e-4  # not uniform: the test would see nothing


def test_the_named_models_are_what_they_are_taken_for():
    dino, gap, plain = map(made, NAMED)
    assert type(dino).__name__ == type(gap).__name__ == "Eva"
    assert dino.num_prefix_tokens == 5 and dino.cls_token is not None and dino.rope is not None
    assert gap.num_prefix_tokens == 1 and gap.cls_token is None and gap.rope is not None
    assert plain.num_prefix_tokens == 5 and isinstance(plain, vit.VisionTransformer)


@pytest.mark.parametrize("name", ["plain", "registers", "no class token"])
def test_one_layer_of_class_attention(name):
    model, images = made(name), pictures()
    every = class_attentions(model, images, WANT)
    for layer, same in [(0, 0), (1, 1), (-1, 1), (-2, 0)]:
        found = class_attention(model, images, WANT, layer=layer, batch=2)
        assert found.shape == (5, 3, N)
        close(found, every[:, same])
    close(every.sum(dim=-1), torch.ones(5, LAYERS, 3))


@pytest.mark.parametrize("name", ["registers", "no class token"])
def test_attention_of_one_patch(name):
    model, images = made(name), pictures()
    found = patch_attentions(model, images, 7, WANT, batch=2)
    seen, prefix = fused(model, images)
    for layer, matrix in enumerate(seen):
        row = matrix[:, :, prefix + 7, prefix:]
        close(found[:, layer], row / row.sum(dim=-1, keepdim=True))


@pytest.mark.parametrize("name", ["plain", "registers", "no class token", "one head"])
def test_profile_is_that_of_the_whole_matrices(name):
    model, images = made(name), pictures()
    found = attention_profile(model, images, WANT, batch=2)
    seen, prefix = fused(model, images)
    for layer, matrix in enumerate(seen):
        a = matrix[..., prefix:, prefix:]
        a = a / a.sum(dim=-1, keepdim=True)
        close(found.distance[:, layer], pure.distance(a, (4, 6)))
        close(found.entropy[:, layer], pure.entropy(a))
        close(found.nmi[:, layer], pure.nmi(a))
        close(found.js[:, layer], pure.head_similarity(a))


@pytest.mark.parametrize("name", ["plain", "registers", "no class token"])
def test_rollout_is_the_product_of_the_layers(name):
    model, images = made(name, depth=3), pictures()
    found = rollout(model, images, WANT, batch=2)
    seen, prefix = fused(model, images)
    flow = torch.eye(N + prefix).expand(5, -1, -1)
    for matrix in seen:
        flow = (matrix.mean(dim=1) + torch.eye(N + prefix)) / 2 @ flow
    close(found, rows_of(name, flow[:, None], prefix)[:, 0])


@pytest.mark.parametrize("view", [True, False])
def test_one_batch_of_one_layer_is_held_at_a_time(view):
    alive, most, shapes = [], [], set()

    def measure(layer, matrix):
        alive.append(weakref.ref(matrix.untyped_storage()))  # lives while any view of it does
        most.append(sum(ref() is not None for ref in alive))
        shapes.add(tuple(matrix.shape))
        return matrix[:, :, 0] if view else matrix.sum(dim=2)

    found = attended(made("plain", depth=4), pictures(6), measure, WANT, batch=2)
    assert [part.shape for part in found] == [(6, 3, N + 1)] * 4
    assert max(most) == 1 and len(most) == 12 and shapes == {(2, 3, N + 1, N + 1)}


def test_only_the_layers_that_are_asked_for_are_read():
    asked = []

    def measure(layer, matrix):
        asked.append(layer)
        return matrix[:, 0, 0]

    model, images = made("plain", depth=4), pictures(2)
    last, first = attended(model, images, measure, WANT, layers=[3, 0])
    assert asked == [0, 3]
    all_ = attended(model, images, measure, WANT)
    close(torch.stack([last, first]), torch.stack([all_[3], all_[0]]))


@pytest.mark.parametrize(
    "name, fields",
    [
        ("DiffAttention", dict(attn_layer=DiffAttention, num_heads=2)),
        ("ParallelThingsBlock", dict(block_fn=vit.ParallelThingsBlock)),
        ("DiffParallelScalingBlock", dict(block_fn=vit.DiffParallelScalingBlock, num_heads=2)),
    ],
)
def test_attention_that_is_no_single_matrix_is_refused_by_name(name, fields):
    model = vit.VisionTransformer(**SIZES | fields)
    with pytest.raises(UserError, match=f"VisionTransformer cannot be read: {name} .*RelPosAtt"):
        class_attention(model, pictures(), WANT)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_layers_and_queries_that_are_not_there_are_refused():
    with pytest.raises(UserError, match="layer=2 must be from 0 to 1, or from -2 to -1"):
        class_attention(made("plain"), pictures(), WANT, layer=2)
    with pytest.raises(UserError, match="query=24 must be from 0 to 23: the model sees 4 × 6"):
        patch_attentions(made("plain"), pictures(), 24, WANT)


@EVERY
def test_reading_changes_nothing_that_later_layers_see(name):
    """The pass itself stays fused, so that features are the same to the bit."""
    model, seen = made(name), []
    hook = model.blocks[-1].register_forward_hook(lambda module, args, out: seen.append(out))
    with torch.no_grad():
        model.forward_features(standardised(pictures(2)))
    attended(model, pictures(2), lambda layer, matrix: matrix[:, 0, 0], WANT)
    hook.remove()
    assert torch.equal(*seen)


def test_the_model_is_given_back_as_it_came():
    model = made("plain").train()
    model.blocks[0].eval()
    attention_profile(model, pictures(), WANT)
    with pytest.raises(ZeroDivisionError):
        attended(model, pictures(), lambda layer, matrix: 1 / 0, WANT)
    assert model.training and model.blocks[1].training and not model.blocks[0].training
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(block.attn.fused_attn for block in model.blocks)
    assert all(p.grad is None for p in model.parameters())

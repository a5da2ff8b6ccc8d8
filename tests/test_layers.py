"""Features layer by layer, against timm's own passes."""

import pytest
import timm
import torch
from test_probe_features import EVERY, WANT, close, final, made, pictures
from timm.layers import PatchEmbed

from siamlab.component import UserError
from siamlab.probe.batches import Inputs
from siamlab.probe.features import features
from siamlab.probe.layers import layer_features, residual_features


@EVERY
def test_the_last_layer_is_the_models_features(name):
    model, images = made(name), pictures()
    batches = list(layer_features(model, images, WANT, batch=2))
    assert [len(layers) for layers in batches] == [2, 2, 2]  # blocks, of 2, 2 and 1 images
    whole = features(model, images, WANT)
    for part in ("pooled", "cls", "patches"):
        close(torch.cat([getattr(layers[-1], part) for layers in batches]), getattr(whole, part))
    assert batches[0][0].grid == whole.grid


@EVERY
def test_the_first_layer_is_what_its_block_gives_through_the_final_norm(name):
    model, images = made(name), pictures(2)
    given = []
    hook = model.blocks[0].register_forward_hook(lambda module, args, out: given.append(out))
    [layers] = layer_features(model, images, WANT)
    hook.remove()
    close(layers[0].patches, final(model)(given[0])[:, model.num_prefix_tokens :].detach())


@EVERY
def test_the_residual_is_what_the_final_norm_is_given(name):
    model, images = made(name), pictures(3)
    found = residual_features(model, images, WANT, batch=2)
    normed = features(model, images, WANT)
    close(final(model)(found.patches).detach(), normed.patches)
    assert not torch.allclose(found.patches, normed.patches, atol=0.1)


def test_a_model_of_relative_positions_has_layers_too():
    model = timm.create_model("vit_relpos_small_patch16_224", img_size=32, num_classes=0).eval()
    images = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8)
    want = Inputs((32, 32), (0.5,) * 3, (0.5,) * 3)
    [layers] = layer_features(model, images, want)
    close(layers[-1].patches, features(model, images, want).patches)


def test_a_model_without_layers_is_refused():
    class Bare(torch.nn.Linear):
        num_prefix_tokens, num_features = 0, 1

    bare = Bare(1, 1)
    bare.patch_embed = PatchEmbed(WANT.size, patch_size=8, embed_dim=1)
    with pytest.raises(UserError, match="layers of Bare cannot be read.*--suite quick"):
        list(layer_features(bare, pictures(1), WANT))

"""DINOv3's own files, by a network with the release's names that is written from its formulas."""

import json
import math
import re

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from siamlab.component import UserError
from siamlab.evaluate.models import before_training, open_model
from siamlab.probe import features, inputs

WIDTH, HEADS, PATCH = 64, 2, 16


class Attention(nn.Module):
    def __init__(self, biased):
        super().__init__()
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH, bias=biased), nn.Linear(WIDTH, WIDTH)
        if biased:  # keys have no bias, whatever the file holds there
            mask = torch.ones(3, WIDTH)
            mask[1] = 0
            self.qkv.register_buffer("bias_mask", mask.flatten())

    def forward(self, x, cosine, sine):
        bias = self.qkv.bias * self.qkv.bias_mask if self.qkv.bias is not None else None
        qkv = F.linear(x, self.qkv.weight, bias).unflatten(-1, (3, HEADS, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        q, k = turned(q, cosine, sine), turned(k, cosine, sine)
        weights = (q @ k.mT / math.sqrt(WIDTH / HEADS)).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).flatten(2))


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Gated(nn.Module):
    def __init__(self, hidden=2 * WIDTH):
        super().__init__()
        self.w1, self.w2 = nn.Linear(WIDTH, hidden), nn.Linear(WIDTH, hidden)
        self.w3 = nn.Linear(hidden, WIDTH)

    def forward(self, x):
        return self.w3(F.silu(self.w1(x)) * self.w2(x))


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(WIDTH))

    def forward(self, x):
        return self.gamma * x


class Block(nn.Module):
    def __init__(self, biased, gated):
        super().__init__()
        self.norm1, self.attn, self.ls1 = norm(), Attention(biased), Scale()
        self.norm2, self.mlp, self.ls2 = norm(), Gated() if gated else Plain(), Scale()

    def forward(self, x, *places):
        x = x + self.ls1(self.attn(self.norm1(x), *places))
        return x + self.ls2(self.mlp(self.norm2(x)))


class Network(nn.Module):
    def __init__(self, biased=True, gated=False):
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.storage_tokens = nn.Parameter(torch.randn(1, 4, WIDTH))
        self.mask_token = nn.Parameter(torch.zeros(1, WIDTH))
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        count = WIDTH // HEADS // 4
        self.rope_embed = nn.Module()
        self.rope_embed.register_buffer("periods", 100.0 ** (torch.arange(count) / count))
        self.blocks = nn.ModuleList(Block(biased, gated) for _ in range(2))
        self.norm, self.local_cls_norm = norm(), norm()

    def forward_features(self, image):
        patches = self.patch_embed.proj(image).flatten(2).mT
        first = [
            token.expand(len(image), -1, -1) for token in (self.cls_token, self.storage_tokens)
        ]
        x, places = torch.cat([*first, patches], dim=1), self.places(image.shape[-1] // PATCH)
        for block in self.blocks:
            x = block(x, *places)
        return self.norm(x)

    def places(self, side):
        """Cosines and sines of both coordinates of the patches' centres, from −1 to 1."""
        centres = (torch.arange(side) + 0.5) / side * 2 - 1
        where = torch.cartesian_prod(centres, centres)  # [N, 2]
        angles = 2 * math.pi * where[:, :, None] / self.rope_embed.periods  # [N, 2, count]
        angles = angles.flatten(1).repeat(1, 2)
        return angles.cos(), angles.sin()


def write_folder(folder, theta=100.0, biased_keys=False, **options):
    """The same network as transformers' `DINOv3ViTModel` saves it: apart, and without periods."""
    torch.manual_seed(0)
    network, own = Network(**options).eval(), {}
    for key, value in network.state_dict().items():
        key = key.replace("patch_embed.proj.", "embeddings.patch_embeddings.")
        key = re.sub("^(cls|mask)_token$", r"embeddings.\1_token", key)
        key = key.replace("storage_tokens", "embeddings.register_tokens")
        key = key.replace("blocks.", "model.layer.").replace("attn.", "attention.")
        key = re.sub(r"ls([12]).gamma", r"layer_scale\1.lambda1", key)
        key = key.replace("mlp.w1", "mlp.gate_proj").replace("mlp.w2", "mlp.up_proj")
        key = key.replace("mlp.fc1", "mlp.up_proj").replace("attention.proj", "attention.o_proj")
        key = re.sub(r"mlp\.(w3|fc2)", "mlp.down_proj", key)
        if key == "embeddings.mask_token":
            value = value[None]
        if ".qkv." not in key:
            own |= {} if key.startswith(("rope_embed", "local_cls")) else {key: value.contiguous()}
        elif not key.endswith("mask"):
            for name, part in zip("qkv", value.chunk(3), strict=True):
                if name != "k" or key.endswith("weight") or biased_keys:
                    own[key.replace("qkv", f"{name}_proj")] = part.contiguous()
    config = dict(
        model_type="dinov3_vit", num_attention_heads=HEADS, layer_norm_eps=1e-5, rope_theta=theta
    )
    (folder / "config.json").write_text(json.dumps(config))
    save_file(own, folder / "model.safetensors")
    return folder, network


def norm():
    return nn.LayerNorm(WIDTH, eps=1e-5)


def turned(x, cosine, sine):
    """The last tokens of x, which are patches, turned by their places."""
    first, last = x[:, :, : -len(cosine)], x[:, :, -len(cosine) :]
    a, b = last.chunk(2, dim=-1)
    return torch.cat([first, last * cosine + torch.cat([-b, a], dim=-1) * sine], dim=2)


def write(folder, change=lambda weights: None, **options):
    torch.manual_seed(0)
    network = Network(**options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    weights = network.state_dict()
    change(weights)
    torch.save(weights, folder / "dinov3.pth")
    return folder / "dinov3.pth", network


@pytest.mark.parametrize("options", [{}, dict(gated=True), dict(biased=False)], ids=str)
@pytest.mark.parametrize("writer", [write, write_folder], ids=["release", "transformers"])
def test_the_features_are_those_of_the_release(writer, options, tmp_path):
    path, network = writer(tmp_path, **options)
    named = open_model(path, size=64)
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        found, expected = (model.forward_features(image) for model in (named.model, network))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert named.about == "DINOv3 ViT 64×2/16 with 2 heads, encoder; 0 keys unused"
    assert features(named.model, image).patches.shape == (2, 16, WIDTH)


def test_a_folder_of_another_network_of_transformers_is_refused(tmp_path):
    with pytest.raises(UserError, match="rotary places of base 10.0; .* whose base is 100"):
        open_model(write_folder(tmp_path, theta=10.0)[0])
    with pytest.raises(UserError, match="has biases of keys .blocks.0.attn.k_bias."):
        open_model(write_folder(tmp_path, biased_keys=True)[0])


def test_images_have_the_side_of_the_release_unless_another_is_asked_for(tmp_path):
    path, _ = write(tmp_path)
    named = open_model(path)
    assert inputs(named.model).size == (224, 224) and inputs(named.model).mean[0] == 0.485
    start = before_training(named)
    weights = [model.blocks[0].mlp.fc1.weight for model in (start.model, named.model)]
    assert not torch.equal(*weights) and inputs(start.model) == inputs(named.model)


def other_periods(weights):
    weights["rope_embed.periods"] = weights["rope_embed.periods"] * 2


def biased_keys(weights):
    for key in [key for key in weights if key.endswith("bias_mask")]:
        del weights[key]


def untied(weights):
    weights["cls_norm.weight"] = torch.ones(WIDTH)


@pytest.mark.parametrize(
    "change, sentence",
    [
        (other_periods, "rotary places of other periods than DINOv3's .*from 1 to 56.2"),
        (biased_keys, r"has biases of keys \(blocks.0.attn.qkv.bias\)"),
        (untied, re.escape("cls_norm.weight is [64] there, but must be missing")),
        (lambda weights: weights.pop("blocks.1.mlp.fc1.weight"), "blocks.1.mlp.fc1.weight is miss"),
    ],
)
def test_a_file_of_another_network_is_refused(change, sentence, tmp_path):
    path, _ = write(tmp_path, change)
    with pytest.raises(UserError, match=sentence):
        open_model(path)

"""DINOv3: timm's transformer with rotary places, from the weights of the release or transformers.

vit = dinov3(found, weights, depth, heads, path)        # as `as_vit` calls it
"""

from functools import partial
from pathlib import Path

import torch
from timm.layers import LayerNorm
from timm.models.eva import Eva
from torch import Tensor

from siamlab.component import UserError
from siamlab.interop.layout import BASE, Layout
from siamlab.interop.vit_sizes import sizes

SIDE = 224  # pixels: the release's own; rotary places fit any other


def dinov3(found: Layout, weights: dict[str, Tensor], depth: int, heads: int, path: Path) -> Eva:
    """Return the transformer at random weights, and give `weights` its names in place."""
    biased = _split_biases(weights, path)
    gated = "blocks.0.mlp.w1.weight" in weights
    words = {".ls1.gamma": ".gamma_1", ".ls2.gamma": ".gamma_2"}
    if gated:
        words |= {".mlp.w1.": ".mlp.fc1_g.", ".mlp.w2.": ".mlp.fc1_x.", ".mlp.fc1.": ".mlp.fc1_x."}
    for key in list(weights):
        name = key
        for theirs, own in words.items():
            name = name.replace(theirs, own)
        weights[name] = weights.pop(key)
    side = SIDE // weights["patch_embed.proj.weight"].shape[-1]
    registers = weights.get("reg_token")
    return Eva(
        **sizes(weights, depth, heads, side**2, path),
        qkv_bias=biased,
        init_values=1e-5 if "blocks.0.gamma_1" in weights else None,
        swiglu_mlp=gated,
        swiglu_align_to=1,  # gate and value apart, of any width
        num_reg_tokens=0 if registers is None else registers.shape[1],
        use_abs_pos_emb=False,
        use_rot_pos_emb=True,
        rope_type="dinov3",
        rope_temperature=BASE,
        rope_rotate_half=True,
        use_fc_norm=False,
        dynamic_img_size=True,
        norm_layer=partial(LayerNorm, eps=found.eps),
    )


def _split_biases(weights: dict[str, Tensor], path: Path) -> bool:
    """Write biases of queries and values apart; tell whether there are any. Keys must have none."""
    if keyed := next((key for key in weights if key.endswith(".attn.k_bias")), None):
        _refuse_keys(keyed, path)
    for key in [key for key in weights if key.endswith(".attn.qkv.bias")]:
        mask = weights.pop(f"{key}_mask", None)
        whole = weights.pop(key)
        query, keys, value = (whole if mask is None else torch.where(mask == 0, 0, whole)).chunk(3)
        if keys.any():
            _refuse_keys(key, path)
        stem = key.removesuffix("qkv.bias")
        weights[f"{stem}q_bias"], weights[f"{stem}v_bias"] = query, value
    return "blocks.0.attn.q_bias" in weights


def _refuse_keys(key: str, path: Path) -> None:
    raise UserError(
        f"{path} has biases of keys ({key}), which timm's DINOv3 has no place for; wrap its "
        "network: siamlab.TokenGrid(network)"
    )

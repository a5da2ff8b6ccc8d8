"""Spelling: the names that releases give to the weights of one transformer, turned into timm's.

names = timm_names(tensors, path)       # {"module.norm.weight": "norm.weight", ...}
weights = joined({name: tensors[key] for key, name in names.items()})
"""

import re
from pathlib import Path

import torch
from torch import Tensor

from siamlab.component import UserError

STEM = "patch_embed.proj.weight"
DINOV3_STEM = "embeddings.patch_embeddings.weight"  # of transformers
BRANCHES = ("base_encoder.", "teacher.", "target_encoder.")  # the first of these, if there are any
ASIDE = re.compile(r"momentum_encoder\.|student\.|predictor\.|^mm_|decoder")
LEFT = r"(\.weight|\.bias)$"
OPENAI = (  # CLIP's image tower as OpenAI published it
    (r"^conv1\.", "patch_embed.proj."),
    (r"^class_embedding$", "cls_token"),
    (r"^positional_embedding$", "pos_embed"),
    (r"^ln_pre\.", "norm_pre."),
    (r"^ln_post\.", "norm."),
    (r"^transformer\.resblocks\.", "blocks."),
    (r"\.ln_([12])\.", r".norm\1."),
    (r"\.attn\.in_proj_", ".attn.qkv."),
    (r"\.attn\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)
HUGGING_FACE = (  # of ViT, ViTMAE, DINOv2, I-JEPA and CLIP in transformers
    (r"^embeddings\.(patch_embeddings\.projection|patch_embedding)\.", "patch_embed.proj."),
    (r"^embeddings\.(cls_token|class_embedding)$", "cls_token"),
    (r"^embeddings\.register_tokens$", "register_tokens"),
    (r"^embeddings\.mask_token$", "mask_token"),
    (r"^embeddings\.(position_embeddings|position_embedding\.weight)$", "pos_embed"),
    (r"^pre_layrnorm\.", "norm_pre."),
    (r"^(post_layernorm|layernorm)\.", "norm."),
    (r"^encoder\.layers?\.", "blocks."),
    (r"\.(layernorm_before|layer_norm1)\.", ".norm1."),
    (r"\.(layernorm_after|layer_norm2)\.", ".norm2."),
    (r"\.attention\.attention\.(query|key|value)\.", r".attn.\1."),
    (r"\.self_attn\.([qkv])_proj\.", r".attn.\1."),
    (r"\.(attention\.output\.dense|self_attn\.out_proj)\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.mlp\.weights_in\.", ".mlp.fc1."),
    (r"\.mlp\.weights_out\.", ".mlp.fc2."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
)
HUGGING_FACE_DINOV3 = (
    (r"^embeddings\.patch_embeddings\.", "patch_embed.proj."),
    (r"^embeddings\.(cls|register|mask)_token(s?)$", r"\1_token\2"),
    (r"^(model\.)?layer\.", "blocks."),
    (r"\.attention\.([qkv])_proj\.weight$", r".attn.\1.weight"),
    (r"\.attention\.([qkv])_proj\.bias$", r".attn.\1_bias"),
    (r"\.attention\.o_proj\.", ".attn.proj."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
    (r"\.mlp\.gate_proj\.", ".mlp.w1."),
    (r"\.mlp\.up_proj\.", ".mlp.fc1."),  # beside a gate this is its value
    (r"\.mlp\.down_proj\.", ".mlp.fc2."),
)
RELEASES = (  # of the methods' own repositories
    (r"^blocks\.\d+\.(\d+)\.", r"blocks.\1."),  # in chunks, as DINOv2 trains
    (r"\.gamma_([12])$", r".ls\1.gamma"),
    (r"\.mlp\.w12\.", ".mlp.fc1."),
    (r"\.mlp\.w3\.", ".mlp.fc2."),
    (r"^storage_tokens$", "register_tokens"),
)
SPELLINGS = (  # the key of the patch embedding, and the words
    (STEM, ()),
    ("embeddings.patch_embeddings.projection.weight", HUGGING_FACE),
    ("embeddings.patch_embedding.weight", HUGGING_FACE),
    (DINOV3_STEM, HUGGING_FACE_DINOV3),
    ("visual.conv1.weight", OPENAI),
)


def timm_names(tensors: dict[str, Tensor], path: Path) -> dict[str, str]:
    """Return timm's name for each key of the encoder, heads and the like included.

    Raises UserError for weights without a patch embedding.
    """
    for stem, words in SPELLINGS:
        prefixes = [key.removesuffix(stem) for key in tensors if key.endswith(stem)]
        if prefixes:
            prefix = _branch(prefixes) + ("visual." if words is OPENAI else "")
            own = [key for key in tensors if key.startswith(prefix)]
            return {key: _renamed(key[len(prefix) :], (*words, *RELEASES)) for key in own}
    raise UserError(
        f"{path} holds no vision transformer: it has no {STEM} (its keys begin with "
        f"{', '.join(_tops(tensors))}); expected a ViT of SiameseIM, MAE, MoCo-v3, DINO, "
        "DINOv2, I-JEPA, BEiT, SimMIM, CLIP or timm"
    )


def joined(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Join queries, keys and values; give tokens timm's shapes; registers have no place."""
    for key in [k for k in weights if re.search(r"\.attn\.(q|query)" + LEFT, k)]:
        long = ".attn.query." in key
        names = ("query", "key", "value") if long else ("q", "k", "v")
        parts = [key.replace(f".attn.{names[0]}.", f".attn.{name}.") for name in names]
        if all(part in weights for part in parts):
            joined = torch.cat([weights.pop(part) for part in parts])
            weights[parts[0].replace(f".attn.{names[0]}.", ".attn.qkv.")] = joined
    if "cls_token" in weights:
        weights["cls_token"] = weights["cls_token"].reshape(1, 1, -1)
    if "pos_embed" in weights and weights["pos_embed"].ndim == 2:
        weights["pos_embed"] = weights["pos_embed"][None]
    if "register_tokens" in weights:
        weights["reg_token"] = weights.pop("register_tokens")
        if {"pos_embed", "cls_token"} <= weights.keys():  # the class token's place goes into it
            weights["cls_token"] = weights["cls_token"] + weights["pos_embed"][:, :1]
            weights["pos_embed"] = weights["pos_embed"][:, 1:]
    return weights


def _branch(prefixes: list[str]) -> str:
    """Return the branch that a release is used by, of all that the file holds."""
    for branch in BRANCHES:
        for prefix in prefixes:
            if prefix.endswith(branch) or f"{branch}backbone." in prefix:
                return prefix
    return next((p for p in prefixes if not ASIDE.search(p)), prefixes[0])


def _renamed(key: str, words: tuple[tuple[str, str], ...]) -> str:
    for pattern, word in words:
        key = re.sub(pattern, word, key)
    return key


def _tops(tensors: dict[str, Tensor]) -> list[str]:
    """Return the first words of the keys, at most four."""
    tops = list(dict.fromkeys(key.removeprefix("module.").split(".")[0] for key in tensors))
    return tops[:4] + (["…"] if len(tops) > 4 else [])

"""CLIP's activation: QuickGELU in OpenAI's weights, plain GELU in most others, in one key spelling.

activation(vit)     # "QuickGELU"
other_activation(vit)   # "LAION's and DataComp's weights need plain GELU: timm:…clip_224@FILE"
"""

import re

import timm
from torch import nn

WORDS = {"QuickGELU": "QuickGELU", "GELU": "plain GELU"}  # timm's class, and what it is called
NAMES = {  # of timm's architectures by width
    256: "xsmall", 512: "medium", 640: "betwixt", 768: "base", 1024: "large", 1280: "huge",
    1408: "giant", 1664: "gigantic",
}  # fmt: skip
ANY = "vit_*_clip_224"


def is_clip(name: str) -> bool:
    """Return whether a name of timm's is one of CLIP's image towers, whose activations differ."""
    return bool(re.match(r"vit_.*_clip_", name))


def activation(vit: nn.Module) -> str:
    """Return what the perceptrons of a transformer use."""
    act = type(vit.blocks[0].mlp.act).__name__
    return WORDS.get(act, act)


def other_activation(vit: nn.Module) -> str:
    """Return how the same file is opened with plain GELU, which its keys do not distinguish."""
    return f"LAION's and DataComp's weights need plain GELU: timm:{plain_name(vit)}@FILE"


def plain_name(vit: nn.Module) -> str:
    """Return timm's name of an image tower with plain GELU and of this size; a pattern if none."""
    patch, side = vit.patch_embed.patch_size[0], vit.patch_embed.img_size[0]
    name = f"vit_{NAMES.get(vit.embed_dim, '')}_patch{patch}_clip_{side}"
    return name if timm.is_model(name) else ANY

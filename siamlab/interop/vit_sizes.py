"""Sizes of a transformer that its weights imply: image and patch sides, width, depth, heads.

VisionTransformer(**sizes(weights, depth, heads, patches, path), ...)
"""

from math import isqrt
from pathlib import Path
from typing import Any

from torch import Tensor

from siamlab.component import UserError

WAY = "if the file is whole, name its architecture: timm:NAME@FILE"


def sizes(
    weights: dict[str, Tensor], depth: int, heads: int, patches: int, path: Path
) -> dict[str, Any]:
    """Return what any of timm's transformers is made with: sides, width, depth, heads."""
    width, channels, *patch = weights["patch_embed.proj.weight"].shape
    if channels != 3 or len(patch) != 2:
        raise UserError(
            f"{path} embeds patches of shape {(channels, *patch)}; expected 3 colours and two "
            "sides: siamlab takes RGB images, not videos"
        )
    side, hidden = isqrt(patches), _hidden(weights)
    if side**2 != patches:
        raise UserError(
            f"{path} has positions for {patches} patches, which is not a square number; {WAY}"
        )
    return dict(
        img_size=(side * patch[0], side * patch[1]),
        patch_size=tuple(patch),
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        mlp_ratio=(hidden + 0.5) / width,  # timm rounds down
        num_classes=0,
    )


def _hidden(weights: dict[str, Tensor]) -> int:
    """The outputs of a perceptron's first layer, or of its gate."""
    names = (f"blocks.0.mlp.{name}.weight" for name in ("fc1", "fc1_g"))
    return next(len(weights[name]) for name in names if name in weights)

"""Settings beside the weights of a Hugging Face folder: heads, norms, activation and colours.

check_settings(config, found, path)         # that they are those of the weights
found = with_settings(found, "MAE", config, folder / "preprocessor_config.json")
"""

import json
import math
import os
from pathlib import Path
from typing import Any

from siamlab.component import UserError
from siamlab.interop.layout import IMAGENET, Layout, Triple, is_triple
from siamlab.machine.files import text_in

ACTS = {  # hidden_act of transformers, and timm's name
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}


def check_settings(config: Any, found: Layout, path: Path) -> None:
    """Raise UserError where the settings are of another model than the weights beside them."""
    if not isinstance(config, dict):
        raise UserError(f"{path}: vision_config must be a table of settings; copy the file again")
    width, _, *patch = found.weights["patch_embed.proj.weight"].shape
    blocks = {int(key.split(".")[1]) for key in found.weights if key.startswith("blocks.")}
    sizes = {"hidden_size": width, "num_hidden_layers": max(blocks, default=0) + 1}
    sizes |= {"patch_size": patch[0]} if patch and len(set(patch)) == 1 else {}
    for key, size in sizes.items():
        if config.get(key, size) != size and not isinstance(config[key], list):
            raise UserError(
                f"{path} is of another model than the weights beside it: {key} is {config[key]} "
                f"there and {size} in the weights; copy both from one model"
            )
    heads = config.get("num_attention_heads", 1)
    if type(heads) is not int or heads < 1 or width % heads:
        raise UserError(
            f"{path}: num_attention_heads={heads} must be a whole number that divides the width "
            f"of {width}; copy the file again"
        )
    eps, act = config.get("layer_norm_eps", 1e-6), config.get("hidden_act", "gelu")
    if type(eps) not in (int, float) or not 0 < eps < 1:
        raise UserError(
            f"{path}: layer_norm_eps={eps!r} must be a number between 0 and 1; copy the file again"
        )
    if act not in tuple(ACTS):
        raise UserError(
            f"{path}: hidden_act={act!r} is none of {', '.join(ACTS)}, which siamlab knows; copy "
            "the file again, or wrap its network: siamlab.TokenGrid(network)"
        )


def with_settings(found: Layout, title: str, config: dict[str, Any], images: Path) -> Layout:
    """Add what the folder says of heads, norms and images."""
    mean, std = _colours(read_json(images) if os.path.lexists(images) else {}, found, images)
    return found._replace(
        title=title,
        heads=config.get("num_attention_heads", found.heads),
        eps=config.get("layer_norm_eps", 1e-5 if title == "CLIP" else found.eps),
        act=ACTS[config.get("hidden_act", "quick_gelu" if title == "CLIP" else "gelu")],
        assumed=False,
        shared=False,
        mean=mean,
        std=std,
    )


def _colours(settings: dict[str, Any], found: Layout, path: Path) -> tuple[Triple, Triple]:
    """Return mean and deviation; those of the method where the settings name neither."""
    pair = settings.get("image_mean"), settings.get("image_std")
    if pair == (None, None):
        return (found.mean, found.std) if found.title == "CLIP" else IMAGENET
    check_colours(settings, "image_", path)
    return tuple(map(float, pair[0])), tuple(map(float, pair[1]))


def check_colours(settings: dict[str, Any], prefix: str, path: Path) -> None:
    """Raise UserError unless the settings give mean and deviation of each colour."""
    for name, least, above in (("mean", -math.inf, ""), ("std", 0.0, " above 0")):
        if not is_triple(three := settings.get(prefix + name), least):
            raise UserError(
                f"{path}: {prefix}{name}={three!r} must be three numbers{above}, of red, green and "
                "blue; copy the file again"
            )


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file. Raises UserError for any other file."""
    try:
        found = json.loads(text_in(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is incomplete ({error}); copy the folder again") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} is not a JSON object of settings; copy the folder again")
    return found

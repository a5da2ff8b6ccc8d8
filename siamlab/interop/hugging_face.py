"""Hugging Face: ViT, ViTMAE, DINOv2, I-JEPA and CLIP of transformers, from a folder or the hub.

found = read_folder(Path("dinov2-small"))      read_folder(from_hub("facebook/dinov2-small"))
"""

import json
import os
from pathlib import Path
from typing import Any

from siamlab.component import UserError
from siamlab.interop.layout import IMAGENET, Layout, Triple, layout
from siamlab.interop.read import read_file
from siamlab.machine.files import text_in

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
SETTINGS = ("config.json", "preprocessor_config.json")
TITLES = {  # model_type of transformers, and the method
    "vit": "Hugging Face",
    "vit_mae": "MAE",
    "dinov2": "DINOv2",
    "dinov2_with_registers": "DINOv2",
    "ijepa": "I-JEPA",
    "clip": "CLIP",
    "clip_vision_model": "CLIP",
}


def is_folder(path: str | Path) -> bool:
    """Return whether a path is a folder that transformers or timm wrote."""
    return os.path.isfile(os.path.join(path, "config.json"))


def read_folder(path: Path) -> Layout:
    """Return the encoder of a folder that transformers' `save_pretrained` wrote.

    Raises UserError for another architecture than those above, and for damaged files.
    """
    config = _json(path / "config.json")
    kind = config.get("model_type")
    if kind not in TITLES:
        raise UserError(
            f"{path} holds a model of type {kind!r}; siamlab reads {', '.join(TITLES)}, and takes "
            "others as modules: siamlab.TokenGrid(model)"
        )
    own = config.get("vision_config", config) if kind == "clip" else config
    found = layout(folder_weights(path), path)
    return _with_settings(found, TITLES[kind], own, path / "preprocessor_config.json")


def timm_architecture(path: Path) -> str:
    """Return timm's name for what a folder holds; "" for one that transformers wrote."""
    return str(_json(path / "config.json").get("architecture", ""))


def folder_weights(path: Path) -> dict[str, Any]:
    """Return the weights in a folder; raises UserError for one without."""
    file = next((path / name for name in WEIGHTS if (path / name).is_file()), None)
    if file is None:
        raise UserError(f"{path} has no {' and no '.join(WEIGHTS)}; expected is one of them")
    return read_file(file)


def from_hub(name: str) -> Path:
    """Return the folder of a model of the Hugging Face hub, downloaded once.

    Raises UserError where it cannot be downloaded.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    folder = None
    try:
        for file in SETTINGS + WEIGHTS[:1]:
            try:
                folder = Path(hf_hub_download(name, file)).parent
            except EntryNotFoundError as missing:
                # without a network each file is tried for half a minute: the first one is enough
                if isinstance(missing, LocalEntryNotFoundError) and file == SETTINGS[0]:
                    raise
                if file == WEIGHTS[0]:
                    hf_hub_download(name, WEIGHTS[1])
    except Exception as error:
        raise UserError(
            f"hf:{name} cannot be downloaded ({str(error).splitlines()[0].rstrip('.')}); connect "
            "to the network, check the name (hf:OWNER/NAME), or give a local folder"
        ) from None
    return folder


def _with_settings(found: Layout, title: str, config: dict[str, Any], images: Path) -> Layout:
    """Add what the folder says of heads, norms and images."""
    mean, std = _colours(_json(images) if images.is_file() else {}, found)
    return found._replace(
        title=title,
        heads=config.get("num_attention_heads", found.heads),
        eps=config.get("layer_norm_eps", 1e-5 if title == "CLIP" else found.eps),
        act=config.get("hidden_act", "quick_gelu" if title == "CLIP" else "gelu"),
        mean=mean,
        std=std,
    )


def _colours(settings: dict[str, Any], found: Layout) -> tuple[Triple, Triple]:
    mean, std = settings.get("image_mean"), settings.get("image_std")
    if isinstance(mean, list) and isinstance(std, list) and len(mean) == len(std) == 3:
        return tuple(map(float, mean)), tuple(map(float, std))
    return (found.mean, found.std) if found.title == "CLIP" else IMAGENET


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text_in(path))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not whole ({error}); copy the folder again") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} is no table of settings; copy the folder again")
    return found

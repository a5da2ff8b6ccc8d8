"""Hugging Face: ViT, MAE, DINOv2 and v3, I-JEPA and CLIP of transformers, from folder or hub.

found = read_folder(Path("dinov2-small"))      read_folder(from_hub("facebook/dinov2-small"))
"""

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from siamlab.component import UserError
from siamlab.interop.folder_settings import check_settings, read_json, with_settings
from siamlab.interop.layout import BASE, Layout, layout
from siamlab.interop.read import read_file
from siamlab.machine.files import expanded
from siamlab.machine.network import cached_if_offline

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
INDEX = ".index.json"  # after these names: which of several files holds which key
SETTINGS = ("config.json", "preprocessor_config.json")
RECORD = "siamlab"  # key of the settings in a folder that siamlab wrote
TITLES = {  # model_type of transformers, and the method
    "vit": "Hugging Face",
    "vit_mae": "MAE",
    "dinov2": "DINOv2",
    "dinov2_with_registers": "DINOv2",
    "dinov3_vit": "DINOv3",
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
    config = read_json(path / "config.json")
    kind = config.get("model_type")
    if kind not in tuple(TITLES):
        raise UserError(
            f"{path / 'config.json'} is of model_type={kind!r}; siamlab reads {', '.join(TITLES)}, "
            "and takes others as modules: siamlab.TokenGrid(model)"
        )
    if kind == "dinov3_vit" and config.get("rope_theta", BASE) != BASE:
        raise UserError(
            f"{path} has rotary places of base {config['rope_theta']}; siamlab reads those of "
            f"DINOv3, whose base is {BASE:.0f}. Wrap its network: siamlab.TokenGrid(network)"
        )
    own = config.get("vision_config", config) if kind == "clip" else config
    found = layout(folder_weights(path), path)
    check_settings(own, found, path / "config.json")
    return with_settings(found, TITLES[kind], own, path / "preprocessor_config.json")


class TimmFolder(NamedTuple):
    """What the settings of a folder say that timm wrote, or siamlab for timm."""

    architecture: str  # timm's name; "" in a folder that transformers wrote
    changed: bool  # whether its sizes are other than those of this name
    model: str  # method and size, as siamlab recorded it; "" in the folders of others
    fixed: bool  # whether siamlab recorded that the table of positions is never trained


def timm_folder(path: Path) -> TimmFolder:
    """Return what a folder's settings say about timm's model in it."""
    config = read_json(path / "config.json")
    record = config.get(RECORD)
    record = record if isinstance(record, dict) else {}
    return TimmFolder(
        architecture=str(config.get("architecture", "")),
        changed=bool(config.get("model_args")),
        model=str(record.get("model", "")),
        fixed=record.get("positions") == "fixed",
    )


def folder_weights(path: Path) -> dict[str, Any]:
    """Return the weights in a folder, from one file or several; UserError for one without."""
    for name in WEIGHTS:
        if (path / name).is_file():
            return read_file(path / name)
        if (path / f"{name}{INDEX}").is_file():
            return _from_shards(path / f"{name}{INDEX}")
    raise UserError(f"{path} has no {' and no '.join(WEIGHTS)}; expected one of them")


def _from_shards(index: Path) -> dict[str, Any]:
    """Return the weights of the files that an index names, each key from its own."""
    places, found = shards(index), {}
    for name in dict.fromkeys(places.values()):
        if not (index.parent / name).is_file():
            raise UserError(f"{index} names {name}, which is not there; copy the whole folder")
        weights = read_file(index.parent / name)
        own = [key for key, place in places.items() if place == name]
        if missing := [key for key in own if key not in weights]:
            raise UserError(
                f"{index.parent / name} has no {missing[0]}, which {index.name} says it has; copy "
                "the folder again"
            )
        found |= {key: weights[key] for key in own}
    return found


def shards(index: Path) -> dict[str, str]:
    """Return the file of each key. Raises UserError if the file is not an index."""
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(map(_is_file_name, places.values())):
        raise UserError(f"{index} names no files of this folder (weight_map); copy it again")
    return places


def _is_file_name(name: Any) -> bool:
    return isinstance(name, str) and name == os.path.basename(name) != ""


def named_folder(name: str) -> Path:
    """Return the folder that hf:NAME means: one that is here, or one of the hub.

    Raises UserError for a name that neither can have, before anything is asked of the network.
    """
    if name and is_folder(expanded(name)):
        return expanded(name)
    if name and os.path.exists(expanded(name)):
        raise UserError(
            f"hf:{name} is here, but is no folder with a config.json; name a file or another "
            f"folder without hf:, as in {name}"
        )
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        raise UserError(
            f"hf:{name} must be hf:OWNER/NAME, as in hf:facebook/dinov2-small, or a folder that "
            f"is there, as seen from {Path.cwd()}"
        )
    return from_hub(name)


def from_hub(name: str) -> Path:
    """Return the folder of a model of the Hugging Face hub, downloaded once.

    Raises UserError where it cannot be downloaded.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    def fetch(*files: str) -> Path | None:
        """The first of these files that there is."""
        for file in files:
            try:
                return Path(hf_hub_download(name, file))
            except EntryNotFoundError as missing:
                # without a network each file is tried for half a minute: the first one is enough
                if isinstance(missing, LocalEntryNotFoundError) and file == SETTINGS[0]:
                    raise
        return None

    try:
        with cached_if_offline():
            settings = [fetch(file) for file in SETTINGS]
            found = fetch(*(f"{file}{end}" for file in WEIGHTS for end in ("", INDEX)))
            if found and found.name.endswith(INDEX):
                for shard in dict.fromkeys(shards(found).values()):
                    hf_hub_download(name, shard)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"hf:{name} cannot be downloaded ({_reason(error)}); connect to the network, check the "
            "name (hf:OWNER/NAME), or give a local folder"
        ) from None
    there = next((file for file in (found, *settings) if file), None)
    if there is None:
        raise UserError(f"hf:{name} has none of {', '.join(SETTINGS + WEIGHTS)}")
    return there.parent


def _reason(error: Exception) -> str:
    """Return why a download failed; the hub's own sentences end in the middle of an address."""
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    if isinstance(error, LocalEntryNotFoundError):
        return "the hub is out of reach, and no copy is kept here"
    if isinstance(error, RepositoryNotFoundError):
        return "the hub has no such model, or it is private"
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__

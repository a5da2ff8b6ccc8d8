"""Weights by name: a checkpoint of any release as a plain timm model, and one line about it.

opened = open_weights("mae_pretrain_vit_base.pth")      # opened.model, opened.about
open_weights("hf:facebook/dinov2-small")    open_weights("timm:vit_base_patch16_224@mine.pth")
"""

import hashlib
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import timm
import torch
from torch import nn

from siamlab import zoo
from siamlab.component import UserError
from siamlab.interop import hugging_face
from siamlab.interop.clip import activation, is_clip
from siamlab.interop.folder_settings import check_colours
from siamlab.interop.layout import FIXED, Layout, layout
from siamlab.interop.read import read_file, run_text
from siamlab.interop.resize import sine_order
from siamlab.interop.timm_models import HEADS, check_name, load_file, load_timm
from siamlab.interop.vit import as_vit, fill, fresh, sentence, size_of
from siamlab.machine.files import expanded

ENCODER = "encoder.safetensors"  # in the folder of a finished run


class Opened(NamedTuple):
    model: nn.Module  # a plain timm vision transformer, in evaluation mode
    about: str  # one line: method, size, parts of the file, unused keys; "" for timm's own weights
    start: Callable[[], nn.Module]  # the same network at random weights
    own: Path | None = None  # siamlab's file or folder, which says which run made it


def open_weights(name: str, weights: bool = True) -> Opened:
    """Return the model of `timm:NAME`, `timm:NAME@FILE`, `hf:NAME`, `zoo:NAME`, a file or a folder.

    A folder is one of Hugging Face, or of a finished run. `weights=False` leaves `timm:NAME` at
    random weights. Raises UserError in one sentence for whatever is missing, damaged, or no
    vision transformer.
    """
    if name.startswith("timm:"):
        return _timm(name, weights)
    if name.startswith("hf:"):
        return _folder(hugging_face.named_folder(name.removeprefix("hf:")))
    path = zoo.path_of(name)
    if hugging_face.is_folder(path):
        return _folder(path)
    path = path / ENCODER if os.path.isdir(path) else path
    if not os.path.isfile(path):
        raise UserError(
            f"there is no file {path} in {Path.cwd()}; name a checkpoint, or the folder of a "
            "finished run"
        )
    found = layout(read_file(path), path)
    return _opened(found._replace(heads=_heads(path) or found.heads), path)


def is_foreign(name: str) -> bool:
    """Return whether a name refers to another project's weights; siamlab's files record a run."""
    if name.startswith(("timm:", "hf:")):
        return True
    path = os.path.expanduser(name)
    if hugging_face.is_folder(path):
        return True
    return os.path.isfile(path) and run_text(Path(path)) is None


def means_weights(name: str) -> bool:
    """Return whether a name means a file, a folder or a source of weights, and no architecture."""
    sources, endings = ("timm:", "hf:", zoo.PREFIX), (".pth", ".pt", ".bin", ".tar", ".safetensors")
    return name.startswith(sources) or "/" in name or name.endswith(endings)


def weights_hash(model: nn.Module) -> str:
    """Return hexadecimal digits that identify a model's weights, from whatever file they came."""
    found = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        found.update(f"{key} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return found.hexdigest()


def _heads(path: Path) -> int | None:
    """Return the heads that the run in the header of siamlab's own file says."""
    model = tomllib.loads(run_text(path) or "").get("model", {})
    if "name" not in model:
        return model.get("heads")
    with torch.device("meta"):
        return timm.create_model(model["name"], num_classes=0).blocks[0].attn.num_heads


def _timm(name: str, weights: bool) -> Opened:
    architecture, _, file = name.partition("@")
    start = lambda: load_timm(architecture, weights=False)  # noqa: E731
    if not file:
        return Opened(load_timm(name, weights), "", start)
    return Opened(*load_file(architecture, expanded(file)), start)


def _folder(path: Path) -> Opened:
    """Open a folder of Hugging Face, which transformers or timm wrote."""
    found = hugging_face.timm_folder(path)
    name = found.architecture
    if not name:
        return _opened(hugging_face.read_folder(path), path)
    check_name(name)
    build = lambda: timm.create_model(f"local-dir:{path}", num_classes=0).eval()  # noqa: E731
    try:
        vit = build()
    except Exception as error:  # timm checks no setting: it raises what their first use does
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"{path / 'config.json'}: timm makes no {name} of these settings ({reason}); copy the "
            "folder again"
        ) from None
    check_colours(vit.pretrained_cfg, "", path / "config.json")
    weights = hugging_face.folder_weights(path)
    fill(vit, {k: v for k, v in weights.items() if not k.startswith(HEADS)}, path)
    plain = f"{size_of(vit)} of timm, {name}" if found.changed else f"{name} of timm"
    told = found.model or plain
    if is_clip(name) and (not found.model or "CLIP" in told):
        told += f", {activation(vit)}"
    fixed = found.fixed or sine_order(vit) is not None
    return Opened(vit, f"{told}, encoder; 0 keys unused", fresh(vit, fixed, build))


def _opened(found: Layout, path: Path) -> Opened:
    vit = as_vit(found, path)
    fixed = found.title in FIXED or sine_order(vit) is not None
    return Opened(vit, sentence(found, vit), fresh(vit, fixed))

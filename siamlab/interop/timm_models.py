"""Vision transformers of timm by name, with helpful refusals of names that it does not have.

vit = load_timm("timm:vit_base_patch16_224.mae")
vit, about = load_file("timm:vit_base_patch16_224", Path("mine.safetensors"))
"""

import os
import sys
from contextlib import nullcontext
from difflib import get_close_matches
from pathlib import Path

from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.interop.clip import activation, is_clip
from siamlab.interop.layout import unwrapped
from siamlab.interop.read import read_file
from siamlab.interop.shapes import check_floats
from siamlab.interop.vit import fill
from siamlab.machine.network import cached_if_offline

FAMILIES = (  # timm modules whose models give prefix tokens and a grid of patches
    "vision_transformer",
    "eva",
    "deit",
    "beit",
    "vision_transformer_hybrid",
    "vision_transformer_relpos",
)
HEADS = ("head.", "head_dist.", "classifier.")


def load_timm(name: str, weights: bool = True) -> nn.Module:
    """Return the vision transformer `timm:NAME` without a classifier, in evaluation mode.

    `weights=False` leaves it at random weights. Raises UserError for names that timm does not have,
    for models without a grid of patch tokens, and for weights that cannot be downloaded.
    """
    import timm

    source, _, full = name.partition(":")
    if source != "timm" or not full:
        example = "timm:vit_tiny_patch16_224"
        raise UserError(f"model {name!r} must be written timm:NAME, such as {example}")
    check_name(full)
    try:
        with cached_if_offline() if weights else nullcontext():
            return timm.create_model(full, pretrained=weights, num_classes=0).eval()
    except Exception as error:
        if not weights:
            raise
        raise UserError(
            f"The weights of {name!r} cannot be downloaded ({str(error).splitlines()[0]}): connect "
            "to the network, or probe the same model with random weights by --no-weights"
        ) from error


def load_file(name: str, path: Path) -> tuple[nn.Module, str]:
    """Return the vision transformer `timm:NAME` with the weights of a file, and one line about it.

    timm converts the names and resamples position tables; a classifier is left aside. Raises
    UserError for a file that is not there, not whole, or of another architecture.
    """
    if not os.path.isfile(path):
        raise UserError(f"{name}@{path}: there is no file {path} in {Path.cwd()}")
    vit = load_timm(name, weights=False)
    _, tensors = unwrapped(read_file(path), path)
    # before timm resamples them: that would drop their imaginary part
    check_floats({key: value for key, value in tensors.items() if value.is_complex()}, path)
    convert = getattr(sys.modules[type(vit).__module__], "checkpoint_filter_fn", None)
    try:
        found = convert(dict(tensors), vit) if convert else tensors
    except (KeyError, ValueError, RuntimeError, AttributeError, IndexError, TypeError,
            AssertionError) as error:  # fmt: skip
        raise UserError(
            f"{path} does not hold the weights of {name} ({error!r}); drop the prefix "
            "timm:…@ to have its architecture detected"
        ) from None
    aside = [key for key in found if key.startswith(HEADS)]
    check_floats({key: value for key, value in found.items() if key not in aside}, path)
    _check_width(name, vit, found, path)
    way = f"choose another architecture than {name}, or drop {name}@ to have it detected"
    fill(vit, {key: value for key, value in found.items() if key not in aside}, path, way)
    parts = "encoder and head" if aside else "encoder"
    name = name.removeprefix("timm:")
    told = f"{name}, {activation(vit)}" if is_clip(name) else name
    return vit, f"{told}, {parts}; 0 keys unused"


def _check_width(name: str, vit: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Raise UserError for weights whose tokens have another width than the architecture's."""
    stem = weights.get("patch_embed.proj.weight")
    if stem is not None and len(stem) != vit.embed_dim:
        raise UserError(
            f"{path} holds another architecture than {name}: its tokens have {len(stem)} "
            f"dimensions, and those of {name} {vit.embed_dim}; choose an architecture of this "
            f"width, or drop {name}@ to have it detected"
        )


def check_name(full: str) -> None:
    """Raise UserError for names that timm does not have, and for other than vision transformers."""
    import timm

    name, _, tag = full.partition(".")
    known = [n for family in FAMILIES for n in timm.list_models(module=family)]
    if timm.is_model(name) and name not in known:
        raise UserError(
            f"timm:{name} is not a vision transformer with a grid of patch tokens; "
            "choose one such as timm:vit_tiny_patch16_224"
        )
    tags = [n for n in timm.list_pretrained(f"{name}.*")] if tag else []
    if name not in known or (tag and full not in tags):
        near = get_close_matches(full, tags or known, n=3, cutoff=0.3)
        way = f"nearest are {', '.join(near)}" if near else "`timm.list_models()` lists the names"
        raise UserError(f"timm has no vision transformer {full!r}; {way}")

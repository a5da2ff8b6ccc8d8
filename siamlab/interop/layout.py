"""Layout: the encoder in the contents of a checkpoint, in timm's names, and what else is there.

found = layout(read_file(path), path)       # found.weights["blocks.0.attn.qkv.weight"]
"""

import math
import re
from collections.abc import Iterable
from math import isqrt
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from siamlab.component import UserError
from siamlab.interop.resize import order_of
from siamlab.interop.shapes import check_weights
from siamlab.interop.spelling import DINOV3_STEM, joined, timm_names

Triple = tuple[float, float, float]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean, deviation of RGB in 0..1
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))

BEIT_OR_SIMMIM = "BEiT or SimMIM"  # once fine-tuned they have the same keys
DINO_HEAD, IBOT_HEAD = "head.last_layer.weight_v", "head.last_layer2.weight_v"
WRAPPERS = ("target_encoder", "teacher", "model_ema", "model", "state_dict", "model_state_dict")
FIXED = ("SiameseIM", "MAE", "MoCo-v3", "I-JEPA")  # their position tables are never trained
UNTOLD = re.compile(
    r"mask_token$|relative_position_index$|rope_embed|position_ids$|logit_scale$|"
    r"^(input_resolution|context_length|vocab_size)$|^local_cls_norm\."
)
# weights that most encoders have, at the end of a key
OF_ENCODER = re.compile(r"(?:^|\.)(pos_embed|blocks\.(\d+)\.(?:norm1|attn\.qkv|mlp\.fc1)\.weight)$")
OPENAI = "input_resolution"  # in OpenAI's own files of CLIP, which all have QuickGELU
PERIODS = "rope_embed.periods"  # of DINOv3's rotary places
BASE = 100.0  # of these periods
PARTS = (  # of a release besides the encoder
    ("momentum branch", re.compile(
        r"^mm_(cls_token$|mask_token$|patch_embed\.|blocks\.|decoder_|projector_decoder_)|"
        r"momentum_encoder\."
    )),
    ("decoder", re.compile(r"^decoder")),
    ("projector", re.compile(r"^projector_decoder_blocks\.")),
    ("predictor", re.compile(r"(^|\.)predictor\.|^predictor_decoder_blocks\.|^student_norm\.")),
    ("student", re.compile(r"(^|\.)student\.")),
    ("text tower", re.compile(r"^(text_model|transformer|token_embedding|ln_final)\.|^positional")),
    ("head", re.compile(
        r"(^|\.)(head|lm_head|head_dist|dino_head|ibot_head|fc|classifier|pooler|norm_head)\.|"
        r"^(cls_pt_layers|visual_projection|text_projection|visual\.proj$)|^proj$"
    )),
)  # fmt: skip


class Layout(NamedTuple):
    title: str  # of the method, "" where several share their keys
    weights: dict[str, Tensor]  # of the encoder, in timm's names
    parts: tuple[str, ...]  # what the file has besides the encoder
    unused: tuple[str, ...]  # keys of which nothing is known
    heads: int | None = None  # None: from the width
    eps: float = 1e-6  # of the norms
    act: str = "gelu"
    # whether neither keys nor settings show the activation (CLIP) or the colours (BEiT, SimMIM)
    assumed: bool = False
    shared: bool = False  # whether other methods have these keys too: it is the format's name
    mean: Triple = IMAGENET[0]
    std: Triple = IMAGENET[1]


def is_triple(colours: Any, least: float) -> bool:
    """Return whether these are three finite numbers above `least`, of red, green and blue."""
    if not isinstance(colours, list | tuple):
        return False
    numbers = [c for c in colours if type(c) in (int, float) and least < c < math.inf]
    return len(numbers) == len(colours) == 3


def layout(content: dict[str, Any], path: Path) -> Layout:
    """Return the encoder of a release in timm's names.

    Raises UserError for a file without a vision transformer.
    """
    wrapper, tensors = unwrapped(content, path)
    names = timm_names(tensors, path)
    aside = {key: _part(key, names) for key in tensors if _is_beside(names.get(key))}
    parts = tuple(name for name, _ in PARTS if name in aside.values())
    unused = tuple(k for k, part in aside.items() if not part and not UNTOLD.search(k))
    own = {name: tensors[key] for key, name in names.items() if key not in aside}
    check_weights(own, path)
    title, own = _title(wrapper, tensors, names), joined(own)
    _check_one_prefix(own, (*own, *unused), path)
    found = Layout(title, own, parts, unused, shared=_is_shared(title, tensors, parts))
    return _of_dinov3(found, tensors, path) if title == "DINOv3" else _with_habits(found, tensors)


def _check_one_prefix(own: dict[str, Tensor], keys: Iterable[str], path: Path) -> None:
    """Raise UserError where the file has a weight that the encoder lacks under another prefix."""
    blocks = {key.split(".")[1] for key in own if key.startswith("blocks.")}
    for key in keys:
        part = OF_ENCODER.search(key)
        if part and part[1] not in own and part[2] in {*blocks, None}:
            raise UserError(
                f"{path} has its keys under two prefixes: expected {part[1]} beside "
                f"patch_embed.proj.weight, and found {key}; save one network's state_dict(), whole"
            )


def unwrapped(content: dict[str, Any], path: Path) -> tuple[str, dict[str, Tensor]]:
    """Return the key under which a checkpoint keeps its weights, "" for none, and the weights.

    A key of another name is taken if it is the only one with tensors. Raises UserError for a file
    without weights, and for one with several such keys.
    """
    inner = {str(k): _tensors(v) for k, v in content.items() if isinstance(v, dict)}
    inner = {name: tensors for name, tensors in inner.items() if tensors}
    for name in WRAPPERS:
        if name in inner:
            return name, inner[name]
    own = _tensors(content)
    if any(tensor.ndim for tensor in own.values()):
        return "", own
    if len(inner) == 1:
        return next(iter(inner.items()))
    if inner:
        raise UserError(
            f"{path} holds tensors under {', '.join(inner)}, none of which siamlab knows (it reads "
            f"{', '.join(WRAPPERS)}); save one of them as a file of its own"
        )
    raise UserError(
        f"{path} holds no tensors (its keys: {_few(content)}); expected the weights of a vision "
        "transformer"
    )


def _tensors(content: dict[Any, Any]) -> dict[str, Tensor]:
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def _title(wrapper: str, tensors: dict[str, Tensor], names: dict[str, str]) -> str:
    """Return the method by what only its release has, "" where others have the same keys."""
    keys, own, tables = set(tensors), set(names.values()), "relative_position_bias_table"
    relative, scaled = any(key.endswith(tables) for key in names), "blocks.0.ls1.gamma" in own
    biased = bool(own & {"blocks.0.attn.qkv.bias", "blocks.0.attn.query.bias"})  # BEiT's is not
    heads = {key.removeprefix("module.") for key in keys}
    begins = lambda *words: any(key.startswith(words) for key in keys)  # noqa: E731
    signs = {
        "DINOv3": any(key.endswith((PERIODS, DINOV3_STEM)) for key in keys),
        "I-JEPA": wrapper == "target_encoder" and "cls_token" not in own,
        "MoCo-v3": any("base_encoder." in key for key in names),
        "SiameseIM": begins("mm_blocks.", "mm_cls_token", "decoder_pos_mlp."),
        "SimMIM": relative and begins("decoder.0."),
        "BEiT": relative and begins("lm_head.", "cls_pt_layers."),
        BEIT_OR_SIMMIM: relative,
        "MAE": "decoder_embed.weight" in keys or _is_maes_encoder(wrapper, tensors, names),
        "CLIP": "norm_pre.weight" in own,
        "DINOv2": scaled and biased and "mask_token" in own,
        "DINO": wrapper == "teacher" and DINO_HEAD in heads and IBOT_HEAD not in heads,
    }
    return next((title for title, sign in signs.items() if sign), "")


def _is_shared(title: str, tensors: dict[str, Tensor], parts: tuple[str, ...]) -> bool:
    """Return whether a file may be of another method that was trained by the same program.

    A norm before the blocks, in timm's names, is all that CLIP's image tower has of its own.
    """
    if title == "CLIP":
        timms = any(key.endswith("norm_pre.weight") for key in tensors)
        return timms and "text tower" not in parts
    return title == "DINOv2"


def _is_maes_encoder(wrapper: str, tensors: dict[str, Tensor], names: dict[str, str]) -> bool:
    """Return whether a file is an encoder with MAE's table of sines, which has columns first.

    The keys of one of MAE's releases are those of any plain transformer.
    """
    own = {name: tensors[key] for key, name in names.items()}
    more = "head.weight", "fc_norm.weight", "blocks.0.ls1.gamma", "norm_pre.weight"
    if wrapper != "model" or not {"cls_token", "norm.weight", "pos_embed"} <= own.keys():
        return False
    table = own["pos_embed"]
    if own.keys() & set(more) or table.ndim != 3 or not table.is_floating_point():
        return False
    side = isqrt(table.shape[1] - 1)
    return side**2 == table.shape[1] - 1 and order_of(table[0, 1:], (side, side)) == (1, 0)


def _with_habits(found: Layout, tensors: dict[str, Tensor]) -> Layout:
    """Add what the release of this method uses and its weights do not show."""
    if found.title == "CLIP":
        found = found._replace(eps=1e-5, act="quick_gelu", mean=CLIP[0], std=CLIP[1])
        return found._replace(assumed=OPENAI not in tensors)
    if found.title == BEIT_OR_SIMMIM:
        return found._replace(mean=HALVES[0], std=HALVES[1], assumed=True)
    if found.title == "BEiT" and not any(key.startswith("cls_pt_layers") for key in tensors):
        return found._replace(mean=HALVES[0], std=HALVES[1])
    if found.title == "MoCo-v3" and len(found.weights["patch_embed.proj.weight"]) == 384:
        return found._replace(heads=12)  # its ViT-S has twice the usual number
    return found


def _of_dinov3(found: Layout, tensors: dict[str, Tensor], path: Path) -> Layout:
    """Add heads and norms; the periods of its rotary places show the size of a head.

    A file of transformers has no periods; its folder's settings tell heads and periods.
    """
    periods = next((value.float() for key, value in tensors.items() if key.endswith(PERIODS)), None)
    if periods is None:
        return found._replace(eps=1e-5)
    expected = BASE ** torch.linspace(0, 1, len(periods) + 1)[:-1]
    if periods.ndim != 1 or not torch.allclose(periods.cpu(), expected, rtol=0.01):  # bfloat16
        raise UserError(
            f"{path} has rotary places of other periods than DINOv3's ({PERIODS}: expected are "
            f"{len(expected)} from 1 to {expected[-1]:.3g}); wrap its network: "
            "siamlab.TokenGrid(network)"
        )
    width = len(found.weights["patch_embed.proj.weight"])
    return found._replace(heads=width // (4 * len(periods)), eps=1e-5)


def _is_beside(name: str | None) -> bool:
    """Return whether timm's name of a key is none of the encoder's."""
    return name is None or bool(UNTOLD.search(name)) or bool(_named_part(name))


def _part(key: str, names: dict[str, str]) -> str:
    return _named_part(key) or _named_part(names.get(key, key))


def _named_part(key: str) -> str:
    return next((name for name, keys in PARTS if keys.search(key)), "")


def _few(keys: Iterable[Any]) -> str:
    names = list(map(str, keys))
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "") or "none"

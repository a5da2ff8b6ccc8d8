"""Vit: a timm vision transformer whose options follow from the weights of a checkpoint.

vit = as_vit(layout(content, path), path)       # registers, LayerScale, norms, relative positions
"""

import re
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from math import isqrt
from pathlib import Path

import torch
from timm.layers import LayerNorm, SwiGLUPacked
from timm.models.beit import Beit
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.interop.clip import activation, other_activation
from siamlab.interop.dinov3 import dinov3
from siamlab.interop.layout import BEIT_OR_SIMMIM, Layout
from siamlab.interop.vit_sizes import WAY, sizes

LETTERS = {192: "Ti", 384: "S", 768: "B", 1024: "L", 1280: "H", 1408: "g", 1536: "g"}
HEADS = {1280: 16, 1408: 16, 1664: 16}  # others have 64 dimensions per head
TABLE = "relative_position_bias_table"


def as_vit(found: Layout, path: Path) -> nn.Module:
    """Return the transformer with these weights, in evaluation mode and float32.

    Raises UserError for weights that do not make one plain vision transformer.
    """
    weights = {key: value.float() for key, value in found.weights.items()}
    depth = _depth(weights, path)
    relative = [key for key in weights if key.endswith(TABLE)]
    build = partial(_beit, relative) if relative else _plain
    build = dinov3 if found.title == "DINOv3" else build
    if not relative:
        weights = _joined_biases(weights)
    heads = found.heads or (weights[relative[0]].shape[1] if relative else _heads(weights, path))
    vit = build(found, weights, depth, heads, path)
    fill(vit, weights, path)
    vit.weight_init_mode = ""  # of new random weights, if ever
    _describe(vit, found)
    return vit.eval()


def sentence(found: Layout, vit: nn.Module) -> str:
    """Return one line about a checkpoint: method, size, parts, and how many keys were unused.

    Of CLIP it names the activation, and of BEiT or SimMIM the colours, which keys do not show.
    Where several methods have the same keys, it names the format.
    """
    size = size_of(vit)
    name = f"{found.title} {size}" if found.title else f"{size} in timm's names"
    name = f"{size} in {found.title}'s format" if found.shared else name
    if found.title == "CLIP":
        name += f", {activation(vit)}" + f" ({other_activation(vit)})" * found.assumed
    if found.title == BEIT_OR_SIMMIM:
        name += ", images standardised as BEiT's (BEiT v2's and SimMIM's: timm:beitv2_*@FILE)"
    *parts, last = ["encoder", *found.parts]
    listed = f"{', '.join(parts)} and {last}" if parts else last
    count = len(found.unused)
    told = f" ({', '.join(found.unused[:3])}{', …' if count > 3 else ''})" if count else ""
    return f"{name}, {listed}; {count} key{'s' * (count != 1)} unused{told}"


def called(about: str) -> str:
    """Return the method and the size that such a line begins with."""
    return about.partition(",")[0]


def size_of(vit: nn.Module) -> str:
    """Return a transformer's size in words."""
    heads, patch = vit.blocks[0].attn.num_heads, vit.patch_embed.patch_size[0]
    return size_in_words(vit.embed_dim, len(vit.blocks), patch, heads)


def size_in_words(width: int, depth: int, patch: int, heads: int) -> str:
    """Return `ViT-B/16`, or an unusual size in full with heads, which weights do not reveal."""
    if width in LETTERS and depth >= 12:
        return f"ViT-{LETTERS[width]}/{patch}"
    return f"ViT {width}×{depth}/{patch} with {heads} heads"


def fresh(
    vit: nn.Module, fixed: bool, build: Callable[[], nn.Module] | None = None
) -> Callable[[], nn.Module]:
    """Return what makes the same network at random weights; `fixed` keeps its position table.

    `build` makes one anew, where the network cannot draw its weights again.
    """

    def drawn() -> nn.Module:
        copy = deepcopy(vit)
        copy.init_weights(needs_reset=True)
        return copy

    def start() -> nn.Module:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            copy = build() if build else drawn()
            if fixed and vit.pos_embed is not None:
                copy.pos_embed.copy_(vit.pos_embed)
        return copy.eval()

    return start


def fill(vit: nn.Module, weights: dict[str, Tensor], path: Path, way: str = WAY) -> None:
    """Load weights that must be exactly the model's; UserError names the first that is not.

    `way` is what its sentence advises.
    """
    mine = {key: tuple(value.shape) for key, value in vit.state_dict().items()}
    theirs = {key: tuple(value.shape) for key, value in weights.items()}
    for key in sorted(mine | theirs):
        if mine.get(key) != theirs.get(key):
            raise UserError(
                f"{path} holds another architecture, or a mixture of two: {key} is "
                f"{_shape(theirs.get(key))} there, but must be {_shape(mine.get(key))}; {way}"
            )
    vit.load_state_dict(weights)


def _plain(
    found: Layout, weights: dict[str, Tensor], depth: int, heads: int, path: Path
) -> VisionTransformer:
    token, registers = "cls_token" in weights, weights.get("reg_token")
    pre_norm, bias = "norm_pre.weight" in weights, "patch_embed.proj.bias"
    if not pre_norm:
        weights.setdefault(bias, weights["patch_embed.proj.weight"].new_zeros(_width(weights)))
    places = weights["pos_embed"].shape[1] if "pos_embed" in weights else 0
    if not places:
        raise UserError(f"{path} has no pos_embed, so the size of its images is unknown; {WAY}")
    embedded = token and registers is None and isqrt(places) ** 2 != places
    hidden, read = (weights[f"blocks.0.mlp.fc{n}.weight"].shape[n - 1] for n in (1, 2))
    gated = hidden != read  # half of them is the gate of the other
    return VisionTransformer(
        **sizes(weights, depth, heads, places - embedded, path),
        class_token=token,
        no_embed_class=not embedded,
        reg_tokens=0 if registers is None else registers.shape[1],
        qkv_bias="blocks.0.attn.qkv.bias" in weights,
        qk_norm="blocks.0.attn.q_norm.weight" in weights,
        init_values=1e-5 if "blocks.0.ls1.gamma" in weights else None,
        pre_norm=pre_norm,
        final_norm=any(key in weights for key in ("norm.weight", "fc_norm.weight")),
        fc_norm="fc_norm.weight" in weights,
        norm_layer=partial(LayerNorm, eps=found.eps),
        act_layer=nn.SiLU if gated else found.act,
        **({"mlp_layer": SwiGLUPacked} if gated else {}),
        global_pool="token" if token else "avg",
        weight_init="skip",
    )


def _beit(
    relative: list[str],
    found: Layout,
    weights: dict[str, Tensor],
    depth: int,
    heads: int,
    path: Path,
) -> Beit:
    for key in [k for k in weights if re.search(r"\.ls[12]\.gamma$", k)]:  # its own names again
        weights[re.sub(r"\.ls([12])\.gamma$", r".gamma_\1", key)] = weights.pop(key)
    return Beit(
        **sizes(weights, depth, heads, _patches(relative[0], weights, path), path),
        qkv_bias="blocks.0.attn.q_bias" in weights,
        init_values=0.1 if "blocks.0.gamma_1" in weights else None,
        use_abs_pos_emb="pos_embed" in weights,
        use_rel_pos_bias=f"blocks.0.attn.{TABLE}" in weights,
        use_shared_rel_pos_bias=f"rel_pos_bias.{TABLE}" in weights,
        use_fc_norm="fc_norm.weight" in weights,
        norm_layer=partial(LayerNorm, eps=found.eps),
    )


def _patches(relative: str, weights: dict[str, Tensor], path: Path) -> int:
    """Return the number of patches that a table of relative positions is for."""
    places = len(weights[relative]) - 3  # for the class token; others are (2 · side − 1)²
    rows = isqrt(max(places, 0))
    if rows**2 != places or rows % 2 == 0:
        raise UserError(
            f"{path} has {places + 3} relative positions in {relative}, which are those of no "
            f"square of patches, (2 · side − 1)² + 3; {WAY}"
        )
    return ((rows + 1) // 2) ** 2


def _depth(weights: dict[str, Tensor], path: Path) -> int:
    numbers = {int(m[1]) for key in weights if (m := re.match(r"blocks\.(\d+)\.", key))}
    gated = "blocks.0.mlp.w1.weight" in weights  # DINOv3's: w1, w2 in, and w3, renamed, out
    needed = "attn.qkv.weight", f"mlp.{'w1' if gated else 'fc1'}.weight", "mlp.fc2.weight"
    if any(key.startswith("layers.") for key in weights):
        table = f" and have {TABLE}" if any(key.endswith(TABLE) for key in weights) else ""
        raise UserError(
            f"{path} looks like a Swin transformer (its keys begin with layers.{table}), whose "
            "patches are merged on the way; siamlab reads plain vision transformers, and takes "
            "others as modules: siamlab.TokenGrid(network)"
        )
    for number in range(max(numbers, default=0) + 1):
        for part in needed:
            if (key := f"blocks.{number}.{part}") not in weights:
                raise UserError(
                    f"{path} is incomplete, or is not a plain vision transformer: {key} is "
                    "missing; expected qkv, fc1 and fc2 in every block"
                )
    return len(numbers)


def _heads(weights: dict[str, Tensor], path: Path) -> int:
    width = _width(weights)
    if width not in HEADS and width % 64:
        raise UserError(
            f"{path} does not record its number of heads, and its width {width} is not a multiple "
            "of 64; name its architecture: timm:NAME@FILE"
        )
    return HEADS.get(width, width // 64)


def _joined_biases(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Write separate biases of queries and values as one; keys have none."""
    for key in [key for key in weights if key.endswith(".attn.q_bias")]:
        query, value = weights.pop(key), weights.pop(key.replace("q_bias", "v_bias"))
        joined = torch.cat([query, torch.zeros_like(query), value])
        weights[key.replace("q_bias", "qkv.bias")] = joined
    return weights


def _describe(vit: nn.Module, found: Layout) -> None:
    """Give the model what timm's own have: the images that it was made for."""
    size = (3, *vit.patch_embed.img_size)
    vit.pretrained_cfg = {"input_size": size, "mean": found.mean, "std": found.std}
    vit.default_cfg = vit.pretrained_cfg


def _width(weights: dict[str, Tensor]) -> int:
    return len(weights["patch_embed.proj.weight"])


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else f"{list(shape)}"

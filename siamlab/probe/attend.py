"""Attention out of timm vision transformers, one batch of one layer at a time.

found = attention_profile(model, images.pixels, *inputs(model))     # distance, entropy, nmi, js
rows = class_attentions(model, images.pixels, *inputs(model))       # [n, layers, heads, N]

Fused attention forms no matrix, so the softmax is done again, of what each block is given.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Grid
from siamlab.probe.attention import (
    Profile,
    distance,
    entropy,
    head_similarity,
    nmi,
    normalised_rows,
    over_patches,
    rollout_step,
)
from siamlab.probe.features import Triple, evaluated, standardised

Images = UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"]
Measure = Callable[[int, Tensor], Tensor]  # layer from 0, [B, heads, T, T] -> B rows
BATCH = 64  # images: 119 MB of one layer's attention for a ViT-B/16 at 224 pixels


def attended(
    model: nn.Module,
    images: Images,
    size: Grid,
    mean: Triple,
    std: Triple,
    measure: Measure,
    layers: Sequence[int] | None = None,
    batch: int = BATCH,
) -> list[Tensor]:
    """What `measure` makes of each layer's attention (all, or `layers`), joined over the images.

    It is given the layer from 0 and the matrix [B, heads, T, T], prefix tokens included, its rows
    summing to 1, in order of layers, batch by batch. Memory: one batch of one layer.
    """
    layers = range(len(model.blocks)) if layers is None else layers
    found: dict[int, list[Tensor]] = {layer: [] for layer in layers}

    def watch(layer: int) -> Callable[[nn.Module, tuple, dict], None]:
        return lambda module, args, given: found[layer].append(
            measure(layer, attention(module, args[0], *_places(given))).clone()
        )  # a view would keep the whole matrix

    with ExitStack() as hooks:
        for layer in layers:
            module = _attending(model, layer)
            hook = module.register_forward_pre_hook(watch(layer), with_kwargs=True)
            hooks.callback(hook.remove)
        for x in standardised(model, images, size, mean, std, batch):
            evaluated(model, model.forward_features, x)
    return [torch.cat(parts) for parts in found.values()]


def attention_profile(
    model: nn.Module, images: Images, size: Grid, mean: Triple, std: Triple, batch: int = BATCH
) -> Profile:
    """Distance, entropy and NMI of every head, and divergence of heads, of each image and layer.

    Of attention among patches, prefix tokens dropped. Cost: beside the model's pass, heads² · N²
    logarithms for each image and layer.
    """
    grid, prefix = tuple(model.patch_embed.dynamic_feat_size(size)), model.num_prefix_tokens

    def measure(layer: int, matrix: Tensor) -> Tensor:
        a = over_patches(matrix, prefix)
        heads = torch.stack([distance(a, grid), entropy(a), nmi(a)], dim=1)  # [B, 3, heads]
        return torch.cat([heads.flatten(1), head_similarity(a)[:, None]], dim=1)

    found = attended(model, images, size, mean, std, measure, batch=batch)
    numbers = torch.stack(found, dim=1)  # [n, layers, 3 heads + 1]
    return Profile(*numbers[..., :-1].chunk(3, dim=2), numbers[..., -1])


def class_attentions(
    model: nn.Module,
    images: Images,
    size: Grid,
    mean: Triple,
    std: Triple,
    layers: Sequence[int] | None = None,
    batch: int = BATCH,
) -> Float[Tensor, "n L heads N"]:
    """How the class token of each layer (all, or `layers`) attends to the patches; rows sum to 1.

    Prefix tokens are dropped. Without a class token: mean over the patches' own attention.
    """
    found = attended(model, images, size, mean, std, partial(_class_row, model), layers, batch)
    return normalised_rows(torch.stack(found, dim=1))


def class_attention(
    model: nn.Module,
    images: Images,
    size: Grid,
    mean: Triple,
    std: Triple,
    layer: int = -1,
    batch: int = BATCH,
) -> Float[Tensor, "n heads N"]:
    """The same of one layer, by default the last."""
    return class_attentions(model, images, size, mean, std, [layer], batch)[:, 0]


def patch_attentions(
    model: nn.Module,
    images: Images,
    size: Grid,
    mean: Triple,
    std: Triple,
    query: int,
    layers: Sequence[int] | None = None,
    batch: int = BATCH,
) -> Float[Tensor, "n L heads N"]:
    """How the patch `query`, row by row from 0, attends to the patches; rows sum to 1."""
    (rows, columns), prefix = model.patch_embed.dynamic_feat_size(size), model.num_prefix_tokens
    if not 0 <= query < rows * columns:
        grid = f"the model sees {rows} × {columns} patches"
        raise UserError(f"query={query} must be from 0 to {rows * columns - 1}: {grid}")

    def row(layer: int, matrix: Tensor) -> Tensor:
        return matrix[:, :, prefix + query, prefix:]

    found = attended(model, images, size, mean, std, row, layers, batch)
    return normalised_rows(torch.stack(found, dim=1))


def rollout(
    model: nn.Module, images: Images, size: Grid, mean: Triple, std: Triple, batch: int = BATCH
) -> Float[Tensor, "n N"]:
    """How much of each patch flows into the class token through all layers; rows sum to 1.

    Heads averaged, ½ (A + I) of every layer multiplied (Abnar & Zuidema 2020), then prefix tokens
    dropped. Without a class token: mean over the patches.
    """
    flow = torch.empty(0)

    def measure(layer: int, matrix: Tensor) -> Tensor:
        nonlocal flow
        step = matrix.mean(dim=1)  # [B, T, T]
        start = torch.eye(step.shape[1], device=step.device).expand_as(step)
        flow = rollout_step(start if layer == 0 else flow, step)
        return _class_row(model, layer, flow[:, None])[:, 0]

    return normalised_rows(attended(model, images, size, mean, std, measure, batch=batch)[-1])


def attention(
    module: nn.Module,
    x: Float[Tensor, "B T D"],
    rope: Tensor | None = None,
    bias: Tensor | None = None,
) -> Float[Tensor, "B heads T T"]:
    """The matrix of a timm module that attends (see `readable`) for its input; rows sum to 1.

    `rope`: its rotary places; `bias`: of places, added to the logits, shared by all layers.
    """
    q, k = _queries_keys(module, x)
    if rope is not None:
        q, k = _rotated(module, q, rope), _rotated(module, k, rope)
    k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)  # grouped queries share a key
    logits = (q.float() * module.scale) @ k.float().mT
    for places in (bias, _own_bias(module)):
        logits = logits if places is None else logits + places
    return logits.softmax(dim=-1)


def readable() -> tuple[type[nn.Module], ...]:
    """timm's modules whose attention is one matrix a head that can be formed again, exactly."""
    from timm.layers import Attention, AttentionRope
    from timm.models import beit, eva, vision_transformer, vision_transformer_relpos

    own = beit.Attention, eva.EvaAttention, vision_transformer_relpos.RelPosAttention
    return Attention, AttentionRope, *own, vision_transformer.ParallelScalingBlock


def is_readable(model: nn.Module) -> bool:
    """`attended` can form the attention of every block."""
    return all(isinstance(getattr(b, "attn", b), readable()) for b in model.blocks)


def _attending(model: nn.Module, layer: int) -> nn.Module:
    """The module of a layer that attends: a part of the block, or the block itself."""
    count = len(model.blocks)
    if not -count <= layer < count:
        raise UserError(f"layer={layer} must be from 0 to {count - 1}, or from -{count} to -1")
    block = model.blocks[layer]
    module = getattr(block, "attn", block)
    if not isinstance(module, readable()):
        names = ", ".join(kind.__name__ for kind in readable())
        raise UserError(
            f"attention of {type(model).__name__} cannot be read: {type(module).__name__} does not "
            f"attend by one matrix a head; choose a model whose blocks use one of {names}"
        )
    return module


def _places(given: dict[str, Any]) -> tuple[Tensor | None, Tensor | None]:
    """Rotary places and shared bias, by the names under which timm's blocks hand them on."""
    return given.get("rope"), given.get("shared_rel_pos_bias", given.get("shared_rel_pos"))


def _queries_keys(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """[B, heads, T, width of a head] each, from one joint projection or from two."""
    if hasattr(module, "in_proj"):  # of attention and of the MLP beside it
        _, q, k, _ = module.in_proj(module.in_norm(x)).split(module.in_split, dim=2)
    elif module.qkv is None:
        q, k = module.q_proj(x), module.k_proj(x)
    else:
        qkv = module.qkv(x)
        if getattr(module, "q_bias", None) is not None:
            qkv = qkv + torch.cat([module.q_bias, module.k_bias, module.v_bias])
        q, k, _ = qkv.chunk(3, dim=2)
    width = q.shape[2] // module.num_heads
    q, k = (t.unflatten(2, (-1, width)).transpose(1, 2) for t in (q, k))
    return (module.q_norm(q), module.k_norm(k)) if hasattr(module, "q_norm") else (q, k)


def _rotated(module: nn.Module, x: Tensor, rope: Tensor) -> Tensor:
    """Rotary places on all but the prefix tokens."""
    from timm.layers import apply_rot_embed_cat

    n, half = module.num_prefix_tokens, getattr(module, "rotate_half", False)
    turned = apply_rot_embed_cat(x[:, :, n:], rope, half=half)
    return torch.cat([x[:, :, :n], turned], dim=2).type_as(x)


def _own_bias(module: nn.Module) -> Tensor | None:
    """Relative places that the module adds to its logits."""
    if getattr(module, "relative_position_bias_table", None) is not None:
        return module._get_rel_pos_bias()
    places = getattr(module, "rel_pos", None)
    return places.get_bias() if places is not None else None


def _class_row(model: nn.Module, layer: int, matrix: Tensor) -> Float[Tensor, "B heads N"]:
    """The class token's attention to the patches; without one, the patches' mean."""
    rows = matrix[..., model.num_prefix_tokens :]
    has_class = model.cls_token is not None
    return rows[:, :, 0] if has_class else rows[:, :, model.num_prefix_tokens :].mean(dim=2)

"""Attention maps of timm vision transformers, one batch of one layer at a time.

found = attention_profile(model, images.pixels)     # distance, entropy, nmi, js
rows = class_attentions(model, images.pixels)       # [n, layers, heads, N]

Fused attention forms no matrix. So each attending module runs once more on its input, by timm's own
unfused path, and the matrix is read where it passes dropout. The pass itself stays fused: features
of later layers are the same to the bit as without reading.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.machine.device import numbers_on
from siamlab.machine.internals import attention_dropout, unfused
from siamlab.probe.attention import Profile, normalised_rows, numbers_by_head, rollout_step
from siamlab.probe.batches import Inputs, grid_of, in_passes
from siamlab.probe.checks import check_images, check_network

Pixels = UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"]
RowMeasure = Callable[[int, Tensor], Tensor]  # layer from 0, [B, heads, T, T] -> B rows
BATCH = 64  # images: 119 MB of one layer's attention for a ViT-B/16 at 224 pixels
CELLS = 2**27  # of one layer's matrices at once, 0.5 GB: fewer images where there are many patches


@typed
def attended(
    model: nn.Module,
    images: Pixels,
    measure: RowMeasure,
    inputs: Inputs | None = None,
    layers: Sequence[int] | None = None,
    batch: Count = BATCH,
) -> list[Tensor]:
    """Apply `measure` to the attention of each layer (all, or `layers`) and join the batches.

    `measure` takes the layer, from 0, and the matrix [B, heads, T, T], prefix tokens included; its
    rows sum to 1. Layers come in order, batch by batch. Memory: one batch of one layer, of fewer
    images where these have many patches.
    """
    check_network(model, "blocks")
    check_images(model, images)
    inputs = inputs or Inputs.of(model)
    layers = range(len(model.blocks)) if layers is None else layers
    if len(layers) == 0:
        raise UserError(f"layers={layers} must name one or more, or None for all of them")
    found: dict[int, Tensor] = {}  # of one pass
    tokens = math.prod(grid_of(model, inputs.size))
    heads = getattr(_attending(model, layers[0]), "num_heads", 1)
    batch = min(batch, max(1, CELLS // (heads * tokens**2)))

    def measured(x: Tensor) -> list[Tensor]:
        model.forward_features(x)
        return [found.pop(layer) for layer in dict.fromkeys(layers)]

    with ExitStack() as hooks:
        for layer in layers:
            keep = partial(_keep, found, layer, measure)
            hooks.enter_context(_reading(_attending(model, layer), keep))
        passes = list(in_passes(measured, model, images, inputs, batch))
    return [torch.cat(parts) for parts in zip(*passes, strict=True)]


@typed
def attention_profile(
    model: nn.Module, images: Pixels, inputs: Inputs | None = None, batch: Count = BATCH
) -> Profile:
    """Distance, entropy and NMI of every head, and divergence of heads, per image and layer.

    They are of attention among patches, without prefix tokens. Cost: the model's pass, and
    heads² · N² logarithms for each image and layer.
    """
    check_images(model, images)
    inputs = inputs or Inputs.of(model)
    grid, prefix = grid_of(model, inputs.size), model.num_prefix_tokens

    def measure(layer: int, matrix: Tensor) -> Tensor:
        return numbers_by_head(normalised_rows(matrix[..., prefix:, prefix:]), grid)

    found = attended(model, images, measure, inputs, batch=batch)
    numbers = torch.stack(found, dim=1)  # [n, layers, 3 heads + 1]
    return Profile(*numbers[..., :-1].chunk(3, dim=2), numbers[..., -1])


@typed
def class_attentions(
    model: nn.Module,
    images: Pixels,
    inputs: Inputs | None = None,
    layers: Sequence[int] | None = None,
    batch: Count = BATCH,
) -> Float[Tensor, "n L heads N"]:
    """Attention of the class token to the patches in each layer (all, or `layers`); rows sum to 1.

    Prefix tokens are dropped. A model without a class token has the mean over its patches.
    """
    found = attended(model, images, partial(_class_row, model), inputs, layers, batch)
    return normalised_rows(torch.stack(found, dim=1))


@typed
def class_attention(
    model: nn.Module,
    images: Pixels,
    inputs: Inputs | None = None,
    layer: int = -1,
    batch: Count = BATCH,
) -> Float[Tensor, "n heads N"]:
    """`class_attentions` of one layer, by default the last."""
    return class_attentions(model, images, inputs, [layer], batch)[:, 0]


@typed
def patch_attentions(
    model: nn.Module,
    images: Pixels,
    query: int,
    inputs: Inputs | None = None,
    layers: Sequence[int] | None = None,
    batch: Count = BATCH,
) -> Float[Tensor, "n L heads N"]:
    """Attention of the patch `query`, row by row from 0, to the patches; rows sum to 1."""
    check_images(model, images)
    inputs = inputs or Inputs.of(model)
    (rows, columns), prefix = grid_of(model, inputs.size), model.num_prefix_tokens
    if not 0 <= query < rows * columns:
        grid = f"the model sees {rows} × {columns} patches"
        raise UserError(f"query={query} must be from 0 to {rows * columns - 1}: {grid}")

    def row(layer: int, matrix: Tensor) -> Tensor:
        return matrix[:, :, prefix + query, prefix:]

    found = attended(model, images, row, inputs, layers, batch)
    return normalised_rows(torch.stack(found, dim=1))


@typed
def rollout(
    model: nn.Module, images: Pixels, inputs: Inputs | None = None, batch: Count = BATCH
) -> Float[Tensor, "n N"]:
    """Share of each patch in the flow into the class token through all layers; rows sum to 1.

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

    return normalised_rows(attended(model, images, measure, inputs, batch=batch)[-1])


def readable() -> tuple[type[nn.Module], ...]:
    """timm's modules whose attention is one matrix per head, which their unfused path forms."""
    from timm.layers import Attention, AttentionRope
    from timm.models import beit, eva, vision_transformer, vision_transformer_relpos

    own = beit.Attention, eva.EvaAttention, vision_transformer_relpos.RelPosAttention
    return Attention, AttentionRope, *own, vision_transformer.ParallelScalingBlock


@typed
def is_readable(model: nn.Module) -> bool:
    """Tell whether `attended` can read the attention of every block."""
    check_network(model, "blocks")
    return all(isinstance(getattr(b, "attn", b), readable()) for b in model.blocks)


def _attending(model: nn.Module, layer: int) -> nn.Module:
    """The module of a layer that attends: part of the block, or the block itself."""
    count = len(model.blocks)
    if not -count <= layer < count:
        raise UserError(f"layer={layer} must be from 0 to {count - 1}, or from -{count} to -1")
    block = model.blocks[layer]
    module = getattr(block, "attn", block)
    if not isinstance(module, readable()):
        names = ", ".join(kind.__name__ for kind in readable())
        raise UserError(
            f"attention of {type(model).__name__} cannot be read: {type(module).__name__} does not "
            f"attend by one matrix per head; choose a model whose blocks use one of {names}"
        )
    return module


@contextmanager
def _reading(module: nn.Module, keep: Callable[[Tensor], None]) -> Iterator[None]:
    """Within the block, `keep` is called with the matrix of each pass of the module."""

    def again(_: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        with unfused(module), attention_dropout(module).register_forward_pre_hook(read):
            module.forward(*args, **kwargs)

    def read(_: nn.Module, args: tuple) -> None:
        keep(args[0])

    with module.register_forward_pre_hook(again, with_kwargs=True):
        yield


def _keep(found: dict[int, Tensor], layer: int, measure: RowMeasure, matrix: Tensor) -> None:
    matrix = matrix.to(numbers_on(matrix.device))
    found[layer] = measure(layer, matrix).clone()  # a view would keep the whole matrix


def _class_row(model: nn.Module, layer: int, matrix: Tensor) -> Float[Tensor, "B heads N"]:
    """The class token's attention to the patches; without one, the patches' mean."""
    rows = matrix[..., model.num_prefix_tokens :]
    has_class = model.cls_token is not None
    return rows[:, :, 0] if has_class else rows[:, :, model.num_prefix_tokens :].mean(dim=2)

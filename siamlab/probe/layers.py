"""Features after every block of a timm vision transformer.

for layers in layer_features(model, images.pixels):     # one list of layers per batch
    layers[0].patches, layers[-1].pooled
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.probe.batches import Inputs, in_passes
from siamlab.probe.checks import check_images
from siamlab.probe.features import Features, as_features, late_norm

Part = Literal["pooled", "cls", "patches"]


@typed
def layer_features(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    inputs: Inputs | None = None,
    batch: Count = 256,
) -> Iterator[list[Features]]:
    """Yield, for each batch, the features after block 1, 2, ..., each through the final norm.

    The last ones are those of `features`. Memory: all layers of one batch.
    """
    check_images(model, images)
    return _layer_features(model, images, inputs or Inputs.of(model), batch)


def _layer_features(
    model: nn.Module, images: Tensor, inputs: Inputs, batch: int
) -> Iterator[list[Features]]:
    function, kept = _intermediate(model, norm=True), len(model.blocks)
    for layers in in_passes(function, model, images, inputs, batch, kept):
        yield [as_features(model, tokens, inputs.size) for tokens in layers]


@typed
def by_layer(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    part: Part,
    inputs: Inputs | None = None,
    batch: Count = 256,
) -> list[Tensor]:
    """One part of the features of all images after block 1, 2, ...; other parts are dropped."""
    check_images(model, images)
    batches = layer_features(model, images, inputs, batch)
    parts = ([getattr(layer, part) for layer in layers] for layers in batches)
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]


def block_patches(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    inputs: Inputs,
    blocks: Sequence[int],
    batch: Count = 256,
) -> Float[Tensor, "n B N D"]:
    """Patches after some blocks, counted from 1 and rising, each through the final norm."""
    found, function = [], _intermediate(model, norm=True, indices=[b - 1 for b in blocks])
    for layers in in_passes(function, model, images, inputs, batch, len(blocks)):
        patches = [as_features(model, tokens, inputs.size).patches for tokens in layers]
        found.append(torch.stack(patches, dim=1))
    return torch.cat(found)


@typed
def residual_features(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    inputs: Inputs | None = None,
    batch: Count = 256,
) -> Features:
    """Features after the last block and before the final norm, which hides their length."""
    check_images(model, images)
    inputs = inputs or Inputs.of(model)
    return as_features(model, residual_tokens(model, images, inputs, batch), inputs.size)


def residual_tokens(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    inputs: Inputs,
    batch: Count = 256,
) -> Float[Tensor, "n T D"]:
    """Tokens after the last block and before the final norm."""
    passes = in_passes(_intermediate(model, norm=False, indices=1), model, images, inputs, batch)
    return torch.cat([layers[0] for layers in passes])


def _intermediate(
    model: nn.Module, norm: bool, **options: Any
) -> Callable[[Tensor], list[Float[Tensor, "B T D"]]]:
    """The function from images to tokens after each block, with prefix tokens first."""
    if not hasattr(model, "forward_intermediates"):
        raise UserError(
            f"the layers of {type(model).__name__} cannot be read: timm's model has no "
            "forward_intermediates; probe it with --suite quick, or choose another"
        )
    prefixed = model.num_prefix_tokens > 0
    options |= dict(output_fmt="NLC", return_prefix_tokens=prefixed, intermediates_only=True)
    last = late_norm(model) if norm else nn.Identity()

    def tokens(x: Tensor) -> list[Tensor]:
        found = model.forward_intermediates(x, norm=norm, **options)
        return [last(torch.cat(t[::-1], dim=1) if prefixed else t).float() for t in found]

    return tokens

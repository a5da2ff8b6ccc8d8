"""Features after every block of a timm vision transformer.

for layers in layer_features(model, images.pixels, *inputs(model)):     # some images at a time
    layers[0].patches, layers[-1].pooled
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Grid
from siamlab.probe.features import (
    Features,
    Triple,
    as_features,
    evaluated,
    late_norm,
    standardised,
)

Part = Literal["pooled", "cls", "patches"]


def layer_features(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    size: Grid,
    mean: Triple,
    std: Triple,
    batch: int = 256,
) -> Iterator[list[Features]]:
    """For each batch of images, the features after block 1, 2, ..., each through the final norm.

    The last are those of `features`. Memory: all layers of one batch.
    """
    for x in standardised(model, images, size, mean, std, batch):
        yield [as_features(model, t, size) for t in _intermediate(model, x, norm=True)]


def by_layer(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    size: Grid,
    mean: Triple,
    std: Triple,
    part: Part,
    batch: int = 256,
) -> list[Tensor]:
    """One part of the features of all images after block 1, 2, ...; no other part is held."""
    batches = layer_features(model, images, size, mean, std, batch)
    kept = ([getattr(layer, part) for layer in layers] for layers in batches)
    return [torch.cat(layer) for layer in zip(*kept, strict=True)]


def residual_features(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    size: Grid,
    mean: Triple,
    std: Triple,
    batch: int = 256,
) -> Features:
    """The features after the last block, before the final norm, which hides how long they are."""
    batches = standardised(model, images, size, mean, std, batch)
    tokens = [_intermediate(model, x, norm=False, indices=1)[0] for x in batches]
    return as_features(model, torch.cat(tokens), size)


def _intermediate(
    model: nn.Module, x: Tensor, norm: bool, **asked: Any
) -> list[Float[Tensor, "B T D"]]:
    """Tokens after each block, prefix tokens first."""
    if not hasattr(model, "forward_intermediates"):
        raise UserError(
            f"the layers of {type(model).__name__} cannot be read: timm's model has no "
            "forward_intermediates; probe it with --suite quick, or choose another"
        )
    prefixed = model.num_prefix_tokens > 0
    asked |= dict(output_fmt="NLC", return_prefix_tokens=prefixed, intermediates_only=True)
    last = late_norm(model) if norm else nn.Identity()

    def tokens(x: Tensor) -> list[Tensor]:
        found = model.forward_intermediates(x, norm=norm, **asked)
        return [last(torch.cat(t[::-1], dim=1) if prefixed else t).float() for t in found]

    return evaluated(model, tokens, x)

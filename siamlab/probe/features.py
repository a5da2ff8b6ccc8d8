"""Features of images under a timm vision transformer.

model = open_model("timm:vit_base_patch16_224.mae").model
features(model, images.pixels)     # pooled, cls, patches, grid
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.geometry import Count, Grid, View
from siamlab.machine.arguments import typed
from siamlab.probe.batches import MOST, Inputs, grid_of, in_passes
from siamlab.probe.checks import check_images, check_network


class Features(NamedTuple):
    pooled: Float[Tensor, "n D"]  # mean of the patch tokens
    cls: Float[Tensor, "n D"]  # class token; `pooled` if the model has none
    patches: Float[Tensor, "n N D"]  # row by row
    grid: Grid


@typed
def inputs(model: nn.Module) -> Inputs:
    """The size, mean and std that the model was made for: `Inputs.of(model)`."""
    check_network(model)
    return Inputs.of(model)


@typed
def features(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    inputs: Inputs | None = None,
    batch: Count = MOST,
) -> Features:
    """Last-layer tokens, after the final norm, of resized and standardised images.

    `inputs` are the model's own unless given. `batch`: images per pass, at most (`in_passes`).
    Where a model norms its features after pooling only,
    that norm is applied to each token. Images are resized bilinearly, antialiased where they
    shrink, without keeping the aspect. The features lie on the model's device (of Apple's GPU on
    the processor, since that has no float64); the model is left unchanged. Raises UserError for
    anything but a model and images, bytes or floats of 0..1.
    """
    check_images(model, images)
    inputs = inputs or Inputs.of(model)
    return as_features(model, tokens_of(model, images, inputs, batch), inputs.size)


@typed
def view_features(
    model: nn.Module, view: View, inputs: Inputs | None = None, batch: Count = MOST
) -> Features:
    """`features` of a view at its own size, which must be one that the model takes."""
    check_images(model, view.image)
    size = view.image.shape[2], view.image.shape[3]
    inputs = (inputs or Inputs.of(model))._replace(size=size)
    return as_features(model, tokens_of(model, view.image, inputs, batch), size)


def features_without_patches(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    inputs: Inputs | None = None,
    batch: Count = MOST,
) -> Features:
    """`features` whose `patches` are [n, 0, D]: those of a large set would not fit into memory."""
    inputs = inputs or Inputs.of(model)
    passes = token_batches(model, images, inputs, batch)
    parts = [_without_patches(as_features(model, tokens, inputs.size)) for tokens in passes]
    pooled, cls, patches, grid = zip(*parts, strict=True)
    return Features(torch.cat(pooled), torch.cat(cls), torch.cat(patches), grid[0])


def _without_patches(found: Features) -> Features:
    """Copies, since a view of the tokens would hold on to all of them."""
    return found._replace(cls=found.cls.clone(), patches=found.patches[:, :0].clone())


def tokens_of(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    inputs: Inputs,
    batch: Count = MOST,
) -> Float[Tensor, "n T D"]:
    """Tokens of resized and standardised images, after the final norm."""
    return torch.cat(list(token_batches(model, images, inputs, batch)))


def token_batches(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    inputs: Inputs,
    batch: int,
) -> Iterator[Float[Tensor, "B T D"]]:
    """Yield the tokens of a batch of images at a time."""
    yield from in_passes(partial(final_tokens, model), model, images, inputs, batch)


def final_tokens(model: nn.Module, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B T D"]:
    """Tokens of standardised images, after the final norm."""
    return late_norm(model)(model.forward_features(x)).float()


def late_norm(model: nn.Module) -> nn.Module:
    """The norm that some timm models apply after the mean over patches instead of before it."""
    pooled_first = isinstance(getattr(model, "norm", None), nn.Identity)
    return getattr(model, "fc_norm", nn.Identity()) if pooled_first else nn.Identity()


def as_features(model: nn.Module, tokens: Float[Tensor, "n T D"], size: Grid) -> Features:
    """Split the tokens of images of `size` pixels into the parts of `Features`."""
    patches = tokens[:, model.num_prefix_tokens :]
    pooled = patches.mean(dim=1)
    cls = tokens[:, 0] if model.cls_token is not None else pooled
    return Features(pooled, cls, patches, grid_of(model, size))

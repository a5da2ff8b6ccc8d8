"""Features of images under a timm vision transformer.

model = open_model("timm:vit_base_patch16_224.mae").model
features(model, images.pixels)     # pooled, cls, patches, grid
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.geometry import Count, Grid, View
from siamlab.machine.arguments import typed
from siamlab.machine.device import numbers_on
from siamlab.machine.internals import tensors_to
from siamlab.probe.checks import check_images, check_network

Triple = tuple[float, float, float]
MOST = 256  # images in a pass
ACTIVATIONS = MOST * 14**2 * 768  # numbers of one activation in a pass: 154 MB, of a ViT-B/16


class Inputs(NamedTuple):
    """The size and scale of the images that a model takes."""

    size: Grid  # height, width in pixels
    mean: Triple  # subtracted from each channel of an image in 0..1
    std: Triple  # then divided by

    @classmethod
    def of(cls, model: nn.Module) -> "Inputs":
        """The size, mean and std that the model was made for, from its timm configuration."""
        from timm.data import resolve_model_data_config

        config = resolve_model_data_config(model)
        size = getattr(model.patch_embed, "img_size", None) or config["input_size"][1:]
        return cls(tuple(size), tuple(config["mean"]), tuple(config["std"]))


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

    `inputs` are the model's own unless given. `batch`: images per pass, at most
    (`images_per_pass`). Where a model norms its features after pooling only,
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
    for x in standardised(model, images, inputs, batch):
        yield evaluated(model, partial(final_tokens, model), x)


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


def grid_of(model: nn.Module, size: Grid) -> Grid:
    """Rows and columns of patches of an image of `size` pixels."""
    return tuple(model.patch_embed.dynamic_feat_size(size))


def images_per_pass(model: nn.Module, size: Grid) -> int:
    """Return how many images of `size` pixels a pass takes at most: fewer for large models.

    Depends on nothing else, so that two machines round alike.
    """
    rows, columns = grid_of(model, size)
    return max(1, min(MOST, ACTIVATIONS // (rows * columns * max(1, model.num_features))))


def standardised(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    inputs: Inputs,
    batch: int,
) -> Iterator[Tensor]:
    """Yield batches of what the model takes, on its device, from bytes or floats in 0..1.

    Of `batch` images, or of fewer where they are large (`images_per_pass`).
    """
    device = next(model.parameters()).device
    shift, scale = (torch.tensor(t, device=device).view(3, 1, 1) for t in inputs[1:])
    for part in images.split(min(batch, images_per_pass(model, inputs.size))):
        part = part.pin_memory() if device.type == "cuda" and part.device.type == "cpu" else part
        part = part.to(device, non_blocking=True)
        part = part.float() / 255 if part.dtype == torch.uint8 else part
        if tuple(part.shape[2:]) != tuple(inputs.size):
            part = F.interpolate(part, inputs.size, mode="bilinear", antialias=True)
        yield (part - shift) / scale


def evaluated(model: nn.Module, function: Callable[[Tensor], Any], x: Tensor) -> Any:
    """Call `function(x)` with the model in evaluation mode, without gradients.

    Not in inference mode: tensors that a model caches must be trainable later. Tensors come back
    where their numbers are computed (`numbers_on`).
    """
    with evaluating(model), torch.no_grad():
        found = function(x)
    home = numbers_on(x.device)
    return tensors_to(home, found)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Set the model to evaluation mode, and restore the mode of each module afterwards."""
    was = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in was.items():
            module.training = training

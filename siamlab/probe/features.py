"""Features of images under a timm vision transformer.

model = load("timm:vit_base_patch16_224.mae")
found = features(model, images.pixels, *inputs(model))     # pooled, cls, patches, grid
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Grid, View

Triple = tuple[float, float, float]
FAMILIES = (  # timm modules whose models give prefix tokens and a grid of patches
    "vision_transformer",
    "eva",
    "deit",
    "beit",
    "vision_transformer_hybrid",
    "vision_transformer_relpos",
)


class Inputs(NamedTuple):
    """What a model wants to see."""

    size: Grid  # height, width in pixels
    mean: Triple  # subtracted from each channel of an image in 0..1
    std: Triple  # then divided by


class Features(NamedTuple):
    pooled: Float[Tensor, "n D"]  # mean of the patch tokens
    cls: Float[Tensor, "n D"]  # class token; `pooled` where the model has none
    patches: Float[Tensor, "n N D"]  # row by row
    grid: Grid


def load(name: str, weights: bool = True) -> nn.Module:
    """The timm vision transformer "timm:NAME", without a classifier; random weights if asked."""
    import timm

    source, _, full = name.partition(":")
    if source != "timm" or not full:
        raise UserError(f"model {name!r} must be written timm:NAME, as timm:vit_tiny_patch16_224")
    _check_name(full)
    try:
        return timm.create_model(full, pretrained=weights, num_classes=0).eval()
    except Exception as error:
        if not weights:
            raise
        raise UserError(
            f"The weights of {name!r} cannot be had ({str(error).splitlines()[0]}): connect to the "
            "network, or probe the same model with random weights by --no-weights"
        ) from error


def inputs(model: nn.Module) -> Inputs:
    """Size, mean and std that the model was made for, from timm's configuration of it."""
    from timm.data import resolve_model_data_config

    config = resolve_model_data_config(model)
    size = getattr(model.patch_embed, "img_size", None) or config["input_size"][1:]
    return Inputs(tuple(size), tuple(config["mean"]), tuple(config["std"]))


def features(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    size: Grid,
    mean: Triple,
    std: Triple,
    batch: int = 256,
) -> Features:
    """Last-layer tokens (after the final norm) of images resized to `size` and standardised.

    Where a model norms its features after pooling only, that norm is applied to each token. Resized
    bilinearly, antialiased where it shrinks, without keeping the aspect. The features lie on the
    model's device; the model is left as it was.
    """
    return _tokens(model, standardised(model, images, size, mean, std, batch), size)


def view_features(
    model: nn.Module, view: View, mean: Triple, std: Triple, batch: int = 256
) -> Features:
    """The same of a view's image at its own size, which must be one that the model takes."""
    size = view.image.shape[2], view.image.shape[3]
    return _tokens(model, standardised(model, view.image, size, mean, std, batch), size)


def final_tokens(model: nn.Module, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B T D"]:
    """The tokens of standardised images, after the final norm."""
    return late_norm(model)(model.forward_features(x)).float()


def late_norm(model: nn.Module) -> nn.Module:
    """The norm that timm puts after the mean over patches, in place of one before; else none."""
    pooled_first = isinstance(getattr(model, "norm", None), nn.Identity)
    return getattr(model, "fc_norm", nn.Identity()) if pooled_first else nn.Identity()


def as_features(model: nn.Module, tokens: Float[Tensor, "n T D"], size: Grid) -> Features:
    """The parts of a model's tokens for images of `size`."""
    grid = tuple(model.patch_embed.dynamic_feat_size(size))
    patches = tokens[:, model.num_prefix_tokens :]
    pooled = patches.mean(dim=1)
    cls = tokens[:, 0] if model.cls_token is not None else pooled
    return Features(pooled, cls, patches, grid)


def standardised(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"] | Float[Tensor, "n 3 H W"],
    size: Grid,
    mean: Triple,
    std: Triple,
    batch: int,
) -> Iterator[Tensor]:
    """Batches of what the model takes, on its device, from images of bytes or of floats 0..1."""
    device = next(model.parameters()).device
    shift, scale = (torch.tensor(t, device=device).view(3, 1, 1) for t in (mean, std))
    for part in images.split(batch):
        part = part.to(device)
        part = part.float() / 255 if part.dtype == torch.uint8 else part
        if tuple(part.shape[2:]) != tuple(size):
            part = F.interpolate(part, size, mode="bilinear", antialias=True)
        yield (part - shift) / scale


def evaluated(model: nn.Module, function: Callable[[Tensor], Any], x: Tensor) -> Any:
    """`function(x)`, the model in evaluation mode, without gradients.

    (Not in inference mode: what a model caches must train later.)
    """
    with evaluating(model), torch.no_grad():
        return function(x)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, and afterwards each of its modules as it was."""
    was = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in was.items():
            module.training = training


def _tokens(model: nn.Module, batches: Iterator[Tensor], size: Grid) -> Features:
    tokens = [evaluated(model, partial(final_tokens, model), x) for x in batches]
    return as_features(model, torch.cat(tokens), size)


def _check_name(full: str) -> None:
    """Refuses names that timm does not have, and models that are no vision transformers."""
    import timm

    name, _, tag = full.partition(".")
    known = [n for family in FAMILIES for n in timm.list_models(module=family)]
    if timm.is_model(name) and name not in known:
        raise UserError(
            f"timm:{name} is no vision transformer with a grid of patch tokens; "
            "choose one such as timm:vit_tiny_patch16_224"
        )
    tags = [n for n in timm.list_pretrained(f"{name}.*")] if tag else []
    if name not in known or (tag and full not in tags):
        near = get_close_matches(full, tags or known, n=3, cutoff=0.3)
        raise UserError(f"timm has no vision transformer {full!r}; nearest are {', '.join(near)}")

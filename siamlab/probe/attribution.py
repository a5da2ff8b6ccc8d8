"""Attribution: which parts of an image make its feature similar to another?

target = ToView(features(model, other[None]).pooled[0])
integrated_gradients(model, images, target).map      # [B, H, W], signed
grad_cam(model, images, target)                      # [B, rows, columns]
attention_gradient(model, images, target)            # the same, signed

Self-supervised models have no class score, so a cosine is attributed: to another view, to a class,
or of one patch to another. All three methods are captum's and need that package; they leave the
model unchanged. Any function from `Features` to one number per image can be a target.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.geometry import Count
from siamlab.machine.arguments import typed
from siamlab.machine.internals import attention_dropout, unfused
from siamlab.probe.batches import Inputs, evaluating, grid_of, standardised
from siamlab.probe.checks import check_images, check_network
from siamlab.probe.features import Features, as_features, final_tokens

Pixels = UInt8[Tensor, "B 3 H W"] | Float[Tensor, "B 3 H W"]
Target = Callable[[Features], Tensor]  # features of B images -> [B]


class ToView(NamedTuple):
    """Cosine of the image's feature to that of another view, which is what encoders train on.

    -1..1; unchanged when either feature is scaled.
    """

    other: Float[Tensor, " D"]
    feature: Literal["pooled", "cls"] = "pooled"

    def __call__(self, features: Features) -> Float[Tensor, " B"]:
        return _cosine(getattr(features, self.feature), self.other)


class ToPrototype(NamedTuple):
    """Cosine of the image's feature to one of the classes' `prototypes`. -1..1."""

    prototype: Float[Tensor, " D"]
    feature: Literal["pooled", "cls"] = "pooled"

    def __call__(self, features: Features) -> Float[Tensor, " B"]:
        return _cosine(getattr(features, self.feature), self.prototype)


class ToPatch(NamedTuple):
    """Cosine of one patch's feature to another, such as its match in another image. -1..1."""

    other: Float[Tensor, " D"]
    patch: int  # index of the patch in the image, row by row

    def __call__(self, features: Features) -> Float[Tensor, " B"]:
        count = features.patches.shape[1]
        if not 0 <= self.patch < count:
            raise UserError(
                f"patch={self.patch} must be from 0 to {count - 1}, row by row on a grid of "
                f"{features.grid}: row r, column c is patch r * {features.grid[1]} + c"
            )
        return _cosine(features.patches[:, self.patch], self.other)


class Integrated(NamedTuple):
    map: Float[Tensor, "B H W"]  # of each pixel of the resized image, summed over colours; cosine
    change: Float[Tensor, " B"]  # target of the image less target of the mean colour
    error: Float[Tensor, " B"]  # sum of the map less `change`; 0 with infinitely many steps


@typed
def prototypes(features: Float[Tensor, "n D"], labels: Int[Tensor, " n"]) -> Float[Tensor, "C D"]:
    """Mean of the unit-length features of each class; zero for a class without images."""
    total = features.new_zeros(int(labels.max()) + 1, features.shape[1])
    total.index_add_(0, labels, F.normalize(features, dim=1))
    return total / labels.bincount().clamp(min=1)[:, None]


@typed
def integrated_gradients(
    model: nn.Module,
    images: Pixels,
    target: Target,
    inputs: Inputs | None = None,
    steps: Count = 64,
    batch: Count = 64,
) -> Integrated:
    """Contribution of each pixel to the target on the straight line from mean colour to image.

    Signed; the map of an image sums to `change`, up to `error` (Sundararajan et al. 2017). The
    baseline is the image of the mean colour, 0 after standardisation: pixels of that colour get 0.
    Gauss-Legendre quadrature. Largest error on 8 scenes with 16 steps: under 1e-3 for the zoo's
    mae and moco_v3, 0.08 for its siameseim; with 64 under 1e-3 for all three. Check `error` for
    other models. Cost: `steps` forward and backward passes per image, `batch` of them at once.
    """
    check_images(model, images)
    inputs = inputs or Inputs.of(model)
    method = _captum().IntegratedGradients(_scored(model, target))
    options = dict(baselines=0.0, n_steps=steps, return_convergence_delta=True)
    maps, errors = [], []
    with evaluating(model):
        for x in standardised(model, images, inputs, max(1, batch // steps)):
            found, error = method.attribute(x, **options)  # [b, 3, H, W], [b]
            maps.append(found.sum(dim=1))
            errors.append(error)
    maps, errors = torch.cat(maps), torch.cat(errors)
    return Integrated(maps, maps.sum(dim=(1, 2)) - errors, errors)


@typed
def grad_cam(
    model: nn.Module,
    images: Pixels,
    target: Target,
    inputs: Inputs | None = None,
    layer: int = -1,
    batch: Count = 64,
) -> Float[Tensor, "B h w"]:
    """Extent of each patch in the direction that raises the target, before block `layer`.

    0 or more, in cosine per patch: the channels of the patch, weighted by the target's gradient
    averaged over all patches, clipped below at 0 (Selvaraju et al. 2017). It is read before the
    block, since only the block's own attention brings patches to a class token. Prefix tokens are
    left out. Cost: one forward and backward pass.
    """
    check_network(model, "blocks")
    check_images(model, images)
    inputs = inputs or Inputs.of(model)
    block, maps = _block(model, layer), nn.Identity()
    grid = grid_of(model, inputs.size)

    def through(_: nn.Module, args: tuple) -> tuple:
        """Show captum the patches as maps [b, D, rows, columns]; it takes tokens for channels."""
        prefix = args[0][:, : model.num_prefix_tokens]
        patches = args[0][:, model.num_prefix_tokens :]
        patches = maps(patches.mT.unflatten(2, grid)).flatten(2).mT
        return (torch.cat([prefix, patches], dim=1), *args[1:])

    method = _captum().LayerGradCam(_scored(model, target), maps)
    hook = block.register_forward_pre_hook(through)
    try:
        with evaluating(model):
            parts = [
                method.attribute(x.requires_grad_(), relu_attributions=True).squeeze(1)
                for x in standardised(model, images, inputs, batch)
            ]
    finally:
        hook.remove()
    return torch.cat(parts).detach()


@typed
def attention_gradient(
    model: nn.Module,
    images: Pixels,
    target: Target,
    inputs: Inputs | None = None,
    layer: int = -1,
    batch: Count = 16,
) -> Float[Tensor, "B h w"]:
    """Attention to each patch in block `layer`, times the gradient of the target by it.

    Signed, summed over heads and over all queries: to first order, the change of the target if all
    attention to the patch were doubled. (Chefer et al. 2021 also drop negative parts of each head,
    and multiply layers.) Cost: one forward and backward pass; memory: the block's attention
    matrix, heads · tokens² numbers per image.
    """
    attention = getattr(_block(model, layer), "attn", None)
    matrix = attention_dropout(attention)
    if matrix is None:
        raise UserError(
            f"attention of {type(model).__name__} cannot be read in layer={layer}: its blocks "
            "have no timm attention; use grad_cam, or choose another model"
        )
    check_network(model, "blocks")
    check_images(model, images)
    inputs = inputs or Inputs.of(model)
    method = _captum().LayerGradientXActivation(
        _scored(model, target), attention_dropout(attention)
    )
    parts = []
    with evaluating(model), unfused(attention):
        for x in standardised(model, images, inputs, batch):
            found = method.attribute(x.requires_grad_())  # [b, heads, T, T]
            parts.append(found.sum(dim=(1, 2))[:, model.num_prefix_tokens :].detach())
    return torch.cat(parts).unflatten(1, grid_of(model, inputs.size))


@typed
def has_attention(model: nn.Module, layer: int = -1) -> bool:
    """Tell whether `attention_gradient` can read the block `layer`."""
    attention = getattr(_block(model, layer), "attn", None)
    return attention_dropout(attention) is not None


def _cosine(features: Float[Tensor, "B D"], goal: Float[Tensor, " d"]) -> Float[Tensor, " B"]:
    if features.shape[1] != len(goal):
        raise UserError(
            f"the target has {len(goal)} dimensions, the model's features have "
            f"{features.shape[1]}: take both from the same model"
        )
    return F.cosine_similarity(features, goal.to(features), dim=1)


def _scored(model: nn.Module, target: Target) -> Callable[[Tensor], Tensor]:
    """The function from standardised images to the target's value for each."""
    return lambda x: target(as_features(model, final_tokens(model, x), x.shape[2:]))


def _block(model: nn.Module, layer: int) -> nn.Module:
    depth = len(model.blocks)
    if not -depth <= layer < depth:
        raise UserError(
            f"layer={layer} must be from 0 to {depth - 1}, or from -1 (the last) to {-depth}: "
            f"the model has {depth} blocks"
        )
    return model.blocks[layer]


def _captum() -> ModuleType:
    try:
        import captum.attr
    except ImportError:
        raise UserError(
            "attribution needs captum, which is not installed: pip install 'siamlab[notebook]'"
        ) from None
    return captum.attr

"""Features of images under a timm vision transformer: the only file of the probes to see a model.

model = load("timm:vit_base_patch16_224.mae")
found = features(model, images.pixels, *inputs(model))     # pooled, cls, patches, grid
"""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import NamedTuple

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
    images: UInt8[Tensor, "n 3 H W"],
    size: Grid,
    mean: Triple,
    std: Triple,
    batch: int = 256,
) -> Features:
    """Last-layer tokens (after the final norm) of images resized to `size` and standardised.

    Resized bilinearly, antialiased where it shrinks, without keeping the aspect. The features lie
    on the model's device; the model is left as it was.
    """
    return _tokens(model, _batches(model, images, size, mean, std, batch), size)


def view_features(
    model: nn.Module, view: View, mean: Triple, std: Triple, batch: int = 256
) -> Features:
    """The same of a view's image at its own size, which must be one that the model takes."""
    size = view.image.shape[2], view.image.shape[3]
    return _tokens(model, _batches(model, view.image, size, mean, std, batch), size)


def class_attention(
    model: nn.Module,
    images: UInt8[Tensor, "n 3 H W"],
    size: Grid,
    mean: Triple,
    std: Triple,
    layer: int = -1,
    batch: int = 64,
) -> Float[Tensor, "n heads N"]:
    """How the class token of one block attends to the patches; each row sums to 1.

    Prefix tokens are dropped and rows renormalised. Without a class token: mean over the patches'
    own attention. Fused attention never forms the matrix, so queries and keys are taken from the
    block's input and the softmax done again, one batch at a time.
    """
    rows, prefix, has_class = [], model.num_prefix_tokens, model.cls_token is not None

    def watch(attn: nn.Module, args: tuple, kwargs: dict) -> None:
        seen = attention(attn, args[0], kwargs.get("rope"))[..., prefix:]  # [B, heads, T, N]
        row = seen[:, :, 0] if has_class else seen[:, :, prefix:].mean(dim=2)
        rows.append(row / row.sum(dim=-1, keepdim=True))

    block = model.blocks[layer]
    if not _readable(getattr(block, "attn", None)):
        raise UserError(
            f"attention of {type(model).__name__} cannot be read: its blocks are not "
            "plain, Eva or rotary timm attention; choose another model"
        )
    hook = block.attn.register_forward_pre_hook(watch, with_kwargs=True)
    try:
        for _ in _run(model, _batches(model, images, size, mean, std, batch)):
            pass
    finally:
        hook.remove()
    return torch.cat(rows)


def attention(
    attn: nn.Module, x: Float[Tensor, "B T D"], rope: Tensor | None
) -> Float[Tensor, "B heads T T"]:
    """The matrix of a timm attention module (plain, Eva or rotary) for its input; rows sum to 1."""
    q, k = _queries_keys(attn, x)
    q, k = attn.q_norm(q), attn.k_norm(k)
    if rope is not None:
        q, k = _rotated(attn, q, rope), _rotated(attn, k, rope)
    k = k.repeat_interleave(q.shape[1] // k.shape[1], dim=1)  # grouped queries share a key
    return ((q * attn.scale) @ k.mT).softmax(dim=-1)


def _queries_keys(attn: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """[B, heads, T, width of a head] each, from one joint projection or from two."""
    if attn.qkv is None:
        return tuple(
            f(x).unflatten(2, (-1, attn.head_dim)).transpose(1, 2)
            for f in (attn.q_proj, attn.k_proj)
        )
    qkv = attn.qkv(x)
    if getattr(attn, "q_bias", None) is not None:
        qkv = qkv + torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])
    q, k, _ = qkv.unflatten(2, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
    return q, k


def _rotated(attn: nn.Module, x: Tensor, rope: Tensor) -> Tensor:
    """Rotary places on all but the prefix tokens."""
    from timm.layers import apply_rot_embed_cat

    n, half = attn.num_prefix_tokens, getattr(attn, "rotate_half", False)
    turned = apply_rot_embed_cat(x[:, :, n:], rope, half=half)
    return torch.cat([x[:, :, :n], turned], dim=2).type_as(x)


def _readable(attn: nn.Module | None) -> bool:
    from timm.layers import Attention, AttentionRope
    from timm.models.eva import EvaAttention

    return isinstance(attn, Attention | AttentionRope | EvaAttention)


def _tokens(model: nn.Module, batches: Iterator[Tensor], size: Grid) -> Features:
    grid = tuple(model.patch_embed.dynamic_feat_size(size))
    tokens = torch.cat(list(_run(model, batches)))  # [n, T, D]
    patches = tokens[:, model.num_prefix_tokens :]
    pooled = patches.mean(dim=1)
    cls = tokens[:, 0] if model.cls_token is not None else pooled
    return Features(pooled, cls, patches, grid)


def _run(model: nn.Module, batches: Iterator[Tensor]) -> Iterator[Tensor]:
    """Tokens of each batch, float32. (Not inference_mode: what a model caches must train later.)"""
    for batch in batches:
        with _evaluating(model), torch.no_grad():
            tokens = model.forward_features(batch).float()
        yield tokens


def _batches(
    model: nn.Module, images: Tensor, size: Grid, mean: Triple, std: Triple, batch: int
) -> Iterator[Tensor]:
    """Standardised images on the model's device; bytes are 0..255, floats 0..1."""
    device = next(model.parameters()).device
    shift, scale = (torch.tensor(t, device=device).view(3, 1, 1) for t in (mean, std))
    for part in images.split(batch):
        part = part.to(device)
        part = part.float() / 255 if part.dtype == torch.uint8 else part
        if tuple(part.shape[2:]) != tuple(size):
            part = F.interpolate(part, size, mode="bilinear", antialias=True)
        yield (part - shift) / scale


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, and afterwards each of its modules as it was."""
    was = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in was.items():
            module.training = training


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

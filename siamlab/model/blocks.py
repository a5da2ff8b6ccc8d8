"""Blocks: transformer blocks and perceptrons of projectors and predictors, with either norm."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Literal, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from timm.layers import DropPath
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from siamlab.component import UserError
from siamlab.machine import distributed
from siamlab.model.attention import Attention

# patches as flags, or by ascending index, which can be read without waiting for a GPU
Chosen = Bool[Tensor, "B N"] | Int64[Tensor, "B _"]
BlockNorm = Annotated[
    Literal["layer", "batch"],
    Field(description="LayerNorm, or BatchNorm over batch and tokens of all processes"),
]
Network = TypeVar("Network", bound=nn.Module)
EPSILON = 1e-6  # of norms in transformer blocks, as in the releases of MAE and SiameseIM


class TokenBatchNorm(nn.BatchNorm1d):
    """BatchNorm over batch × tokens, with statistics shared by all processes."""

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        rows = x.flatten(0, -2)  # [n, D]
        if distributed.count() == 1 or not self.training:
            return super().forward(rows).view_as(x)
        rows = rows.float()
        mean = distributed.mean(rows.mean(dim=0))
        variance = distributed.mean((rows - mean).square().mean(dim=0))
        self._remember(mean.detach(), variance.detach(), len(rows) * distributed.count())
        normed = (rows - mean) * (variance + self.eps).rsqrt()
        if self.affine:
            normed = normed * self.weight + self.bias
        return normed.to(x.dtype).view_as(x)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)


def transformer(
    depth: int, width: int, heads: int, norm: BlockNorm, batch_epsilon: float = EPSILON
) -> nn.Sequential:
    """Return pre-norm blocks, as in the encoder; `batch_epsilon` is that of BatchNorm."""
    layer = partial(nn.LayerNorm, eps=EPSILON)
    if norm == "batch":
        layer = partial(TokenBatchNorm, eps=batch_epsilon)
    sizes = dict(dim=width, num_heads=heads, qkv_bias=True)
    blocks = [Block(**sizes, norm_layer=layer, attn_layer=Attention) for _ in range(depth)]
    return nn.Sequential(*blocks).apply(initialise)


def through(
    blocks: Iterable[nn.Module], tokens: Float[Tensor, "B M D"], wanted: slice, **places: Tensor
) -> Float[Tensor, "B m D"]:
    """Return the blocks' output for the `wanted` tokens; the last block computes no other."""
    *body, last = blocks
    for block in body:
        tokens = block(tokens, **places)
    if type(last) is not Block:  # timm's other blocks name their parts differently
        return last(tokens, **places)[:, wanted]
    normed = last.norm1(tokens)
    if _is_few(wanted, tokens.shape[1]) and _reads_apart(last):
        mixed, tokens = last.attn.attend_from(normed, wanted), tokens[:, wanted]
        wanted = slice(None)
    else:
        mixed = last.attn(normed)
    tokens = tokens + last.drop_path1(last.ls1(mixed))
    normed = last.norm2(tokens)[:, wanted]
    return tokens[:, wanted] + last.drop_path2(last.ls2(last.mlp(normed)))


def _is_few(wanted: slice, count: int) -> bool:
    """Return whether less than half of the tokens are wanted: a separate product then pays."""
    return 2 * len(range(*wanted.indices(count))) < count


def _reads_apart(block: Block) -> bool:
    """Return whether a token's output needs no other token's output; with BatchNorm it does."""
    return type(block.attn) is Attention and isinstance(block.norm2, nn.LayerNorm)


def perceptron(sizes: list[int], end: Literal["none", "batch"]) -> nn.Sequential:
    """Return linear layers, BatchNorm and ReLU; `end` "batch" adds BatchNorm without affine."""
    layers: list[nn.Module] = []
    for i, (wide, out) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        last = i == len(sizes) - 2
        layers.append(nn.Linear(wide, out, bias=last and end == "none"))
        if not last:
            layers += [TokenBatchNorm(out), nn.ReLU()]
    if end == "batch":
        layers.append(TokenBatchNorm(sizes[-1], affine=False))
    return nn.Sequential(*layers)


def without_drop_path(network: Network) -> Network:
    """Return the network, whose blocks are never skipped any more, in training either."""
    for module in network.modules():
        if isinstance(module, DropPath):
            module.drop_prob = 0.0
    return network


def initialise(module: nn.Module) -> None:
    """Set Xavier's uniform weights (MAE, MoCo-v3), which suit small widths, and zero biases."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight.view(len(module.weight), -1))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def layer_norm(tokens: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
    """Return the tokens after LayerNorm without affine, ε 1e-5, in float32."""
    return F.layer_norm(tokens.float(), tokens.shape[-1:])


def pick(tokens: Float[Tensor, "B N D"], chosen: Chosen) -> Float[Tensor, "B M D"]:
    """Return the tokens of the chosen patches, the same number in every image."""
    if chosen.dtype == torch.bool:
        chosen = index_of(chosen)
    if chosen.shape[1] == tokens.shape[1]:
        return tokens
    first = tokens.shape[1] * torch.arange(len(tokens), device=tokens.device)  # row of each image
    rows = tokens.flatten(0, 1).index_select(0, (chosen + first[:, None]).flatten())
    return rows.view(*chosen.shape, -1)


def index_of(chosen: Bool[Tensor, "B N"]) -> Int64[Tensor, "B M"]:
    """Return the indices of True in ascending order; every row must have the same number of them.

    Raises UserError if they differ, which is checked on a processor only, where masks are drawn.
    """
    counts = chosen.sum(dim=1)
    if chosen.device.type == "cpu" and (counts != counts[0]).any():
        raise UserError(
            "a mask must have the same number of patches in every image, but this masking gave "
            f"between {int(counts.min())} and {int(counts.max())}; choose a fixed number of patches"
        )
    return chosen.nonzero()[:, 1].view(len(chosen), -1)


def every_patch(tokens: Float[Tensor, "B N D"]) -> Int64[Tensor, "B N"]:
    """Return the indices of all patches of every image."""
    return torch.arange(tokens.shape[1], device=tokens.device).expand(len(tokens), -1)

"""Parts of projectors and predictors: transformer blocks and perceptrons, with either norm."""

from collections.abc import Iterable
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from siamlab import processes
from siamlab.model.attention import Attention

# patches that are True, or by index in ascending order, for which no GPU has to be waited for
Chosen = Bool[Tensor, "B N"] | Int64[Tensor, "B _"]
BlockNorm = Annotated[
    Literal["layer", "batch"],
    Field(description="LayerNorm, or BatchNorm over batch and tokens of all processes"),
]


class TokenBatchNorm(nn.BatchNorm1d):
    """BatchNorm over batch × tokens, its statistics shared by all processes."""

    def forward(self, x: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        rows = x.flatten(0, -2)  # [n, D]
        if processes.count() == 1 or not self.training:
            return super().forward(rows).view_as(x)
        rows = rows.float()
        mean = processes.mean(rows.mean(dim=0))
        variance = processes.mean((rows - mean).square().mean(dim=0))
        self._remember(mean.detach(), variance.detach(), len(rows) * processes.count())
        normed = (rows - mean) * (variance + self.eps).rsqrt()
        if self.affine:
            normed = normed * self.weight + self.bias
        return normed.to(x.dtype).view_as(x)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)


def transformer(depth: int, width: int, heads: int, norm: BlockNorm) -> nn.Sequential:
    """Pre-norm blocks, as in the encoder."""
    layer = nn.LayerNorm if norm == "layer" else TokenBatchNorm
    sizes = dict(dim=width, num_heads=heads, qkv_bias=True)
    blocks = [Block(**sizes, norm_layer=layer, attn_layer=Attention) for _ in range(depth)]
    return nn.Sequential(*blocks).apply(initialise)


def through(
    blocks: Iterable[nn.Module], tokens: Float[Tensor, "B M D"], wanted: slice, **places: Tensor
) -> Float[Tensor, "B m D"]:
    """What the blocks make of the `wanted` tokens; the last block is spared what nobody reads."""
    *body, last = blocks
    for block in body:
        tokens = block(tokens, **places)
    if type(last) is not Block:  # timm has others, with parts of other names
        return last(tokens, **places)[:, wanted]
    normed = last.norm1(tokens)
    if _few(wanted, tokens.shape[1]) and _alone(last):
        mixed, tokens, wanted = last.attn.of_some(normed, wanted), tokens[:, wanted], slice(None)
    else:
        mixed = last.attn(normed)
    tokens = tokens + last.drop_path1(last.ls1(mixed))
    normed = last.norm2(tokens)[:, wanted]
    return tokens[:, wanted] + last.drop_path2(last.ls2(last.mlp(normed)))


def _few(wanted: slice, count: int) -> bool:
    """Less than half of the tokens: a product for their queries apart pays."""
    return 2 * len(range(*wanted.indices(count))) < count


def _alone(block: Block) -> bool:
    """Whether it only looks at the other tokens; BatchNorm needs what is made of them."""
    return type(block.attn) is Attention and isinstance(block.norm2, nn.LayerNorm)


def perceptron(sizes: list[int], end: Literal["none", "batch"]) -> nn.Sequential:
    """Linear layers with BatchNorm and ReLU between; `end` batch: BatchNorm without affine last."""
    layers: list[nn.Module] = []
    for i, (wide, out) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        last = i == len(sizes) - 2
        layers.append(nn.Linear(wide, out, bias=last and end == "none"))
        if not last:
            layers += [TokenBatchNorm(out), nn.ReLU()]
    if end == "batch":
        layers.append(TokenBatchNorm(sizes[-1], affine=False))
    return nn.Sequential(*layers)


def initialise(module: nn.Module) -> None:
    """Xavier's uniform weights (MAE, MoCo-v3), which keep small widths alive; biases zero."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight.view(len(module.weight), -1))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def layer_norm(tokens: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
    """LayerNorm without affine, ε 1e-5, in float32."""
    return F.layer_norm(tokens.float(), tokens.shape[-1:])


def pick(tokens: Float[Tensor, "B N D"], chosen: Chosen) -> Float[Tensor, "B M D"]:
    """The tokens of the chosen patches, as many in every image."""
    if chosen.dtype == torch.bool:
        chosen = index_of(chosen)
    if chosen.shape[1] == tokens.shape[1]:
        return tokens
    first = tokens.shape[1] * torch.arange(len(tokens), device=tokens.device)  # of each image
    rows = tokens.flatten(0, 1).index_select(0, (chosen + first[:, None]).flatten())
    return rows.view(*chosen.shape, -1)


def index_of(chosen: Bool[Tensor, "B N"]) -> Int64[Tensor, "B M"]:
    """The patches that are True, as many in every image, in their order."""
    return chosen.nonzero()[:, 1].view(len(chosen), -1)


def every_patch(tokens: Float[Tensor, "B N D"]) -> Int64[Tensor, "B N"]:
    """All of them."""
    return torch.arange(tokens.shape[1], device=tokens.device).expand(len(tokens), -1)

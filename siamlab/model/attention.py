"""Attention of a block: timm's, or on a processor by plain products over packed heads.

torch's fused kernel for processors is made for long sequences. For the tokens of small images or
masked views, and always in bfloat16, batched products are up to twice as fast with the same result
up to rounding (docs/speed.md). They keep a tokens × tokens matrix per head, which is small here.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.layers import Attention as TimmAttention
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from siamlab.machine.internals import softmax_backward

SHORT = 100  # tokens up to which float32 takes plain products


class Attention(TimmAttention):
    """timm's attention without dropout, gate and norms, as in siamlab's networks.

    With `fused_attn` False, a mask, many tokens or on a GPU, its `forward` is timm's.
    """

    def forward(
        self,
        x: Float[Tensor, "B N D"],
        attn_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Float[Tensor, "B N D"]:
        short = x.shape[1] <= SHORT or torch.is_autocast_enabled("cpu")
        plain = self.fused_attn and x.device.type == "cpu" and short
        if not plain or attn_mask is not None or is_causal:
            return super().forward(x, attn_mask=attn_mask, is_causal=is_causal)
        return self.proj(attend(self.qkv(x), self.num_heads))

    def attend_from(self, x: Float[Tensor, "B N D"], wanted: slice) -> Float[Tensor, "B m D"]:
        """Return attention for the `wanted` query tokens only; every token is still a key."""
        weight, bias, width = self.qkv.weight, self.qkv.bias, x.shape[-1]
        query = F.linear(x[:, wanted], weight[:width], bias[:width])
        both = F.linear(x, weight[width:], bias[width:])  # keys, values
        query = query.unflatten(2, (self.num_heads, -1))
        key, value = both.unflatten(2, (2, self.num_heads, -1)).unbind(dim=2)
        parts = (part.transpose(1, 2) for part in (query, key, value))  # [B, heads, N, d]
        return self.proj(F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2))


def attend(qkv: Float[Tensor, "B N E"], heads: int) -> Float[Tensor, "B N D"]:
    """Return softmax(q · kᵀ / √d) · v per head; E = 3 · D: all queries, then keys, then values."""
    return _Attend.apply(qkv, heads)


class _Attend(torch.autograd.Function):
    """`attend` with a custom backward: heads are packed and unpacked once in each direction."""

    @staticmethod
    def forward(ctx: FunctionCtx, qkv: Tensor, heads: int) -> Tensor:
        with torch.autocast("cpu", enabled=False):  # autocast would compute the softmax in float32
            packed = _packed(qkv, 3, heads)  # [3, B · heads, N, d]
            query, key, value = packed
            share = _product(query, key.mT, scale=query.shape[-1] ** -0.5).softmax(dim=-1)
            ctx.save_for_backward(packed, share)
            ctx.heads = heads
            return _unpacked((share @ value)[None], heads)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        packed, share = ctx.saved_tensors
        query, key, value = packed
        scale = query.shape[-1] ** -0.5
        with torch.autocast("cpu", enabled=False):
            grad = _packed(grad, 1, ctx.heads)[0]  # [B · heads, N, d]
            weighed = grad @ value.mT
            weighed = softmax_backward(weighed, share)
            grads = torch.empty_like(packed)
            _product(weighed, key, scale, out=grads[0])
            _product(weighed.mT, query, scale, out=grads[1])
            torch.bmm(share.mT, grad, out=grads[2])
            return _unpacked(grads, ctx.heads), None


def _packed(tokens: Float[Tensor, "B N E"], kinds: int, heads: int) -> Float[Tensor, "k H N d"]:
    """Return each head of each image in one batch; H = B · heads."""
    parts = tokens.unflatten(2, (kinds, heads, -1)).permute(2, 0, 3, 1, 4)
    return parts.flatten(1, 2).contiguous()


def _unpacked(parts: Float[Tensor, "k H N d"], heads: int) -> Float[Tensor, "B N E"]:
    return parts.unflatten(1, (-1, heads)).permute(1, 3, 0, 2, 4).flatten(2)


def _product(a: Tensor, b: Tensor, scale: float, out: Tensor | None = None) -> Tensor:
    """Return scale · a · b, without a separate pass for the scale."""
    nothing = a.new_empty(1, 1, 1).expand(len(a), a.shape[1], b.shape[2])  # never read
    return torch.baddbmm(nothing, a, b, beta=0, alpha=scale, out=out)

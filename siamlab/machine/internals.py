"""Internals of torch and timm that siamlab relies on, but for what its own timm modules read of
themselves.

Their makers may change them in any release. tests/test_machine_internals.py states what is expected
of each and fails when one changes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


def softmax_backward(
    grad: Float[Tensor, "*B N"], share: Float[Tensor, "*B N"]
) -> Float[Tensor, "*B N"]:
    """The gradient of a softmax over the last dimension by its input, in one fused kernel."""
    return torch._softmax_backward_data(grad, share, -1, share.dtype)


def lerp_all_(tensors: Sequence[Tensor], ends: Sequence[Tensor], weight: float) -> None:
    """Move each tensor towards its end by this share of the way, in place, in few kernels."""
    torch._foreach_lerp_(tensors, ends, weight)


def tensors_to(device: torch.device, values: Any) -> Any:
    """The same tuples, lists and dictionaries with all tensors in them on this device."""
    from torch.utils._pytree import tree_map

    return tree_map(lambda part: part.to(device) if isinstance(part, Tensor) else part, values)


def has_amx() -> bool:
    """Tell whether the processor multiplies tiles of bfloat16."""
    return torch.cpu._is_amx_tile_supported()


def has_avx512_bf16() -> bool:
    """Tell whether the processor multiplies vectors of bfloat16."""
    return torch.cpu._is_avx512_bf16_supported()


def compile_error() -> type[Exception]:
    """The exception that torch.compile raises for a network that it cannot translate."""
    from torch._dynamo.exc import TorchDynamoException

    return TorchDynamoException


def has_hooks(module: nn.Module) -> bool:
    """Tell whether anything is called before or after the module's own forward pass."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def is_fusable(module: nn.Module) -> bool:
    """Tell whether timm's module can switch between the fused kernel and an explicit matrix."""
    return hasattr(module, "fused_attn")


def set_fused(module: nn.Module, fused: bool) -> None:
    """Switch timm's module to the fused kernel, or to an explicit matrix."""
    module.fused_attn = fused


def attention_dropout(module: nn.Module | None) -> nn.Module | None:
    """timm's dropout module, which sees the attention matrix on the unfused path."""
    return getattr(module, "attn_drop", None) if hasattr(module, "fused_attn") else None


@contextmanager
def unfused(module: nn.Module) -> Iterator[None]:
    """Within the block, timm's module forms its matrix [B, heads, T, T]; fused, it never does."""
    fused = module.fused_attn
    set_fused(module, False)
    try:
        yield
    finally:
        set_fused(module, fused)

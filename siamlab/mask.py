"""Mask: the patches that take part, as flags or by index, and what is wrong with one.

mistake(Mask(visible, predict), (batch, patches))      # "" if nothing is
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from siamlab.machine.wording import described


class Mask(NamedTuple):
    """Patches that take part, as flags."""

    visible: Bool[Tensor, "B N"]  # context patches the encoder sees
    predict: Bool[Tensor, "B N"]  # target patches the loss scores


class MaskIndex(NamedTuple):
    """The same patches by ascending index, which networks read without waiting for a GPU."""

    visible: Int64[Tensor, "B V"]
    predict: Int64[Tensor, "B P"]


def mistake(drawn: Any, shape: tuple[int, int]) -> str:
    """Return what is wrong with a mask of B images and N patches, `shape`; "" if nothing is."""
    if not isinstance(drawn, Mask):
        return described(drawn)
    return next((wrong for part in drawn._fields if (wrong := _wrong(drawn, part, shape))), "")


def _wrong(mask: Mask, part: str, shape: tuple[int, int]) -> str:
    """Return what is wrong with one part of a mask; "" if nothing is."""
    flags = getattr(mask, part)
    if not isinstance(flags, torch.Tensor) or flags.dtype != torch.bool or flags.shape != shape:
        return f"{part}={described(flags)}"
    counts = flags.sum(dim=1)
    least, most = counts.min(), counts.max()
    return f"{part} with {least} to {most} of them" if least < most else ""

"""Small tensors that never change, made once a device: making one on a GPU waits for the GPU.

luma = constant(LUMA, image.device)
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


@lru_cache(maxsize=256)
def constant(numbers: tuple[float | int, ...], device: torch.device) -> Float[Tensor, " n"]:
    """The numbers in float32, the same tensor each time: not to be written to."""
    with torch.inference_mode(False):  # one of inference would be of no use to a later gradient
        return torch.tensor(numbers, dtype=torch.float32, device=device)

"""Small tensors that never change, made once per device: creating one on a GPU synchronises.

luma = constant(LUMA, image.device)
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor


@lru_cache(maxsize=256)
def constant(numbers: tuple[float | int, ...], device: torch.device) -> Float[Tensor, " n"]:
    """Return the numbers in float32, the same tensor each time; do not write into it."""
    with torch.inference_mode(False):  # an inference tensor could not be used in training later
        return torch.tensor(numbers, dtype=torch.float32, device=device)

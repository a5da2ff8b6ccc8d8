"""Seeds: every draw of a run follows from its seed and a place, so that a resumed run continues
as if it had never stopped, whatever was drawn before.

    rng = generator(run.seed, "step", step, rank)
"""

from hashlib import blake2b

import torch
from torch import Generator


def seed_of(*place: int | str) -> int:
    """Return 63 bits for a place such as (seed, "step", 7), the same on every machine."""
    digest = blake2b(repr(place).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*place: int | str, device: torch.device | str = "cpu") -> Generator:
    """Return a generator at the start of the stream of a place."""
    return Generator(device).manual_seed(seed_of(*place))

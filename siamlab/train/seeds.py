"""Seeds: every draw of a run follows from its seed and a place, so that a resumed run goes on
as if it had never stopped, whatever was drawn before.

    rng = generator(run.seed, "step", step, rank)
"""

from hashlib import blake2b

import torch
from torch import Generator


def seed_of(*place: int | str) -> int:
    """A 63-bit number for a place such as (seed, "step", 7); the same on every machine."""
    digest = blake2b(repr(place).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*place: int | str, device: torch.device | str = "cpu") -> Generator:
    """A generator at the start of its place's own stream."""
    return Generator(device).manual_seed(seed_of(*place))

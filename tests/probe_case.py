"""Facts about a probe that the laws of tests/test_probe_laws.py need.

Each file that tests probes has `CASES = {"name": Case(probe, draw, ...)}`; the laws run over all.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from siamlab.probe.score import Score


class Case(NamedTuple):
    probe: Callable[..., Score]  # arrays in, one Score out; takes chunk= where `chunked`
    draw: Callable[[float], tuple[Any, ...]]  # signal -> arrays; 0.0 noise, 1.0 some, 1000.0 all
    chunked: bool = False
    least: float = 0.0  # documented range of the value, on any input
    most: float = 1.0
    unchanged: tuple[str, ...] = ()  # by "scale", "rotation", "shift" (of all features at once)
    chance: bool = True  # noise scores at chance, within the interval
    ceiling: bool = True  # all signal reaches the ceiling
    width: int = 16  # of the features among the arrays: their last dimension, float
    tolerance: float = 3e-3  # of a value under the changes above, or in another order of images

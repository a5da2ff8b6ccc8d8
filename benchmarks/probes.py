"""Speed of the probes that cost most, beside the matrix product that bounds them.

python -m benchmarks.probes                 # some minutes on two cores
python -m benchmarks.probes --repeats 5 --train 50000 --test 10000 --width 384

Random features: the work of a probe does not depend on what they say.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F

from siamlab import probe
from siamlab.probe.knn import BLOCK

CLASSES = 100


class Timing(NamedTuple):
    name: str
    median: float  # seconds
    low: float
    high: float


def timed(name: str, work: Callable[[], object], repeats: int) -> Timing:
    work()  # the first call pays for imports and memory
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return Timing(name, statistics.median(seconds), min(seconds), max(seconds))


def product(train: torch.Tensor, test: torch.Tensor) -> None:
    """All cosines, a block at a time, and nothing done with them: the floor of k-NN."""
    near = F.normalize(train, dim=1).T
    for queries in F.normalize(test, dim=1).split(max(1, BLOCK // len(train))):
        queries @ near


def features(n: int, width: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Class means and noise, with the labels."""
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=rng)
    means = torch.randn(CLASSES, width, generator=torch.Generator().manual_seed(99))
    return means[labels] + 3 * torch.randn(n, width, generator=rng), labels


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("repeats", 7), ("train", 50_000), ("test", 10_000), ("width", 384)):
        words.add_argument(f"--{name}", type=int, default=value)
    given = words.parse_args()
    train, labels = features(given.train, given.width, 0)
    test, answers = features(given.test, given.width, 1)
    arrays = train, labels, test, answers
    print(
        f"{given.train:,} × {given.width} against {given.test:,}; torch {torch.__version__}, ",
        end="",
    )
    print(f"{torch.get_num_threads()} threads; median of {given.repeats} [least, most] in seconds")
    floor = None
    for name, work, repeats in (
        ("bare product", lambda: product(train, test), given.repeats),
        ("knn, k = 20", lambda: probe.knn(*arrays), given.repeats),
        ("knn, k = 200", lambda: probe.knn(*arrays, k=200), given.repeats),
        ("retrieval of the test", lambda: probe.retrieval(test, answers), given.repeats),
        ("rankme of the test", lambda: probe.rankme(test), given.repeats),
        ("linear", lambda: probe.linear(*arrays), min(3, given.repeats)),
    ):
        row = timed(name, work, repeats)
        floor = floor or row.median
        line = f"{row.name:24}{row.median:8.2f} [{row.low:.2f}, {row.high:.2f}]"
        print(f"{line}  {row.median / floor:6.2f} ×", flush=True)


if __name__ == "__main__":
    main()

"""Timing of works in turn, with the limits of the machine, as rows of a table.

rows = measured([Work("ours", ours, images=64), Work("theirs", theirs, images=64)], device)
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

REPEATS = 7
SIDE = {"cpu": 2048, "cuda": 8192}  # of the matrices whose product is the ceiling
COPIED = 2**26  # numbers to copy: 256 MB of float32


class Seconds(float):
    """Returned by a work that was timed where it ran, in another process."""


class Work(NamedTuple):
    """One repetition of something."""

    name: str
    call: Callable[[], Any]
    images: float = 1  # or pairs, or another `unit`, per repetition
    unit: str = "images"
    flops: float = 0  # operations of a repetition, two per product; 0: not counted
    precision: torch.dtype = torch.float32  # of the ceiling to compare with
    note: str = ""


def measured(
    works: Sequence[Work], device: torch.device, repeats: int = REPEATS
) -> list[dict[str, Any]]:
    """Return one row per work: rates, their ratio to the first, share of the ceiling.

    The works take turns, so that a machine that slows down affects all of them.
    """
    seconds: dict[str, list[float]] = {work.name: [] for work in works}
    tops: dict[torch.dtype, list[float]] = {work.precision: [] for work in works if work.flops}
    for work in works:
        timed(work.call, device)  # the first call pays for imports, memory and compilation
    for _ in range(repeats):
        for precision, rates in tops.items():
            rates.append(product_rate(device, precision))
        for work in works:
            seconds[work.name].append(timed(work.call, device))
    first = statistics.median(works[0].images / s for s in seconds[works[0].name])
    return [row(work, seconds[work.name], tops.get(work.precision, []), first) for work in works]


def row(work: Work, seconds: list[float], tops: list[float], first: float) -> dict[str, Any]:
    """Return the row of one work; `ratio` is relative to the rate `first`."""
    rates = sorted(work.images / s for s in seconds)
    rate = statistics.median(rates)
    numbers = {
        "work": work.name, "unit": f"{work.unit}/s", "rate": rate, "least": rates[0],
        "most": rates[-1], "ratio": rate / first, "seconds": statistics.median(seconds),
        "repeats": len(seconds),
    }  # fmt: skip
    if work.flops:
        reached = work.flops / statistics.median(seconds)
        ceiling = statistics.median(tops)
        numbers |= {
            "gflop": work.flops / work.images / 1e9, "gflops": reached / 1e9,
            "ceiling": ceiling / 1e9, "share": reached / ceiling,
        }  # fmt: skip
    return numbers | ({"note": work.note} if work.note else {})


def table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Format a table as Markdown."""
    rows = [columns, ["---"] * len(columns), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def timed(call: Callable[[], Any], device: torch.device) -> float:
    """Return the seconds of one call, or those that it returns."""
    wait(device)
    start = time.perf_counter()
    result = call()
    wait(device)
    return result if isinstance(result, Seconds) else time.perf_counter() - start


def wait(device: torch.device) -> None:
    """Wait until the device has finished all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def product_rate(device: torch.device, precision: torch.dtype) -> float:
    """Return operations per second of a large matrix product, the best of three."""
    side = SIDE[device.type]
    a, b = (torch.randn(side, side, device=device).to(precision) for _ in range(2))
    out = torch.empty_like(a)
    return 2 * side**3 / min(timed(lambda: torch.mm(a, b, out=out), device) for _ in range(3))


def copy_rate(device: torch.device) -> float:
    """Return bytes per second, read and written, of a large copy, the best of three."""
    source = torch.zeros(COPIED, device=device)
    to = torch.zeros_like(source)
    return 8 * COPIED / min(timed(lambda: to.copy_(source), device) for _ in range(3))


def operations(call: Callable[[], Any]) -> int:
    """Return the operations of matrix products and attention in one call, counted by torch."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def folder(text: str) -> Path:
    """Create a folder from the command line at once, so that no measurement is lost later."""
    try:
        Path(text).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"{text} cannot be made ({error.strerror}); give a folder that can be written"
        ) from None
    return Path(text)

"""The time of a training step by kind of operation, and how often it waits for a GPU.

python -m benchmarks profile                                    # the first case of `step`
python -m benchmarks profile "demo, MAE" --trace step.json.gz   # also for chrome://tracing
"""

import argparse
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.measure import table
from benchmarks.step import cases, stepper

WARM_UP = 3  # steps before
WAITS = "waits for the GPU"
KINDS = {  # the first one with a pattern that occurs in the name of an operation
    "attention and other batched products": "scaled_dot_product|softmax|flash|bmm",
    "matrix products": "mm$|convolution|linear",
    "GELU": "gelu",
    "norms": "norm",
    "optimiser and momentum": "adamw|lerp|_foreach",
    "copies and gathers": "copy|cat|clone|index|gather|scatter|embedding_bag|fill|zero",
    WAITS: "local_scalar_dense|nonzero|Synchronize|cudaMemcpy$",
}
OTHER = "other small operations"


class Part(NamedTuple):
    kind: str
    milliseconds: float  # per step
    share: float  # of the whole step
    calls: float  # per step


def main() -> None:
    """Profile the named case and print its table."""
    parser = argparse.ArgumentParser("python -m benchmarks profile", description=__doc__)
    here = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument(
        "case", nargs="?", default="", help="of the step suite (default: the first)"
    )
    parser.add_argument("--device", default=here, choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="", help="default: as in training")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--trace", type=Path, help="file for chrome://tracing or ui.perfetto.dev")
    options = parser.parse_args()
    device = torch.device(options.device)
    known = cases(device)
    if options.case and options.case not in known:
        parser.error(f"case {options.case!r} is none of {', '.join(map(repr, known))}")
    name = options.case or next(iter(known))
    precision = options.precision or "auto"
    step = stepper(known[name].change(f"compute.precision={precision}"), device)
    parts = profiled(step, device, options.steps, options.trace)
    print(f"\n{name}, {precision}, {options.device}; milliseconds of operations per step\n")
    lines = [(p.kind, f"{p.milliseconds:.2f}", f"{p.share:.3f}", f"{p.calls:.0f}") for p in parts]
    print(table(["operations", "ms", "share", "calls"], lines))


def profiled(
    step: Callable[[], None], device: torch.device, steps: int, trace: Path | None = None
) -> list[Part]:
    """Return the cost of a step by kind of operation, the longest first."""
    for _ in range(WARM_UP):
        step()
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
    with profile(activities=activities, acc_events=True) as profiler:
        for _ in range(steps):
            step()
    if trace:
        profiler.export_chrome_trace(str(trace))
    return parts_of(profiler.key_averages(), steps, on_gpu)


def parts_of(events: Iterable[Any], steps: int, on_gpu: bool) -> list[Part]:
    """Sum profiled operations by kind; with a GPU, also count how often it was waited for.

    The profiler lists what a GPU ran twice, itself and under the operation that requested it.
    """
    milliseconds, calls = defaultdict(float), defaultdict(int)
    for event in events:
        if event.device_type == DeviceType.CPU:
            own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
            milliseconds[kind(event.key)] += own / 1000 / steps
            calls[kind(event.key)] += event.count
    total, waits = sum(milliseconds.values()), milliseconds[WAITS]
    parts = [
        Part(k, ms, ms / total, calls[k] / steps) for k, ms in milliseconds.items() if k != WAITS
    ]
    parts += [Part(WAITS, waits, waits / total, calls[WAITS] / steps)] * on_gpu
    return sorted(parts, key=lambda part: -part.milliseconds)


def kind(operation: str) -> str:
    """Return the kind of an operation by its name."""
    return next((k for k, pattern in KINDS.items() if re.search(pattern, operation)), OTHER)

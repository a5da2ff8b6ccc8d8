"""Where the time of a training step goes, by kinds of operations, and how often it waits for a GPU.

python -m benchmarks profile                                    # the first case of `step`
python -m benchmarks profile "demo, MAE" --trace step.json.gz     # and for chrome://tracing
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

WARM = 3  # steps before
WAITS = "waits for the GPU"
KINDS = {  # the first whose pattern the name of an operation holds
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
    milliseconds: float  # a step
    share: float  # of all
    calls: float  # a step


def main() -> None:
    """Profile the case that is named and print its table."""
    words = argparse.ArgumentParser("python -m benchmarks profile", description=__doc__)
    here = "cuda" if torch.cuda.is_available() else "cpu"
    words.add_argument(
        "case", nargs="?", default="", help="of the step suite; by default the first"
    )
    words.add_argument("--device", default=here, choices=["cpu", "cuda"])
    words.add_argument("--precision", default="", help="float32 or bfloat16; by default as trained")
    words.add_argument("--steps", type=int, default=5)
    words.add_argument("--trace", type=Path, help="file for chrome://tracing or ui.perfetto.dev")
    given = words.parse_args()
    device = torch.device(given.device)
    known = cases(device)
    if given.case and given.case not in known:
        words.error(f"case {given.case!r} is none of {', '.join(map(repr, known))}")
    name = given.case or next(iter(known))
    precision = given.precision or "auto"
    step = stepper(known[name].change(f"compute.precision={precision}"), device)
    parts = profiled(step, device, given.steps, given.trace)
    print(f"\n{name}, {precision}, {given.device}; milliseconds of operations a step\n")
    lines = [(p.kind, f"{p.milliseconds:.2f}", f"{p.share:.3f}", f"{p.calls:.0f}") for p in parts]
    print(table(["operations", "ms", "share", "calls"], lines))


def profiled(
    step: Callable[[], None], device: torch.device, steps: int, trace: Path | None = None
) -> list[Part]:
    """What a step takes by kinds of operations, the longest first."""
    for _ in range(WARM):
        step()
    on_gpu = device.type == "cuda"
    watched = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
    with profile(activities=watched, acc_events=True) as seen:
        for _ in range(steps):
            step()
    if trace:
        seen.export_chrome_trace(str(trace))
    return parts_of(seen.key_averages(), steps, on_gpu)


def parts_of(events: Iterable[Any], steps: int, on_gpu: bool) -> list[Part]:
    """Profiled operations added up by their kinds; how often it waited for a GPU, if there is one.

    What a GPU ran stands there twice, as itself and as the operation's that asked for it.
    """
    took, calls = defaultdict(float), defaultdict(int)
    for event in events:
        if event.device_type == DeviceType.CPU:
            own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
            took[kind(event.key)] += own / 1000 / steps
            calls[kind(event.key)] += event.count
    whole = sum(took.values())
    parts = [Part(k, ms, ms / whole, calls[k] / steps) for k, ms in took.items() if k != WAITS]
    parts += [Part(WAITS, took[WAITS], took[WAITS] / whole, calls[WAITS] / steps)] * on_gpu
    return sorted(parts, key=lambda part: -part.milliseconds)


def kind(operation: str) -> str:
    """The kind of an operation by its name."""
    return next((k for k, pattern in KINDS.items() if re.search(pattern, operation)), OTHER)

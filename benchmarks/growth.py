"""Growth of a step's cost with tokens, batch, width, depth, views and processes, one at a time.

Each case runs in a separate process, so that memory is measured separately. The first row is the
base, ViT-Ti/8 at 64 pixels and 32 images; `gflop` per image is the cost of only the arithmetic.
"""

import multiprocessing
import os
import socket
import statistics
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch

from benchmarks.measure import operations, product_rate, timed
from benchmarks.step import stepper, tiny
from siamlab.machine.memory import keep_freed
from siamlab.run import Run

BASE = 32  # images per step
CASES = [  # axis, factor, and the changes to the run
    ("base", 1, []),
    ("tokens", 0.25, ["size=[32, 32]"]),
    ("tokens", 2.25, ["size=[96, 96]"]),
    ("tokens", 4, ["size=[128, 128]"]),
    ("tokens", 9, ["size=[192, 192]"]),
    ("batch", 0.25, ["batch=8"]),
    ("batch", 2, ["batch=64"]),
    ("batch", 4, ["batch=128"]),
    ("width", 0.5, ["model.width=96", "prediction.width=96"]),
    ("width", 2, ["model.width=384", "prediction.width=384"]),
    ("width", 4, ["model.width=768", "prediction.width=768"]),
    ("depth", 0.5, ["model.depth=6"]),
    ("depth", 2, ["model.depth=24"]),
    ("views that learn", 2, ["roles=both"]),
    ("processes", 2, []),
]


def rows(device: torch.device, peer: str, repeats: int) -> list[dict[str, Any]]:
    """Return time, memory and operations of every case; two processes on the CPU only."""
    table, base = [], tiny(BASE)
    if device.type == "cpu":  # where only wide models would use bfloat16
        base = base.change("compute.precision=float32")
    for axis, times, changes in CASES:
        count = times if axis == "processes" else 1
        if count == 1 or device.type == "cpu":
            table.append(measure_case(axis, times, base.change(*changes), device, repeats, count))
    top = product_rate(device, torch.float32)
    for row in table:
        row["ratio"] = row["rate"] / table[0]["rate"]
        row["share"] = row["gflop"] * 1e9 * row["rate"] / top
    return table


def measure_case(
    axis: str, times: float, run: Run, device: torch.device, repeats: int, processes: int
) -> dict[str, Any]:
    """Return the row of one case, whose batch is divided among new processes."""
    context, threads = multiprocessing.get_context("spawn"), torch.get_num_threads()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [(run, device, repeats, threads, r, processes, port) for r in range(processes)]
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        (seconds, memory, flops), *_ = pool.map(work, *zip(*arguments, strict=True))
    rates = sorted(run.batch / s for s in seconds)
    return {
        "work": axis if axis == "base" else f"{axis} × {times:g}", "unit": "images/s",
        "axis": axis, "times": float(times), "images": run.batch,
        "rate": statistics.median(rates), "least": rates[0], "most": rates[-1],
        "seconds": statistics.median(seconds), "repeats": len(seconds),
        "gflop": flops * processes / run.batch / 1e9, "megabytes": memory / 1e6,
    }  # fmt: skip


def work(
    run: Run, device: torch.device, repeats: int, threads: int, rank: int, count: int, port: int
) -> tuple[list[float], float, int]:
    """Return seconds of each step, bytes used, and operations of one step, in this process."""
    keep_freed()
    torch.set_num_threads(max(1, threads // count))
    if count > 1:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        torch.distributed.init_process_group("gloo", rank=rank, world_size=count)
        run = run.replace(batch=run.batch // count)
    before = memory(device)
    step = stepper(run, device)
    timed(step, device)
    seconds = [timed(step, device) for _ in range(repeats)]
    used = memory(device) - before
    flops = operations(step)  # last, since counting uses memory too
    if count > 1:
        torch.distributed.destroy_process_group()
    return seconds, used, flops


def memory(device: torch.device) -> float:
    """Return the maximum of bytes in use so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

"""The cost of a block of work: time, processor, and memory that is not pages of files.

with measured() as costs: work()         # costs[0].seconds
"""

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Cost(NamedTuple):
    seconds: float
    processor: float  # seconds of this process, summed over cores
    others: float  # mean number of cores that other processes used meanwhile
    memory: int  # bytes that are not pages of files: the maximum minus the start
    wait: float = 0.0  # share of its time that a loop waited for data


@contextmanager
def measured() -> Iterator[list[Cost]]:
    """Yield a list that has the cost of the block once it ends."""
    costs: list[Cost] = []
    done, before, used_memory = threading.Event(), anonymous(), [0]

    def watch() -> None:
        while not done.wait(0.02):
            used_memory.append(anonymous() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, own, total = time.perf_counter(), processor(), busy()
    yield costs
    seconds, used, all_used = time.perf_counter() - start, processor() - own, busy() - total
    done.set()
    watcher.join()
    used_memory.append(anonymous() - before)
    others = max(0.0, all_used - used) / seconds
    costs.append(Cost(seconds, used, others, max(used_memory)))


def anonymous() -> int:
    """Return the bytes of this process that are not pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def processor() -> float:
    """Return the processor seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def busy() -> float:
    """Return the seconds that the machine's cores were busy since it started."""
    user, nice, system, _idle, _wait, *rest = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *rest))) / os.sysconf("SC_CLK_TCK")


def in_new_process(work: Callable[..., T], *arguments: Any) -> T:
    """Return the result of `work` in a new process, which does nothing else."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_call, work, *arguments).result()


def _call(work: Callable[..., T], *arguments: Any) -> T:
    """Return the result once all threads have ended, since exiting with one in torch aborts."""
    result = work(*arguments)
    for thread in threading.enumerate():
        if thread not in (threading.main_thread(), threading.current_thread()):
            thread.join()
    return result

"""What a block of work took: time, processor, and memory that is not pages of files.

with measured() as cost: work()         # cost[0].seconds
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
    processor: float  # seconds of this process, all cores together
    others: float  # cores that other processes kept busy meanwhile
    memory: int  # bytes that are not pages of files: the most, less those of before
    wait: float = 0.0  # share of its time that a loop waited for data


@contextmanager
def measured() -> Iterator[list[Cost]]:
    """A list that holds, after the block, what the block took."""
    found: list[Cost] = []
    done, before, most = threading.Event(), anonymous(), [0]

    def watch() -> None:
        while not done.wait(0.02):
            most.append(anonymous() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, own, every = time.perf_counter(), processor(), busy()
    yield found
    seconds, used, all_used = time.perf_counter() - start, processor() - own, busy() - every
    done.set()
    watcher.join()
    most.append(anonymous() - before)
    found.append(Cost(seconds, used, max(0.0, all_used - used) / seconds, max(most)))


def anonymous() -> int:
    """Bytes of this process that are not pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def busy() -> float:
    """Seconds that the machine's cores were busy, since it was started."""
    user, nice, system, _idle, _wait, *rest = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, *rest))) / os.sysconf("SC_CLK_TCK")


def fresh(work: Callable[..., T], *arguments: Any) -> T:
    """What `work` returns in a new process, which does nothing else."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(ended, work, *arguments).result()


def ended(work: Callable[..., T], *arguments: Any) -> T:
    """Its threads too: a process that ends while one is in torch is aborted."""
    found = work(*arguments)
    for thread in threading.enumerate():
        if thread not in (threading.main_thread(), threading.current_thread()):
            thread.join()
    return found

"""Worker processes, forked from a server that has already loaded torch.

warm()                      # early: the server loads what workers need in the meantime
worker = start(work, ...)   # a multiprocessing process that calls work(...)

Loading torch and timm takes seconds of a core and half a gigabyte; the server does it once for all
workers, and they share its memory. Where forking is not safe (macOS) each loads them itself.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, get_context
from multiprocessing.process import BaseProcess
from threading import current_thread, main_thread
from typing import Any

FORKS = sys.platform.startswith("linux")
CONTEXT = get_context("forkserver" if FORKS else "spawn")


def warm(module: str = "siamlab.train") -> None:
    """Start the server that loads the module for all workers, unless it runs already.

    Importing the module must not start a thread, which a fork would lose.
    """
    if FORKS:
        CONTEXT.set_forkserver_preload([module])
        with _ignore_sigint():
            forkserver.ensure_running()


def start(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a process that calls `work(*arguments)`; it ignores Ctrl-C, but not SIGTERM."""
    warm()
    worker = CONTEXT.Process(target=_work, args=(dict(os.environ), work, *arguments))
    worker.start()
    return worker


def _work(environment: dict[str, str], work: Callable[..., None], *arguments: Any) -> None:
    os.environ.clear()  # the server has the environment of its own start
    os.environ.update(environment)
    work(*arguments)


@contextmanager
def _ignore_sigint() -> Iterator[None]:
    """Processes started inside ignore Ctrl-C, which a terminal sends to all of its processes."""
    if current_thread() is not main_thread():
        yield  # only the main thread may set signals
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

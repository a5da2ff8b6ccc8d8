"""Processes that work beside this one, forked from a server that has torch loaded already.

warm()                      # early: the server loads what workers need while this process goes on
worker = start(work, ...)   # a process that calls work(...), one of multiprocessing's

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

FORKS = sys.platform.startswith("linux")
CONTEXT = get_context("forkserver" if FORKS else "spawn")


def warm(module: str = "siamlab.train") -> None:
    """Begin to load the module for all workers; nothing where a server has begun.

    To be loaded it must start no thread, which a fork would lose.
    """
    if FORKS:
        CONTEXT.set_forkserver_preload([module])
        with _deaf():
            forkserver.ensure_running()


def start(work: Callable[..., None], *given) -> BaseProcess:
    """A process that calls `work(*given)`; Ctrl-C is not for it, SIGTERM is."""
    warm()
    worker = CONTEXT.Process(target=_work, args=(dict(os.environ), work, *given))
    worker.start()
    return worker


def _work(environment: dict[str, str], work: Callable[..., None], *given) -> None:
    os.environ.clear()  # the server has that of its own start
    os.environ.update(environment)
    work(*given)


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started meanwhile does not hear Ctrl-C, which reaches a whole terminal."""
    if current_thread() is not main_thread():
        yield  # no other thread may say so
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

"""Signals: SIGTERM and Ctrl-C end a run after the step in hand, not in the middle of it."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopped(Exception):
    """Somebody asked the run to stop; its checkpoint is written."""


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """A function that says whether SIGTERM or Ctrl-C came. A second Ctrl-C ends at once."""
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set  # only the main thread hears signals
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def remember(number: int, frame: object) -> None:
        came.set()
        if number == signal.SIGINT:  # not SIGTERM: schedulers and torchrun may send one each
            signal.signal(number, before[number])

    for number in before:
        signal.signal(number, remember)
    try:
        yield came.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

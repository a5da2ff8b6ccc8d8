"""Signals: SIGTERM, SIGHUP and Ctrl-C end a run after the current step, not in its middle."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopped(Exception):
    """The run was asked to stop; its checkpoint is written."""


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """A function that returns whether SIGTERM, SIGHUP or Ctrl-C came; a second Ctrl-C ends at once.

    SIGHUP comes when the terminal closes; if it is ignored, as it is under nohup, it stays ignored.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set  # signals reach the main thread only
        return
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}

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

"""Several small runs at once, each in a process of its own with one thread.

    for name, event in side_by_side([(run, path), ...], count=2): ...

On a processor two tiny networks side by side are faster than one on two threads.
"""

from collections.abc import Iterator
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty

from siamlab.component import UserError
from siamlab.machine import workers
from siamlab.run import Run
from siamlab.train.events import Event
from siamlab.train.loop import steps
from siamlab.train.signals import Stopped

Job = tuple[Run, Path]
POLL = 0.2  # seconds between looks at the processes


def side_by_side(jobs: list[Job], count: int) -> Iterator[tuple[str, Event]]:
    """Train or resume the runs, `count` at a time; yield (run's name, event) as they come.

    When the iteration ends early, the processes save and end first. Raises UserError with the
    message of a run that failed, Stopped when one was stopped.
    """
    events, waiting, running = workers.CONTEXT.Queue(), list(jobs), {}
    try:
        while waiting or running:
            while waiting and len(running) < count:
                run, path = waiting.pop(0)
                running[run.name] = workers.start(_train, run, path, events)
            yield from _received(events)
            running = {name: w for name, w in running.items() if not _ended(name, w)}
        yield from _received(events)
    finally:
        for worker in running.values():
            worker.terminate()  # SIGTERM: it saves after the current step
        for worker in running.values():
            worker.join()


def _train(run: Run, path: Path, events) -> None:
    """The work of one process: train a run, and put its events or its end into the queue."""
    run = run.change("compute.threads=1")
    try:
        for event in steps(run, path, resume=True):
            events.put((run.name, event))
            if not parent_process().is_alive():
                raise Stopped("the process that started this one has ended")
    except (UserError, Stopped) as end:
        events.put((run.name, end))


def _received(events) -> Iterator[tuple[str, Event]]:
    """Events until the queue stays empty for POLL seconds; raises what ended a run."""
    wait = POLL
    while True:
        try:
            name, event = events.get(timeout=wait)
        except Empty:
            return
        if isinstance(event, Exception):
            raise type(event)(f"{name}: {event}")
        yield name, event
        wait = 0.001


def _ended(name: str, worker: BaseProcess) -> bool:
    if worker.is_alive():
        return False
    if worker.exitcode < 0:
        raise UserError(
            f"the process that trained {name} was ended by signal {-worker.exitcode} (9: often too "
            "little memory); the same command resumes from its last checkpoint"
        )
    if worker.exitcode > 0:
        raise RuntimeError(f"the process that trained {name} failed; its error is printed above")
    return True

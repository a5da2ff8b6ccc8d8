"""Several small runs at once, each in a process of its own with one thread.

    for name, line in side_by_side([(run, path), ...], count=2): ...

On a processor two tiny networks side by side are faster than one on two threads.
"""

from collections.abc import Iterator
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty

from siamlab import workers
from siamlab.component import UserError
from siamlab.run import Run
from siamlab.train.folder import Line
from siamlab.train.loop import steps
from siamlab.train.signals import Stopped

Job = tuple[Run, Path]
POLL = 0.2  # seconds between looks at the processes


def side_by_side(jobs: list[Job], count: int) -> Iterator[tuple[str, Line]]:
    """Train the runs, going on where they were; (run's name, logged line) as they come.

    When this is left early, however, the processes save and end first. Raises UserError with the
    sentence of a run that failed, Stopped when one was asked to stop.
    """
    lines, waiting, running = workers.CONTEXT.Queue(), list(jobs), {}
    try:
        while waiting or running:
            while waiting and len(running) < count:
                run, path = waiting.pop(0)
                running[run.name] = workers.start(_train, run, path, lines)
            yield from _heard(lines)
            running = {name: w for name, w in running.items() if not _ended(name, w)}
        yield from _heard(lines)
    finally:
        for worker in running.values():
            worker.terminate()  # SIGTERM: it saves after the step in hand
        for worker in running.values():
            worker.join()


def _train(run: Run, path: Path, lines) -> None:
    """What a process does: one run, its lines and its last words into the queue."""
    run = run.change("compute.threads=1")
    try:
        for line in steps(run, path, resume=True):
            lines.put((run.name, line))
            if not parent_process().is_alive():
                raise Stopped("the process that started this one is gone")
    except UserError as mistake:
        lines.put((run.name, {"failed": str(mistake)}))
    except Stopped as stop:
        lines.put((run.name, {"stopped": str(stop)}))


def _heard(lines) -> Iterator[tuple[str, Line]]:
    """What came since the last look, waiting a moment for the first; last words are raised."""
    wait = POLL
    while True:
        try:
            name, line = lines.get(timeout=wait)
        except Empty:
            return
        if "failed" in line:
            raise UserError(f"{name}: {line['failed']}")
        if "stopped" in line:
            raise Stopped(f"{name}: {line['stopped']}")
        yield name, line
        wait = 0.001


def _ended(name: str, worker: BaseProcess) -> bool:
    if worker.is_alive():
        return False
    if worker.exitcode < 0:
        raise UserError(
            f"the process that trained {name} was ended by signal {-worker.exitcode} (9: often too "
            "little memory); the same command goes on from its last checkpoint"
        )
    if worker.exitcode > 0:
        raise RuntimeError(f"the process that trained {name} failed; its words are above")
    return True

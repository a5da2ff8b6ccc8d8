"""Workers: processes that start with torch loaded, in today's environment, deaf to Ctrl-C."""

import os
import pickle
import queue
import signal
import sys

import pytest

from siamlab.component import UserError
from siamlab.machine import workers
from siamlab.recipes import mae
from siamlab.train import Notice, Stopped
from siamlab.train.side_by_side import side_by_side


def tell(queue):
    """Report the state in which a worker starts, and how it handles Ctrl-C."""
    loaded = "siamlab.train" in sys.modules
    os.kill(os.getpid(), signal.SIGINT)
    queue.put((loaded, os.environ.get("SIAMLAB_TOLD"), signal.getsignal(signal.SIGTERM)))


def found():
    queue = workers.CONTEXT.Queue()
    worker = workers.start(tell, queue)
    told = queue.get(timeout=200)
    worker.join()
    assert worker.exitcode == 0
    return told


@pytest.mark.skipif(not workers.FORKS, reason="where forking is safe")
def test_a_worker_starts_with_what_the_server_loaded_and_does_not_hear_ctrl_c():
    here = signal.getsignal(signal.SIGINT)
    assert found() == (True, None, signal.SIG_DFL)
    assert signal.getsignal(signal.SIGINT) == here, "nothing has changed in this process"


def test_a_worker_has_the_environment_of_the_moment_it_is_started(monkeypatch):
    for told in ("one", "another"):
        monkeypatch.setenv("SIAMLAB_TOLD", told)
        assert found()[1] == told


class Dead(workers.CONTEXT.Process):
    """A worker that has ended, as another one's event comes."""

    def __init__(self, events, exitcode, event=None):
        super().__init__()
        self.events, self.code, self.event = events, exitcode, event or Notice("goes on")

    def is_alive(self):
        self.events.put(("other", pickle.loads(pickle.dumps(self.event))))
        return False

    exitcode = property(lambda self: self.code)

    def terminate(self):
        pass

    join = terminate


@pytest.mark.parametrize("code, error", [(0, None), (1, RuntimeError), (-9, UserError)])
def test_a_worker_that_crashed_is_never_taken_for_a_finished_one(
    code, error, monkeypatch, tmp_path
):
    start = lambda work, run, path, events: Dead(events, code)  # noqa: E731
    monkeypatch.setattr(workers, "start", start)
    monkeypatch.setattr(workers.CONTEXT, "Queue", queue.Queue)
    if error is None:
        assert list(side_by_side([(mae(), tmp_path)], 1)) == [("other", Notice("goes on"))]
    else:
        with pytest.raises(error, match="the process that trained mae"):
            list(side_by_side([(mae(), tmp_path)], 1))


@pytest.mark.parametrize("end", [UserError("no room"), Stopped("stopped after step 2")])
def test_what_ended_a_run_beside_others_is_raised_with_its_name(end, monkeypatch, tmp_path):
    start = lambda work, run, path, events: Dead(events, 0, end)  # noqa: E731
    monkeypatch.setattr(workers, "start", start)
    monkeypatch.setattr(workers.CONTEXT, "Queue", queue.Queue)
    with pytest.raises(type(end), match=f"^other: {end}$"):
        list(side_by_side([(mae(), tmp_path)], 1))

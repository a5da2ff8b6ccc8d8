"""Workers: processes that start with torch loaded, in today's environment, deaf to Ctrl-C."""

import os
import signal
import sys

import pytest

from siamlab import workers


def tell(queue):
    """What a worker finds when it starts, and how it takes Ctrl-C."""
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

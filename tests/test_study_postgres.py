"""Workers on a real PostgreSQL: one killed, the server restarted, every trial run once.

The server is started here on loopback, by an unprivileged user; skipped where it is not installed.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest
from commands import Command
from optuna.trial import TrialState

from siamlab.study.claims import latest_attempts
from siamlab.study.storage import open_storage

FILE = """
from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice
study = Ablation(question="?", base=demo_size(siameseim()), seeds=3,
                 axes=(Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine")),))
"""
WORDS = "steps=30 log_every=1 save_every=2 data.images=128 data.test_images=100 images=64".split()


def binaries():
    """The folder of pg_ctl and initdb: on the path, or where Debian has it."""
    found = shutil.which("pg_ctl")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


def as_user(*words):
    """A command that PostgreSQL accepts: it refuses to run as root."""
    return ["runuser", "-u", "nobody", "--", *words] if os.getuid() == 0 else list(words)


class Server:
    def __init__(self, home):
        self.home, self.data = home, home / "data"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        home.mkdir()
        if os.getuid() == 0:
            shutil.chown(home, "nobody")
        self.control("initdb", "-U", "postgres", "-A", "trust", "-D", self.data)

    def control(self, program, *words):
        command = as_user(str(binaries() / program), *map(str, words))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.home}"
        log = self.home / "log"
        self.control("pg_ctl", "start", "-w", "-D", self.data, "-l", log, "-o", options)

    def stop(self):
        self.control("pg_ctl", "stop", "-w", "-m", "fast", "-D", self.data)


@pytest.fixture
def server():
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as home:  # a short path: sockets have at most 107 letters
        os.chmod(home, 0o755)
        server = Server(Path(home) / "postgres")
        server.start()
        yield server
        server.stop()


@pytest.mark.slow
def test_one_worker_is_killed_and_the_server_restarts(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SIAMLAB_HEARTBEAT", "2")  # seconds
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(FILE)
    where = ["--storage", server.url, "--out", out, "--threads", "1"]
    worker = lambda *words: Command("study", "worker", *words)  # noqa: E731
    team = [worker(file, *WORDS, *where) for _ in range(2)]  # one of the two makes the study
    try:
        wait_for(lambda: len(list(out.glob("runs/*/checkpoints/step_*"))) >= 2)
        team += [worker(*where)]  # without a file
        team[2].read_until("works on mine")
        team[0].send(signal.SIGKILL)
        server.stop()
        time.sleep(3)
        server.start()
        said = "\n".join(each.finish(400) for each in team)
    finally:
        for each in team:
            each.process.kill()
    assert [each.status for each in team] == [-signal.SIGKILL, 0, 0], said
    storage = open_storage(server.url, out)
    study = optuna.load_study(study_name="mine", storage=storage)
    done = [t for t in study.get_trials() if t.state == TrialState.COMPLETE]
    counted = Counter((t.user_attrs["point"], t.user_attrs["seed"]) for t in done)
    wanted = {(point, seed) for point in ("UniGrad", "cosine") for seed in range(3)}
    assert counted == dict.fromkeys(wanted, 1), said
    assert len(latest_attempts(study)) == 6
    storage.engine.dispose()


def wait_for(ready, seconds=300):
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until
        time.sleep(0.05)

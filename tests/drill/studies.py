"""Studies on a journal and on PostgreSQL: kills, restarts of the database, full disks.

Afterwards every trial must be complete once, whatever happened.
"""

import os
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
from commands import Command
from optuna.trial import TrialState
from test_study_postgres import Server, binaries

from drill import Row
from siamlab.study.claims import latest_attempts
from siamlab.study.description import describe
from siamlab.study.file import load
from siamlab.study.storage import open_storage

FILE = """
from siamlab.recipes import demo_size, siameseim
from siamlab.study import Ablation, Axis, Choice
study = Ablation(question="?", base=demo_size(siameseim()),
                 axes=(Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine")),))
"""
SMALL = "log_every=1 save_every=2 data.images=128 data.test_images=100 images=64 model.depth=1"
KILLS = {False: 20, True: 3}  # by whether the drill is short
RESTARTS = {False: 5, True: 1}
FULL = {False: 10, True: 2}  # times that the disk is full
SEEDS = {False: 12, True: 5}
STEPS = 12
LONGEST = 4.0  # seconds between two faults
LAST = 600  # seconds for the rest of the study


class Lab:
    """A study and the workers that run it."""

    def __init__(self, folder: Path, url: str, short: bool):
        folder.mkdir()
        self.file, self.out, self.url = folder / "mine.py", folder / "out", url
        self.file.write_text(FILE)
        self.words = [*SMALL.split(), f"steps={STEPS}", f"seeds={SEEDS[short]}"]
        self.wanted = 2 * SEEDS[short]
        self.draw, self.begin = random.Random(0), time.monotonic()
        describe(load(self.file, self.words)[1])  # decodes the images for all

    def worker(self) -> Command:
        where = ["--out", self.out, "--threads", 1] + ["--storage", self.url] * bool(self.url)
        return Command("study", "worker", self.file, *self.words, *where)

    def finish(self) -> None:
        """Run one worker to the end."""
        worker = self.worker()
        output = worker.finish(LAST)
        assert worker.status == 0, output

    def rows(self, fault: str) -> Iterator[Row]:
        study = self.study()
        done = Counter(
            (t.user_attrs["point"], t.user_attrs["seed"])
            for t in study.get_trials()
            if t.state == TrialState.COMPLETE
        )
        states = Counter(trial.state for trial in latest_attempts(study))
        for trial in latest_attempts(study):
            if trial.state == TrialState.FAIL:
                print(f"{trial.user_attrs.get('folder')}: {trial.user_attrs.get('reason')}")
        yield Row(fault, "trials complete", len(done), least=self.wanted, most=self.wanted)
        yield Row(fault, "trials lost", self.wanted - len(done), most=0)
        yield Row(fault, "trials doubled", sum(done.values()) - len(done), most=0)
        yield Row(fault, "trials failed", states[TrialState.FAIL], most=0)
        yield Row(fault, "attempts", len(study.get_trials()))
        yield Row(fault, "seconds", round(time.monotonic() - self.begin))

    def study(self) -> optuna.Study:
        return optuna.load_study(study_name="mine", storage=open_storage(self.url, self.out))


def drill(scratch: Path, short: bool) -> Iterator[Row]:
    """Yield the figures of all faults on a journal, and on PostgreSQL where it is installed."""
    os.environ["SIAMLAB_HEARTBEAT"] = "2"
    yield from kills(Lab(scratch / "kills", "", short), f"{KILLS[short]} kills, journal", short)
    yield from full_disk(Lab(scratch / "full", "", short), short)
    if binaries() is None:
        yield Row("PostgreSQL", "installed", 0)
        return
    server = Server(scratch / "postgres")
    server.start()
    try:
        fault = f"{KILLS[short]} kills, {RESTARTS[short]} restarts, PostgreSQL"
        lab = Lab(scratch / "database", server.url, short)
        yield from kills(lab, fault, short, lambda: restart(server), RESTARTS[short])
    finally:
        server.stop()


def restart(server: Server) -> None:
    """Stop the server for a moment."""
    server.stop()
    time.sleep(1)
    server.start()


def kills(
    lab: Lab, fault: str, short: bool, besides: Callable[[], None] = lambda: None, times: int = 0
) -> Iterator[Row]:
    """Kill one of two workers after another at random moments; do `besides` now and then."""
    team, killed, done = [lab.worker(), lab.worker()], 0, 0
    while killed < KILLS[short]:
        if team[0].status is None:
            team[0].read_until("works on mine")
        time.sleep(lab.draw.uniform(0, LONGEST))
        if done * KILLS[short] < killed * times:
            besides()
            done += 1
        victim = team.pop(0)
        if victim.status is not None:  # the study is done, on a fast machine before the last kill
            break
        victim.send(signal.SIGKILL)
        victim.finish()
        killed += 1
        team.append(lab.worker())
    while done < times:
        besides()
        done += 1
    for each in team:
        each.finish(LAST)
    lab.finish()
    yield Row(fault, "kills", killed, least=1)
    if times:
        yield Row(fault, "restarts", done, least=times)
    yield from lab.rows(fault)


def full_disk(lab: Lab, short: bool) -> Iterator[Row]:
    """Let files grow no further while a worker runs, again and again."""
    fault, statuses, traces = f"{FULL[short]} full disks, journal", Counter(), 0
    for _ in range(FULL[short]):
        worker = lab.worker()
        time.sleep(lab.draw.uniform(0, LONGEST))
        journal = lab.out / "journal.log"
        size = journal.stat().st_size if journal.exists() else 0
        limit = size + lab.draw.randrange(2000)
        if worker.status is None:
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (limit, limit))
        traces += "Traceback" in worker.finish(LAST)
        statuses[worker.status] += 1
    lab.finish()
    yield Row(fault, "workers that ended with 2", statuses[2], least=1)
    yield Row(
        fault, "workers that ended otherwise", FULL[short] - statuses[2] - statuses[0], most=0
    )
    yield Row(fault, "tracebacks", traces, most=0)
    yield from lab.rows(fault)

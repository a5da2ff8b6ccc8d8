"""Peers: other tools, each in a separate environment, that repeat their work on request.

theirs = Peer("lightly", "views", 2, images=32, …)  # runs peers/with_lightly.py on two threads
Work("lightly", theirs, images=32)                  # a call returns its seconds

An environment is created once, below the cache, with the newest versions from the package index.
Where the running Python has the tool already, as on machines without a network, it is used.
"""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from benchmarks.measure import Seconds
from siamlab.data.cache import cache_root

SCRIPTS = Path(__file__).parent / "peers"
PACKAGES = {"lightly": ["lightly", "timm"], "stable-pretraining": ["stable-pretraining"]}


class Peer:
    """A process that works once per line of input and answers with the seconds."""

    def __init__(self, name: str, task: str, threads: int, **sizes: int | str):
        script = SCRIPTS / f"with_{name.replace('-', '_')}.py"
        command = [environment(name), script, task, json.dumps(sizes)]
        limits = {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command, env=os.environ | limits, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self.versions = self._answer()

    def __call__(self) -> Seconds:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return Seconds(self._answer())

    def end(self) -> None:
        """End the process."""
        self.process.communicate()

    def _answer(self) -> str:
        if line := self.process.stdout.readline().strip():
            return line
        self.end()
        sys.exit(f"{' '.join(map(str, self.process.args))} ended without an answer")


def environment(name: str) -> Path:
    """Return the Python of a peer's environment, which is created if it does not exist."""
    if find_spec(name.replace("-", "_")):
        return Path(sys.executable)
    folder = cache_root() / "peers" / name
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"setting up {name} in {folder}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES[name]], check=True)
        (folder / "complete").touch()
    return python

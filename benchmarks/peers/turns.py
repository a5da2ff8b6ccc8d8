"""The peer's side of peer.py: work once per line of input and answer with the seconds."""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any


def serve(works: dict[str, Callable[..., Callable[[], Any]]], *packages: str) -> None:
    """Set up the work named on the command line, print versions, and answer each line."""
    answers, sys.stdout = sys.stdout, sys.stderr  # some packages print messages
    work = works[sys.argv[1]](**json.loads(sys.argv[2]))
    print(*(f"{name} {version(name)}" for name in packages), file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        work()
        print(time.perf_counter() - start, file=answers, flush=True)

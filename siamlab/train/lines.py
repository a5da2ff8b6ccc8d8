"""Lines: metrics.jsonl, one JSON table with its checksum for each logged step.

found = read_lines(path)        # found.whole, found.unreadable
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from siamlab.machine.sums import signed, unsigned
from siamlab.train.events import Line

ALWAYS = {"step", "seconds", "loss"}  # the keys of every line


class Lines(NamedTuple):
    whole: list[Line]
    unreadable: int  # lines that a crash cut short or that were damaged

    def problem(self, path: Path) -> str:
        """Say how many lines could not be read; "" if all could."""
        total = len(self.whole) + self.unreadable
        some = f"{self.unreadable} of {total} lines of {path} could not be read and are left out"
        return some if self.unreadable else ""


def read_lines(path: Path) -> Lines:
    """Return the lines of a file, none if there is no file; raises OSError."""
    if not path.exists():
        return Lines([], 0)
    texts = [text for text in path.read_bytes().split(b"\n") if text]
    whole = [line for text in texts if (line := _whole(text))]
    return Lines(whole, len(texts) - len(whole))


def written_line(line: Line) -> bytes:
    """Return the bytes of a line in the file."""
    return json.dumps(signed(line)).encode() + b"\n"


def _whole(text: bytes) -> Line | None:
    """Return the line, or None for anything else."""
    try:
        line = unsigned(json.loads(text))
    except (ValueError, RecursionError):
        return None
    return line if line.keys() >= ALWAYS and all(map(_is_number, line.values())) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

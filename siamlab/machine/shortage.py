"""Too little memory, on a GPU or in main memory, reported in one sentence.

with explain_shortage("lower batch"): ...       # UserError instead of a dozen kinds of errors
"""

import errno
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from siamlab.machine.messages import UserError

SAID = (  # by torch's allocators and libraries, in errors that are plain RuntimeErrors
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "storage size calculation overflowed",
    "alloc_failed",
)
# by oneDNN, which multiplies on processors and does not say why; otherwise it names more
UNTOLD = ("could not create a primitive", "could not execute a primitive")
ASKED = re.compile(r"tried to allocate ([\d.]+) (bytes|[KMGT]iB)", re.IGNORECASE)
OWN_GROUP, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")  # control groups of Linux
UNITS = {"bytes": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


@contextmanager
def explain_shortage(way: str) -> Iterator[None]:
    """Raise UserError that names what was needed, what there is, and the `way` out of it."""
    try:
        yield
    except Exception as error:
        if not is_shortage(error):
            raise
        raise UserError(f"out of memory: {_needed(error)}{way}") from error


def is_shortage(error: Exception) -> bool:
    """Tell whether an error means that memory was not enough."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    said = str(error).lower()
    known = said in UNTOLD or any(words in said for words in SAID)
    return isinstance(error, RuntimeError) and known


def free_memory(gpu: bool = False) -> tuple[int, int] | None:
    """Return the free and the total memory in bytes, of the GPU or main memory.

    Of a GPU, what torch holds without using it is free as well; of main memory, no more than a
    container or a job of a cluster leaves this process. None where the system does not say.
    """
    if gpu:
        cuda = sys.modules["torch"].cuda
        try:
            free, total = cuda.mem_get_info()
        except (RuntimeError, AssertionError):  # no driver, or the GPU itself has failed
            return None
        return free + cuda.memory_reserved() - cuda.memory_allocated(), total
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not Linux
        return None
    known = {line.split(":")[0]: line.split()[1] for line in lines}
    machine = int(known["MemAvailable"]) * 1024, int(known["MemTotal"]) * 1024
    return min([machine, *_left_by_groups()])


def _left_by_groups() -> Iterator[tuple[int, int]]:
    """Yield free and allowed memory of each control group around this process that has a limit."""
    try:
        lines = OWN_GROUP.read_text().splitlines()
        own = next(line.removeprefix("0::/") for line in lines if line.startswith("0::/"))
    except (OSError, StopIteration):  # not Linux, or its older kind of groups
        return
    for folder in (GROUPS / own, *(GROUPS / own).parents):
        try:
            most, used = ((folder / f"memory.{name}").read_text() for name in ("max", "current"))
            kept = re.search(r"^inactive_file (\d+)$", (folder / "memory.stat").read_text(), re.M)
        except OSError:  # the root of the groups has none
            continue
        if most.strip() != "max":
            files = int(kept[1]) if kept else 0  # of which the system lets go first
            yield max(0, int(most) - int(used) + files), int(most)


def release_cached() -> None:
    """Let go of what torch holds of a GPU's memory without using it; does nothing without one."""
    torch = sys.modules["torch"]
    for gpu in (torch.cuda, torch.mps):
        if gpu.is_available():
            gpu.empty_cache()


def check_free(needed: int, what: str, way: str, gpu: bool = False) -> None:
    """Raise UserError where `what` needs more bytes than are free, of the GPU or main memory.

    The system may grant them at first and end the process without a word later.
    """
    memory = free_memory(gpu)
    if memory and needed > memory[0]:
        raise UserError(
            f"out of memory: {what} need at least {in_words(needed)}, but only "
            f"{in_words(memory[0])} of {in_words(memory[1])} is free; {way}"
        )


def in_words(size: int) -> str:
    """Return a number of bytes as `12.3 GiB`."""
    unit = next((u for u in ("TiB", "GiB") if size >= UNITS[u.lower()]), "MiB")
    return f"{size / UNITS[unit.lower()]:,.1f} {unit}"


def _needed(error: Exception) -> str:
    asked = ASKED.search(str(error))
    size = int(float(asked[1]) * UNITS[asked[2].lower()]) if asked else 0
    needed = f"{in_words(size)} more were needed" if asked else "more was needed than there is"
    there = free_memory("cuda" in str(error).lower())
    return f"{needed}, {_there(there)}; " if there else f"{needed}; "


def _there(memory: tuple[int, int]) -> str:
    return f"{in_words(memory[0])} of {in_words(memory[1])} are free"

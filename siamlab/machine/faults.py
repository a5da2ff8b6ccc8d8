"""Machine faults, such as a full disk: the program is not to blame; a command can be repeated.

if fault := machine_fault(error): ...     # "the disk is full"
"""

import errno
import re
from collections.abc import Iterator

NO_MEMORY = "there is not enough memory"
FAULTS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not grow any more (ulimit -f)",
    errno.EROFS: "the disk is read-only",
    errno.EIO: "the disk cannot be read or written (input/output error)",
    errno.ESTALE: "a network folder is gone",
    errno.EMFILE: "too many files are open (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOMEM: NO_MEMORY,
}
LOCKED = {errno.EACCES, errno.EPERM, errno.EROFS}
IN_THE_WAY = {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ELOOP}
# libraries of Rust and C++ report system errors only as text
NUMBER = re.compile(r"os error (\d+)|Os \{ code: (\d+)")
WORDS = {
    "no space left on device": FAULTS[errno.ENOSPC],
    "database or disk is full": FAULTS[errno.ENOSPC],
    "disk i/o error": FAULTS[errno.EIO],
    "out of memory": NO_MEMORY,
    "cannot allocate memory": NO_MEMORY,
    "can't allocate memory": NO_MEMORY,
}
# torch.save and NumPy report only that not everything was written
CUT_SHORT = re.compile(
    r"inline_container.*unexpected pos|StreamWriter failed|\d requested and \d+ w"
)


def machine_fault(error: BaseException) -> str | None:
    """Say which fault of the machine is behind an error; None for one of the program or user."""
    for cause in _causes(error):
        if isinstance(cause, MemoryError):
            return NO_MEMORY
        if isinstance(cause, OSError) and cause.errno in FAULTS:
            return FAULTS[cause.errno]
        if fault := _in_words(str(cause)):
            return fault
    return None


def reason(error: Exception) -> str:
    """Return why the system refused something, without numbers and paths."""
    if told := machine_fault(error) or getattr(error, "strerror", None):
        return told
    return re.sub(r"\[Errno -?\d+\] | \(os error \d+\).*", "", str(error), flags=re.DOTALL)


def way_out(error: BaseException) -> str:
    """Return what a user can do where the system refuses to write: rights, a name, or space."""
    number = getattr(error, "errno", None)
    if number in LOCKED:
        return "make it readable and writable"
    if number == errno.ENAMETOOLONG:
        return "choose a shorter name"
    return "move away what is there" if number in IN_THE_WAY else "free some space"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and those it was raised from or after."""
    seen: list[BaseException] = []
    left = [error]
    while left:
        if (cause := left.pop(0)) not in seen:
            seen.append(cause)
            left += [c for c in (cause.__cause__, cause.__context__) if c is not None]
            yield cause


def _in_words(text: str) -> str | None:
    numbers = [int(a or b) for a, b in NUMBER.findall(text)]
    known = [FAULTS[number] for number in numbers if number in FAULTS]
    known += [fault for words, fault in WORDS.items() if words in text.lower()]
    known += ["the disk is full, or refuses to be written"] * bool(CUT_SHORT.search(text))
    return known[0] if known else None

"""The command line: siamlab train | show | axes | probe | data | study | demo | lab | …"""

import errno
import logging
import os
import sys
import warnings
from argparse import Namespace

from siamlab.cli.parser import parser
from siamlab.machine.faults import machine_fault, way_out
from siamlab.machine.redact import without_passwords
from siamlab.machine.streams import PLAIN, discard
from siamlab.machine.terminal import tell

DIGITS = 4  # of the columns of a terminal, at most
REFUSED = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR)

GONE = "the folder that this is started in is gone; change to another one"


def main(words: list[str] | None = None) -> int:
    """Run one command and return its exit status.

    0: done, 2: a mistake, explained in one sentence, 130: stopped, can be resumed.
    """
    words = sys.argv[1:] if words is None else words
    from siamlab.component import UserError

    try:
        _prepare()
        options = read(words)
        if not _is_somewhere():  # libraries would end the process without a word
            raise UserError(GONE)
        done = options.command(options) or 0
        if sys.stdout:  # None where it was closed, as by `>&-`
            sys.stdout.flush()
        return done
    except UserError as mistake:
        tell(f"siamlab: {without_passwords(str(mistake), *words)}")
        return 2
    except MemoryError:
        tell("siamlab: out of memory: end other programs, or ask for less")
        return 2
    except KeyboardInterrupt:
        tell("siamlab: stopped")
        return 130
    except BrokenPipeError:  # the reader of the pipe has gone, as it does after `| head`
        discard(sys.stdout)
        return 0
    except Exception as error:
        if not (sentence := _explained(error)):
            raise
        if machine_fault(error):  # output that is still buffered would fail again
            discard(sys.stdout)
        tell(f"siamlab: {sentence}")
        return 2


def _prepare() -> None:
    """Make warnings, streams and loggers those of a command."""
    from siamlab.component import printable

    warnings.formatwarning = lambda message, *_: f"siamlab: {printable(message)}\n"
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it logs every attempt
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=PLAIN)  # a terminal may lack some letters
    columns = os.environ.get("COLUMNS", "").strip("0 ")
    if not columns or len(columns) > DIGITS:  # rich would print nothing, or pad each line for long
        os.environ.pop("COLUMNS", None)


def _explained(error: Exception) -> str:
    """Return the sentence for a fault of the machine or of permissions; "" for any other."""
    if fault := machine_fault(error):
        return f"{fault} where this works; mend that and start again"
    if isinstance(error, FileNotFoundError) and not _is_somewhere():
        return GONE
    if isinstance(error, OSError) and error.errno in REFUSED and error.filename:
        return f"{error.filename} cannot be used ({error.strerror}); {way_out(error)}"
    return ""


def _is_somewhere() -> bool:
    """Return whether the working folder is still there."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def read(words: list[str]) -> Namespace:
    """Parse the words of a command; key=value may stand before and after options.

    Raises UserError for a mistake.
    """
    from siamlab.component import UserError

    options, late = parser().parse_known_args(words)
    unknown = [word for word in late if word.startswith("-") or not hasattr(options, "words")]
    if unknown:
        mistaken = without_passwords(unknown[0], *words)
        raise UserError(
            f"{mistaken} is not an option; `siamlab {words[0]} --help` lists the options"
        )
    if late:
        options.words = [*options.words, *late]
    if own := getattr(options, "words", []):
        from siamlab.cli.words import check_once

        first = [getattr(options, "file", None) or ""]  # of `study worker`, which may have no file
        check_once([*first, *own], getattr(options, "data", None))
    return options


if __name__ == "__main__":
    sys.exit(main())

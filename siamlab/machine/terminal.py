r"""Terminal: names from elsewhere, such as file names, are printed literally.

say(f"Report: {path}")             # one line, without markup: runs/rep[red] keeps its name
table.add_row(cell(name))          # the same in a table of rich
tell(f"siamlab: {stop}")           # beside the output
caution(f"{name} is left out")     # a warning
"""

import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from siamlab.machine.messages import printable

if TYPE_CHECKING:
    from siamlab.machine.console import Console


def say(sentence: str, console: "Console | None" = None) -> None:
    """Print one line, without markup, colours or wrapping."""
    from siamlab.machine.console import Console

    console = console or Console()
    console.print(printable(sentence), markup=False, highlight=False, soft_wrap=True)


def tell(line: str) -> None:
    """Print one line to standard error, where that is open and takes it."""
    if sys.stderr is not None:  # as `2>&-` does; print would take standard output instead
        with suppress(OSError):
            print(printable(line), file=sys.stderr)


def is_watched() -> bool:
    """Return whether standard error is a terminal; it may be closed."""
    return sys.stderr is not None and sys.stderr.isatty()


def cell(text: object) -> str:
    """Return the text as rich's markup for itself."""
    from rich.markup import escape

    return escape(printable(text))


def caution(sentence: str, stacklevel: int = 2) -> None:
    """Warn with a sentence, as the caller's caller would."""
    warnings.warn(printable(sentence), stacklevel=stacklevel + 1)

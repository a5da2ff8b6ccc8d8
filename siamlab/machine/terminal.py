r"""Terminal: names from elsewhere, such as file names, are printed literally.

say(f"Report: {path}")             # one line, without markup: runs/rep[red] keeps its name
table.add_row(cell(name))          # the same in a table of rich
tell(f"siamlab: {stop}")           # beside the output
caution(f"{name} is left out")     # a warning
stream.reconfigure(errors=PLAIN)   # a terminal without ± and ↑ shows +- and ^
"""

import codecs
import os
import sys
import unicodedata
import warnings
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from siamlab.machine.messages import printable

if TYPE_CHECKING:
    from siamlab.machine.console import Console

PLAIN = "siamlab.plain"  # the name of `_plain` among Python's handlers of encoding errors
# one letter where that will do, so that columns of tables stay in line
SUBSTITUTES = {
    "–": "-", "—": "-", "−": "-", "×": "x", "·": ".", "•": "*", "±": "+-", "≤": "<=", "≥": ">=",
    "≈": "~", "°": " degrees", "⁄": "/", "↑": "^", "↓": "v", "→": "->", "←": "<-", "✓": "+",
    "✗": "x", "▶": ">", "‘": "'", "’": "'", "“": '"', "”": '"', "ß": "ss", "ø": "o", "Ø": "O",
    "α": "alpha", "β": "beta", "δ": "delta", "η": "eta", "λ": "lambda", "μ": "mu", "ρ": "rho",
    "σ": "sigma", "τ": "tau", "Σ": "sum of ", "γ": "gamma", "ε": "epsilon", "√": "root of ",
    "∘": "o", "‖": "|",
}  # fmt: skip
BRAILLE = range(0x2800, 0x2900)  # of rich's spinners


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


def discard(stream: IO[str] | None) -> None:
    """Lead what is still buffered nowhere, or Python would fail to write it at its end."""
    with suppress(OSError, AttributeError):  # where it is not a file, or closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return letters of ASCII for those that a stream cannot encode, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_substitute, error.object[error.start : error.end])), error.end


def _substitute(letter: str) -> str:
    if ord(letter) in BRAILLE:
        return "*"
    parts = unicodedata.normalize("NFKD", letter)  # é into e and its accent, ² into 2
    plain = "".join(SUBSTITUTES.get(part, part) for part in parts)
    accent = unicodedata.combining(letter)  # of the letter before it
    return plain.encode("ascii", "ignore").decode() or ("" if accent else "?")


codecs.register_error(PLAIN, _plain)

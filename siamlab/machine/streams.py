"""Streams: outputs that lack some letters, or that nobody reads any more.

stream.reconfigure(errors=PLAIN)   # where ± and ↑ cannot be encoded, +- and ^ are written
discard(sys.stdout)
"""

import codecs
import os
import unicodedata
from contextlib import suppress
from typing import IO

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

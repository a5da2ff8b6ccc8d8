r"""Messages: a user's mistake in one sentence, in characters that a terminal shows as they are.

raise UserError(unknown("there is no recipe", name, RECIPES))
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple
from unicodedata import category

# control characters, bidirectional marks, line separators
OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def printable(text: object) -> str:
    r"""Return the text with characters that a terminal interprets as escapes: \x1b, \n, \u202e."""
    return "".join(
        repr(c)[1:-1] if category(c) in OBEYED else c for c in str(text)
    )  # repr writes them as escapes


LONGEST = 240  # letters of a word, such as a name in a table
LONG = re.compile(rf"\S{{{LONGEST + 1},}}")


class UserError(ValueError):
    """A user's mistake in one sentence: key, value, what is allowed, the way out."""

    def __init__(self, sentence: object = ""):
        super().__init__(LONG.sub(_cut, printable(sentence)))  # it may quote names of files

    def _render_traceback_(self) -> list[str]:
        """Return what IPython, and so a notebook, shows: only the sentence."""
        return [f"siamlab: {self}"]


def _cut(word: "re.Match[str]") -> str:
    """Return a word that no reader reads without its middle."""
    return f"{word[0][: LONGEST * 2 // 3]}…{word[0][-LONGEST // 4 :]}"


class Allowed(NamedTuple):
    """Metadata that describes a field's values in words, where its pattern would not."""

    text: str


def unknown(what: str, name: str, allowed: Any, near: Sequence[str] = ()) -> str:
    """Return the sentence for an unknown name, with the nearest names and all allowed ones.

    `near` are known to be meant; by default those that are spelt like it.
    """
    name = str(name)  # None, perhaps
    lower = {other.lower(): other for other in allowed}  # MAE means mae
    alike = [lower[n] for n in get_close_matches(name.lower(), lower, n=2, cutoff=0.5)]
    near = near[:2] or alike
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ";"
    names = sorted(allowed)
    listed = ", ".join(names) if len(names) <= 40 else f"{len(names)} names, such as {names[-1]!r}"
    return f"{what} {name!r}{hint} allowed: {listed}"

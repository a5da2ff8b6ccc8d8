"""Studies of a page: the scenes of their plane, made here and drawn by the page as they are.

studies = Studies(["studies/headline.py"]);  studies.scene({"points": "runs", "chosen": "0.2"})
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Any

from siamlab.explore.answers import Change
from siamlab.explore.plane.results import known_results
from siamlab.explore.plane.study import StudyExplorer
from siamlab.explore.view.photos import Refused

CONTROLS = ("study", "points", "probe")


class Studies:
    """Results by the names of their places, read when they are first looked at."""

    def __init__(self, words: Sequence[str] = ()):
        self.names: list[str] = [str(word) for word in words or known_results()]
        self._lock = Lock()

    @cached_property
    def explorer(self) -> StudyExplorer:
        """The explorer of all of them. Raises UserError if the first one has no results."""
        return StudyExplorer(*self.names)

    def scene(self, words: Mapping[str, str]) -> dict[str, Any]:
        """Return the scene of a state: study, points, probe, and the numbers of chosen points.

        Raises UserError for a state that the study does not have.
        """
        with self._lock:
            shown = self.explorer
            for name in (name for name in CONTROLS if name in words):  # a study has its own probes
                shown = shown.at(shown.on_set(shown.checked({name: words[name]})))
            return shown.at(_chosen(shown, words.get("chosen", ""))).scene().as_dict()


def _chosen(shown: StudyExplorer, word: str) -> Change:
    """The points of a word such as 0.2.5; none for an empty one."""
    if not word:
        return Change({})
    parts, count = word.split("."), shown.scene().panels[0].parts
    if not all(part.isdecimal() and len(part) < 7 and int(part) < count for part in parts):
        raise Refused(f"chosen={word} must be numbers from 0 to {count - 1}, joined by dots", 404)
    return shown.on_brush("plane", sorted({int(part) for part in parts}))

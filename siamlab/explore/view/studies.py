"""Studies of a page: the scenes of their plane, made here and drawn by the page as they are.

studies = Studies(["studies/headline.py"]);  studies.scene({"points": "runs", "chosen": "0.2"})
studies.encoders({"chosen": "0.2"}, 1)      # of the second chosen point and the first, its base
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Any

from siamlab.evaluate.models import NamedModel
from siamlab.explore.answers import Change
from siamlab.explore.plane.results import known_results, results_place
from siamlab.explore.plane.study import DESCRIBED, StudyExplorer
from siamlab.explore.scene import Jump, Scene
from siamlab.explore.view.photos import Refused
from siamlab.explore.view.verdicts import ABSENT, TITLE, Encoder, encoders_of

CONTROLS = ("study", "points", "probe")
MATCHES = "matches"  # in the place of a panel, of a jump to them


class Studies:
    """Results by the names of their places, read when they are first looked at."""

    def __init__(self, words: Sequence[str] = ()):
        self.names: list[str] = [str(word) for word in words or known_results()]
        self._lock = Lock()

    @cached_property
    def explorer(self) -> StudyExplorer:
        """The explorer of all of them. Raises UserError if the first one has no results."""
        return StudyExplorer(*self.names)

    def scene(self, words: Mapping[str, str], opened: Sequence[NamedModel] = ()) -> dict[str, Any]:
        """Return the scene of a state: study, points, probe, and the numbers of chosen points.

        Its jumps lead from each point that is compared with the first one to the matches of both,
        where their encoders are on this machine or among the `opened` models. Raises UserError for
        a state that the study does not have.
        """
        with self._lock:
            shown = self._shown(words)
            return _with_matches(shown, opened).as_dict()

    def encoders(
        self, words: Mapping[str, str], number: int, opened: Sequence[NamedModel] = ()
    ) -> tuple[Encoder, Encoder]:
        """Return those of the first chosen point of a state and of the one with this number.

        Raises Refused (404) where there is no such point or no encoder.
        """
        with self._lock:
            shown = self._shown(words)
            chosen = shown.values["chosen"]
            known = 0 < number < len(chosen)
            found = _encoders(shown, chosen[number], opened) if known else None
        if not found:
            raise Refused(
                f"there are no encoders of the chosen point {number}; reload the page", 404
            )
        return found

    def _shown(self, words: Mapping[str, str]) -> StudyExplorer:
        shown = self.explorer
        for name in (name for name in CONTROLS if name in words):  # a study has its own probes
            shown = shown.at(shown.on_set(shown.checked({name: words[name]})))
        return shown.at(_chosen(shown, words.get("chosen", "")))


def _with_matches(shown: StudyExplorer, opened: Sequence[NamedModel]) -> Scene:
    """The scene, and what leads to matches: jumps, or a sentence on what they need."""
    scene = shown.scene()
    first, *others = shown.values["chosen"][:DESCRIBED]
    absent = [name for name in others if not _encoders(shown, name, opened)]
    jumps = [
        Jump(f"{name} against {first}", MATCHES, i)
        for i, name in enumerate(others, 1)
        if name not in absent
    ]
    told = ABSENT.format(first=first, other=absent[0]) if absent else ""
    return scene._replace(jumps=jumps, jumps_title=TITLE, text=f"{scene.text}\n{told}".rstrip())


def _encoders(
    shown: StudyExplorer, name: str, opened: Sequence[NamedModel]
) -> tuple[Encoder, Encoder] | None:
    study, kind, chosen = (shown.values[key] for key in ("study", "points", "chosen"))
    place = results_place(shown.places[study])
    return encoders_of(shown.found, place, kind, (chosen[0], name), opened)


def _chosen(shown: StudyExplorer, word: str) -> Change:
    """The points of a word such as 0.2.5; none for an empty one."""
    if not word:
        return Change({})
    parts, count = word.split("."), shown.scene().panels[0].parts
    if not all(part.isdecimal() and len(part) < 7 and int(part) < count for part in parts):
        raise Refused(f"chosen={word} must be numbers from 0 to {count - 1}, joined by dots", 404)
    return shown.on_brush("plane", sorted({int(part) for part in parts}))

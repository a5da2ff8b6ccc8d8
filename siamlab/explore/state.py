"""State: the values of an explorer's controls and its selected patch; another takes its place.

state = State({"layer": 6}, ("a", 17));  state.after(Change({"layer": 3}))      # state is as before
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from siamlab.explore.answers import Change, Patch


@dataclass(frozen=True)
class State:
    """What an explorer shows, frozen: an event makes another of it."""

    values: Mapping[str, Any]  # of controls, by name
    selected: Patch

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))

    def after(self, change: Change) -> "State":
        """Return the state after an event."""
        return State({**self.values, **change.values}, change.selected or self.selected)


class Stateful:
    """The base of what has a state: it reads the state, and replaces it as a whole."""

    def __init__(self, state: State):
        self._state: State = state

    @property
    def values(self) -> Mapping[str, Any]:
        """The values of the controls, read-only."""
        return self._state.values

    @property
    def selected(self) -> Patch:
        """The selected patch and its panel."""
        return self._state.selected

    def _begin(self, change: Change) -> None:
        """Complete the first state, within a constructor: what fits it may depend on it."""
        self._state = self._state.after(change)

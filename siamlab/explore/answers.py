"""Answers: what an event (a click, a brush, a control) changes, and what an explorer then shows."""

from typing import Any, NamedTuple

Patch = tuple[str, int]  # the panel, and the patch in it: row by row, from 0


class Change(NamedTuple):
    """The change of an explorer's state by an event."""

    values: dict[str, Any]  # of controls, by name
    selected: Patch | None = None  # None: the selected patch stays


class Answer(NamedTuple):
    """The state of an explorer after an event, and what it shows in that state."""

    event: str  # as the script of a page names it: "a 17", "layer 3"
    change: Change
    values: dict[str, Any]  # of all controls
    selected: Patch
    scene: dict[str, Any]  # `Scene.as_dict()`
    images: dict[str, str]  # data URIs of the images that the scene names

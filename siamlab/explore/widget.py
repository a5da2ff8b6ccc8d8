"""Panels: the widget of all explorers.

widget = panels_of(explorer)        # what a user does in it reaches the explorer
"""

from typing import Any

import anywidget
import traitlets

from siamlab.explore.explorer import Explorer
from siamlab.explore.scene import whole_number
from siamlab.explore.web.assets import style, widget_script


class Panels(anywidget.AnyWidget):
    """Shows `scene`, and reports what the user does as `event`."""

    _esm = widget_script()
    _css = style()
    scene: "traitlets.Dict[str, Any]" = traitlets.Dict().tag(sync=True)
    images: "traitlets.Dict[str, str]" = traitlets.Dict().tag(sync=True)  # data URIs by key
    event: "traitlets.Dict[str, Any]" = traitlets.Dict().tag(sync=True)
    # the count of the last handled event
    answered: "traitlets.Int[int, int]" = traitlets.Int().tag(sync=True)
    # whether the user asks for what an exported page answers from, and that
    keep: "traitlets.Bool[bool, bool]" = traitlets.Bool().tag(sync=True)
    kept: "traitlets.Dict[str, Any]" = traitlets.Dict().tag(sync=True)


def panels_of(explorer: Explorer) -> Panels:
    """Return a new widget that shows an explorer and is answered by it."""
    panels = Panels(scene=explorer.scene().as_dict(), images=explorer.data_uris())
    panels.observe(lambda change: _answer(explorer, panels, change["new"]), "event")
    panels.observe(lambda change: explorer.keep_answers(), "keep")
    return panels


def _answer(explorer: Explorer, panels: Panels, event: dict[str, Any]) -> None:
    """Handle an event; scene and acknowledgement reach the browser in one message."""
    with panels.hold_sync():
        try:
            explorer.handle(event)
        finally:
            panels.answered = whole_number(event.get("count", 0)) or 0

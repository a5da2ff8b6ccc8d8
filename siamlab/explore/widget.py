"""Panels: the widget of all explorers.

widget = panels_with(scene, images, explorer.handle, explorer.keep_answers)
"""

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

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


def panels_with(
    scene: dict[str, Any],
    images: dict[str, str],
    handle: Callable[[dict[str, Any]], Any],
    keep: Callable[[], Any],
) -> Panels:
    """Return a widget that shows a scene; `handle` gets what a user does in it.

    `keep` is called when the user wants the widget to have what a page answers from.
    """
    panels = Panels(scene=scene, images=images)
    panels.observe(lambda change: _answer(panels, handle, change["new"]), "event")
    panels.observe(lambda change: keep(), "keep")
    return panels


def _answer(panels: Panels, handle: Callable[[dict[str, Any]], Any], event: dict[str, Any]) -> None:
    """Handle an event; scene and acknowledgement reach the browser in one message."""
    with panels.hold_sync():
        try:
            handle(event)
        finally:
            panels.answered = whole_number(event.get("count", 0)) or 0

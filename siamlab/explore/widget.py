"""Panels: the widget of all explorers."""

from typing import Any

import anywidget
import traitlets

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

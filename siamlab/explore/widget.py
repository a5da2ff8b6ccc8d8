"""Panels: the one widget of all explorers, and the script that it shares with exported pages."""

import anywidget
import traitlets

from siamlab.explore.page import script, style


class Panels(anywidget.AnyWidget):
    """Shows a scene; what the user does comes back as `event`."""

    _esm = script()
    _css = style()
    scene = traitlets.Dict().tag(sync=True)
    images = traitlets.Dict().tag(sync=True)  # data URIs by key
    event = traitlets.Dict().tag(sync=True)
    answered = traitlets.Int().tag(sync=True)  # count of the last event that was handled

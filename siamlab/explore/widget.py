"""Panels: the one widget of all explorers, and the script that it shares with exported pages."""

from importlib.resources import files

import anywidget
import traitlets

SCRIPT = files("siamlab") / "explore" / "panels.js"
STYLE = files("siamlab") / "explore" / "panels.css"


class Panels(anywidget.AnyWidget):
    """Shows a scene; what the user does comes back as `event`."""

    _esm = SCRIPT.read_text("utf-8")
    _css = STYLE.read_text("utf-8")
    scene = traitlets.Dict().tag(sync=True)
    images = traitlets.Dict().tag(sync=True)  # data URIs by key
    event = traitlets.Dict().tag(sync=True)

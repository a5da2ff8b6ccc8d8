"""Events: what a page or a widget sends when a user clicks, checked before it is applied.

kind_of_event({"panel": "a", "patch": 0})      # "patch"
"""

from collections.abc import Mapping
from typing import Any

from siamlab.component import UserError
from siamlab.machine.wording import shown

# what an event of each kind must have besides
EVENTS = {"control": ("value",), "patch": ("panel",), "parts": ("panel",), "box": ()}


def kind_of_event(event: Any) -> str:
    """Return which of EVENTS it is. Raises UserError for what no page sends."""
    found = [kind for kind in EVENTS if isinstance(event, Mapping) and kind in event]
    whole = found and all(part in event for part in EVENTS[found[0]])
    box = event["box"] if whole and found[0] == "box" else [0] * 4
    if not whole or not isinstance(box, list | tuple) or len(box) != 4:
        keys = f"one of {[*map(str, event)]}" if isinstance(event, Mapping) else shown(event)
        raise UserError(
            "event must be a dictionary as a page sends it, such as {'control': 'layer', 'value': "
            "1}, {'panel': 'a', 'patch': 0}, {'panel': 'plane', 'parts': [0]} or {'box': [0, 0, "
            f"0.5, 0.5]}}; got {keys}: reload the page"
        )
    return found[0]

"""An explorer as one HTML file that answers clicks without Python, from answers made before.

write_page(path, explorer)
"""

import html
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from siamlab.explore.scene import Control

if TYPE_CHECKING:
    from siamlab.explore.explorer import Explorer

# of a scene: alike in all answers
FIXED = "columns", "scales", "stops", "symbols", "legend", "jumps_title"

MOST = 24  # values of one slider that a page holds: each has pictures of its own
HERE = files("siamlab") / "explore"


def script() -> str:
    """The module of the widget, and of pages but for its last line, the export."""
    names = ("shapes.js", "input.js", "panels.js")
    return "\n".join((HERE / name).read_text("utf-8") for name in names)


def style() -> str:
    """Its style sheet."""
    return (HERE / "panels.css").read_text("utf-8")


def write_page(path: Path, explorer: "Explorer") -> Path:
    """The path. States are those of `Explorer.to_html`."""
    path.parent.mkdir(parents=True, exist_ok=True)  # before the answers, which take their time
    first, start = explorer.scene().as_dict(), _state(explorer)
    answers, images, moves = {}, explorer.pictures(), {}
    for name, values, selected in _events(explorer):
        moves[name] = {"values": values, "selected": selected}
        with explorer.at(values, selected):
            whole = explorer.scene().as_dict()
            answers[_key(explorer)] = {
                k: v for k, v in whole.items() if k not in FIXED or v != first[k]
            }
            images |= explorer.pictures(images)
    page = Template((HERE / "page.html").read_text("utf-8")).substitute(
        title=html.escape(explorer.title),
        style=style(),
        script=script().split("export default")[0],
        first=_json(first),
        start=_json(start),
        moves=_json(moves),
        answers=_json(answers),
        images=_json(images),
        held=_json(_held(explorer)),
    )
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(page, encoding="utf-8")
    return draft.replace(path)


def _events(
    explorer: "Explorer",
) -> Iterator[tuple[str, dict[str, Any], tuple[str, int] | None]]:
    """A click on every patch, brushes, every value of every control, boxes: name, what changes."""
    scene = explorer.scene()
    for panel in scene.panels:
        for patch in range(panel.parts):
            yield f"{panel.id} {patch}", *explorer.click(panel.id, patch)
    for panel, parts in explorer.brushes():
        yield f"{panel} {','.join(map(str, parts))}", *explorer.brushed(panel, parts)
    for control in scene.controls:
        for value in _range(control):
            yield f"{control.name} {value}", explorer.turned({control.name: value}), None
    for box in explorer.places():
        yield f"box {' '.join(map(str, box))}", {"box": box}, None


def _range(control: Control) -> list[Any]:
    """All options, or at most MOST values of a slider, those around its own."""
    if control.options:
        return list(control.options)
    first = max(control.low, min(control.value - MOST // 2, control.high - MOST + 1))
    return list(range(first, min(control.high, first + MOST - 1) + 1))


def _held(explorer: "Explorer") -> str:
    """What the page can answer, for the sentence that it cannot."""
    controls = explorer.scene().controls
    now = ", ".join(f"{c.label} {c.value}" for c in controls)
    cut = [(c.label, _range(c)) for c in controls if c.high - c.low >= MOST]
    parts = "".join(f"; {label} from {held[0]} to {held[-1]}" for label, held in cut)
    size = "; the box in no other size" if explorer.places() else ""
    return (
        f"This page does not hold that. It holds every click with {now}; and with its first click "
        f"each of these changed alone{parts}{size}. For all else open the notebook."
    )


def _state(explorer: "Explorer") -> dict[str, Any]:
    return {"values": explorer.values, "selected": list(explorer.selected)}


def _key(explorer: "Explorer") -> str:
    """As the script makes it: the values by name, then panel and patch."""
    values = [f"{name}={_text(value)}" for name, value in sorted(explorer.values.items())]
    return " ".join([*values, *map(str, explorer.selected)])


def _text(value: Any) -> str:
    """As JavaScript writes it: a list by commas, no zeros at the end of a number."""
    if isinstance(value, tuple | list):
        return ",".join(map(_text, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _json(value: Any) -> str:
    """JSON that cannot end its script element."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")

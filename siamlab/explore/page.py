"""An explorer as one HTML file that answers clicks without Python, from answers made beforehand.

write_page(path, "pair explorer", answers)      # the page opens with the first of the answers
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from siamlab.component import UserError
from siamlab.explore.answers import Answer, Patch
from siamlab.explore.held import Held
from siamlab.explore.scene import MOST, Control
from siamlab.explore.web.assets import page_script, style
from siamlab.machine.files import atomic, with_ending
from siamlab.train.access import ELSEWHERE, make_room, written

# parts of a scene that rarely differ between answers: stored once, and again where they differ
SHARED = "columns", "scales", "stops", "symbols", "legend", "jumps_title"


def write_page(
    path: Path,
    title: str,
    controls: Sequence[Control],
    answers: Iterator[Answer],
    hold: Callable[[], Held | None] = lambda: None,
) -> Path:
    """Write the page and return its path. `controls` are those of the first answer.

    Raises UserError for another suffix and for a path that cannot be written.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        name = with_ending(path, ".html", name="page")
        raise UserError(f"a page is .html; name its file {name}, not {path}")
    make_room(path)  # fails before the answers take their time
    data = page_data(controls, answers, hold)
    heading = title[0].upper() + title[1:]
    page = _template().render(title=heading, style=style(), script=page_script(), data=data)
    with written(path, ELSEWHERE), atomic(path) as draft:
        draft.write_text(page, encoding="utf-8")
    return path


def page_data(
    controls: Sequence[Control], answers: Iterator[Answer], hold: Callable[[], Held | None]
) -> dict[str, Any]:
    """Return what the script of a page answers from, as JSON can hold it.

    If `hold` returns what a page computes from, only the first answer is made.
    """
    first, held = next(answers), hold()
    moves, scenes, images = {}, {}, dict(held.images if held else first.images)
    if held:
        limits = [control._asdict() for control in held.controls]
        first = first._replace(scene=first.scene | {"controls": limits})
    for answer in () if held else answers:
        moves[answer.event] = answer.change._asdict()
        scenes[state_key(answer.values, answer.selected)] = _own_parts(answer, first)
        images |= answer.images
    return {
        "first": first.scene,
        "state": {"values": first.values, "selected": first.selected},
        "moves": moves,
        "scenes": scenes,
        "images": images,
        "refusal": refusal(controls, boxes=any(event.startswith("box ") for event in moves)),
        "held": {"scene": held.scene, "data": held.data} if held else None,
    }


def _own_parts(answer: Answer, first: Answer) -> dict[str, Any]:
    """The parts of a scene that the page cannot take from the first one."""
    scene = answer.scene.items()
    return {key: part for key, part in scene if key not in SHARED or part != first.scene[key]}


def state_key(values: Mapping[str, Any], selected: Patch) -> str:
    """The name of a state, as the script of the page makes it: values by name, panel and patch."""
    words = [f"{name}={_as_javascript(value)}" for name, value in sorted(values.items())]
    return " ".join([*words, *map(str, selected)])


def refusal(controls: Sequence[Control], boxes: bool) -> str:
    """Message shown for a state that was not exported: which are, and the way to the others."""
    now = ", ".join(f"{control.label} {control.value}" for control in controls)
    cut = [(c.label, c.nearby()) for c in controls if c.high - c.low >= MOST]
    ranges = "".join(f", {label} from {values[0]} to {values[-1]}" for label, values in cut)
    size = ", and the box in its present size only" if boxes else ""
    return (
        f"This page does not hold that answer. It holds every click with {now}; for the patch that "
        f"it opened with, it also holds each of these settings changed by itself{ranges}{size}. "
        "For any other answer, open the notebook."
    )


def _template():
    pages = Environment(
        loader=PackageLoader("siamlab", "explore/web"), autoescape=True, undefined=StrictUndefined
    )
    pages.policies["json.dumps_kwargs"] = {"separators": (",", ":")}  # in the order of the events
    return pages.get_template("page.html")


def _as_javascript(value: Any) -> str:
    """A value as JavaScript writes it: a list by commas, a number without zeros at its end."""
    if isinstance(value, tuple | list):
        return ",".join(map(_as_javascript, value))
    return f"{value:.12g}" if isinstance(value, float) else str(value)

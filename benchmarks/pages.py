"""Time of pages from the pointer to the repaint, and from a click on a photograph to its answer.

python -m benchmarks pages                # three ViT-S/16 at 224 pixels; a minute or two
python -m benchmarks pages --moves 100 --model vit_base_patch16_224

Times are read from the browser's own performance trace (headless Chromium): from the event that
the page gets to the end of the commit of the frame that shows its result. Each move is to another
patch; each click is on a photograph that the page has not shown, whose features the server has.
Weights are random, since the time does not depend on their values.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.browser import chromium
from benchmarks.measure import table
from benchmarks.serving import served
from benchmarks.site import random_model
from siamlab.evaluate.models import NamedModel
from siamlab.explore import ModelsExplorer
from siamlab.explore.view.encoders import Encoders
from siamlab.explore.view.photos import Album, Photo, shipped
from siamlab.explore.view.server import application
from siamlab.train.environment import environment

HOVER, CLICK = 16, 150  # milliseconds to stay below
CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "blink.user_timing"]
ANSWERED = """photo => { // a mark in the trace, in the frame that shows it in all panels
  const pictures = () => [...document.querySelectorAll(".panels img")];
  const done = () => pictures().every((image) => image.complete && image.src.endsWith(photo));
  const look = () => done() ? performance.mark("answered") : requestAnimationFrame(look);
  requestAnimationFrame(look);
}"""
PAINTED = """() => new Promise((done) => // the second frame from now begins: the first one is there
  requestAnimationFrame(() => requestAnimationFrame(done)))"""
MARKED = "() => performance.getEntriesByName('answered').length === 1"
TWICE = "() => window.shown.scene.panels[0].grid[1] === 2 * window.shown.scene.panels[0].grid[0]"


class Timing(NamedTuple):
    name: str
    times: list[float]  # milliseconds each
    limit: float  # milliseconds


def main() -> None:
    """Print a table with one row per page and action."""
    options = arguments()
    about = environment()
    named = random_model(options.model, img_size=options.size)
    models = [named._replace(name=name) for name in "abc"]
    print(f"three {options.model} at {options.size} pixels; {about['processor']}, ", end="")
    print(f"{about['cores']} cores, load before {os.getloadavg()[0]:.1f}; milliseconds\n")
    columns = ["page", "median", "least", "most", "times", "limit", "within it"]
    with chromium() as browser:
        found = [*view(browser, models, options.moves), exported(browser, models, options.moves)]
    print(table(columns, [cells(timing) for timing in found]))


def cells(timing: Timing) -> list[str]:
    """Return the cells of a row."""
    name, times, limit = timing
    told = statistics.median(times), min(times), max(times)
    within = sum(ms < limit for ms in times) / len(times)
    return [name, *(f"{ms:.1f}" for ms in told), str(len(times)), f"{limit:g}", f"{within:.0%}"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks pages", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    parser.add_argument("--moves", type=int, default=56, help="of the pointer (default 56)")
    parser.add_argument("--model", default="vit_small_patch16_224", help="a timm name")
    parser.add_argument("--size", type=int, default=224, help="side of the inputs in pixels")
    return parser.parse_args()


def view(browser: Any, models: Sequence[NamedModel], moves: int) -> Iterator[Timing]:
    """Yield the times of `siamlab view`: one photograph, two of them, and clicks on new ones."""
    encoders, photos = Encoders(models), shipped()
    for number in range(len(models)):
        for photo in photos:  # features exist before the clock starts
            encoders.patches(number, photo, encoders.about()[number]["layers"])
    with served(application(encoders, Album(photos), "secret")) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.wait_for_selector("[data-ready]", state="attached")
        yield Timing("siamlab view, pointer", hovers(browser, page, "b", moves), HOVER)
        yield Timing("the same, click on a photograph", clicks(browser, page, photos[1:]), CLICK)
        page.locator("select[name=beside]").select_option(index=1)
        page.wait_for_function(TWICE)
        yield Timing("the same, pointer over two", hovers(browser, page, "b", moves), HOVER)
        page.close()


def exported(browser: Any, models: Sequence[NamedModel], moves: int) -> Timing:
    """Return the times of an exported page of three models."""
    with tempfile.TemporaryDirectory() as folder:
        explorer = ModelsExplorer(models, image=0)
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.goto(explorer.to_html(Path(folder) / "models.html").as_uri())
        page.wait_for_selector('[data-panel="b similarity"] svg')
        times = hovers(browser, page, "b similarity", moves)
        page.close()
    return Timing("ModelsExplorer, exported, pointer", times, HOVER)


def hovers(browser: Any, page: Any, panel: str, moves: int) -> list[float]:
    """Move the pointer from patch to patch of a panel."""
    area = page.locator(f'[data-panel="{panel}"] svg').bounding_box()
    with traced(browser, page) as events:
        for i in range(moves):  # neither place is at the border of two of 14 or 28 patches
            x, y = (0.3303 * i + 0.018) % 1, (0.2137 * i + 0.037) % 1
            page.mouse.move(area["x"] + x * area["width"], area["y"] + y * area["height"])
            page.evaluate(PAINTED)
    return spans(events, "pointermove")


def clicks(browser: Any, page: Any, photos: Sequence[Photo]) -> list[float]:
    """Click one photograph after another."""
    found = []
    for photo in photos:
        page.evaluate("performance.clearMarks()")
        with traced(browser, page) as events:
            page.evaluate(ANSWERED, photo.id)
            page.locator(f'.strip [title="{photo.name}"]').click()
            page.wait_for_function(MARKED)
            page.evaluate(PAINTED)
        found += spans(events, "click", "answered")
    return found


@contextmanager
def traced(browser: Any, page: Any) -> Iterator[list[dict[str, Any]]]:
    """Record what the browser does; the events are there after the block."""
    events: list[dict[str, Any]] = []
    browser.start_tracing(page=page, categories=CATEGORIES)
    yield events
    events += json.loads(browser.stop_tracing())["traceEvents"]


def spans(events: Sequence[dict[str, Any]], kind: str, mark: str = "") -> list[float]:
    """Return the milliseconds from each event of a page to the frame that shows its result.

    That is the first one committed after it, or after the first `mark` since.
    """
    starts = [e["ts"] for e in events if e["name"] == "EventDispatch" and _type(e) == kind]
    marks = [e["ts"] for e in events if mark and e["name"] == mark]
    ends = [e["ts"] + e["dur"] for e in events if e["name"] == "Commit" and e["ph"] == "X"]
    found = []
    for start in starts:
        shown = min(ts for ts in marks if ts > start) if mark else start
        found.append((min(end for end in ends if end > shown) - start) / 1000)
    return found


def _type(event: dict[str, Any]) -> str:
    return event.get("args", {}).get("data", {}).get("type", "")


if __name__ == "__main__":
    main()

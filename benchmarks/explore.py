"""Time from a click to its result on the screen, in JupyterLab with a live kernel.

A click chooses another patch, or another image whose features exist by then.

python -m benchmarks explore                # a minute or two; needs the extras notebook and dev
python -m benchmarks explore --clicks 50 --model vit_base_patch16_224

Weights are random, since the time does not depend on their values; images are photographs, which
take longer to compress than noise. The time ends after the frame with the new sentence; passes of
images through models are counted in the kernel.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.browser import chromium
from benchmarks.lab import IDLE, notebook
from benchmarks.measure import table
from siamlab.train.environment import environment

CELL = """
import timm, torch
from sklearn.datasets import load_sample_images
from siamlab.explore import ModelsExplorer, PairExplorer
from siamlab.evaluate.models import NamedModel
passed = lambda *_: print(end=".", file=open("passes", "a"))
models = [timm.create_model("{model}").eval() for _ in range(2)]
for model in models: model.patch_embed.register_forward_hook(passed)
a, b = (NamedModel(name, model, None) for name, model in zip("ab", models))
photos = (torch.from_numpy(photo).permute(2, 0, 1) for photo in load_sample_images().images)
images = torch.stack([photo[:, :{size}, :{size}] for photo in photos])
{explorer}
"""
EXPLORERS = {  # the expression that creates one, and the panels to click
    "PairExplorer": ("PairExplorer(a, images, image=0)", ["a", "b"]),
    "ModelsExplorer, two models": (
        "ModelsExplorer([a, b], images, image=0)", ["a attention", "b similarity"],
    ),
}  # fmt: skip
TIMED = """([place, action, changing, kind]) => {
  window.answered = new Promise((done) => {
    let start = 0;
    document.querySelector(place).addEventListener(
      action, (event) => { start = event.timeStamp; }, { once: true });
    new MutationObserver(async (_, seen) => {
      seen.disconnect();
      const pictures = document.querySelectorAll(".panels img:not([hidden])");
      await Promise.all([...pictures].map((picture) => picture.decode()));
      requestAnimationFrame(() => { // then one message later: after the frame is painted
        const after = new MessageChannel();
        after.port1.onmessage = () => done(performance.now() - start);
        after.port2.postMessage(0);
      });
    }).observe(document.querySelector(`.siamlab-explorer ${changing}`), { [kind]: true });
  });
}"""
SLIDER = ".siamlab-explorer input[name=image]"


class Timing(NamedTuple):
    name: str
    clicks: list[float]  # milliseconds each
    shown: int  # passes until the first of them
    later: int  # passes during all of them


def main() -> None:
    """Print a table with two rows per explorer: other patches, and other images."""
    options = arguments()
    about = environment()
    print(
        f"{options.model} at {options.size} pixels; {about['processor']}, {about['cores']} cores, "
    )
    print(f"load before {os.getloadavg()[0]:.1f}; milliseconds of {options.clicks} clicks\n")
    columns = ["explorer", "median", "least", "most", "passes before", "passes of all clicks"]
    found = [timing for name in EXPLORERS for timing in measure(name, options)]
    print(table(columns, [cells(timing) for timing in found]))


def cells(row: Timing) -> list[str]:
    """Return the cells of an explorer's row."""
    times = statistics.median(row.clicks), min(row.clicks), max(row.clicks)
    return [row.name, *(f"{ms:.0f}" for ms in times), str(row.shown), str(row.later)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks explore", description=__doc__)
    parser.add_argument("--clicks", type=int, default=20)
    parser.add_argument("--model", default="vit_small_patch16_224", help="a timm name")
    parser.add_argument("--size", type=int, default=224, help="side of the images in pixels")
    return parser.parse_args()


def measure(name: str, options: argparse.Namespace) -> list[Timing]:
    """Choose another patch each time, panels in turn, the first time too; then other images."""
    code, panels = EXPLORERS[name]
    with tempfile.TemporaryDirectory() as folder, open_page(Path(folder), code, options) as page:
        passes = lambda: len((Path(folder) / "passes").read_text())  # noqa: E731
        before, clicks = passes(), []
        for i in range(options.clicks):
            x, y = (0.05 + 0.045 * i) % 0.95, (0.37 * i) % 0.95
            clicks.append(click(page, panels[i % len(panels)], x, y))
        found = [Timing(name, clicks, before, passes() - before)]
        for number in (1, 0):  # now features of both images exist
            choose(page, number)
        before = passes()
        changes = [choose(page, 1 - i % 2) for i in range(options.clicks)]
        return [*found, Timing(f"{name}, another image", changes, before, passes() - before)]


def click(page: Any, panel: str, x: float, y: float) -> float:
    """Click, and return the milliseconds until the frame that shows the result."""
    place = f'[data-panel="{panel}"] svg'
    area = page.locator(place).bounding_box()
    page.evaluate(TIMED, [place, "pointerdown", ".text", "childList"])
    page.mouse.click(area["x"] + x * area["width"], area["y"] + y * area["height"])
    return page.evaluate("window.answered")


def choose(page: Any, image: int) -> float:
    """Move the slider of images, and return the milliseconds until the frame that shows one."""
    page.evaluate(TIMED, [SLIDER, "input", ".panels img", "attributes"])
    page.locator(SLIDER).fill(str(image))
    return page.evaluate("window.answered")


@contextmanager
def open_page(folder: Path, code: str, options: argparse.Namespace) -> Iterator[Any]:
    """Open a page of JupyterLab that shows an explorer."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        with notebook(page, folder, CELL.format(explorer=code, **vars(options))):
            page.wait_for_function(IDLE)
            page.wait_for_timeout(2000)  # milliseconds, for all pictures to load
            yield page


if __name__ == "__main__":
    main()

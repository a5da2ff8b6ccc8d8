"""From the press of the mouse to the answer on the screen, in JupyterLab with a live kernel.

python -m benchmarks.explore                # a minute or two; needs the extras notebook and dev
python -m benchmarks.explore --clicks 50 --model vit_base_patch16_224

Random weights and images: what a click costs does not depend on what they say. The time ends after
the frame with the new sentence; passes are those of images through models, counted in the kernel.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.lab import IDLE, notebook
from benchmarks.measure import table
from siamlab.component import UserError
from siamlab.train.folder import environment

CELL = """
import timm, torch
from siamlab.explore import ModelsExplorer, PairExplorer
from siamlab.subject import Subject
passed = lambda *_: print(end=".", file=open("passes", "a"))
models = [timm.create_model("{model}").eval() for _ in range(2)]
for model in models: model.patch_embed.register_forward_hook(passed)
a, b = (Subject(name, model, None) for name, model in zip("ab", models))
images = torch.randint(0, 256, (2, 3, {size}, {size}), dtype=torch.uint8)
{explorer}
"""
EXPLORERS = {  # what is made, and the panels that are clicked
    "PairExplorer": ("PairExplorer(a, images, image=0)", ["a", "b"]),
    "ModelsExplorer, two models": (
        "ModelsExplorer([a, b], images, image=0)", ["a attention", "b similarity"],
    ),
}  # fmt: skip
TIMED = """panel => {
  const svg = document.querySelector(`[data-panel="${panel}"] svg`);
  window.answered = new Promise((done) => {
    let start = 0;
    svg.addEventListener("pointerdown", (event) => { start = event.timeStamp; }, { once: true });
    new MutationObserver((_, seen) => {
      seen.disconnect();
      requestAnimationFrame(() => { // then one message later: after the frame is painted
        const after = new MessageChannel();
        after.port1.onmessage = () => done(performance.now() - start);
        after.port2.postMessage(0);
      });
    }).observe(document.querySelector(".siamlab-explorer .text"), { childList: true });
  });
}"""


class Answer(NamedTuple):
    name: str
    clicks: list[float]  # milliseconds each
    shown: int  # passes until the explorer stood there
    later: int  # passes during all clicks


def main() -> None:
    """A table with a line an explorer."""
    given = arguments()
    about = environment()
    print(f"{given.model} at {given.size} pixels; {about['processor']}, {about['cores']} cores, ")
    print(f"load before {os.getloadavg()[0]:.1f}; milliseconds of {given.clicks} clicks\n")
    columns = ["explorer", "median", "least", "most", "passes to show", "passes of all clicks"]
    print(table(columns, [line(measured(name, given)) for name in EXPLORERS]))


def line(row: Answer) -> list[str]:
    """What the table says of an explorer."""
    times = statistics.median(row.clicks), min(row.clicks), max(row.clicks)
    return [row.name, *(f"{ms:.0f}" for ms in times), str(row.shown), str(row.later)]


def arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser("python -m benchmarks.explore", description=__doc__)
    words.add_argument("--clicks", type=int, default=20)
    words.add_argument("--model", default="vit_small_patch16_224", help="a timm name")
    words.add_argument("--size", type=int, default=224, help="of the model's images, in pixels")
    return words.parse_args()


def measured(name: str, given: argparse.Namespace) -> Answer:
    """Every click at another patch, the panels in turn; the first one is not left out."""
    code, panels = EXPLORERS[name]
    with tempfile.TemporaryDirectory() as made, opened(Path(made), code, given) as page:
        passes = Path(made) / "passes"
        shown = len(passes.read_text())
        clicks = [
            click(page, panels[i % len(panels)], (0.05 + 0.045 * i) % 0.95, (0.37 * i) % 0.95)
            for i in range(given.clicks)
        ]
        return Answer(name, clicks, shown, len(passes.read_text()) - shown)


def click(page: Any, panel: str, x: float, y: float) -> float:
    """Milliseconds from the press to the frame that answers it."""
    area = page.locator(f'[data-panel="{panel}"] svg').bounding_box()
    page.evaluate(TIMED, panel)
    page.mouse.click(area["x"] + x * area["width"], area["y"] + y * area["height"])
    return page.evaluate("window.answered")


@contextmanager
def opened(folder: Path, code: str, given: argparse.Namespace) -> Iterator[Any]:
    """A page of JupyterLab in which an explorer is to be seen."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise UserError("there is no chromium on the path; install one to measure clicks")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        with notebook(page, folder, CELL.format(explorer=code, **vars(given))):
            page.wait_for_function(IDLE)
            page.wait_for_timeout(2000)  # milliseconds; all pictures are there
            yield page
        browser.close()


if __name__ == "__main__":
    main()

"""From the press of the mouse to the answer on the screen, in JupyterLab with a live kernel.

python -m benchmarks.explore                # a minute or two; needs the extras notebook and dev
python -m benchmarks.explore --clicks 50 --model vit_base_patch16_224

Random weights and images: what a click costs does not depend on what they say. The time ends after
the frame with the new sentence; passes are those of images through models, counted in the kernel.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from siamlab.component import UserError
from siamlab.train.folder import environment

TOKEN = "for-the-benchmark"
WAIT = 180  # seconds for the server, the kernel and the first picture
FAILED = '[data-mime-type="application/vnd.jupyter.error"]'  # of an output
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
    """A line an explorer."""
    given = arguments()
    about = environment()
    print(f"{given.model} at {given.size} pixels; {about['processor']}, {about['cores']} cores, ")
    print(f"load before {os.getloadavg()[0]:.1f}; milliseconds of {given.clicks} clicks\n")
    print("| explorer | median | least | most | passes to show | passes of all clicks |")
    print("|" + " --- |" * 6)
    for name in EXPLORERS:
        row = measured(name, given)
        times = statistics.median(row.clicks), min(row.clicks), max(row.clicks)
        numbers = [f"{ms:.0f}" for ms in times] + [str(row.shown), str(row.later)]
        print(f"| {name} | " + " | ".join(numbers) + " |", flush=True)


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
    cell = nbformat.v4.new_code_cell(CELL.format(explorer=code, **vars(given)))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(notebook, folder / "x.ipynb")
    with lab(folder) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(1000 * WAIT)
        page.goto(f"{url}/lab/tree/x.ipynb?token={TOKEN}")
        page.locator(".jp-Notebook .jp-CodeCell").first.click()
        page.wait_for_function("document.body.innerText.includes('Idle')")
        page.keyboard.press("Shift+Enter")
        page.wait_for_selector(f".siamlab-explorer .panels img:not([hidden]), {FAILED}")
        if page.locator(FAILED).count():
            raise UserError(page.locator(FAILED).inner_text().strip().splitlines()[-1])
        page.wait_for_function("document.body.innerText.includes('Idle')")
        page.wait_for_timeout(2000)  # milliseconds; all pictures are there
        yield page
        page.goto("about:blank")  # before the server goes away
        browser.close()


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """JupyterLab on a free port of this machine, with a home of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = {"HOME": str(folder)} | {
        f"JUPYTER_{name}_DIR": str(folder / "home") for name in ("CONFIG", "DATA", "RUNTIME")
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", f"--IdentityProvider.token={TOKEN}", str(folder)]
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process = subprocess.Popen(command, env=os.environ | home, **quiet)
    try:
        url = f"http://127.0.0.1:{port}"
        wait(f"{url}/api?token={TOKEN}", process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait(url: str, process: subprocess.Popen) -> None:
    """Until the server answers. Raises UserError when it ends, or takes too long."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url) as answer:
                json.load(answer)
            return
        except OSError:
            time.sleep(0.3)
    raise UserError(f"JupyterLab did not answer within {WAIT} s; try `make lab` by hand")


if __name__ == "__main__":
    main()

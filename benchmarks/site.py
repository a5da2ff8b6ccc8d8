"""Time of an exported demo from a visitor's photograph to its answer, in Chromium on one thread.

python -m benchmarks site                 # networks of 32, 64 and 224 pixels; a minute or two

Each row is one page. The time starts when the photograph is chosen and ends after the frame that
shows the similarities of all its networks; reading, resizing and the networks are within it. Other
networks than `zoo:` have random weights, on whose values the time does not depend.
"""

import argparse
import os
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image

from benchmarks.browser import chromium
from benchmarks.measure import table
from siamlab.evaluate.models import NamedModel, open_models
from siamlab.explore.site.site import write_site
from siamlab.explore.view.photos import shipped
from siamlab.train.environment import environment

SIDES = 640, 480  # pixels of a visitor's photograph
ANSWERED = """() => {
  const panels = () => window.shown.scene.panels, before = panels()[0].image;
  const done = () => panels().every((p) => p.image !== before && p.heat && p.heat.values.length);
  window.answered = new Promise((resolve) => {
    document.querySelector("input[type=file]").addEventListener("change", () => {
      const start = performance.now();
      const look = () => done() ? resolve(performance.now() - start) : requestAnimationFrame(look);
      requestAnimationFrame(look);
    }, { once: true, capture: true });
  });
}"""


def cases() -> Iterator[tuple[str, list[NamedModel]]]:
    """Yield the networks of each page, with what they are called in the table."""
    yield "three of the zoo, 32 px", open_models(["zoo:siameseim", "zoo:mae", "zoo:moco_v3"])
    yield "ViT-Ti/8, 64 px", [random_model("vit_tiny_patch16_224", img_size=64, patch_size=8)]
    yield "ViT-S/16, 224 px", [random_model("vit_small_patch16_224")]


def random_model(name: str, **settings: int) -> NamedModel:
    torch.manual_seed(0)
    return NamedModel(name, timm.create_model(name, num_classes=0, **settings).eval(), None)


def main() -> None:
    """Print a table with one row per page."""
    options = arguments()
    about = environment()
    print(f"{about['processor']}, {about['cores']} cores, load before {os.getloadavg()[0]:.1f}; ")
    print(f"milliseconds of {options.photos} photographs of {SIDES[0]} × {SIDES[1]} pixels\n")
    rows = [row(name, measure(models, options.photos)) for name, models in cases()]
    print(table(["page", "median", "least", "most"], rows))


def row(name: str, times: list[float]) -> list[str]:
    """Return the cells of a page's row."""
    return [name, *(f"{ms:.0f}" for ms in (statistics.median(times), min(times), max(times)))]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks site", description=__doc__)
    parser.add_argument("--photos", type=int, default=7)
    return parser.parse_args()


def measure(models: list[NamedModel], photos: int) -> list[float]:
    """Choose one photograph after another; the first, after which all is loaded, does not count."""
    rng, times = torch.Generator().manual_seed(0), []
    with tempfile.TemporaryDirectory() as place, chromium() as browser:
        folder = write_site(models, shipped()[:2], Path(place) / "site")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        with served(folder) as address:
            page.goto(address)
            page.wait_for_selector("[data-ready]", state="attached")
            for number in range(photos + 1):
                width, height = SIDES
                pixels = torch.randint(0, 256, (height // 8, width // 8, 3), generator=rng).byte()
                file = Path(place) / f"{number}.jpg"
                Image.fromarray(pixels.numpy()).resize(SIDES, Image.Resampling.BICUBIC).save(file)
                times.append(choose(page, file))
    return times[1:]


def choose(page: Any, file: Path) -> float:
    """Choose a photograph, and return the milliseconds until the frame that shows its answers."""
    page.evaluate(ANSWERED)
    page.locator("input[type=file]").set_input_files(file)
    return page.evaluate("window.answered")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the folder's files on a free port of this machine."""
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()

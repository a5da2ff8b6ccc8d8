"""Explorers as a user meets them: exported pages and JupyterLab, clicked in a real browser."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from test_explore import plane_explorer

from siamlab.explore import EyeExplorer, ModelsExplorer, PairExplorer
from siamlab.recipes import demo_size, siameseim
from siamlab.train import train

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "for-the-test"
CELL = """
from siamlab.explore import PairExplorer
explorer = PairExplorer("zoo:siameseim")
explorer
"""
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page whose console must stay without errors."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(120_000)  # milliseconds; a busy machine is slow, not wrong
    said = []
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    page.close()
    ours = [text for text in said if "favicon" not in text]
    assert not ours


def click(page, panel, x, y):
    area = page.locator(f'[data-panel="{panel}"] svg').bounding_box()
    page.mouse.click(area["x"] + x * area["width"], area["y"] + y * area["height"])


def says(page, text):
    page.wait_for_function("t => document.querySelector('.text').textContent === t", arg=text)


def test_an_exported_page_answers_as_the_object_does(page, tmp_path):
    explorer = PairExplorer("zoo:mae", image=3)
    page.goto(explorer.to_html(tmp_path / "pair.html").as_uri())
    says(page, explorer.state["text"])
    for panel, patch in (("a", 3), ("b", 21)):
        click(page, panel, (patch % 5 + 0.5) / 5, (patch // 5 + 0.5) / 5)
        says(page, explorer.select(panel, patch).state["text"])
        marks = [m for p in explorer.scene().panels for m in p.marks if m.kind == "true"]
        assert page.locator(".panels path.true").count() == len(marks)
    jump = explorer.scene().jumps[2]
    page.get_by_text(jump.text, exact=True).click()
    says(page, explorer.select(jump.panel, jump.patch).state["text"])
    page.locator("input[name=layer]").fill("1")  # another patch at another layer: not held
    page.wait_for_function("document.querySelector('.text').textContent.includes('open the')")
    page.reload()
    page.locator("input[name=layer]").fill("2")
    says(page, PairExplorer("zoo:mae", image=3).set(layer=2).state["text"])


def test_a_page_is_used_by_keys_alone(page, tmp_path):
    explorer = PairExplorer("zoo:mae")
    page.goto(explorer.to_html(tmp_path / "pair.html").as_uri())
    page.locator('[data-panel="a"] svg').focus()
    for key in ("ArrowLeft", "ArrowUp", "ArrowUp", "Enter"):  # from the middle: row 1, column 2
        page.keyboard.press(key)
    says(page, explorer.select("a", 1).state["text"])


def test_a_head_is_chosen_below_and_shown_above(page, tmp_path):
    explorer = ModelsExplorer(["zoo:siameseim", "zoo:mae"])
    page.goto(explorer.to_html(tmp_path / "models.html").as_uri())
    click(page, "head 2", 0.5, 0.5)
    page.wait_for_function("document.querySelector('[data-panel=\"head 2\"].chosen') !== null")
    assert page.locator("select[name=head]").input_value() == "2"
    click(page, "zoo:mae similarity", 0.1, 0.1)
    page.wait_for_function("document.querySelector('.text').textContent.includes('open the')")
    page.locator("select[name=head]").select_option("mean")
    click(page, "zoo:mae similarity", 0.1, 0.1)
    says(page, explorer.select("zoo:mae similarity", 0).state["text"])


def test_the_box_of_the_predictors_eye_is_dragged(page, tmp_path):
    run = demo_size(siameseim()).change("data.images=64", "data.test_images=8", "steps=2")
    folder = train(run, tmp_path / "run")
    explorer = EyeExplorer(folder.path)
    page.goto(explorer.to_html(tmp_path / "eye.html").as_uri())
    says(page, explorer.state["text"])
    area = page.locator('[data-panel="context"] svg').bounding_box()
    place = lambda x, y: (area["x"] + x * area["width"], area["y"] + y * area["height"])  # noqa: E731
    page.mouse.move(*place(0.5, 0.5))
    page.mouse.down()
    page.mouse.move(*place(0.4, 0.4))
    page.mouse.move(*place(0.1, 0.99), steps=3)
    page.mouse.up()
    says(page, explorer.move(0.4, 0.0, 0.6, 0.6).state["text"])


def test_bars_and_points_are_clicked(page, tmp_path):
    explorer = plane_explorer()
    page.goto(explorer.to_html(tmp_path / "plane.html").as_uri())
    says(page, explorer.state["text"])
    click(page, "histogram", 0.19, 0.5)  # the first bar begins at 17 % of the chart
    says(page, explorer.select("histogram", 0).state["text"])
    page.reload()
    explorer.select("histogram", 11)
    chart = explorer.scene().panels[0].chart
    across, down = 1 - 0.17 - 0.03, 0.75 - 0.03 - 0.12  # as the script draws it
    point = 0.17 + chart.x[1] * across, (0.03 + (1 - chart.y[1]) * down) / 0.75
    click(page, "plane", *point)
    says(page, explorer.select("plane", 1).state["text"])
    assert page.locator("select[name=model]").input_value() == "zoo:mae"


def test_jupyterlab_and_its_kernel_agree(page, tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(notebook, tmp_path / "x.ipynb")
    with lab(tmp_path) as url:
        page.goto(f"{url}/lab/tree/x.ipynb?token={TOKEN}")
        page.locator(".jp-Notebook .jp-CodeCell").first.click(timeout=120_000)
        page.wait_for_function("document.body.innerText.includes('Idle')", timeout=120_000)
        page.keyboard.press("Shift+Enter")
        page.wait_for_selector(".siamlab-explorer .panels img", timeout=120_000)
        explorer = PairExplorer("zoo:siameseim")
        says(page, explorer.state["text"])
        click(page, "b", 0.3, 0.7)
        says(page, explorer.select("b", 16).state["text"])
        page.locator("input[name=layer]").fill("2")
        says(page, explorer.set(layer=2).state["text"])
        page.locator(".jp-Notebook .jp-CodeCell").nth(1).click()
        page.keyboard.type("print(explorer.state)")
        page.keyboard.press("Shift+Enter")
        said = page.locator(".jp-OutputArea-output pre").last
        said.wait_for(timeout=60_000)
        assert said.text_content().strip() == str(explorer.state)
        page.goto("about:blank")  # before the server goes away


class lab:
    """JupyterLab on a free port of this machine, with a home of its own."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        home = self.folder / "home"
        home.mkdir()
        places = {f"JUPYTER_{n}_DIR": str(home) for n in ("CONFIG", "DATA", "RUNTIME")}
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += [f"--port={port}", f"--IdentityProvider.token={TOKEN}", str(self.folder)]
        self.log = (self.folder / "lab.log").open("w")
        self.process = subprocess.Popen(
            command, env=os.environ | places | {"HOME": str(home)}, stdout=self.log,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(f"{url}/api?token={TOKEN}") as answer:
                    assert json.load(answer)["version"]
                return url
            except OSError:
                assert time.monotonic() < until and self.process.poll() is None
                time.sleep(0.3)

    def __exit__(self, *error):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.log.close()

"""Explorers as a user meets them: exported pages and JupyterLab, clicked in a real browser."""

import shutil
from pathlib import Path

import pytest
from test_explore import plane_explorer

from benchmarks.lab import notebook
from siamlab.explore import EyeExplorer, ModelsExplorer, PairExplorer
from siamlab.recipes import demo_size, siameseim
from siamlab.train import train

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HERE = str(Path(__file__).parent)
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


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """An exported plane of three models, and its object."""
    explorer = plane_explorer("zoo:siameseim", "zoo:mae", "zoo:moco_v3")
    return explorer, explorer.to_html(tmp_path_factory.mktemp("plane") / "plane.html").as_uri()


def at(page, panel, x, y):
    """A place of a panel's drawing, in pixels of the page."""
    area = page.locator(f'[data-panel="{panel}"] svg').bounding_box()
    return area["x"] + x * area["width"], area["y"] + y * area["height"]


def bar(i):
    """The middle of a bar, as the script draws it."""
    return 0.17 + (i + 0.5) / 12 * 0.8, 0.5


def point(explorer, i):
    chart = explorer.scene().panels[0].chart
    return 0.17 + chart.x[i] * 0.8, (0.03 + (1 - chart.y[i]) * 0.6) / 0.75


def drag(page, panel, start, end):
    page.mouse.move(*at(page, panel, *start))
    page.mouse.down()
    page.mouse.move(*at(page, panel, *end), steps=4)
    page.mouse.up()


def test_points_and_bars_are_brushed(page, plane):
    explorer, url = plane
    page.goto(url)
    drag(page, "histogram", bar(5), bar(3))
    explorer.brush("histogram", [3, 4, 5])
    says(page, explorer.state["text"])
    assert page.locator('[data-panel="histogram"] .column.chosen').count() == 3
    page.reload()
    explorer.brush("histogram", [11])
    (x, y), (to_x, to_y) = point(explorer, 0), point(explorer, 1)  # the highest, the middle one
    drag(page, "plane", (x + 0.05, y - 0.05), (to_x - 0.05, to_y + 0.05))
    explorer.brush("plane", [0, 1])
    says(page, explorer.state["text"])
    assert page.locator('[data-panel="plane"] .point.chosen').count() == 2
    options = page.locator("select[name=model] option")
    assert options.all_text_contents() == ["zoo:siameseim", "zoo:mae"]
    drag(page, "plane", (0.3, 0.05), (0.4, 0.1))  # nothing is there: nothing changes
    says(page, explorer.state["text"])
    click(page, "histogram", *bar(2))  # of two models: not held
    page.wait_for_function("document.querySelector('.text').textContent.includes('open the')")
    assert page.locator('[data-panel="plane"] .point.chosen').count() == 2
    explorer.select("plane", 0)


def test_a_press_that_hardly_moves_is_a_click(page, plane):
    explorer, url = plane
    page.goto(url)
    x, y = point(explorer, 1)
    x, y = at(page, "plane", x + 0.04, y)  # beside the point: a rectangle would be empty
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 2, y + 2)
    page.mouse.up()
    says(page, explorer.select("plane", 1).state["text"])
    explorer.select("plane", 0)


def test_brushes_by_keys(page, plane):
    explorer, url = plane
    page.goto(url)
    page.locator('[data-panel="histogram"] svg').focus()
    for key in ("ArrowLeft", "Enter", "Shift+ArrowLeft", "Shift+ArrowLeft"):  # 10, then 8 to 10
        page.keyboard.press(key)
    says(page, explorer.brush("histogram", [8, 9, 10]).state["text"])
    page.keyboard.press("Shift+ArrowRight")
    says(page, explorer.brush("histogram", [9, 10]).state["text"])
    page.reload()
    explorer.select("histogram", 11)
    page.locator('[data-panel="plane"] svg').focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+Enter"):
        page.keyboard.press(key)
    says(page, explorer.brush("plane", [0, 2]).state["text"])
    page.keyboard.press("Shift+Enter")  # and out again
    says(page, explorer.select("plane", 0).state["text"])
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+Enter")  # the last one stays
    says(page, explorer.state["text"])


def test_bars_are_brushed_by_touch(browser, plane):
    explorer, url = plane
    with browser.new_context(has_touch=True) as context:
        page = context.new_page()
        page.goto(url)
        finger = context.new_cdp_session(page)
        ways = [("touchStart", 3), ("touchMove", 4), ("touchMove", 6), ("touchEnd", None)]
        for kind, i in ways:
            points = (
                [] if i is None else [dict(zip("xy", at(page, "histogram", *bar(i)), strict=True))]
            )
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        says(page, explorer.brush("histogram", [3, 4, 5, 6]).state["text"])
        page.reload()
        page.touchscreen.tap(*at(page, "histogram", *bar(7)))
        says(page, explorer.select("histogram", 7).state["text"])
    explorer.select("histogram", 11)


def told(page, code):
    """What the kernel prints, from the last cell."""
    page.locator(".jp-Notebook .jp-CodeCell").last.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(f"print({code}, '.')")
    page.keyboard.press("ControlOrMeta+Enter")
    said = page.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output pre")
    said.get_by_text(" .").wait_for(timeout=60_000)
    return said.text_content().strip().removesuffix(" .")


def test_jupyterlab_and_its_kernel_agree(page, tmp_path):
    with notebook(page, tmp_path, CELL, ""):
        explorer = PairExplorer("zoo:siameseim")
        says(page, explorer.state["text"])
        click(page, "b", 0.3, 0.7)
        says(page, explorer.select("b", 16).state["text"])
        page.locator("input[name=layer]").fill("2")
        says(page, explorer.set(layer=2).state["text"])
        assert told(page, "explorer.state") == str(explorer.state)


def test_the_box_is_dragged_in_jupyterlab(page, tmp_path):
    cell = CELL.replace("PairExplorer", "EyeExplorer")
    with notebook(page, tmp_path, cell, ""):
        explorer = EyeExplorer("zoo:siameseim")
        says(page, explorer.state["text"])
        drag(page, "context", (0.5, 0.5), (0.1, 0.99))
        says(page, explorer.move(0.4, 0.0, 0.6, 0.6).state["text"])
        assert told(page, "explorer.state") == str(explorer.state)


def test_points_and_bars_are_brushed_in_jupyterlab(page, tmp_path):
    cell = """
from test_explore import plane_explorer
explorer = plane_explorer("zoo:siameseim", "zoo:mae", "zoo:moco_v3")
explorer"""
    page.set_viewport_size({"width": 1200, "height": 1500})  # all of the explorer at once
    with notebook(page, tmp_path, f"import sys; sys.path.insert(0, {HERE!r})" + cell, ""):
        explorer = plane_explorer("zoo:siameseim", "zoo:mae", "zoo:moco_v3")
        says(page, explorer.state["text"])
        (x, y), (to_x, to_y) = point(explorer, 0), point(explorer, 1)
        drag(page, "plane", (x + 0.05, y - 0.05), (to_x - 0.05, to_y + 0.05))
        says(page, explorer.brush("plane", [0, 1]).state["text"])
        drag(page, "histogram", bar(2), bar(6))
        says(page, explorer.brush("histogram", range(2, 7)).state["text"])
        page.locator("select[name=model]").select_option("zoo:mae")
        says(page, explorer.set(model="zoo:mae").state["text"])
        page.locator('[data-panel="histogram"] svg').press("Shift+ArrowRight")
        says(page, explorer.brush("histogram", range(2, 8)).state["text"])
        plane = page.locator('[data-panel="plane"] svg')
        for key in ("ArrowRight", "Shift+Enter"):  # which runs a cell anywhere else
            plane.press(key)
        says(page, explorer.brush("plane", [0, 1, 2]).state["text"])
        assert told(page, "explorer.state") == str(explorer.state)
        assert page.locator(".jp-Notebook .jp-CodeCell").count() == 2

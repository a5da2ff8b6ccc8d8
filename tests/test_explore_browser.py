"""Explorers as a user meets them: exported pages and JupyterLab, clicked in a real browser."""

import shutil
from pathlib import Path

import pytest
from test_explore import plane_explorer

from benchmarks.lab import notebook
from siamlab.explore import EyeExplorer, ModelsExplorer, PairExplorer
from siamlab.explore.page import script
from siamlab.recipes import demo_size, siameseim
from siamlab.train import train

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HERE = str(Path(__file__).parent)
CELL = """
from siamlab.explore import PairExplorer
explorer = PairExplorer("zoo:scenes_siameseim")
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
    picture = page.locator(f'[data-panel="{panel}"] svg')
    picture.scroll_into_view_if_needed()
    area = picture.bounding_box()
    page.mouse.click(area["x"] + x * area["width"], area["y"] + y * area["height"])


def says(page, text):
    page.wait_for_function("t => document.querySelector('.text').textContent === t", arg=text)


def test_an_exported_page_answers_as_the_object_does(page, tmp_path):
    explorer = PairExplorer("zoo:scenes_mae", image=3)
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
    page.wait_for_selector(".text:has-text('open the')", state="attached")
    page.reload()
    page.locator("input[name=layer]").fill("2")
    says(page, PairExplorer("zoo:scenes_mae", image=3).set(layer=2).state["text"])


def test_a_page_is_used_by_keys_alone(page, tmp_path):
    explorer = PairExplorer("zoo:scenes_mae")
    page.goto(explorer.to_html(tmp_path / "pair.html").as_uri())
    page.locator('[data-panel="a"] svg').focus()
    for key in ("ArrowLeft", "ArrowUp", "ArrowUp", "Enter"):  # from the middle: row 1, column 2
        page.keyboard.press(key)
    says(page, explorer.select("a", 1).state["text"])


def test_a_head_is_chosen_below_and_shown_above(page, tmp_path):
    explorer = ModelsExplorer(["zoo:scenes_siameseim", "zoo:scenes_mae"])
    page.goto(explorer.to_html(tmp_path / "models.html").as_uri())
    click(page, "head 2", 0.5, 0.5)
    page.wait_for_selector("[data-panel='head 2'].chosen", state="attached")
    assert page.locator("select[name=head]").input_value() == "2"
    click(page, "zoo:scenes_mae similarity", 0.1, 0.1)
    page.wait_for_selector(".text:has-text('open the')", state="attached")
    page.locator("select[name=head]").select_option("mean")
    click(page, "zoo:scenes_mae similarity", 0.1, 0.1)
    says(page, explorer.select("zoo:scenes_mae similarity", 0).state["text"])


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
    assert page.locator("select[name=model]").input_value() == "zoo:scenes_mae"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """An exported pair of views that stands far along its slider, and its object."""
    explorer = PairExplorer("zoo:scenes_mae", image=50)
    return explorer, explorer.to_html(tmp_path_factory.mktemp("pair") / "pair.html").as_uri()


def test_what_a_page_does_not_hold_is_told_and_the_controls_stay_as_the_picture_is(page, pair):
    explorer, url = pair
    page.goto(url)
    first = page.locator("input[name=image]")
    first.fill("45")  # near the one that is shown
    says(page, explorer.set(image=45).state["text"])
    explorer.set(image=50)
    first.fill("3")
    text = page.locator(".text").text_content()
    assert "does not hold that" in text and "image from 38 to 61" in text and "layer 4" in text
    assert first.input_value() == "45" and page.locator("label output").first.text_content() == "45"


def test_only_the_first_button_chooses(page, pair):
    explorer, url = pair
    page.goto(url)
    x, y = at(page, "a", 0.1, 0.1)
    for button in ("right", "middle"):
        page.mouse.click(x, y, button=button)
    says(page, explorer.state["text"])
    page.mouse.click(x, y)
    says(page, explorer.select("a", 0).state["text"])
    explorer.select("a", 12)


def test_keys_that_are_not_for_it_are_left_to_the_browser(page, pair):
    explorer, url = pair
    page.goto(url)
    page.evaluate("""() => { window.stopped = [];
        document.querySelector('[data-panel="a"] svg').addEventListener(
            "keydown", (event) => window.stopped.push(event.defaultPrevented)); }""")
    page.locator('[data-panel="a"] svg').focus()
    for key in ("Control+ArrowLeft", "Alt+Enter", "Meta+Enter", "x"):
        page.keyboard.press(key)
    assert not any(page.evaluate("window.stopped"))
    says(page, explorer.state["text"])
    for _ in range(3):  # two patches to the left of the middle, then nothing
        page.keyboard.press("ArrowLeft")
    assert page.evaluate("window.stopped").count(True) == 2
    page.keyboard.press("Enter")
    says(page, explorer.select("a", 10).state["text"])
    explorer.select("a", 12)


def test_a_control_that_has_the_focus_follows_the_scene(page, tmp_path):
    explorer = ModelsExplorer(["zoo:scenes_siameseim", "zoo:scenes_mae"])
    page.goto(explorer.to_html(tmp_path / "models.html").as_uri())
    head = page.locator("select[name=head]")
    head.focus()
    head.select_option("3")
    area = page.locator('[data-panel="head 2"] svg')
    for kind in ("pointerdown", "pointerup"):  # the focus stays where it is
        area.evaluate(
            "(svg, kind) => { svg.setPointerCapture = () => {}; "
            "svg.dispatchEvent(new PointerEvent(kind, { isPrimary: true })); }",
            kind,
        )
    page.wait_for_selector("[data-panel='head 2'].chosen", state="attached")
    assert page.evaluate("document.activeElement.name") == "head" and head.input_value() == "2"


def test_every_box_of_a_page_is_there_for_the_keys(page, tmp_path):
    explorer = EyeExplorer("zoo:siameseim")
    page.goto(explorer.to_html(tmp_path / "eye.html").as_uri())
    box = page.locator('[data-panel="context"] svg')
    box.focus()
    for step in ["ArrowUp", "ArrowLeft"] * 2:  # from the middle of five to the corner
        page.keyboard.press(step)
    held = [0.0, 0.1, 0.2, 0.3, 0.4]
    for row, top in enumerate(held):
        order = held if row % 2 == 0 else held[::-1]
        for column, left in enumerate(order):
            if column:
                page.keyboard.press("ArrowLeft" if row % 2 else "ArrowRight")
            says(page, explorer.move(top, left, 0.6, 0.6).state["text"])
        page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    before = explorer.move(0.3, 0.4, 0.6, 0.6).state["text"]
    says(page, before)
    page.keyboard.press("+")
    assert "the box in no other size" in page.locator(".text").text_content()


def test_a_finger_scrolls_over_patches_and_chooses_by_a_tap(browser, pair):
    explorer, url = pair
    with browser.new_context(has_touch=True, viewport={"width": 480, "height": 500}) as context:
        page = context.new_page()
        page.goto(url)
        finger = context.new_cdp_session(page)
        x, y = at(page, "a", 0.1, 0.5)
        ways = [("touchStart", 0), *(("touchMove", -15 * i) for i in range(1, 9))]
        for kind, up in ways:
            points = [{"x": x, "y": y + up}]
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_function("() => scrollY > 50")
        says(page, explorer.state["text"])
        page.touchscreen.tap(*at(page, "b", 0.1, 0.1))
        says(page, explorer.select("b", 0).state["text"])
    explorer.select("a", 12)


def test_a_second_view_of_a_widget_goes_on_counting(page):
    source = script().split("export default")[0]
    page.set_content(f"<body><script type=module>{source} window.mount = mount;</script>")
    page.wait_for_function("window.mount !== undefined")
    counts = page.evaluate(
        """(scene) => {
            const [held, seen] = [{ scene, images: {} }, []];
            const set = (name, value) => { held[name] = value; seen.push(value.count); };
            const model = { get: (name) => held[name], set, on() {}, save_changes() {} };
            const views = [1, 2].map(() => document.createElement("div"));
            for (const view of views) mount(model, view);
            for (const i of [0, 1, 0, 1]) views[i].querySelector("button").click();
            return seen; }""",
        PairExplorer("zoo:scenes_mae").scene().as_dict(),
    )
    assert counts == [1, 2, 3, 4]


def test_controls_have_room_on_a_narrow_screen(page, tmp_path):
    names = ["zoo:scenes_siameseim", "zoo:scenes_mae"]
    explorer = ModelsExplorer(names)
    file = explorer.to_html(tmp_path / "models.html")
    long = "a-model-of-a-very-long-name-" * 6
    file.write_text(file.read_text().replace("zoo:scenes_siameseim", long))
    page.set_viewport_size({"width": 480, "height": 800})
    page.goto(file.as_uri())
    right = page.evaluate(
        "Math.max(...[...document.querySelectorAll('select')]"
        ".map((each) => each.getBoundingClientRect().right))"
    )
    assert right <= 480


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """An exported plane of three models, and its object."""
    explorer = plane_explorer("zoo:scenes_siameseim", "zoo:scenes_mae", "zoo:scenes_moco_v3")
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
    assert options.all_text_contents() == ["zoo:scenes_siameseim", "zoo:scenes_mae"]
    drag(page, "plane", (0.3, 0.05), (0.4, 0.1))  # nothing is there: nothing changes
    says(page, explorer.state["text"])
    click(page, "histogram", *bar(2))  # of two models: not held
    page.wait_for_selector(".text:has-text('open the')", state="attached")
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
        explorer = PairExplorer("zoo:scenes_siameseim")
        says(page, explorer.state["text"])
        click(page, "b", 0.3, 0.7)
        says(page, explorer.select("b", 16).state["text"])
        page.locator("input[name=layer]").fill("2")
        says(page, explorer.set(layer=2).state["text"])
        assert told(page, "explorer.state") == str(explorer.state)


def test_the_box_is_dragged_in_jupyterlab(page, tmp_path):
    cell = CELL.replace("PairExplorer", "EyeExplorer").replace("scenes_", "")
    with notebook(page, tmp_path, cell, ""):
        explorer = EyeExplorer("zoo:siameseim")
        says(page, explorer.state["text"])
        drag(page, "context", (0.5, 0.5), (0.1, 0.99))
        says(page, explorer.move(0.4, 0.0, 0.6, 0.6).state["text"])
        assert told(page, "explorer.state") == str(explorer.state)


def test_points_and_bars_are_brushed_in_jupyterlab(page, tmp_path):
    cell = """
from test_explore import plane_explorer
explorer = plane_explorer("zoo:scenes_siameseim", "zoo:scenes_mae", "zoo:scenes_moco_v3")
explorer"""
    page.set_viewport_size({"width": 1200, "height": 1500})  # all of the explorer at once
    with notebook(page, tmp_path, f"import sys; sys.path.insert(0, {HERE!r})" + cell, ""):
        explorer = plane_explorer("zoo:scenes_siameseim", "zoo:scenes_mae", "zoo:scenes_moco_v3")
        says(page, explorer.state["text"])
        (x, y), (to_x, to_y) = point(explorer, 0), point(explorer, 1)
        drag(page, "plane", (x + 0.05, y - 0.05), (to_x - 0.05, to_y + 0.05))
        says(page, explorer.brush("plane", [0, 1]).state["text"])
        drag(page, "histogram", bar(2), bar(6))
        says(page, explorer.brush("histogram", range(2, 7)).state["text"])
        page.locator("select[name=model]").select_option("zoo:scenes_mae")
        says(page, explorer.set(model="zoo:scenes_mae").state["text"])
        page.locator('[data-panel="histogram"] svg').press("Shift+ArrowRight")
        says(page, explorer.brush("histogram", range(2, 8)).state["text"])
        plane = page.locator('[data-panel="plane"] svg')
        for key in ("ArrowRight", "Shift+Enter"):  # which runs a cell anywhere else
            plane.press(key)
        says(page, explorer.brush("plane", [0, 1, 2]).state["text"])
        assert told(page, "explorer.state") == str(explorer.state)
        assert page.locator(".jp-Notebook .jp-CodeCell").count() == 2

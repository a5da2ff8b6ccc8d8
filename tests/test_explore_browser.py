"""Explorers as a user meets them: exported pages and JupyterLab, clicked in a real browser."""

import re
from base64 import b64decode
from itertools import count
from pathlib import Path

import pytest
import torch
from pages import (
    at,
    becomes,
    click,
    comes_true,
    drag,
    expect,
    mentions,
    says,
    settles,
    waits,
    watched,
)
from test_explore import Brightness, plane_explorer

from benchmarks.lab import notebook
from siamlab.explore import EyeExplorer, ModelsExplorer, PairExplorer
from siamlab.explore.answers import Change
from siamlab.explore.web.assets import widget_script

NUMBERS = count()
HERE = str(Path(__file__).parent)
CELL = """
from siamlab.explore import PairExplorer
explorer = PairExplorer("zoo:scenes_siameseim")
explorer
"""


@pytest.fixture
def page(browser):
    with watched(browser, width=1200, height=900) as page:
        yield page


def exported(explorer, folder):
    """The object as it is exported, again and again, and the address of its page."""
    url, begun = explorer.to_html(folder / "page.html").as_uri(), explorer.state
    first = Change(dict(explorer.values), explorer.selected)
    while True:
        explorer.apply(first)
        assert explorer.state == begun
        yield explorer, url


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Views of one image that stands far along its slider."""
    return exported(PairExplorer("zoo:scenes_mae", image=50), tmp_path_factory.mktemp("pair"))


@pytest.fixture
def pair(pairs):
    return next(pairs)


@pytest.fixture(scope="module")
def model_pages(tmp_path_factory):
    models = ModelsExplorer(["zoo:scenes_siameseim", "zoo:scenes_mae"])
    return exported(models, tmp_path_factory.mktemp("models"))


@pytest.fixture
def models(model_pages):
    return next(model_pages)


@pytest.fixture(scope="module")
def eyes(tmp_path_factory):
    return exported(EyeExplorer("zoo:siameseim"), tmp_path_factory.mktemp("eye"))


@pytest.fixture
def eye(eyes):
    return next(eyes)


@pytest.fixture(scope="module")
def planes(tmp_path_factory):
    plane = plane_explorer("zoo:scenes_siameseim", "zoo:scenes_mae", "zoo:scenes_moco_v3")
    return exported(plane, tmp_path_factory.mktemp("plane"))


@pytest.fixture
def plane(planes):
    return next(planes)


def test_an_exported_page_answers_as_the_object_does(page, pair):
    explorer, url = pair
    page.goto(url)
    says(page, explorer.state["text"])
    for panel, patch in (("a", 3), ("b", 21)):
        click(page, panel, (patch % 5 + 0.5) / 5, (patch // 5 + 0.5) / 5)
        says(page, explorer.select(panel, patch).state["text"])
        marks = [m for p in explorer.scene().panels for m in p.marks if m.kind == "true"]
        expect(page.locator(".panels path.true")).to_have_count(len(marks))
    jump = explorer.scene().jumps[2]
    page.get_by_text(jump.text, exact=True).click()
    says(page, explorer.select(jump.panel, jump.patch).state["text"])


def drawn_as(page, explorer):
    """The heat and the marks of a page become those of the object, to a level of heat."""
    wanted = explorer.scene().as_dict()
    comes_true(page, lambda: same_scene(page.evaluate("window.shown.scene"), wanted))


def same_scene(shown, wanted):
    for key in ("text", "jumps", "jumps_title", "legend", "columns", "stops"):
        assert shown[key] == wanted[key], key
    assert {c["name"]: c["value"] for c in shown["controls"]} == {
        c["name"]: c["value"] for c in wanted["controls"]
    }
    assert [p["id"] for p in shown["panels"]] == [p["id"] for p in wanted["panels"]]
    for ours, theirs in zip(shown["panels"], wanted["panels"], strict=True):
        for key in ("title", "image", "grid", "chosen", "span", "still", "boxes"):
            assert ours[key] == theirs[key], key
        for key in ("marks", "arrows"):
            flat = [[v for v in (m.values() if key == "marks" else m)] for m in ours[key]]
            other = [[v for v in (m.values() if key == "marks" else m)] for m in theirs[key]]
            assert [pytest.approx(m, abs=2e-4) for m in flat] == other
        if theirs["heat"]:
            levels = [b64decode(panel["heat"]["levels"]) for panel in (ours, theirs)]
            assert max(abs(a - b) for a, b in zip(*levels, strict=True)) <= 1


def test_a_pair_page_answers_every_sequence(page, pair):
    explorer, url = pair
    page.goto(url)
    ends = page.evaluate("""() => Object.fromEntries([...document.querySelectorAll("input")]
        .map((each) => [each.name, [Number(each.min), Number(each.max)]]))""")
    assert ends["layer"] == [1, 4]
    assert all(low < high for low, high in ends.values())
    for name in ("image", "views", "layer"):  # a control, then a patch, then the next control
        page.locator(f"input[name={name}]").fill(str(ends[name][0]))
        drawn_as(page, explorer.set(**{name: ends[name][0]}))
        for panel, patch in (("a", 7), ("b", 18)):
            click(page, panel, (patch % 5 + 0.5) / 5, (patch // 5 + 0.5) / 5)
            drawn_as(page, explorer.select(panel, patch))


def test_a_page_of_models_answers_every_sequence(page, models):
    explorer, url = models
    page.goto(url)
    low = page.locator("input[name=image]").get_attribute("min")
    steps = [
        lambda: page.locator("input[name=image]").fill(low),
        lambda: click(page, "head 2", 0.5, 0.5),
        lambda: click(page, "zoo:scenes_mae similarity", 0.1, 0.7),
        lambda: page.locator("input[name=layer]").fill("1"),
        lambda: page.locator("select[name='heads of']").select_option("zoo:scenes_mae"),
        lambda: page.locator("input[name=head]").fill("3"),
        lambda: click(page, "zoo:scenes_siameseim attention", 0.9, 0.9),
    ]
    changes = [
        lambda: explorer.set(image=int(low)),
        lambda: explorer.select("head 2", 0),
        lambda: explorer.select("zoo:scenes_mae similarity", 15),
        lambda: explorer.set(layer=1),
        lambda: explorer.set(**{"heads of": "zoo:scenes_mae"}),
        lambda: explorer.set(head="3"),
        lambda: explorer.select("zoo:scenes_siameseim attention", 24),
    ]
    for step, change in zip(steps, changes, strict=True):
        step()
        drawn_as(page, change())


def test_the_value_under_the_pointer_is_shown(page, pair):
    explorer, url = pair
    page.goto(url)
    click(page, "a", 0.5, 0.5)  # pins the patch: else the one under the pointer is the next
    page.mouse.move(*at(page, "b", 0.1, 0.1))
    cosine = explorer.select("a", 12).scene().panels[2].heat.values[0]
    shown = page.locator('[data-panel="b"] .scale output')
    expect(shown).to_have_text(re.compile(r"^cosine −?[\d.]+$"))
    value = shown.text_content().replace("−", "-").removeprefix("cosine ")
    assert float(value) == pytest.approx(cosine, abs=0.01)
    page.mouse.move(2, 2)
    expect(shown).to_have_text("cosine")
    expect(page.locator('[data-panel="b"] .scale span')).to_have_text(["−1", "", "1"])


def patch_place(panel, patch):
    return panel, (patch % 5 + 0.5) / 5, (patch // 5 + 0.5) / 5


def test_a_pair_page_follows_the_pointer_until_a_click_pins(page, pair):
    explorer, url = pair
    assert url.startswith("file://")
    page.goto(url)
    hint = page.locator(".siamlab-hint")
    for panel, patch in (("a", 3), ("b", 21), ("b", 22)):
        page.mouse.move(*at(page, *patch_place(panel, patch)))
        drawn_as(page, explorer.select(panel, patch))
        expect(hint).to_have_text(re.compile("^Move over a patch"))
    page.mouse.move(2, 2)
    drawn_as(page, explorer)  # the last answer stays
    click(page, *patch_place("a", 7))
    page.mouse.move(*at(page, *patch_place("b", 4)))
    drawn_as(page, explorer.select("a", 7))
    expect(hint).to_have_text(re.compile("^Pinned"))
    click(page, *patch_place("a", 7))  # releases it
    page.mouse.move(*at(page, *patch_place("b", 4)))
    drawn_as(page, explorer.select("b", 4))
    click(page, *patch_place("b", 4))
    page.keyboard.press("Escape")
    page.mouse.move(*at(page, *patch_place("a", 0)))
    drawn_as(page, explorer.select("a", 0))


def test_a_page_of_models_follows_the_pointer_in_all_of_them(page, models):
    explorer, url = models
    page.goto(url)
    shown = ["zoo:scenes_mae similarity", "zoo:scenes_siameseim attention"]
    for panel, patch in zip(shown, (1, 18), strict=True):
        page.mouse.move(*at(page, *patch_place(panel, patch)))
        drawn_as(page, explorer.select(panel, patch))
    click(page, "head 2", 0.5, 0.5)  # chooses a head, and pins nothing
    drawn_as(page, explorer.select("head 2", 0))
    page.mouse.move(*at(page, *patch_place(shown[0], 9)))
    drawn_as(page, explorer.select(shown[0], 9))
    click(page, *patch_place(shown[0], 9))
    page.mouse.move(*at(page, *patch_place(shown[1], 2)))
    drawn_as(page, explorer)


@pytest.mark.parametrize("kind", ["pair", "models"])
def test_panels_stay_in_place_while_a_pointer_moves(browser, request, kind):
    explorer, url = request.getfixturevalue(kind)
    panel = "a" if kind == "pair" else "zoo:scenes_mae similarity"
    with watched(browser, width=480, height=900) as page:
        page.goto(url)
        page.locator(f'[data-panel="{panel}"] svg').scroll_into_view_if_needed()
        for patch in range(25):  # the longest text comes first or later
            page.mouse.move(*at(page, *patch_place(panel, patch)))
        tops = []
        for patch in range(25):
            page.mouse.move(*at(page, *patch_place(panel, patch)))
            tops.append(page.locator(f'[data-panel="{panel}"] svg').bounding_box()["y"])
        assert len(set(tops)) == 1


def test_a_page_is_used_by_keys_alone(page, pair):
    explorer, url = pair
    page.goto(url)
    page.locator('[data-panel="a"] svg').focus()
    for key in ("ArrowLeft", "ArrowUp", "ArrowUp", "Enter"):  # from the middle: row 1, column 2
        page.keyboard.press(key)
    says(page, explorer.select("a", 1).state["text"])


def test_a_head_is_chosen_below_and_shown_above(page, models):
    explorer, url = models
    page.goto(url)
    click(page, "head 2", 0.5, 0.5)
    page.wait_for_selector("[data-panel='head 2'].chosen", state="attached")
    head = page.locator("input[name=head]")
    expect(head).to_have_value("2")
    expect(head.locator("xpath=following-sibling::output")).to_have_text("head 2 of 4")
    head.press("Home")
    drawn_as(page, explorer.set(head="mean"))
    expect(head).to_have_attribute("aria-valuetext", "mean of 4 heads")
    click(page, "zoo:scenes_mae similarity", 0.1, 0.1)
    says(page, explorer.select("zoo:scenes_mae similarity", 0).state["text"])


@pytest.mark.slow
def test_the_box_of_the_predictors_eye_is_dragged(page, eye):
    explorer, url = eye
    page.goto(url)
    says(page, explorer.state["text"])
    ways = [at(page, "context", *place) for place in ((0.5, 0.5), (0.4, 0.4), (0.1, 0.99))]
    page.mouse.move(*ways[0])
    page.mouse.down()
    page.mouse.move(*ways[1])
    page.mouse.move(*ways[2], steps=3)
    page.mouse.up()
    says(page, explorer.move(0.4, 0.0, 0.6, 0.6).state["text"])


@pytest.mark.slow
def test_bars_and_points_are_clicked(page, plane):
    explorer, url = plane
    page.goto(url)
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
    expect(page.locator("select[name=model]")).to_have_value("zoo:scenes_mae")


def test_what_a_page_does_not_hold_is_told_and_the_controls_stay_as_the_picture_is(page, tmp_path):
    explorer = Brightness()  # its answers are made beforehand
    page.goto(explorer.to_html(tmp_path / "page.html").as_uri())
    click(page, "image", 0.9, 0.1)
    says(page, explorer.select("image", 1).state["text"])
    slider = page.locator("input[name=level]")
    slider.fill("4")  # another level with another patch
    mentions(page, "does not hold that")
    mentions(page, "brightness 2")
    expect(slider).to_have_value("2")


def test_a_page_of_the_eye_answers_every_sequence(page, eye):
    explorer, url = eye
    page.goto(url)
    drawn_as(page, explorer)
    context = page.locator('[data-panel="context"] svg')
    low = page.locator("input[name=image]").get_attribute("min")
    steps = [
        lambda: context.press("ArrowUp"),
        lambda: click(page, "match", 0.1, 0.1),
        lambda: page.locator("select[name=flip]").select_option("mirrored"),
        lambda: click(page, "target", 0.9, 0.3),
        lambda: page.locator("input[name=image]").fill(low),
        lambda: context.press("ArrowRight"),
    ]
    changes = [
        lambda: explorer.move(0.1, 0.2, 0.6, 0.6),
        lambda: explorer.select("match", 0),
        lambda: explorer.set(flip="mirrored"),
        lambda: explorer.select("target", 2 * 8 + 7),
        lambda: explorer.set(image=int(low)),
        lambda: explorer.move(0.1, 0.3, 0.6, 0.6),
    ]
    for step, change in zip(steps, changes, strict=True):
        step()
        drawn_as(page, change())
        wanted = explorer.data_uris()
        for name in ("context", "expected", "target"):
            picture = page.locator(f'[data-panel="{name}"] img')
            expect(picture).to_have_attribute("src", wanted[panel_image(explorer, name)])


def panel_image(explorer, name):
    return next(panel.image for panel in explorer.scene().panels if panel.id == name)


def test_only_the_first_button_chooses(page, pair):
    explorer, url = pair
    page.goto(url)
    corner, middle = at(page, "a", 0.1, 0.1), at(page, "a", 0.5, 0.5)
    for button in ("right", "middle"):
        page.mouse.click(*corner, button=button)
    page.mouse.move(*middle)  # the pointer is followed, since nothing was chosen
    says(page, explorer.select("a", 12).state["text"])
    page.mouse.click(*corner)
    drawn_as(page, explorer.select("a", 0))
    page.mouse.move(*middle)
    drawn_as(page, explorer)


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
    becomes(page, "window.stopped.filter(Boolean).length", 2)
    page.keyboard.press("Enter")
    says(page, explorer.select("a", 10).state["text"])


def test_a_control_that_has_the_focus_follows_the_scene(page, models):
    page.goto(models[1])
    head = page.locator("input[name=head]")
    head.focus()
    head.fill("3")
    area = page.locator('[data-panel="head 2"] svg')
    for kind in ("pointerdown", "pointerup"):  # the focus stays where it is
        area.evaluate(
            "(svg, kind) => { svg.setPointerCapture = () => {}; "
            "svg.dispatchEvent(new PointerEvent(kind, { isPrimary: true })); }",
            kind,
        )
    page.wait_for_selector("[data-panel='head 2'].chosen", state="attached")
    expect(head).to_have_value("2")
    assert page.evaluate("document.activeElement.name") == "head"


def test_every_box_of_a_page_is_there_for_the_keys(page, eye):
    explorer, url = eye
    page.goto(url)
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
    page.keyboard.press("+")  # of another size there is none
    mentions(page, "it holds the box in its present size only")
    page.keyboard.press("ArrowUp")
    says(page, explorer.move(0.2, 0.4, 0.6, 0.6).state["text"])
    expect(page.locator(".siamlab-hint")).to_contain_text("in the size that it has")


def test_a_finger_scrolls_over_patches_and_chooses_by_a_tap(browser, pair):
    explorer, url = pair
    with watched(browser, has_touch=True, width=480, height=500) as page:
        page.goto(url)
        finger = page.context.new_cdp_session(page)
        page.locator('[data-panel="a"] svg').scroll_into_view_if_needed()
        before = page.evaluate("scrollY")
        x, y = at(page, "a", 0.1, 0.5)
        ways = [("touchStart", 0), *(("touchMove", -15 * i) for i in range(1, 9))]
        for kind, up in ways:
            points = [{"x": x, "y": y + up}]
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        waits(page, "before => scrollY > before + 50", before)
        scrolled_to_its_end(page)
        says(page, explorer.state["text"])
        page.locator('[data-panel="b"] svg').scroll_into_view_if_needed()
        scrolled_to_its_end(page)
        page.touchscreen.tap(*at(page, "b", 0.1, 0.1))
        says(page, explorer.select("b", 0).state["text"])


def test_a_second_view_of_a_widget_goes_on_counting(page):
    source = widget_script().split("export default")[0]
    page.set_content(f"<body><script type=module>{source} window.mount = mount;</script>")
    waits(page, "() => window.mount !== undefined")
    counts = page.evaluate(
        """(scene) => {
            const [held, seen] = [{ scene, images: {} }, []];
            const set = (name, value) => { held[name] = value; seen.push(value.count); };
            const model = { get: (name) => held[name], set, on() {}, save_changes() {} };
            const views = [1, 2].map(() => document.createElement("div"));
            for (const view of views) mount(model, view);
            for (const i of [0, 1, 0, 1]) views[i].querySelector(".jumps button").click();
            return seen; }""",
        PairExplorer("zoo:scenes_mae").scene().as_dict(),
    )
    assert counts == [1, 2, 3, 4]


def test_controls_have_room_on_a_narrow_screen(page, models, tmp_path):
    file, long = tmp_path / "models.html", "a-model-of-a-very-long-name-" * 6
    shown = Path(models[1].removeprefix("file://")).read_text()
    file.write_text(shown.replace("zoo:scenes_siameseim", long))
    page.set_viewport_size({"width": 480, "height": 800})
    page.goto(file.as_uri())
    right = page.evaluate(
        "Math.max(...[...document.querySelectorAll('select')]"
        ".map((each) => each.getBoundingClientRect().right))"
    )
    assert right <= 480


@pytest.mark.parametrize("width, across", [(480, 1), (800, 3), (1280, 3), (1800, 3)])
def test_panels_use_the_width_and_stack_where_it_is_narrow(page, pair, width, across):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(pair[1])
    settles(page)
    areas = [page.locator(f'[data-panel="{name}"] .stage').bounding_box()
             for name in ("source", "a", "b")]  # fmt: skip
    assert len({round(area["x"]) for area in areas}) == across
    list_beside = 200 if width > 1040 else 0
    room = min(1500, width - 2 * 16 - 2 * 4 - list_beside)
    assert sum(area["width"] for area in areas[:across]) > 0.9 * room
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tops = [page.locator(".jumps button").nth(i).bounding_box()["y"] for i in (0, 1)]
    if width >= 800:  # a list beside the panels, or rows of it below them
        assert (tops[0] == tops[1]) == (width == 800)


def test_small_panels_stay_beside_each_other_where_it_is_narrow(page, models):
    page.set_viewport_size({"width": 480, "height": 900})
    page.goto(models[1])
    settles(page)
    area = lambda name: page.locator(f'[data-panel="{name}"] .stage').bounding_box()  # noqa: E731
    heads, top = [area(f"head {i}") for i in (1, 2, 3)], area("zoo:scenes_mae attention")
    assert len({round(head["y"]) for head in heads}) == 1 and top["width"] > 400


def test_a_setting_that_cannot_be_changed_is_named_without_a_slider(page, tmp_path):
    image = torch.randint(0, 256, (1, 3, 40, 40), dtype=torch.uint8)
    explorer = PairExplorer("zoo:scenes_mae", image, views=2)
    page.goto(explorer.to_html(tmp_path / "page.html").as_uri())
    slider, layer = (page.locator(f"input[name={name}]") for name in ("image", "layer"))
    expect(slider).to_be_hidden()
    expect(slider.locator("xpath=..")).to_be_visible()
    expect(slider.locator("xpath=..")).to_have_text("image0")
    expect(layer).to_be_visible()


def test_colour_is_turned_down_in_the_browser_alone(page, pair):
    explorer, url = pair
    page.goto(url)
    shown = "getComputedStyle(document.querySelector('[data-panel=a] canvas')).opacity"
    becomes(page, shown, "1")
    page.locator("input[name=colour]").fill("30")
    becomes(page, shown, "0.3")
    click(page, "b", 0.3, 0.7)  # another patch keeps it
    says(page, explorer.select("b", 16).state["text"])
    becomes(page, "window.shown.event.patch", 16)
    becomes(page, shown, "0.3")
    page.locator("input[name=colour]").press("Home")
    becomes(page, shown, "0")


def test_an_explorer_fills_the_screen_and_goes_on_answering(page, pair):
    explorer, url = pair
    page.goto(url)
    button = page.get_by_role("button", name="Full screen")
    button.click()
    waits(page, "() => document.fullscreenElement?.className === 'siamlab-explorer'")
    expect(page.get_by_role("button", name="Leave full screen")).to_be_visible()
    click(page, "b", 0.3, 0.7)
    says(page, explorer.select("b", 16).state["text"])
    page.get_by_role("button", name="Leave full screen").press("Enter")
    waits(page, "() => document.fullscreenElement === null")
    button.wait_for()


def test_a_brush_selects_no_text(page, plane):
    explorer, url = plane
    page.goto(url)
    says(page, explorer.state["text"])
    drag(page, "plane", (0.02, 0.1), (0.9, 0.98))
    assert page.evaluate("getSelection().toString()") == ""


def scrolled_to_its_end(page):
    """Wait until the page no longer glides: a tap before that stops it and does nothing else."""
    page.evaluate(
        """() => new Promise((rest) => {
            let before;
            const timer = setInterval(() => {
                if (scrollY === before) { clearInterval(timer); rest(); }
                before = scrollY; }, 300); })"""
    )


def bar(i):
    """The middle of a bar, as the script draws it."""
    return 0.17 + (i + 0.5) / 12 * 0.8, 0.5


def point(explorer, i):
    chart = explorer.scene().panels[0].chart
    return 0.17 + chart.x[i] * 0.8, (0.03 + (1 - chart.y[i]) * 0.6) / 0.75


def test_points_and_bars_are_brushed(page, plane):
    explorer, url = plane
    page.goto(url)
    drag(page, "histogram", bar(5), bar(3))
    explorer.brush("histogram", [3, 4, 5])
    says(page, explorer.state["text"])
    expect(page.locator('[data-panel="histogram"] .column.chosen')).to_have_count(3)
    page.reload()
    explorer.brush("histogram", [11])
    (x, y), (to_x, to_y) = point(explorer, 0), point(explorer, 1)  # the highest, the middle one
    drag(page, "plane", (x + 0.05, y - 0.05), (to_x - 0.05, to_y + 0.05))
    explorer.brush("plane", [0, 1])
    says(page, explorer.state["text"])
    expect(page.locator('[data-panel="plane"] .point.chosen')).to_have_count(2)
    options = page.locator("select[name=model] option")
    expect(options).to_have_text(["zoo:scenes_siameseim", "zoo:scenes_mae"])
    drag(page, "plane", (0.3, 0.05), (0.4, 0.1))  # nothing is there: nothing changes
    says(page, explorer.state["text"])
    click(page, "histogram", *bar(2))
    says(page, explorer.brush("histogram", [2]).state["text"])
    expect(page.locator('[data-panel="plane"] .point.chosen')).to_have_count(2)


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
    with watched(browser, has_touch=True) as page:
        page.goto(url)
        finger = page.context.new_cdp_session(page)
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


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A notebook in JupyterLab, with one kernel, whose first cell the tests write and run."""
    folder = tmp_path_factory.mktemp("lab")
    with watched(browser, width=1200, height=1500) as page:  # all of an explorer at once
        with notebook(page, folder, f"import sys; sys.path.insert(0, {HERE!r})\n{CELL}", ""):
            yield page


def run_first(page, source):
    """The first cell is this, and is run."""
    page.locator(".jp-Notebook .jp-CodeCell").first.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(source)
    page.keyboard.press("Shift+Enter")


def told(page, code):
    """Return what the kernel prints, from the last cell."""
    page.locator(".jp-Notebook .jp-CodeCell").last.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+a")
    end = f" end {next(NUMBERS)}"  # not that of what was printed before
    page.keyboard.type(f"print({code}, '{end.strip()}')")
    page.keyboard.press("ControlOrMeta+Enter")
    said = page.locator(".jp-CodeCell").last.locator(".jp-OutputArea-output pre")
    said.get_by_text(end).wait_for()
    return said.text_content().strip().removesuffix(end)


@pytest.mark.slow
def test_jupyterlab_and_its_kernel_agree(lab):
    explorer = PairExplorer("zoo:scenes_siameseim")
    says(lab, explorer.state["text"])
    click(lab, "b", 0.3, 0.7)
    says(lab, explorer.select("b", 16).state["text"])
    lab.locator("input[name=layer]").fill("2")
    says(lab, explorer.set(layer=2).state["text"])
    assert told(lab, "explorer.state") == str(explorer.state)


@pytest.mark.slow
def test_sliders_and_choices_keep_their_keys_in_jupyterlab(lab):
    run_first(lab, CELL.replace("PairExplorer", "ModelsExplorer"))
    explorer = ModelsExplorer("zoo:scenes_siameseim")
    says(lab, explorer.state["text"])
    layer, head = lab.locator("input[name=layer]"), lab.locator("input[name=head]")
    layer.focus()
    for key in ("ArrowLeft", "ArrowDown", "d", "d"):  # d, d deletes a cell
        lab.keyboard.press(key)
    says(lab, explorer.set(layer=2).state["text"])
    expect(layer).to_have_value("2")
    assert lab.evaluate("document.activeElement.name") == "layer"
    head.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        lab.keyboard.press(key)
    expect(head).to_have_value("1")
    assert lab.evaluate("document.activeElement.name") == "head"
    assert told(lab, "explorer.state") == str(explorer.set(head=1).state)
    assert lab.locator(".jp-Notebook .jp-CodeCell").count() == 2


@pytest.mark.slow
def test_the_box_is_dragged_in_jupyterlab(lab):
    run_first(lab, CELL.replace("PairExplorer", "EyeExplorer").replace("scenes_", ""))
    explorer = EyeExplorer("zoo:siameseim")
    says(lab, explorer.state["text"])
    drag(lab, "context", (0.5, 0.5), (0.1, 0.99))
    says(lab, explorer.move(0.4, 0.0, 0.6, 0.6).state["text"])
    assert told(lab, "explorer.state") == str(explorer.state)


@pytest.mark.slow
def test_points_and_bars_are_brushed_in_jupyterlab(lab, plane):
    run_first(
        lab,
        """
from test_explore import plane_explorer
explorer = plane_explorer("zoo:scenes_siameseim", "zoo:scenes_mae", "zoo:scenes_moco_v3")
explorer""",
    )
    explorer, _ = plane
    says(lab, explorer.state["text"])
    (x, y), (to_x, to_y) = point(explorer, 0), point(explorer, 1)
    drag(lab, "plane", (x + 0.05, y - 0.05), (to_x - 0.05, to_y + 0.05))
    says(lab, explorer.brush("plane", [0, 1]).state["text"])
    drag(lab, "histogram", bar(2), bar(6))
    says(lab, explorer.brush("histogram", range(2, 7)).state["text"])
    lab.locator("select[name=model]").select_option("zoo:scenes_mae")
    says(lab, explorer.set(model="zoo:scenes_mae").state["text"])
    lab.locator('[data-panel="histogram"] svg').press("Shift+ArrowRight")
    says(lab, explorer.brush("histogram", range(2, 8)).state["text"])
    shown = lab.locator('[data-panel="plane"] svg')
    for key in ("ArrowRight", "Shift+Enter"):  # which runs a cell anywhere else
        shown.press(key)
    says(lab, explorer.brush("plane", [0, 1, 2]).state["text"])
    assert told(lab, "explorer.state") == str(explorer.state)
    assert lab.locator(".jp-Notebook .jp-CodeCell").count() == 2


@pytest.mark.slow
def test_a_widget_without_its_kernel_says_so_and_answers_alone(lab):
    run_first(lab, CELL)
    explorer = PairExplorer("zoo:scenes_siameseim")
    says(lab, explorer.state["text"])
    assert not lab.locator(".siamlab-explorer .gone").is_visible()
    lab.get_by_role("button", name="Keep answers").click()
    lab.get_by_role("button", name="Answers kept").wait_for()
    lab.locator(".jp-Notebook .jp-CodeCell").last.locator(".cm-content").click()
    lab.keyboard.press("Escape")
    lab.keyboard.press("0")
    lab.keyboard.press("0")
    lab.locator(".jp-Dialog .jp-mod-accept").click()
    note = lab.locator(".siamlab-explorer .gone")
    expect(note).to_be_visible(timeout=20_000)  # milliseconds; without a click
    expect(note).to_contain_text("run this cell again")
    note.get_by_role("button", name="Answer without the kernel").click()
    click(lab, "b", 0.05, 0.95)
    says(lab, explorer.select("b", 20).state["text"])


def test_an_event_without_an_answer_is_told(page):
    source = widget_script().split("export default")[0].replace("PATIENCE = 5000", "PATIENCE = 50")
    page.set_content(f"<body><script type=module>{source} window.mount = mount;</script>")
    waits(page, "() => window.mount !== undefined")
    page.evaluate(
        """(scene) => {
            const held = { scene, images: {}, answered: 0 };
            const set = (name, value) => { held[name] = value; };
            window.listeners = {};
            const on = (name, call) => { window.listeners[name] = call; };
            const el = document.body.appendChild(document.createElement("div"));
            mount({ get: (name) => held[name], set, on, save_changes() {} }, el);
            window.held = held; }""",
        PairExplorer("zoo:scenes_mae").scene().as_dict(),
    )
    note = page.locator(".gone")
    assert not note.is_visible()
    page.locator(".jumps button").first.click()
    page.locator(".gone:visible").wait_for()
    expect(note).to_contain_text("No answer yet")
    page.evaluate("window.held.answered = 1; window.listeners['change:answered']()")
    expect(note).to_be_hidden()

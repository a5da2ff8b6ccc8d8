"""The page of `siamlab view` as a widget: in a cell of its own making, and in JupyterLab."""

import base64
import json
import re

import pytest
import torch
import torch.nn.functional as F
from pages import at, click, comes_true, expect, mentions, settles, waits, watched
from test_view import file, noise

from benchmarks.lab import notebook
from siamlab import open_models, probe
from siamlab.explore import Viewer
from siamlab.explore.view.photos import shipped
from siamlab.explore.web.assets import cell_script, view_style

MODELS = ["zoo:siameseim", "zoo:mae"]
LAST = 6
# A cell with the model of a widget, as anywidget hands it over: `python` answers what it sends.
CELL = """async ([script, link]) => {
    const source = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const module = await import(source);
    const listeners = {};
    const tell = (name, ...words) => [...listeners[name] ?? []].forEach((call) => call(...words));
    const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const textOf = (buffer) => (
        btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("")));
    const held = { link };
    const model = {
        get: (name) => held[name],
        set: (name, value) => { held[name] = value; tell(`change:${name}`); },
        save_changes: () => window.python({ link: held.link }, []),
        on: (name, call) => { (listeners[name] ??= new Set()).add(call); },
        off: (name, call) => { listeners[name]?.delete(call); },
        send: async (content, _, buffers) => {
            if (window.dead) return;
            for (const [reply, parts] of await window.python(content, buffers.map(textOf))) {
                tell("msg:custom", reply, parts.map((part) => new DataView(bytesOf(part).buffer)));
            }
        },
    };
    const show = async () => {
        const el = document.body.appendChild(document.createElement("div"));
        return [await module.default.render({ model, el }), el.firstChild];
    };
    Object.assign(window, { model, tell, listeners, show });
    window.shown = (await show())[1].shown;
}"""


@pytest.fixture(scope="module")
def models():
    return open_models(MODELS)


@pytest.fixture
def viewer(models):
    return Viewer(models, device="cpu")


@pytest.fixture
def page(browser, viewer):
    with watched(browser, width=1000, height=900) as page:
        opened(page, viewer)
        yield page


def opened(page, viewer):
    """Show a viewer in a page as a notebook does."""
    widget, replies = viewer.widget(), []
    widget.send = lambda content, buffers: replies.append(
        [content, [base64.b64encode(part).decode() for part in buffers]]
    )

    def python(content, buffers):
        if "link" in content:
            widget.link = content["link"]
        else:
            widget._handle_custom_msg(content, [base64.b64decode(part) for part in buffers])
        told = list(replies)
        replies.clear()
        return told

    page.expose_function("python", python)
    page.set_content(f"<style>{view_style()}</style><body>")
    page.evaluate(CELL, [cell_script(), viewer.link])
    page.wait_for_selector("[data-ready]", state="attached")


def layer(named, photo, number=LAST):
    return probe.by_layer(named.model, photo.pixels[None], "patches")[number - 1][0]


def cosines(x, patch):
    return F.normalize(x[patch], dim=0) @ F.normalize(x, dim=1).T


def shows(page, panel, wanted):
    """Wait until a panel shows these values, a tensor."""

    def check():
        heat = "id => [...window.shown.scene.panels.find((p) => p.id === id).heat.values]"
        assert page.evaluate(heat, panel) == pytest.approx(wanted.tolist(), abs=2e-3)

    comes_true(page, check)


def hover(page, panel, patch):
    row, column = divmod(patch, 8)
    page.mouse.move(*at(page, panel, (column + 0.5) / 8, (row + 0.5) / 8))


def test_the_pointer_and_a_click_are_answered_with_the_numbers_of_python(page, viewer, models):
    photo = shipped()[0]
    hover(page, "zoo:mae", 9)
    for named in models:
        shows(page, named.name, cosines(layer(named, photo), 9))
    assert viewer.state["patch"] is None  # a pointer that passes is no choice
    click(page, "zoo:mae", 0.3, 0.3)
    mentions(page, "Pinned")
    comes_true(page, lambda: has(viewer, view="zoo:siameseim", patch=18))
    for name, panel in zip(MODELS, viewer.scene()["panels"], strict=True):
        shows(page, name, torch.tensor(panel["heat"]["values"]))


def has(viewer, **wanted):
    state = viewer.state
    assert {key: state.get(key) for key in wanted} == wanted


def test_overlays_and_settings_are_in_step_with_python(page, viewer):
    page.locator('[data-show="segments"]').click()
    page.locator("input[name=k]").fill("6")
    comes_true(page, lambda: has(viewer, show="segments", k=6))
    page.locator(".strip button").nth(2).click(modifiers=["Shift"])
    comes_true(page, lambda: has(viewer, photo="chelsea", beside="coffee"))
    viewer.set(show="components", photo="raccoon", beside="nothing", patches="all")
    page.evaluate("link => window.model.set('link', link)", viewer.link)
    expect(page.get_by_role("radio", name="components")).to_have_attribute("aria-checked", "true")
    expect(page.locator(".strip .shown")).to_have_attribute("title", "raccoon")
    expect(page.locator("select[name=patches]")).to_have_value("all")
    wanted = viewer.scene()["panels"][0]["heat"]["rgba"]
    comes_true(page, lambda: colours_are(page, wanted))


def colours_are(page, wanted):
    assert page.evaluate("[...window.shown.scene.panels[0].heat.rgba ?? []]") == wanted


def test_a_photograph_is_added_and_python_has_it(page, viewer):
    data = file(noise(1500, 1500))
    assert len(data) > 4e6  # of more than one message
    given = [{"name": "mine.png", "mimeType": "image/png", "buffer": data}]
    page.set_input_files("input[type=file]", given)
    expect(page.locator(".strip .shown")).to_have_attribute("title", "mine.png")
    comes_true(page, lambda: has(viewer, photo="mine.png"))
    give = """numbers => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(numbers)], "pasted.png", { type: "image/png" }));
        document.querySelector(".strip").dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: data, bubbles: true })); }"""
    page.evaluate(give, list(file(noise(30, 40))))
    expect(page.locator(".strip .shown")).to_have_attribute("title", "pasted.png")
    wrong = [{"name": "page.svg", "mimeType": "image/png", "buffer": b"<svg/>"}]
    page.set_input_files("input[type=file]", wrong)
    expect(page.locator(".alert")).to_have_text(re.compile("^page.svg is not a photograph"))


def test_two_views_of_a_widget_share_its_state(page, viewer):
    page.evaluate("async () => { window.second = await window.show(); }")
    roots = page.locator(".siamlab-view")
    expect(roots).to_have_count(2)
    roots.first.locator('[data-show="attention"]').click()
    chosen = roots.nth(1).get_by_role("radio", name="attention")
    expect(chosen).to_have_attribute("aria-checked", "true")
    given = [{"name": "mine.png", "mimeType": "image/png", "buffer": file(noise(50, 60))}]
    roots.nth(1).locator("input[type=file]").set_input_files(given)
    expect(roots.first.locator(".strip .shown")).to_have_attribute("title", "mine.png")
    comes_true(page, lambda: has(viewer, show="attention", photo="mine.png"))
    count = "() => Object.values(window.listeners).reduce((sum, each) => sum + each.size, 0)"
    before = page.evaluate(count)
    page.evaluate("() => window.second[0]()")  # the second one is closed
    assert page.evaluate(count) == before - 3


def test_without_its_kernel_a_cell_says_so_and_goes_on_with_what_it_has(page, models):
    hover(page, "zoo:mae", 9)
    mentions(page, "row 2, column 2")
    page.evaluate("() => { window.dead = true; window.tell('comm_live_update'); }")
    alert = page.locator(".alert")
    expect(alert).to_contain_text("run this cell again")
    hover(page, "zoo:mae", 35)
    shows(page, "zoo:siameseim", cosines(layer(models[0], shipped()[0]), 35))
    page.locator(".strip button").nth(1).click()  # whose features are not here
    expect(alert).to_contain_text("run this cell again")
    expect(page.locator(".strip .shown")).to_have_attribute("title", "chelsea")


def test_a_kernel_that_is_busy_is_told(browser, viewer):
    with watched(browser, width=1000, height=900) as page:
        opened(page, viewer)
        page.clock.install()
        page.evaluate("() => { window.dead = true; }")
        page.locator(".strip button").nth(1).click()
        page.clock.run_for(6000)  # milliseconds
        expect(page.locator(".alert")).to_contain_text("the kernel is busy")


@pytest.mark.parametrize("theme", ["true", "false"])
def test_a_cell_is_as_light_as_its_notebook_and_fits_it(page, theme):
    page.evaluate("theme => { document.body.dataset.jpThemeLight = theme; }", theme)
    page.set_viewport_size({"width": 480, "height": 900})
    settles(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 480
    ink, paper = page.locator(".siamlab-view").evaluate(
        "el => ['color', 'backgroundColor'].map((key) => getComputedStyle(el)[key])"
    )
    light = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
    assert (light[0] < light[1]) == (theme == "true")


def test_keys_stay_in_the_cell(page):
    page.evaluate("() => { window.keys = []; document.addEventListener('keydown', "
                  "({ key }) => window.keys.push(key)); }")  # fmt: skip
    page.locator('[data-show="similarity"]').focus()
    for key in ("ArrowRight", "d", "Escape", "Control+v"):
        page.keyboard.press(key)
    expect(page.get_by_role("radio", name="components")).to_have_attribute("aria-checked", "true")
    page.keyboard.press("Shift+Enter")  # runs the cell, as everywhere
    assert page.evaluate("window.keys") == ["Control", "Enter"]


def test_a_cell_fills_the_screen(page):
    page.get_by_role("button", name="Full screen").click()
    waits(page, "() => document.fullscreenElement?.classList.contains('siamlab-view')")
    page.get_by_role("button", name="Leave full screen").click()
    waits(page, "() => document.fullscreenElement === null")


IN_LAB = """
from siamlab.explore import Viewer
viewer = Viewer(["zoo:siameseim", "zoo:mae"])
viewer
"""


@pytest.mark.slow
def test_jupyterlab_and_its_kernel_agree(browser, tmp_path):
    with watched(browser, width=1200, height=1500) as page:
        with notebook(page, tmp_path, IN_LAB, "print(viewer.set(layer=3).state)"):
            click(page, "zoo:mae", 0.3, 0.3)
            mentions(page, "Pinned")
            page.locator('[data-show="attention"]').click()
            mentions(page, "Where the patch")
            cell = page.locator(".jp-Notebook .jp-CodeCell").last
            page.wait_for_timeout(1000)  # milliseconds: until the state is sent
            cell.locator(".cm-content").click()
            page.keyboard.press("ControlOrMeta+Enter")
            said = cell.locator(".jp-OutputArea-output pre")
            said.wait_for()
            told = json.loads(said.text_content().replace("'", '"'))
            assert (told["show"], told["view"], told["patch"]) == ("attention", "zoo:siameseim", 18)
            expect(page.locator("input[name=layer]")).to_have_value("3")

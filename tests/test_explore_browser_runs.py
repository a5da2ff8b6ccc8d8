"""Explorers of runs, clicked in a real browser: pixels that a run predicts, and a study's path."""

import math

import pytest
import torch
from pages import at, click, comes_true, expect, mentions, says, settles, watched
from test_explore import masked_run, path_explorer, reconstruction_explorer
from test_explore_browser import CELL, HERE, drawn_as, exported, told
from test_explore_path import panel_of

from benchmarks.lab import notebook

IMAGES = ("seen", "reconstruction", "image")  # panels that are clicked
WIDTHS = pytest.mark.parametrize("width", [480, 1280])
THEMES = pytest.mark.parametrize("theme", ["light", "dark"])


@pytest.fixture
def page(browser):
    with watched(browser, width=1200, height=900) as page:
        yield page


@pytest.fixture(scope="module")
def reconstructions(tmp_path_factory):
    return exported(reconstruction_explorer(), tmp_path_factory.mktemp("reconstruction"))


@pytest.fixture
def reconstruction(reconstructions):
    return next(reconstructions)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return exported(path_explorer(), tmp_path_factory.mktemp("path"))


@pytest.fixture
def path(paths):
    return next(paths)


def patch_clicked(page, panel, patch):
    row, column = divmod(patch, 5)
    click(page, panel, (column + 0.5) / 5, (row + 0.5) / 5)


PIXELS = """async ([source, width, height]) => {
    const image = Object.assign(new Image(), { src: source });
    await image.decode();
    const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(image, 0, 0, width, height);
    return [...pen.getImageData(0, 0, width, height).data]; }"""


def shows_images_of(page, explorer):
    """The pictures of all panels become those of the object, to the pixel."""
    comes_true(page, lambda: same_images(page, explorer))


def same_images(page, explorer):
    wanted, images = explorer.data_uris(), explorer.images()
    for panel in explorer.scene().panels:
        if panel.image:
            shown = page.locator(f'[data-panel="{panel.id}"] img').get_attribute("src")
            if shown == wanted[panel.image]:
                continue
            _, height, width = images[panel.image].shape  # a part that the page cut out itself
            data = torch.tensor(page.evaluate(PIXELS, [shown, width, height]))
            pixels = data.view(height, width, 4)[..., :3].permute(2, 0, 1)
            assert torch.equal(pixels, images[panel.image].long()), panel.id


def reads(page, panel, patch, title, wanted):
    """Move the pointer over a patch; wait until the scale says its value to two digits."""
    row, column = divmod(patch, 5)
    page.mouse.move(*at(page, panel, (column + 0.5) / 5, (row + 0.5) / 5))
    said = page.locator(f'[data-panel="{panel}"] .scale output')

    def check():
        value = said.text_content().replace("−", "-").removeprefix(title).strip()
        if isinstance(wanted, str):
            assert value == wanted
        else:
            assert value and float(value) == pytest.approx(wanted, abs=0.01)

    comes_true(page, check)


def test_a_click_shows_what_was_predicted_of_a_patch(page, reconstruction):
    explorer, url = reconstruction
    page.goto(url)
    says(page, explorer.state["text"])
    hidden = explorer.reconstructed().hidden
    for panel, patch in zip(
        IMAGES, (*hidden.nonzero()[:2, 0], (~hidden).nonzero()[0]), strict=True
    ):
        patch_clicked(page, panel, int(patch))
        says(page, explorer.select(panel, int(patch)).state["text"])
        drawn_as(page, explorer)
        shows_images_of(page, explorer)
        if hidden[patch]:
            lost = explorer.reconstructed().lost[patch]
            mentions(page, f"{lost:.2f} of its variance is lost")


def test_a_page_of_a_reconstruction_answers_every_sequence(page, reconstruction):
    explorer, url = reconstruction
    page.goto(url)
    for name, value, patch in (("mask", 3, 7), ("image", 2, 24), ("mask", 1, 0)):
        page.locator(f"input[name={name}]").fill(str(value))
        drawn_as(page, explorer.set(**{name: value}))
        shows_images_of(page, explorer)
        patch_clicked(page, "image", patch)
        drawn_as(page, explorer.select("image", patch))
        shows_images_of(page, explorer)


def test_a_page_of_a_reconstruction_follows_the_pointer_until_a_click_pins(page, reconstruction):
    explorer, url = reconstruction
    page.goto(url)
    for patch in (3, 21):
        page.mouse.move(*at(page, "seen", (patch % 5 + 0.5) / 5, (patch // 5 + 0.5) / 5))
        drawn_as(page, explorer.select("seen", patch))
    patch_clicked(page, "reconstruction", 9)
    page.mouse.move(*at(page, "image", 0.1, 0.1))
    drawn_as(page, explorer.select("reconstruction", 9))


def test_keys_move_over_a_reconstruction(page, reconstruction):
    explorer, url = reconstruction
    page.goto(url)
    patch = explorer.selected[1]
    step = "ArrowDown" if patch < 20 else "ArrowUp"
    page.locator('[data-panel="reconstruction"] svg').focus()
    page.keyboard.press(step)
    page.keyboard.press("Enter")
    explorer.select("reconstruction", patch + (5 if patch < 20 else -5))
    says(page, explorer.state["text"])
    page.reload()
    page.locator("input[name=mask]").focus()
    page.keyboard.press("ArrowRight")
    says(page, explorer.select("reconstruction", patch).set(mask=1).state["text"])


def test_what_is_lost_is_read_under_the_pointer(page, reconstruction):
    explorer, url = reconstruction
    page.goto(url)
    lost = explorer.reconstructed().lost
    for patch, value in enumerate(lost.tolist()):
        wanted = "" if math.isnan(value) else "≥ 1" if value > 1 else value  # "": it was seen
        reads(page, "image", patch, "share of the patch's variance lost", wanted)
    expect(page.locator('[data-panel="image"] .scale span')).to_have_text(["0", "", "≥ 1"])


def test_a_step_of_a_path_is_chosen_by_its_point_and_by_the_slider(page, path):
    explorer, url = path
    page.goto(url)
    says(page, explorer.state["text"])
    chart = explorer.scene().panels[-1].chart
    click(page, "path", 0.17 + chart.x[1] * 0.8, (0.03 + (1 - chart.y[1]) * 0.6) / 0.75)
    says(page, explorer.select("path", 1).state["text"])
    drawn_as(page, explorer)
    expect(page.locator('[data-panel="path"] .point.chosen')).to_have_count(1)
    mentions(page, "+0.200 since start")
    page.reload()
    page.locator("input[name=step]").focus()
    page.keyboard.press("ArrowRight")
    says(page, explorer.state["text"])
    drawn_as(page, explorer)


def test_panels_of_a_path_fill_their_rows(page, path):
    page.goto(path[1])
    settles(page)
    areas = [figure.bounding_box() for figure in page.locator(".panels figure").all()]
    room = page.locator(".panels").bounding_box()["width"]
    for top in {area["y"] for area in areas}:
        assert sum(area["width"] for area in areas if area["y"] == top) > 0.9 * room


def test_a_patch_of_a_path_is_clicked_and_read(page, path):
    explorer, url = path
    page.goto(url)
    patch_clicked(page, panel_of(explorer, "similarity"), 7)
    explorer.select(panel_of(explorer, "similarity"), 7)
    says(page, explorer.state["text"])
    drawn_as(page, explorer)
    shows_images_of(page, explorer)
    heat = next(p for p in explorer.scene().panels if p.id == panel_of(explorer, "similarity")).heat
    for patch in (0, 7, 24):
        reads(page, panel_of(explorer, "similarity"), patch, "cosine", heat.values[patch])
    page.locator('[data-panel="path"] svg').focus()
    for key in ("ArrowRight", "Enter"):
        page.keyboard.press(key)
    says(page, explorer.select("path", 1).state["text"])  # the patch stays
    drawn_as(page, explorer)
    patch_clicked(page, panel_of(explorer, "attention"), 12)  # and another step answers it too
    says(page, explorer.select(panel_of(explorer, "attention"), 12).state["text"])
    drawn_as(page, explorer)


def overlapping(page):
    """Pairs of panels, controls or parts of the page that lie over each other."""
    return page.evaluate(
        """() => {
            const found = [];
            const parts = ".panels figure, .controls label, .text, .foot";
            const shown = [...document.querySelectorAll(parts)]
                .map((each) => [each, each.getBoundingClientRect()]).filter(([, a]) => a.width);
            const named = (each) => each.outerHTML.slice(0, 60);
            shown.forEach(([one, a], i) => shown.slice(i + 1).forEach(([other, b]) => {
                const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (wide > 1 && high > 1) found.push([named(one), named(other)]);
            }));
            return found; }"""
    )


@pytest.mark.slow
@WIDTHS
@THEMES
@pytest.mark.parametrize("kind", ["reconstruction", "path"])
def test_pages_of_runs_fit_the_width_in_both_themes(browser, request, kind, width, theme):
    explorer, url = request.getfixturevalue(kind)
    with watched(browser, width=width, height=900) as page:
        page.emulate_media(color_scheme=theme)
        page.goto(url)
        says(page, explorer.state["text"])
        settles(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert overlapping(page) == []
        ink, paper = page.evaluate(
            """() => [["figcaption", "color"], ["body", "backgroundColor"]].map(([name, of]) =>
                getComputedStyle(document.querySelector(name))[of].match(/[\\d.]+/g).slice(0, 3)
                    .reduce((sum, part) => sum + Number(part), 0))"""
        )
        assert (ink - paper > 400) if theme == "dark" else (paper - ink > 400)


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    cell = CELL.replace("PairExplorer", "ReconstructionExplorer")
    cell = cell.replace("zoo:scenes_siameseim", str(masked_run()[0]))
    with watched(browser, width=1200, height=1500) as page:
        with notebook(page, folder, f"import sys; sys.path.insert(0, {HERE!r})\n{cell}", ""):
            yield page


@pytest.mark.slow
def test_a_reconstruction_in_jupyterlab_and_its_kernel_agree(lab):
    explorer = reconstruction_explorer()
    says(lab, explorer.state["text"])
    lab.locator("input[name=mask]").fill("5")  # not of an exported page, whose patch is another
    says(lab, explorer.set(mask=5).state["text"])
    patch_clicked(lab, "seen", 11)
    says(lab, explorer.select("seen", 11).state["text"])
    shows_images_of(lab, explorer)
    assert told(lab, "explorer.state") == str(explorer.state)

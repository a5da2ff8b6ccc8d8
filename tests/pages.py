"""Pages in Chromium: what they come to show is waited for, since answers take their time.

comes_true(page, check)      # a comparison that Python makes; `expect` for text, values and counts
"""

import time
from contextlib import contextmanager

import pytest

PATIENCE = 120  # seconds; a busy machine is slow, not wrong
DRAWN = """() => [...document.querySelectorAll(".siamlab-explorer .stage")].every((stage) =>
    stage.clientHeight > 0 && [...stage.querySelectorAll("img:not([hidden])")]
        .every((image) => image.complete))"""


@contextmanager
def patient(browser, width=1280, height=900, **options):
    """A page that waits as long as a busy machine may take."""
    page = browser.new_page(viewport={"width": width, "height": height}, **options)
    page.set_default_timeout(1000 * PATIENCE)
    try:
        yield page
    finally:
        page.close()


@contextmanager
def watched(browser, **options):
    """The same, with a console that must stay without errors."""
    said = []
    with patient(browser, **options) as page:
        page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
    assert not [text for text in said if "favicon" not in text]


def expect(locator):
    """Playwright's assertions about a locator, which wait until they hold."""
    from playwright.sync_api import expect  # absent where these tests are skipped

    expect.set_options(timeout=1000 * PATIENCE)
    return expect(locator)


def comes_true(page, check):
    """Call `check` until it raises no AssertionError; the last one is raised when patience ends."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > until:
                raise
        page.wait_for_timeout(50)  # milliseconds, in which the page goes on


def becomes(page, expression, wanted):
    """Wait until a script's expression equals this."""

    def check():
        assert page.evaluate(expression) == wanted

    comes_true(page, check)


def waits(page, condition, argument=None):
    """Wait until a function of a script returns what is true; pages forbid other expressions."""
    page.wait_for_function(condition, arg=argument)


def in_address(page, **words):
    """Wait until the address has these words; the page may show their state only later."""
    has = """(words) => { const link = new URLSearchParams(location.hash.slice(1));
        return Object.entries(words).every(([key, word]) => link.get(key) === word); }"""
    waits(page, has, {key: str(word) for key, word in words.items()})


def says(page, text):
    waits(page, "t => document.querySelector('.text')?.textContent === t", text)


def mentions(page, part):
    """Wait until this is a part of what an explorer says."""
    waits(page, "t => document.querySelector('.text')?.textContent.includes(t)", part)


def heat(page, panel):
    """The values that are shown on a panel, none if it is not there or has none."""
    return page.evaluate(
        "id => [...(window.shown.scene.panels?.find((p) => p.id === id)?.heat?.values ?? [])]",
        panel,
    )


def shows(page, panel, wanted):
    """Wait until a panel shows these values, a tensor."""

    def check():
        assert heat(page, panel) == pytest.approx(wanted.tolist(), abs=2e-3)

    comes_true(page, check)


def settles(page):
    """Wait until all pictures of an explorer are there, which give its panels their sizes."""
    waits(page, DRAWN)


def at(page, panel, x, y):
    """A place of a panel's drawing, in pixels of the page."""
    settles(page)
    drawing = page.locator(f'[data-panel="{panel}"] svg')
    drawing.element_handle().wait_for_element_state("stable")
    area = drawing.bounding_box()
    return area["x"] + x * area["width"], area["y"] + y * area["height"]


def click(page, panel, x, y):
    page.locator(f'[data-panel="{panel}"] svg').scroll_into_view_if_needed()
    page.mouse.click(*at(page, panel, x, y))


def drag(page, panel, start, end):
    page.mouse.move(*at(page, panel, *start))
    page.mouse.down()
    page.mouse.move(*at(page, panel, *end), steps=4)
    page.mouse.up()

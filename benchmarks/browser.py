"""Chromium by Playwright: `with chromium() as browser: browser.new_page()`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from siamlab.component import UserError


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the Chromium of this machine. Raises UserError where there is none."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise UserError("there is no chromium on the PATH; install it to measure pages")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()

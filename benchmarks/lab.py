"""JupyterLab with a live kernel, for timing and testing clicks.

with notebook(page, folder, "from siamlab.explore import PairExplorer", ...): page.mouse.click(...)
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

from siamlab.component import UserError

TOKEN = "of-this-machine-alone"
WAIT = 180  # seconds for the server, the kernel and the first picture
IDLE = "document.body.innerText.includes('Idle')"
SHOWN = ".siamlab-explorer .panels img:not([hidden])"
FAILED = '[data-mime-type="application/vnd.jupyter.error"]'  # of an output


@contextmanager
def notebook(page: Any, folder: Path, *cells: str) -> Iterator[None]:
    """Open a notebook of these cells in a Playwright page; its first cell shows an explorer.

    Raises UserError with the last line of the error if the cell fails.
    """
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    document.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(document, folder / "x.ipynb")
    with server(folder) as url:
        page.set_default_timeout(1000 * WAIT)
        page.goto(f"{url}/lab/tree/x.ipynb?token={TOKEN}")
        page.locator(".jp-Notebook .jp-CodeCell").first.click()
        page.wait_for_function(IDLE)
        page.keyboard.press("Shift+Enter")
        page.wait_for_selector(f"{SHOWN}, {FAILED}")
        if page.locator(FAILED).count():
            raise UserError(page.locator(FAILED).inner_text().strip().splitlines()[-1])
        yield
        page.goto("about:blank")  # before the server ends


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run JupyterLab on a free port of this machine; its settings are in `home` in the folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = folder / "home"
    home.mkdir(exist_ok=True)
    places = {f"JUPYTER_{name}_DIR": str(home) for name in ("CONFIG", "DATA", "RUNTIME")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", f"--IdentityProvider.token={TOKEN}", str(folder)]
    with (folder / "lab.log").open("w") as log:
        process = subprocess.Popen(
            command, env=os.environ | places | {"HOME": str(home)}, stdout=log, stderr=log
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait(url: str, process: subprocess.Popen) -> None:
    """Wait until the server answers. Raises UserError when it ends or takes too long."""
    until = time.monotonic() + WAIT
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api?token={TOKEN}") as answer:
                json.load(answer)
            return
        except OSError:
            time.sleep(0.3)
    raise UserError(f"JupyterLab did not answer within {WAIT} s; run `make lab` to see why")

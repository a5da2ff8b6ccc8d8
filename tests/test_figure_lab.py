"""Figures and explorers in the dark theme of JupyterLab, by the extension that the wheel brings."""

import io
import json
from pathlib import Path

import pytest
from pages import comes_true, watched
from PIL import Image

from benchmarks.lab import notebook

EXTENSIONS = Path(__file__).parent.parent / "siamlab" / "figure" / "labextensions"
CELL = """
import plotly.graph_objects, torch
from siamlab.explore import PairExplorer
from siamlab.figure import spectrum_figure, spectrum_table
table = spectrum_table({"mae": torch.rand(8)})
stranger = plotly.graph_objects.Figure(dict(y=[1, 2]))
display(PairExplorer("zoo:scenes_mae"), spectrum_figure(table), stranger)
"""


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A notebook in the dark theme that shows an explorer, our figure and a stranger's."""
    folder = tmp_path_factory.mktemp("lab")
    settings = folder / "home/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "themes.jupyterlab-settings").write_text(json.dumps({"theme": "JupyterLab Dark"}))
    (folder / "home/labextensions").symlink_to(EXTENSIONS)  # where pip puts them
    with watched(browser, width=1200, height=2000) as page, notebook(page, folder, CELL):
        page.locator(".js-plotly-plot .main-svg").nth(3).wait_for()
        yield page


def corner(page, where):
    """Brightness of the upper left corner of an element, 0 to 255."""
    shown = Image.open(io.BytesIO(page.locator(where).screenshot()))
    return shown.convert("L").getpixel((4, 4))


def is_dark(page, where, dark=True):
    """Wait until the corner of an element is nearly black, or nearly white."""

    def check():
        assert (corner(page, where) < 60) if dark else (corner(page, where) > 240)

    comes_true(page, check)


@pytest.mark.slow
def test_figures_of_siamlab_are_dark_and_others_as_they_were_made(lab):
    is_dark(lab, ".js-plotly-plot >> nth=0")
    is_dark(lab, ".js-plotly-plot >> nth=1", dark=False)


@pytest.mark.slow
def test_an_explorer_has_light_text_on_the_dark_paper(lab):
    is_dark(lab, ".siamlab-explorer")
    ink = "getComputedStyle(document.querySelector('.siamlab-explorer .text')).color"
    assert sum(map(int, lab.evaluate(ink).strip("rgba()").split(",")[:3])) > 500

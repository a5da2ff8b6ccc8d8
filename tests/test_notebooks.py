"""Notebooks: in the house's form, readable without a kernel, and still true of the code."""

import math
import re
from pathlib import Path

import nbformat
import plotly.io as pio
import pytest
import timm
from nbclient import NotebookClient
from PIL import Image

from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.probe.suite import SUITES
from siamlab.recipes import demo_size, siameseim
from siamlab.train import train

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# last lines of cells that show an explorer or a figure
SHOWS = re.compile(
    r"(explorer|eye)($|\.set)|figure\.(?!score_table|comparison_table)|pictures\.|maps\["
)
NUMBER = re.compile(r"[-−+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def read(path):
    return nbformat.read(path, as_version=4)


def pictures(cell):
    return ["image/png" in o.get("data", {}) for o in cell.get("outputs", [])]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_short_asks_and_answers(path):
    cells = read(path).cells
    assert cells[0].source.startswith("# ") and cells[0].source.splitlines()[0].endswith("?")
    assert cells[-1].source.startswith("**Answer.** ")
    for cell in cells:
        if cell.cell_type == "code":
            assert len([line for line in cell.source.splitlines() if line.strip()]) <= 10
            assert not re.search(r"^def |/tmp|\.\./", cell.source, re.MULTILINE)
    assert path.stat().st_size < 3e6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_reads_without_a_kernel(path):
    notebook = read(path)
    text = path.read_text()
    assert "widget-view" not in text and "widgets" not in notebook.metadata
    assert not re.search(r"/root|/home|/work", text)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert all(o.output_type != "error" and o.get("name") != "stderr" for o in cell.outputs)
            last = cell.source.splitlines()[-1]
            if SHOWS.match(last) and not last.endswith((".state", '["text"]')):
                assert any(pictures(cell)), last


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_says_what_it_said(path, monkeypatch):
    monkeypatch.setenv("PLOTLY_RENDERER", "json")
    kept, notebook = read(path), read(path)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}}).execute()
    for before, after in zip(kept.cells, notebook.cells, strict=True):
        assert_alike(said(before), said(after))
        wrong = [o for o in after.get("outputs", []) if o.get("name") == "stderr"]
        assert not wrong, wrong


def said(cell):
    """All text that a cell prints or returns."""
    outputs = cell.get("outputs", [])
    plain = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]
    return "\n".join(text for text in plain if not text.startswith(("Figure(", "<IPython")))


def words(text):
    """Without numbers, and without the room that a table makes for them."""
    return re.sub(r"[─═ ]+", " ", NUMBER.sub("#", text))


def assert_alike(before, after):
    """The same words; numbers nearly, since machines round otherwise."""
    assert words(after) == words(before)
    pairs = zip(*(NUMBER.findall(text.replace("−", "-")) for text in (before, after)), strict=True)
    for a, b in pairs:
        assert math.isclose(float(a), float(b), rel_tol=0.2, abs_tol=0.021), (a, b)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Class folders of small images."""
    folder = tmp_path_factory.mktemp("photos")
    pixels, labels, *_ = Scenes(images=120, side=40)("train")
    for i, (image, label) in enumerate(zip(pixels, labels % 3, strict=True)):
        (folder / f"{label}").mkdir(exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{label}" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory, photos):
    """A user's own run on these, of two blocks and two steps."""
    small = demo_size(siameseim()).change(
        "data=folder", f"data.path={photos}", "steps=2", "batch=8", "model.depth=2", "save_every=2"
    )
    return train(small, tmp_path_factory.mktemp("runs") / "mine").path


@pytest.mark.parametrize("path", NOTEBOOKS[:7], ids=lambda path: path.stem)
@pytest.mark.parametrize("kind", ["run", "run and folder", "timm"])
def test_its_first_line_takes_models_and_images_of_ones_own(
    path, kind, run, photos, monkeypatch, capsys
):
    """`timm:test_vit` with random weights, since the hub is not at hand."""
    create = timm.create_model
    monkeypatch.setattr(
        timm, "create_model", lambda *given, **more: create(*given, **more | {"pretrained": False})
    )
    monkeypatch.setattr(pio.renderers, "default", "json")
    model = "timm:test_vit" if kind == "timm" else str(run)
    first, *cells = [c.source for c in read(path).cells if c.cell_type == "code"]
    names, _, rest = first.partition("#")[0].partition(" = ")
    given = {"MODELS": [model], "MODEL": model, "RUN": model, "IMAGE": 2}
    given |= {"DATA": None if kind == "run" else str(photos)}
    space = {name: given[name] for name in names.split(", ")} | {"display": lambda *shown: shown}
    assert rest.count(",") >= len(space) - 2
    known = dict(SUITES)
    try:
        if kind == "timm" and "RUN" in names:
            with pytest.raises(UserError, match="timm:test_vit is an encoder alone"):
                exec("\n".join(cells), space)
        else:
            for cell in cells:
                exec(cell, space)
    finally:
        SUITES.clear()
        SUITES.update(known)

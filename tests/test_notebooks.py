"""Notebooks: in the house's form, readable without a kernel, and still true of the code."""

import base64
import io
import math
import os
import re
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import nbformat
import numpy
import plotly.io as pio
import pytest
import timm
from nbclient import NotebookClient
from PIL import Image

from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.evaluate import evaluate
from siamlab.recipes import demo_size, siameseim
from siamlab.train import train

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# last lines of cells that show an explorer or a figure
SHOWS = re.compile(
    r"(explorer|eye)($|\.set)|figure\.(?!score_table|comparison_table)|pictures\.|maps\["
)
# what trains for minutes, at a size of seconds
SMALLER = {
    "08_read_a_study": {
        '"steps=150", ': '"steps=4", "batch=32", "data.images=200", "data.test_images=100", '
    },
    "09_your_own_component": {"data.images=4000": "data.images=200", '"steps=150"': '"steps=4"'},
}
# before each notebook: nothing is defined, and tables are printed as they are at first
CLEAN = "%reset -f\nimport polars\npolars.Config.restore_defaults();"
VERDICT = re.compile(r"better|worse|overlap")  # it follows from the numbers
NUMBER = re.compile(r"[-−+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def read(path):
    return nbformat.read(path, as_version=4)


def stem(path):
    return path.stem


LONG = ("01", "02", "07", "09")  # take longer than the other six together


def slow_if_long(path):
    """A notebook, among the slow tests if it is one of the long."""
    return pytest.param(path, marks=[pytest.mark.slow] * path.stem.startswith(LONG))


def pictures(cell):
    return ["image/png" in o.get("data", {}) for o in cell.get("outputs", [])]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=stem)
def test_a_notebook_is_short_asks_and_answers(path):
    cells = read(path).cells
    assert cells[0].source.startswith("# ") and cells[0].source.splitlines()[0].endswith("?")
    assert is_answer(cells[-1]), "made from the numbers"
    for cell in cells:
        if cell.cell_type == "code":
            assert len([line for line in cell.source.splitlines() if line.strip()]) <= 10
            assert not re.search(r"^def |/tmp|\.\./", cell.source, re.MULTILINE)
    assert path.stat().st_size < 3e6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=stem)
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


@pytest.fixture(scope="module")
def kernel():
    """One for all notebooks, so that torch is loaded once."""
    first = NotebookClient(nbformat.v4.new_notebook())
    environment = os.environ | {"PLOTLY_RENDERER": "json"}
    with first.setup_kernel(cwd=str(FOLDER), env=environment):
        yield first


def run_in(kernel, notebook, **options):
    client = NotebookClient(notebook, km=kernel.km, timeout=600, **options)
    client.kc = kernel.kc
    client.execute()


def executed(notebook, kernel):
    """The cells of the notebook as they are after it was run."""
    notebook.cells.insert(0, nbformat.v4.new_code_cell(CLEAN))
    run_in(kernel, notebook)
    for cell in notebook.cells:
        wrong = [o for o in cell.get("outputs", []) if o.get("name") == "stderr"]
        assert not wrong, wrong
    return notebook.cells[1:]


@pytest.mark.slow
def test_a_notebook_shows_the_sentence_without_a_traceback(kernel):
    wrong = "from siamlab.evaluate.models import open_model; open_model('zoo:mea')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(wrong)])
    run_in(kernel, notebook, allow_errors=True)
    (output,) = notebook.cells[0].outputs
    (line,) = output.traceback
    assert line.startswith("siamlab: zoo: there is no model 'mea'; did you mean 'mae'?")


@pytest.mark.parametrize("path", [slow_if_long(path) for path in NOTEBOOKS], ids=stem)
def test_a_notebook_runs_and_says_what_it_said(path, kernel):
    """In the same words where it trains and is run at a smaller size, else in the same numbers."""
    kept, notebook, trained = read(path).cells, read(path), False
    for cell in notebook.cells:
        for whole, small in SMALLER.get(path.stem, {}).items():
            cell.source = cell.source.replace(whole, small)
    for before, after in zip(kept, executed(notebook, kernel), strict=True):
        trained |= before.source != after.source
        if trained and is_answer(before):
            assert is_answer(after), "other numbers have another answer"
        elif trained:
            old, new = (VERDICT.sub("#", words(said(cell))) for cell in (before, after))
            assert new == old
        else:
            assert_alike(said(before), said(after))


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLER)
def test_a_notebook_that_trains_says_the_numbers_that_it_said(name, kernel):
    path = FOLDER / f"{name}.ipynb"
    *kept, answer = read(path).cells
    *cells, answered = executed(read(path), kernel)
    for before, after in zip(kept, cells, strict=True):
        assert_alike(said(before), said(after))
    assert is_answer(answer) and is_answer(answered)  # models in another order, on other machines


@pytest.mark.parametrize("name", SMALLER)
def test_what_is_made_smaller_is_in_the_notebook(name):
    code = "".join(cell.source for cell in read(FOLDER / f"{name}.ipynb").cells)
    assert all(code.count(whole) == 1 for whole in SMALLER[name])


def said(cell):
    """All text that a cell prints or returns."""
    outputs = cell.get("outputs", [])
    plain = [o.get("text") or in_words(o.get("data", {})) for o in outputs]
    return "\n".join(text for text in plain if not text.startswith(("Figure(", "<IPython")))


def is_answer(cell):
    return said(cell).startswith("**Answer.** ")


def in_words(data):
    return data.get("text/markdown") or data.get("text/plain", "")


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


def test_pictures_are_kept_sharp_small_and_as_wide_as_a_page(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(FOLDER.parent / "docs")
    import build_notebooks

    pixels = numpy.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=numpy.uint8)
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    data = {"image/png": base64.b64encode(file.getvalue()).decode()}
    shown = nbformat.v4.new_output("display_data", data=data)
    scale = "import plotly.io; plotly.io.renderers['png'].scale"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(scale)])
    nbformat.write(notebook, tmp_path / "one.ipynb")
    notebook = build_notebooks.run(tmp_path / "one.ipynb")
    assert said(notebook.cells[0]) == "2" and notebook.cells[0].execution_count == 1
    notebook.cells[0].outputs.append(shown)
    kept = build_notebooks.keep_still(notebook).cells[0].outputs[-1]
    assert kept.metadata["image/png"] == {"width": 150}
    found = base64.b64decode(kept.data["image/png"])
    assert (
        Image.open(io.BytesIO(found)).size == (300, 200) and len(found) < len(file.getvalue()) / 2
    )


class Measured(Exception):
    """Scores are measured, not read."""


STORED = [path for path in NOTEBOOKS if "zoo.has_scores" in path.read_text()]


@pytest.mark.parametrize("path", STORED, ids=stem)
@pytest.mark.parametrize("own", ["none", "images", "model"])
def test_stored_scores_are_those_of_its_models_and_images_only(path, own, run, photos, monkeypatch):
    """With the models that ship and a folder of one's own, the scores of the zoo say nothing."""
    monkeypatch.setattr(evaluate, "probe_all", Mock(side_effect=Measured))
    monkeypatch.setattr(pio.renderers, "default", "json")
    first, *cells = [c.source for c in read(path).cells if c.cell_type == "code"]
    space = {}
    exec(first, space)
    space |= {"images": {"DATA": str(photos)}, "model": {"MODELS": [str(run)]}}.get(own, {})
    known = next(i for i, cell in enumerate(cells) if "zoo.has_scores" in cell)
    for cell in cells[:known]:
        if " import " in cell:
            exec(cell, space)
    with nullcontext() if own == "none" else pytest.raises(Measured):
        exec(cells[known], space)


@pytest.mark.parametrize("path", NOTEBOOKS[:7], ids=stem)
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
    if kind == "timm" and "RUN" in names:
        with pytest.raises(UserError, match="timm:test_vit is an encoder only"):
            exec("\n".join(cells), space)
    else:
        for cell in cells:
            exec(cell, space)

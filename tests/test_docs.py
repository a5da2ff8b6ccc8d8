"""README and docs: their Python runs, their commands parse, their links lead somewhere."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import redirect_stdout
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from textwrap import wrap

import plotly.io as pio
import pytest
from PIL import Image

from siamlab import probe, recipes
from siamlab.cli.main import main, read
from siamlab.data import Scenes
from siamlab.run import Run
from siamlab.run.choices import AXES, axis_choices
from siamlab.study.file import load

ROOT = Path(__file__).parent.parent
WALKS = {"path-from-mae.html", "path-from-moco-v3.html"}  # explorers with all their answers
FILES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
PAGES = FILES + sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^ *```(\w+)(?: ([\w -]+))?\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# words after the language of a block that is not run: what it needs
NEEDS = {"gpu", "network", "machines", "release"}
# numbers of the pages, and what they are when the pages are tested
TINY = {
    r"steps=\d+": "steps=2",
    r"log_every=\d+": "log_every=1",
    r"keep_every=\d+": "keep_every=1",
    r"train=\d+, test=\d+": "train=100, test=60",
}
SMALL = ("batch=8", "data.images=120", "data.test_images=60", "model.depth=2")


def blocks(page, language):
    """(text, what it needs) of each block in this language."""
    found = BLOCK.findall((ROOT / page).read_text())
    return [(text, needs) for kind, needs, text in found if kind == language]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder to work in that holds photos; choices as before after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pio.renderers, "default", "json")
    pixels, labels, *_ = Scenes(images=120, side=40)("train")
    for i, (image, label) in enumerate(zip(pixels, labels % 3, strict=True)):
        (folder := Path("photos", str(label.item()))).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i}.png")
    before = {axis: Run.model_fields[axis].annotation for axis in AXES}
    yield tmp_path
    for axis, annotation in before.items():
        Run.model_fields[axis].annotation = annotation
    Run.model_rebuild(force=True)


SLOW = {"docs/how-to/own-model.md"}  # pages whose Python takes many seconds


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] * (page in SLOW))
        for page in PAGES
        if blocks(page, "python")
    ],
)
def test_the_python_of_a_page_runs(page, desk, monkeypatch, capsys):
    demo_size = recipes.demo_size
    monkeypatch.setattr(recipes, "demo_size", lambda run: demo_size(run).change(*SMALL))
    space = {}
    for text, needs in blocks(page, "python"):
        for number, tiny in TINY.items():
            text = re.sub(number, tiny, text)
        code = compile(text, page, "exec")
        if not needs:
            exec(code, space)
        assert not needs or needs in NEEDS, needs


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")])
def test_the_commands_of_a_page_are_understood(page, desk, capsys):
    for text, needs in blocks(page, "sh"):
        assert not needs or needs in NEEDS, needs
        for line in text.replace("\\\n", "").splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = words.index("&&") if "&&" in words else len(words)
                command(words[:end], run=not needs)
                words = words[end + 1 :]


@pytest.mark.parametrize("page", PAGES)
def test_settings_of_a_page_are_whole_toml_and_json(page):
    for text, _ in blocks(page, "toml"):
        tomllib.loads(text)
    for text, _ in blocks(page, "json"):  # lines of a file of settings
        json.loads("{" + text + "}")


def command(words, run):
    """Check one command of a page, and run it if it is quick."""
    words, target = (words[:-2], words[-1]) if words[-2:-1] == [">"] else (words, None)
    name, *rest = words
    if name == "torchrun":
        name, *rest = words[words.index("siamlab") :]
    if name == "siamlab":
        siamlab_command(rest, target, run)
    elif name == "make":
        assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[:2] == ["python", "-m"]:
        assert find_spec(words[2])
    elif name in ("pip", "conda"):
        files = [word for word in rest if word.endswith((".lock", ".yml"))]
        assert all((ROOT / file).is_file() for file in files)
        extras = re.findall(r"\[(.*)\]", " ".join(rest))
        known = (ROOT / "pyproject.toml").read_text()
        assert all(f"\n{extra} = [" in known for found in extras for extra in found.split(","))
    else:
        raise AssertionError(f"{words}: no check for this command")


def siamlab_command(words, target, run):
    """Parse the words; check the keys of runs and studies; run what is quick."""
    understood = read(words)
    verb, *rest = words
    if verb == "study" and getattr(understood, "file", None):
        load(ROOT / understood.file, getattr(understood, "words", []))
    elif verb in ("train", "show") and not rest[0].endswith(".toml"):
        run_of = recipes.RECIPES[rest[0]]()
        sized = recipes.photo_size(run_of) if understood.photos else run_of
        sized.change(*understood.words)
    quick = quickly(verb, rest)
    if run and quick:
        printed = io.StringIO()
        with redirect_stdout(printed):
            assert main(quick) == 0
        if target:
            Path(target).write_text(printed.getvalue())


def quickly(verb, rest):
    """The words of a command that takes seconds, if need be at the smallest size; else none."""
    if verb in ("axes", "show", "data"):
        return [verb, *rest]
    if verb in ("embed", "export") and rest[0].startswith("zoo:") and ".onnx" not in rest[-1]:
        return [verb, *rest]
    if verb == "train" and ("--small" in rest or rest[0].endswith(".toml")):
        short = (*SMALL, "steps=2")
        keys = {word.partition("=")[0] for word in short}
        return [verb, *(w for w in rest if w.partition("=")[0] not in keys), *short]
    models = [word for word in rest if Path(word).is_dir()]
    small = "--images" in rest and "full" not in rest
    return [verb, *rest] if verb == "probe" and models == rest[:1] and small else []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = BLOCK.sub("", (ROOT / page).read_text())
    for link in LINK.findall(text):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        file = (ROOT / page).parent / path if path else ROOT / page
        if file.name != page and not file.exists():
            assert str(file.relative_to(ROOT / "docs")) in generated(), link
        elif anchor and file.suffix == ".md":
            assert anchor in anchors(file.read_text()), link


def anchors(text):
    """Return the anchors of the headings, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.fixture(autouse=True)
def builders(monkeypatch):
    """The scripts that make pages, docs/build_*.py, can be imported."""
    monkeypatch.syspath_prepend(ROOT / "docs")


def generated():
    from build_reference import reference
    from build_tutorials import tutorials

    return reference() | tutorials()


def test_a_tutorial_ends_with_its_answer_as_prose():
    from build_tutorials import tutorials

    pages = [page for name, page in tutorials().items() if re.search(r"/\d\d_.*\.md$", name)]
    assert len(pages) == 10
    for page in pages:
        assert page.rstrip().rpartition("\n\n")[2].startswith("**Answer.** ")


def test_the_readme_fits_three_screens():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 100
    shown = [re.sub(r"\]\([^)]+\)", "]", line) for line in lines if line[:2] not in ("![", "<!")]
    assert sum(max(1, len(wrap(line, 80))) for line in shown) <= 120  # three screens of 40


@pytest.mark.slow
def test_the_site_builds_without_a_network_or_a_warning(tmp_path):
    """`make docs`; a dead link is a warning, and pages ask for nothing from elsewhere."""
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path)]
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    own = {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | nowhere | own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    pages = {path: path.read_text() for path in tmp_path.rglob("*.html")}
    assert len(pages) > 40
    for path, text in pages.items():
        assert not re.search(r'<(script|img|link)[^>]*(src|href)="?https?:', text), path
        assert len(text) < (3e6 if path.name in WALKS else 1e6), path


def test_the_design_space_names_every_choice():
    from build_design_space import with_choices

    text = (ROOT / "docs" / "design-space.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows] == [f"`{axis}`" for axis in AXES]
    assert with_choices(text) == text, "docs/design-space.md is old: `make docs` writes its choices"
    other = text.replace("`random`, ", "")
    assert other != text and with_choices(other) == text
    for axis, (_, _, file, _) in zip(AXES, rows, strict=True):
        for choice in axis_choices(axis).values():
            home = "siamlab." + file.strip("`").removesuffix(".py").strip("/").replace("/", ".")
            assert f"{choice.__module__}.".startswith(f"{home}.")


def test_the_tables_of_results_are_those_of_the_study():
    from build_claims import PAGES, with_claims
    from build_results import with_results

    page = (ROOT / "docs/results.md").read_text()
    assert with_results(page) == page, "docs/results.md is old: `make docs` writes its tables"
    for path, addresses in PAGES.items():
        text = path.read_text()
        assert with_claims(text, *addresses) == text, f"{path.name} is old: `make docs` writes it"


def test_the_reference_has_every_key():
    run, study = (generated()[f"reference/{page}.md"] for page in ("run", "study"))
    for axis in AXES:
        for kind, choice in axis_choices(axis).items():
            assert f"### {axis}={kind}\n" in run
            for name in flat(choice.model_construct().model_dump(), f"{axis}."):
                assert f"| `{name}` |" in run, name
    plain = Run().model_dump(exclude=set(AXES))
    assert all(f"| `{name}` |" in run for name in flat(plain))
    assert all(f"| `{key}` |" in study for key in ("question", "axes", "held_out", "suggest"))


def flat(fields, prefix=""):
    """Dotted keys of nested tables."""
    for name, value in fields.items():
        if isinstance(value, dict) and "kind" not in value:
            yield from flat(value, f"{prefix}{name}.")
        elif name != "kind":
            yield prefix + name


def test_the_list_of_probes_is_that_of_the_catalogue():
    from build_probes import SECTIONS, with_tables

    assert {p.key for parts in SECTIONS.values() for p in chain(*parts)} == set(probe.PROBES)
    page = (ROOT / "docs/probes.md").read_text()
    assert with_tables(page) == page, "docs/probes.md is old: `make docs` writes its tables"
    other = page.replace("| `knn` |", "| `other` |")
    assert other != page and with_tables(other) == page


def test_the_boards_of_the_leaderboard_are_those_of_its_file():
    from build_leaderboard import by_board, picture, with_boards

    from siamlab.figure.leaderboard import has_plane

    page = (ROOT / "docs/leaderboard.md").read_text()
    assert with_boards(page) == page, "docs/leaderboard.md is old: `make docs` writes its boards"
    for name, rows in by_board().items():
        assert (ROOT / "docs" / picture(name)).is_file() == has_plane(rows)


def test_the_reference_has_every_command_and_public_name():
    pages = generated()
    verbs = "train show axes probe embed import export data demo lab"
    verbs += " leaderboard-add leaderboard-show leaderboard-page"
    verbs += " study-run study-worker study-report study-import"
    for verb in verbs.split():
        assert f"## siamlab {verb.replace('-', ' ')}\n" in pages["reference/commands.md"]
    from siamlab import figure

    for name in ("knn", "correspondence", "bootstrap", "table"):
        path = f"{getattr(probe, name).__module__}.{name}"
        assert f"::: {path}\n" in pages["reference/python-probe.md"]
    for name in figure.__all__:
        assert f".{name}\n" in pages["reference/python-figure.md"]


def test_the_diffs_of_the_guide_are_those_of_the_code():
    """Lines that a diff adds or keeps are in the file, together; lines that it removes are not."""
    shown = [text for text, _ in blocks("CONTRIBUTING.md", "diff")]
    assert len(shown) == 5
    for file, lines in hunks("".join(shown)):
        text = (ROOT / file).read_text()
        after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        assert after in text, f"{file} no longer has\n{after}"
        assert not [line for line in lines if line[:1] == "-" and f"{line[1:]}\n" in text]


# files of the package that use a part of the guide; the part works without them
USERS = {"siamlab/report/probes.py"} | {
    f"siamlab/explore/{name}.py" for name in ("models", "plane/explorer", "plane/measures")
}


def test_the_diffs_of_the_guide_are_whole():
    """They add every line that names the new part, and the guide counts their files."""
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    counts = re.findall(r"^\| \[an? .*\) \| (\d) \|", guide, re.MULTILINE)
    for count, (diff, _) in zip(counts, blocks("CONTRIBUTING.md", "diff"), strict=True):
        files = re.findall(r"^--- (.*)\n\+\+\+ b/(.*)$", diff, re.MULTILINE)
        assert len(files) == int(count)
        new = {file for before, file in files if before == "/dev/null"}  # may be cut short
        added = {(file, line) for file, lines in hunks(diff) for line in lines}
        for part in re.findall(r"^\+(?:class|def) ([A-Za-z]\w+)", diff, re.MULTILINE):
            for file, line in lines_with(part):
                assert file in new | USERS or (file, f"+{line}") in added, f"{file}: {line}"


def lines_with(name):
    """(file, line) of each line of the package that has the name as a word."""
    for path in sorted((ROOT / "siamlab").rglob("*.py")):
        for line in path.read_text().splitlines():
            if re.search(rf"\b{name}\b", line):
                yield str(path.relative_to(ROOT)), line


def hunks(diff):
    """(file, lines) of each hunk."""
    file, found = "", []
    for line in diff.splitlines():
        if line.startswith("+++ b/"):
            file = line.removeprefix("+++ b/")
        elif line == "@@ @@":
            found.append((file, []))
        elif not line.startswith("--- "):
            found[-1][1].append(line)
    return found

"""Packages installed, pinned and promised: pyproject, lock, environment, wheel, sdist, citation."""

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
import yaml
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import siamlab
from siamlab.machine.fields import choices
from siamlab.run import Run
from siamlab.run.choices import AXES

ROOT = Path(__file__).parent.parent
SOURCES = re.compile("/web/(node_modules/|src/|test/|build.mjs$|.*json$)")  # of built scripts
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
EVERY = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
HEAVY = "polars plotly optuna captum skimage scipy sklearn matplotlib IPython jupyterlab".split()

PLOTTING = set("altair bokeh bqplot holoviews hvplot ipympl matplotlib pygal seaborn".split())


def names(lines):
    return {canonicalize_name(Requirement(line).name) for line in lines}


def imported(folder):
    """The packages, as they are called on the index, that the files of a folder import."""
    modules = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.split(".")[0])
    own = {"siamlab", "conftest"} | {path.stem for path in (ROOT / "tests").iterdir()}
    modules -= set(sys.stdlib_module_names) | own
    known = packages_distributions()
    return {canonicalize_name(known.get(module, [module])[0]) for module in modules}


def test_what_the_package_imports_is_what_it_depends_on():
    found, core = imported(ROOT / "siamlab"), names(PROJECT["dependencies"])
    assert core - found == set(), "declared, and never imported"
    extras = (
        line
        for name in ("film", "map", "notebook", "onnx", "study", "umap")
        for line in EXTRAS[name]
    )
    assert found - names([*PROJECT["dependencies"], *extras]) == set()


def test_what_the_tests_import_is_declared():
    pages = (
        "claims", "design-space", "leaderboard", "notebooks", "probes", "reference", "results",
        "tutorials",
    )  # fmt: skip
    own = {"benchmarks", *(f"build-{page}" for page in pages)}
    assert imported(ROOT / "tests") - names(EVERY) - own == set()


@pytest.mark.slow
def test_the_training_core_imports_nothing_heavy():
    program = (
        f"import sys; sys.modules |= dict.fromkeys({HEAVY})  # as if not installed\n"
        "import siamlab.train, siamlab.recipes, siamlab.data"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr.strip().splitlines()[-1]


def pins():
    return [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]


def brought(lines):
    """Who asks for each package that these lines bring, as installed here; "" is pyproject."""
    asked, todo = {}, [(line, "") for line in lines]
    while todo:
        line, by = todo.pop()
        wanted = Requirement(line)
        name = canonicalize_name(wanted.name)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            todo += [(more, name) for more in needs(name)] if name not in asked else []
            asked.setdefault(name, set()).add(by)
    return asked


def needs(name):
    try:
        return requires(name) or []
    except PackageNotFoundError:  # of another system
        return []


def test_notebooks_draw_with_plotly_alone():
    asked = brought(EXTRAS["notebook"])
    assert "plotly" in names(PROJECT["dependencies"])
    assert set(asked) & PLOTTING <= {"matplotlib"}
    assert asked.get("matplotlib", {"captum"}) == {"captum"}, "which draws nothing here"
    locked = {canonicalize_name(pin.name) for pin in pins()}
    assert locked & PLOTTING <= {"matplotlib"}


def test_the_lock_holds_exact_pins_and_no_addresses():
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"://|[@\\/]|(^|\s)-", text), "an address, a path or an option"
    for pin in pins():
        assert [clause.operator for clause in pin.specifier] == ["=="], str(pin)


@pytest.mark.parametrize("python", ["3.11.0", "3.13.0"])
@pytest.mark.parametrize("line", EVERY)
def test_the_lock_satisfies_pyproject(line, python):
    wanted = Requirement(line)
    here = {"python_version": python[:4], "python_full_version": python}
    here |= {"sys_platform": "linux", "platform_machine": "x86_64"}
    found = [
        Version(next(iter(pin.specifier)).version)
        for pin in pins()
        if canonicalize_name(pin.name) == canonicalize_name(wanted.name)
        and (pin.marker is None or pin.marker.evaluate(here))
    ]
    assert len(found) == 1 and found[0] in wanted.specifier, f"{line}: {found}; run `make lock`"


def test_conda_users_get_what_pyproject_asks_for():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *plain, last = environment["dependencies"]
    assert environment["name"] == "siamlab" and environment["channels"] == ["conda-forge"]
    assert plain == ["python=3.11", "pip"] and "3.11" in PROJECT["requires-python"]
    *listed, itself = last["pip"]
    assert itself == "-e ."
    assert sorted(listed) == sorted(set(EVERY))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    return zipfile.ZipFile(next(WheelBuilder(str(ROOT)).build(directory=str(folder))))


def test_the_wheel_holds_the_package_whole(wheel):
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "siamlab").rglob("*.*")}
    files = {file for file in files if not SOURCES.search(file)}
    wanted = {file for file in files if "__pycache__" not in file and (ROOT / file).is_file()}
    assert {
        f"siamlab/{name}" for name in ("report/page.html", "data/assets/fashion-train.png")
    } < wanted
    inside = {name for name in wheel.namelist() if not re.search(r"\.(dist-info|data)/", name)}
    assert inside == wanted


def test_the_wheel_brings_the_extension_to_where_jupyterlab_looks(wheel):
    place = "siamlab-0.1.0.data/data/share/jupyter/labextensions/"
    brought = {n.removeprefix(place) for n in wheel.namelist() if ".data/" in n}
    assert brought == {"siamlab/package.json", "siamlab/static/dark.js"}
    about = json.loads(wheel.read(f"{place}siamlab/package.json"))
    assert f"{about['name']}/{about['jupyterlab']['_build']['load']}" in brought
    assert about["version"] == siamlab.__version__


def test_the_wheel_says_what_it_is(wheel):
    about = wheel.read("siamlab-0.1.0.dist-info/METADATA").decode()
    for line in ("Name: siamlab", "License-Expression: Apache-2.0", "Requires-Python: >=3.11"):
        assert f"\n{line}\n" in about
    assert "siamlab-0.1.0.dist-info/licenses/LICENSE" in wheel.namelist()


def test_the_wheel_says_that_it_is_typed(wheel):
    assert "siamlab/py.typed" in wheel.namelist()


def test_the_sdist_builds_the_same_wheel(wheel, tmp_path):
    archive = next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path)))
    with tarfile.open(archive) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    built = zipfile.ZipFile(next(WheelBuilder(str(source)).build(directory=str(tmp_path))))
    assert sorted(built.namelist()) == sorted(wheel.namelist())
    for file in ("CITATION.cff", "mkdocs.yml", "docs/index.md", "tests/conftest.py"):
        assert (source / file).is_file()


@pytest.mark.slow
def test_the_installed_wheel_runs_the_demo(wheel, tmp_path):
    """From site-packages of its own, far from the clone; the packages it needs are those here."""
    site = tmp_path / "site"
    wheel.extractall(site)
    where = {"PYTHONPATH": str(site), "SIAMLAB_CACHE": str(tmp_path / "cache")}
    program = f"""
import sys, siamlab, siamlab.cli.main
assert siamlab.__file__.startswith({str(site)!r}), siamlab.__file__
sys.exit(siamlab.cli.main.main(["demo", "--smallest"]))"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env=os.environ | where, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert list((tmp_path / "runs").rglob("*.html"))


def test_all_say_the_same_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] == siamlab.__version__
    assert citation["license"] == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors"} < set(citation)


def test_the_command_exists():
    for target in PROJECT["scripts"].values():
        module, function = target.split(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_every_axis_of_a_run_is_in_the_catalogue():
    unions = {
        name
        for name, field in Run.model_fields.items()
        if (found := choices(field.annotation)) and "" not in found
    }
    assert unions == set(AXES)


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make here")
def test_make_refuses_a_python_that_is_none_though_there_is_an_environment(tmp_path):
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (tmp_path / ".venv/.done").touch()

    def make(*words):
        # these tests are often run by make, whose own words (VENV=...) would reach this one
        own = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        command = ["make", "-n", "test", *words]
        return subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True)

    wrong = make("PYTHON=/nonexistent")
    assert (
        wrong.returncode == 2 and "PYTHON=/nonexistent is not Python 3.11 or newer" in wrong.stderr
    )
    assert make().returncode == 0 and make(f"PYTHON={sys.executable}").returncode == 0
    (tmp_path / ".venv/bin/python").unlink()
    (tmp_path / ".venv/bin/python").write_text("#!/bin/sh\necho 3.12 of another house\n")
    (tmp_path / ".venv/bin/python").chmod(0o755)
    assert "was made by another Python" in make(f"PYTHON={sys.executable}").stderr

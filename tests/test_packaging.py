"""What is installed, pinned and promised: pyproject, lock, environment, wheel, README."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from siamlab.catalogue import AXES, axis_choices, sentence
from siamlab.run import Run
from siamlab.settings import choices

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
EVERY = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]
README = (ROOT / "README.md").read_text()
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
    own = {"siamlab", "conftest"} | {file.stem for file in (ROOT / "tests").glob("*.py")}
    modules -= set(sys.stdlib_module_names) | own
    known = packages_distributions()
    return {canonicalize_name(known.get(module, [module])[0]) for module in modules}


def test_what_the_package_imports_is_what_it_depends_on():
    found, core = imported(ROOT / "siamlab"), names(PROJECT["dependencies"])
    assert core - found == set(), "declared, and never imported"
    assert found - names([*PROJECT["dependencies"], *EXTRAS["notebook"], *EXTRAS["study"]]) == set()


def test_what_the_tests_import_is_declared():
    assert imported(ROOT / "tests") - names(EVERY) - {"benchmarks"} == set()


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
    assert sorted(listed) == sorted(EVERY)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    return zipfile.ZipFile(next(WheelBuilder(str(ROOT)).build(directory=str(folder))))


def test_the_wheel_holds_the_package_whole(wheel):
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "siamlab").rglob("*.*")}
    wanted = {file for file in files if "__pycache__" not in file and (ROOT / file).is_file()}
    assert {
        f"siamlab/{name}" for name in ("report_page.html", "data/assets/fashion-train.png")
    } < wanted
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == wanted


def test_the_wheel_says_what_it_is(wheel):
    about = wheel.read("siamlab-0.1.0.dist-info/METADATA").decode()
    for line in ("Name: siamlab", "License-Expression: Apache-2.0", "Requires-Python: >=3.11"):
        assert f"\n{line}\n" in about
    assert "siamlab-0.1.0.dist-info/licenses/LICENSE" in wheel.namelist()


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


@pytest.mark.parametrize("axis", AXES)
def test_the_readme_explains_every_choice(axis):
    rows = [line.strip("| ").split(" | ") for line in README.splitlines() if line.startswith("| `")]
    [(_, file, told)] = [row for row in rows if row[0].startswith(f"`{axis}`:")]
    wanted = (f"`{kind}`: {sentence(choice)}" for kind, choice in axis_choices(axis).items())
    assert told == "<br>".join(wanted), "paste this into the README's table"
    for choice in axis_choices(axis).values():
        home = "siamlab." + file.strip("`").removesuffix(".py").strip("/").replace("/", ".")
        assert f"{choice.__module__}.".startswith(f"{home}.")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
def test_the_python_of_the_readme_imports(block):
    imports = [node for node in ast.parse(block).body if isinstance(node, ast.ImportFrom)]
    for node in imports:
        module = importlib.import_module(node.module)
        assert all(hasattr(module, alias.name) for alias in node.names)
    assert imports

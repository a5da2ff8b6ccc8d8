"""The scripts of explorers: what is committed is built from its sources, which pass their tests."""

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

WEB = Path(str(files("siamlab") / "explore" / "web"))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the sources with the packages that build them."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("web") / "web"
    shutil.copytree(WEB, folder, ignore=shutil.ignore_patterns("node_modules", "built"))
    install = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--fetch-retries=1"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"npm cannot reach its registry: {done.stderr[-200:]}")
    return folder


def ran(project, *words):
    done = subprocess.run(["npm", *words], cwd=project, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_scripts_are_built_from_their_sources(project):
    ran(project, "run", "build")
    built = {file.name: file.read_text() for file in (project / "built").iterdir()}
    assert set(built) == {file.name for file in (WEB / "built").iterdir()}
    changed = [name for name, text in built.items() if text != (WEB / "built" / name).read_text()]
    assert not changed, f"{changed}: run `make web` and commit what it builds"


@pytest.mark.slow
def test_the_sources_pass_their_own_tests(project):
    assert "# fail 0" in ran(project, "test")


@pytest.mark.slow
def test_the_sources_are_typed_without_a_doubt(project):
    assert ran(project, "run", "--silent", "check") == ""

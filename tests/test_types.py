"""Type checkers know the public interface: each symbol has a type, and its use is understood."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# the base of widgets is anywidget's, which has no types
UNTYPED = {
    "siamlab.explore.widget.Panels",
    "siamlab.explore.widget.panels_with",
    "siamlab.explore.view.cell.Page",
    "siamlab.explore.view.cell.page_of",
}


def reported(*arguments):
    """The type checker's output on this folder's siamlab, in the environment of the tests."""
    paths = {"VIRTUAL_ENV": sys.prefix, "PYTHONPATH": str(ROOT)}
    paths["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-m", "basedpyright", "--outputjson", *arguments]
    ran = subprocess.run(command, cwd=ROOT, env=os.environ | paths, capture_output=True, text=True)
    assert ran.stdout, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.slow
def test_a_type_checker_accepts_the_use_that_docs_show():
    report = reported()
    assert report["summary"]["filesAnalyzed"] == 1, "tests/typed_use.py"
    assert [
        (e["range"]["start"]["line"] + 1, e["message"]) for e in report["generalDiagnostics"]
    ] == []


@pytest.mark.slow
def test_every_public_symbol_has_a_type():
    report = reported("--verifytypes", "siamlab", "--ignoreexternal")["typeCompleteness"]
    symbols = report["symbols"]
    assert "siamlab.run.run.Run.change" in {s["name"] for s in symbols if s["isTypeKnown"]}
    faults = {
        s["name"]: [d["message"] for d in s["diagnostics"] if d["severity"] == "error"]
        for s in symbols
        if s["isExported"] and not s["isTypeKnown"]
    }
    assert {n: m for n, m in faults.items() if n not in UNTYPED} == {}

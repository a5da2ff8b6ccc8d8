"""Mistakes in the file of a study: one sentence with its line, from whatever folder it is named."""

import re

import pytest

from siamlab.cli.main import main
from siamlab.component import UserError
from siamlab.study.file import load

HEAD = "from siamlab.recipes import mae, moco_v3\nfrom siamlab.study import Recipes, Search\n"
RUNS = "(mae(), moco_v3())"
SEARCH = "study = Search(question='?', suggest=lambda trial: mae(), objectives={})"


@pytest.mark.parametrize("folder", [".", "inside", None], ids=["here", "inside", "absolute"])
@pytest.mark.parametrize(
    "text, words",
    [
        ("study = Recipes(question='?', runs=nothing)", ", line 3, does not import: NameError"),
        (
            "\nstudy = Recipes(question='?', runs=())",
            ", line 4, Recipes.runs=.* must be a list of 2 or more, each of class Run",
        ),
        ("study = Recipes(question='?' runs=1)", ", line 3, does not import: SyntaxError"),
        ("mae().change('los=cosine')", ", line 3, a run has no key 'los'"),
        ("import sys\n\nsys.exit(0)", ", line 5, ends the program .sys.exit.; a study's file only"),
        ("raise SystemExit", ", line 3, ends the program"),
        ("raise GeneratorExit", ", line 3, does not import: GeneratorExit"),
        (SEARCH.format("()"), ", line 3, Search.objectives=.* must be a list of 1 or more"),
        (SEARCH.format("('cost', 'cost')"), ", line 3, objectives names 'cost' twice; name each"),
        (
            SEARCH.format("('speed',)"),
            ", line 3, Search.objectives=.speed. must be a list of 1 or more, each 'sem",
        ),
    ],
)
def test_a_mistake_has_its_line(tmp_path, monkeypatch, folder, text, words):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / (folder or ".") / "mine.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(HEAD + text)
    with pytest.raises(UserError, match=f"mine.py{words}"):
        load(file if folder is None else file.relative_to(tmp_path))


@pytest.mark.parametrize("command", ["run", "worker", "report"])
def test_no_file_ends_a_command_silently(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("import sys\nsys.exit(0)")
    assert main(["study", command, "mine.py"]) == 2
    assert "siamlab: mine.py, line 2, ends the program" in capsys.readouterr().err


@pytest.mark.parametrize(
    "suggest, words",
    [
        ("lambda trial: 3", "suggest must return a run such as siamlab.mae(), not 3"),
        ("lambda trial: None", "suggest must return a run such as siamlab.mae(), not None"),
        ("lambda trial: [][0]", "suggest raised IndexError in each of 32 trials: list index"),
    ],
)
def test_a_search_without_a_run_is_refused_before_any_trial(tmp_path, capfd, suggest, words):
    file = tmp_path / "mine.py"
    file.write_text(f"{HEAD}study = Search(question='?', suggest={suggest})")
    with pytest.raises(UserError, match=f"mine.py: {re.escape(words)}"):
        load(file)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "choices, words",
    [
        ("Choice('a'), Choice('b')", []),
        ("Choice('a'), Choice('b', 'loss=cosine')", ["loss=cosine"]),
        ("Choice('a', 'steps=3'), Choice('b', 'loss=mse', 'steps=3')", ["loss=mse"]),
    ],
)
def test_choices_that_are_one_run_are_refused(tmp_path, choices, words):
    file = tmp_path / "mine.py"
    axes = f"(Axis('x', {choices}),)"
    file.write_text(
        f"{HEAD}from siamlab.study import Ablation, Axis, Choice\n"
        f"study = Ablation(question='?', base=mae().change('loss=unigrad'), axes={axes})"
    )
    with pytest.raises(UserError, match="mine.py: 'a' and 'b' are one and the same run"):
        load(file, words)


def test_objectives_that_differ_are_accepted(tmp_path):
    (tmp_path / "mine.py").write_text(HEAD + SEARCH.format("('cost', 'semantic')"))
    assert load(tmp_path / "mine.py")[1].objectives == ("cost", "semantic")

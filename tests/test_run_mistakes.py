"""Refused values: each in a sentence with key, value and what is allowed, and all at once."""

import re

import pytest

from siamlab.cli.axes import all_keys, print_axes
from siamlab.cli.probe import fine_tuning
from siamlab.cli.standard import standard_data
from siamlab.component import UserError
from siamlab.machine.fields import choices, literal
from siamlab.run import Run
from siamlab.run.choices import AXES, axis_choices
from siamlab.study import Ablation, Axis, Choice, Recipes, Search
from siamlab.study.assignments import assign as change_study

KEYS = all_keys()
NUMBERS = [key for key in KEYS if re.match("an? (whole )?number", key.allowed)]
STUDIES = {
    "ablation": Ablation(
        question="?", base=Run(), axes=(Axis("x", Choice("a"), Choice("b", "steps=3")),)
    ),
    "recipes": Recipes(question="?", runs=(Run(), Run(name="b"))),
    "search": Search(question="?", suggest=lambda trial: Run()),
}


def set_to(key, value):
    """Give a key this value, on the choice that has it."""
    if key.where.startswith("a study: "):
        change_study(STUDIES[key.where.removeprefix("a study: ")], [f"{key.key}={value}"])
    elif key.where.startswith("--suite "):
        standard_data(key.where.removeprefix("--suite "), [f"{key.key}={value}"])
    elif key.key.startswith("fine_tune."):
        fine_tuning([f"{key.key}={value}"])
    else:
        Run().change(*([key.where] if key.where else []), f"{key.key}={value}")


def refused(*words):
    with pytest.raises(UserError) as error:
        Run().change(*words)
    assert "\n" not in str(error.value)
    return str(error.value)


def name(key):
    return f"{key.where} {key.key}"


@pytest.mark.parametrize("key", NUMBERS, ids=name)
def test_no_number_is_nonsense_and_the_advice_is_true(key):
    for value in ("true", "false", "inf", "nan", "many", "-1e9"):
        if value == "inf" and "or inf" in key.allowed:
            set_to(key, value)  # optimiser.clip
            continue
        with pytest.raises(UserError) as error:
            set_to(key, value)
        said = str(error.value)
        assert f"{key.key}={text(value)} must be {key.allowed}; `siamlab axes {key.key}`" in said
        assert "\n" not in said


def text(value):
    number = literal(value)
    return f"{number:.15g}" if isinstance(number, float) else str(number).lower()


@pytest.mark.parametrize("key", sorted({key.key for key in KEYS} - set(AXES)))
def test_every_key_is_explained(key, capsys):
    print_axes(key)
    assert key[:8] in capsys.readouterr().out


def test_a_group_of_keys_is_explained_key_by_key(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    print_axes("optimiser")
    shown = capsys.readouterr().out
    assert all(f"optimiser.{name}" in shown for name in ("lr", "betas", "decay", "warmup", "clip"))
    assert "a number above 0, or inf" in shown
    with pytest.raises(UserError, match="no axis or key 'optimser'; did you mean 'optimiser"):
        print_axes("optimser")


def test_what_all_fields_take_is_said_in_plain_words():
    for key in KEYS:
        assert not re.search(r"<class|typing|Annotated|\^|None", key.allowed), key


@pytest.mark.parametrize(
    "words, told",
    [
        (["steps=many", "batch=1"], ["steps=many", "batch=1"]),
        (["los=mse", "steps=many"], ["'los'; did you mean 'loss'", "steps=many"]),
        (["los=mse", "masking.rato=1"], ["'los'", "'rato'; did you mean 'ratio'"]),
    ],
)
def test_all_mistakes_are_reported_at_once(words, told):
    said = refused(*words)
    assert all(part in said for part in told) and said.count("Also: ") == len(told) - 1


def test_all_mistakes_of_a_file_are_told_at_once():
    with pytest.raises(UserError) as error:
        Run.parse('steps = "many"\nstepz = 3\n[masking]\nkind = "random"\nrato = 2')
    for part in ("'stepz'", "masking=random has no key 'rato'", "steps=many must be"):
        assert part in str(error.value)


def test_an_unknown_key_does_not_let_rules_complain_of_what_it_would_have_set():
    assert "hidden" not in refused("vews=same", "masking=multiblock")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_bytes(b"\xef\xbb\xbfsteps = 3\n")
    assert Run.read(file) == Run(steps=3)


def test_a_list_that_is_too_short_is_not_called_missing():
    said = refused("optimiser.betas=[0.9]")
    assert said.startswith("optimiser.betas=[0.9] must be a list of two, each a number from 0")


def test_capital_letters_are_no_other_name():
    assert "did you mean 'mse'" in refused("loss=MSE")


def test_text_may_look_like_a_number():
    run = Run().change("data=folder", "data.path=2024", "name=12")
    assert (run.data.path, run.name) == ("2024", "12")
    assert Run().change(*run.differences(Run()), "name=12") == run


def test_a_group_of_keys_has_no_value_of_its_own():
    assert "compute=fast must be set key by key, as in compute.device=" in refused("compute=fast")


@pytest.mark.parametrize("kind", [{"a": 1}, ["mse"], 3, None])
def test_a_kind_that_is_no_text_is_no_choice(kind):
    with pytest.raises(UserError, match="^loss"):
        Run.make({"loss": {"kind": kind}})


@pytest.mark.parametrize("word", ["steps=3\nbatch=4", "steps=3 # three", "steps=" + "1" * 5000])
def test_only_a_whole_word_is_a_value(word):
    assert "must be a whole number" in refused(word)


@pytest.mark.parametrize(
    "words",
    [
        ["model.depth=1000000"],
        ["data=scenes", "data.images=1e9"],
        ["views.crop.aspect=1e300"],
        ["compute.threads=1e9"],
        ["data=scenes", "data.seed=1e30"],
    ],
)
def test_what_would_never_end_is_refused(words):
    assert re.search(r"must be a (whole )?number from [\d ]+ to (below )?[\d,]+", refused(*words))


def test_every_field_of_every_choice_is_among_the_keys():
    found = {(key.where, key.key) for key in KEYS}
    for axis in AXES:
        for kind, choice in axis_choices(axis).items():
            for field in choice.model_fields.keys() - {"kind"}:
                inside = choices(choice.model_fields[field].annotation)
                assert (f"{axis}={kind}", f"{axis}.{field}") in found or inside

"""Studies and files of trials that were written before a component gained a field still count.

What was written before lacks the field. So each law here leaves out, of what is stored, every
field that has its default, and expects that nothing differs.
"""

import json

import pytest
import tomli_w
from pydantic import BaseModel
from test_study_report import FILE, LOSSES, SEARCH, finish, waiting

from siamlab.component import UserError
from siamlab.data import Scenes, about
from siamlab.data.about import about_data
from siamlab.data.cutouts import FashionObjects
from siamlab.recipes import RECIPES, demo_size, photo_size
from siamlab.run import Run
from siamlab.study.assignments import assign
from siamlab.study.description import describe, differences
from siamlab.study.export_trials import export_trials
from siamlab.study.import_trials import import_trials
from siamlab.study.plan import open_study, stored_definition
from siamlab.study.storage import open_storage
from siamlab.study.trials_file import content_hash


def earlier(component):
    """The tables of a component without the fields that have their default."""
    fields = {}
    for name, field in type(component).model_fields.items():
        value = getattr(component, name)
        if isinstance(value, BaseModel):
            fields[name] = earlier(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            fields[name] = [earlier(part) for part in value]
        elif name == "kind" or value != field.get_default(call_default_factory=True):
            fields[name] = component.model_dump(mode="json")[name]
    return fields


def before(described):
    """The description of a study whose runs were written before all these fields were added."""
    runs = described["points"]
    points = {name: tomli_w.dumps(earlier(Run.parse(run))) for name, run in runs.items()}
    assert all(len(points[name]) < len(run) for name, run in runs.items())
    return described | {"points": points}


@pytest.mark.parametrize("size", [lambda run: run, demo_size, photo_size])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_is_the_run_that_was_written_before(recipe, size):
    mine = {"points": {"one": size(recipe()).toml()}}
    assert not list(differences(mine, before(mine)))
    other = {"points": {"one": size(recipe()).change("optimiser.decay=0.5").toml()}}
    assert [d.key for d in differences(other, before(mine))] == ["one: optimiser"]


@pytest.fixture
def written_before(tmp_path):
    """A file of trials whose runs lack every field that has its default."""
    there, path = tmp_path / "there", tmp_path / "losses.jsonl"
    study = open_study(LOSSES, "losses", open_storage("", there))
    for trial in waiting(study)[:3]:
        finish(study, trial, trial.user_attrs["point"], trial.user_attrs["seed"])
    export_trials("losses", there, "", path)
    contents = [json.loads(line)["content"] for line in path.read_text().splitlines()]
    head = contents[0]["about"] = before(contents[0]["about"])
    for record in contents[1:]:
        record["run"] = content_hash(head["points"][record["point"]])
    lines = [{"hash": content_hash(content), "content": content} for content in contents]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_trials_that_were_exported_before_are_imported(written_before, tmp_path, capsys):
    (tmp_path / "losses.py").write_text(FILE)
    where = (tmp_path / "here", "", [written_before])
    with pytest.raises(UserError, match="another definition: .*: optimiser is "):
        import_trials(str(tmp_path / "losses.py"), ["optimiser.decay=0.5"], *where)
    import_trials(str(tmp_path / "losses.py"), [], *where)
    assert "imported: 3 trials\n" in capsys.readouterr().out


@pytest.mark.parametrize("definition", [LOSSES, SEARCH], ids=["fixed", "search"])
def test_a_study_that_was_stored_before_continues(tmp_path, definition):
    storage = open_storage("", tmp_path)
    study = open_study(definition, "mine", storage)
    study.set_user_attr("about", before(describe(definition)))
    if definition is LOSSES:
        study.set_user_attr("definition", earlier(definition))
        assert stored_definition(study) == definition
    open_study(definition, "mine", storage)
    with pytest.raises(UserError, match="another definition: .*: steps is 2 there and 3 here"):
        open_study(assign(definition, ["steps=3"]), "mine", storage)


def test_protocols_of_scenes_have_the_fields_of_published_numbers(monkeypatch):
    """A field that comes later belongs in LATER, or no new number fits the committed ones."""
    published = [
        "kind", "side", "images", "test_images", "per_scene", "size", "contrast", "photographs",
        "objects.kind", "objects.source", "objects.path", "seed",
    ]  # fmt: skip
    assert [*about_data(Scenes())] == published
    monkeypatch.setitem(about.LATER, "objects.source", "shipped")
    assert [*about_data(Scenes())] == [key for key in published if key != "objects.source"]
    full = Scenes().replace(objects=FashionObjects(source="full"))
    assert about_data(full)["objects.source"] == "full"

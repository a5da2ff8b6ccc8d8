"""The base class, and what every choice of every axis owes its reader."""

from typing import Literal, get_origin

import pytest
from pydantic import Field, ValidationError

from siamlab.colour import Colour
from siamlab.component import Component, UserError, ascending, unknown, variants
from siamlab.data import Data
from siamlab.loss import Loss
from siamlab.masking import Masking, RandomMasking
from siamlab.model.backbone import Backbone
from siamlab.model.prediction import Prediction
from siamlab.positions import Positions
from siamlab.run import Run
from siamlab.target import Target
from siamlab.views import Crops, Views

AXES = (Data, Views, Colour, Masking, Positions, Target, Prediction, Loss, Backbone)
EVERY = pytest.mark.parametrize("cls", [cls for axis in AXES for cls in variants(axis)])


class Spoon(Component):
    """A thing with bounds."""

    length: float = Field(1.0, gt=0, description="centimetres")
    depth: int = Field(1, ge=0, description="centimetres")


@EVERY
def test_a_choice_is_a_final_class_with_a_sentence_and_a_kind(cls):
    assert issubclass(cls, Component)
    assert not any("kind" in base.model_fields for base in cls.__bases__)  # none is a choice
    assert cls.__doc__.splitlines()[0].endswith(".")
    assert get_origin(cls.model_fields["kind"].annotation) is Literal
    assert cls().kind == cls.model_fields["kind"].default


@EVERY
def test_every_field_says_what_it_is(cls):
    silent = [
        name
        for name, field in cls.model_fields.items()
        if not field.description and name != "kind" and not is_component(field.annotation)
    ]
    assert not silent


@pytest.mark.parametrize("axis", AXES)
def test_kinds_of_an_axis_differ(axis):
    kinds = [cls.model_fields["kind"].default for cls in variants(axis)]
    assert len(set(kinds)) == len(kinds) > 1


@EVERY
def test_components_are_values(cls):
    assert cls() == cls() and hash(cls()) == hash(cls())
    with pytest.raises(ValidationError, match="frozen"):
        cls().kind = "other"


def test_replace_is_a_checked_copy():
    spoon = Spoon()
    assert spoon.replace(length=2).length == 2 and spoon.length == 1
    with pytest.raises(UserError, match="^Spoon.length=-1 must be a number above 0$"):
        spoon.replace(length=-1)


def test_all_mistakes_of_a_component_are_told_each_in_a_sentence():
    with pytest.raises(UserError) as error:
        Run(steps=0, batch="many", masking={"kind": "random", "ratio": 2})
    first, second, third = str(error.value).split(". Also: ")
    assert first == "Run.masking.ratio=2 must be a number from 0 to below 1"
    assert second == "Run.batch=many must be a whole number from 2 to 1,048,576"
    assert third == "Run.steps=0 must be a whole number from 1 to 1,000,000,000"


def test_unknown_field_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="Spoon has no field 'lenght'; did you mean 'length'"):
        Spoon(lenght=3)
    with pytest.raises(UserError, match="has no field 'colour'; allowed: depth, length"):
        Spoon().replace(colour="red")


def test_unknown_lists_what_is_allowed_unless_that_is_too_much():
    assert unknown("no loss", "msee", ["mse", "cosine"]) == (
        "no loss 'msee'; did you mean 'mse'? allowed: cosine, mse"
    )
    many = [f"model{i:03d}" for i in range(41)]
    assert (
        unknown("no model", "zzz", many) == "no model 'zzz'; allowed: 41 names, such as 'model040'"
    )


def test_a_range_runs_upwards():
    assert ascending((0.2, 0.2)) == (0.2, 0.2)
    with pytest.raises(UserError, match=r"area: \[0.5, 0.2\] must be \[least, largest\]"):
        Crops(area=(0.5, 0.2))


def test_variants_are_the_classes_in_order():
    assert variants(Masking)[1] is RandomMasking and len(variants(Masking)) == 5


def is_component(annotation):
    return isinstance(annotation, type) and issubclass(annotation, Component)

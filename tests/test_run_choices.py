"""A component that a user wrote, from the word on the command line to a trained run."""

from typing import Literal

import pytest
import torch

from siamlab.component import Component, UserError
from siamlab.evaluate.models import open_model
from siamlab.masking import Mask, MaskingChoice, RandomMasking
from siamlab.model.backbone import BackboneChoice
from siamlab.recipes import demo_size, siameseim
from siamlab.run import Run
from siamlab.run.choices import AXES, add_choice
from siamlab.train import train


class Checkerboard(MaskingChoice):
    """Hide every second patch."""

    kind: Literal["checkerboard"] = "checkerboard"
    odd: bool = False

    def __call__(self, batch, grid, rng):
        rows, columns = torch.meshgrid(*map(torch.arange, grid), indexing="ij")
        visible = ((rows + columns) % 2 == int(self.odd)).flatten().expand(batch, -1)
        return Mask(visible, torch.ones_like(visible))


@pytest.fixture(autouse=True)
def as_before():
    field = Run.model_fields["masking"]
    before = field.annotation
    yield
    field.annotation = before
    Run.model_rebuild(force=True)


def test_it_is_a_choice_like_any_other(tmp_path):
    with pytest.raises(UserError, match="no choice 'checkerboard'"):
        siameseim().change("masking=checkerboard")
    assert add_choice("masking", Checkerboard) is Checkerboard
    few = ("data.images=32", "data.test_images=8", "batch=8", "steps=2", "model.depth=1")
    run = demo_size(siameseim()).change("masking=checkerboard", "masking.odd=true", *few)
    assert run.masking == Checkerboard(odd=True)
    assert Run.parse(run.toml()) == run
    assert run.differences(demo_size(siameseim()))[0] == "data.images=32"
    assert "masking=checkerboard" in run.differences(demo_size(siameseim()))
    folder = train(run, tmp_path / "run")
    assert folder.run() == run and open_model(folder.path).run == run
    with pytest.raises(UserError, match="masking=checkerboard has no key 'ratio'.*odd"):
        run.change("masking.ratio=0.5")


def test_a_cell_that_runs_again_replaces_its_class():
    add_choice("masking", Checkerboard)

    class Again(Checkerboard):
        """The same, written again."""

    add_choice("masking", Again)
    assert type(siameseim().change("masking=checkerboard").masking) is Again


class NoKind(MaskingChoice):
    """Nothing to call it by."""


class Mute(MaskingChoice):
    """It draws nothing."""

    kind: Literal["mute"] = "mute"


class Sizeless(BackboneChoice):
    """Its sizes are unknown."""

    kind: Literal["sizeless"] = "sizeless"
    patch: int = 8

    def build(self, size):
        return None


class Misnamed(Checkerboard):
    """Its kind is not what its type allows."""

    kind: Literal["other"] = "misnamed"


class Beyond(Checkerboard):
    """A default lies outside its type."""

    kind: Literal["beyond"] = "beyond"
    odd: Literal["yes", "no"] = "perhaps"


class Loose(Component):
    """A component, but of no axis."""

    kind: Literal["loose"] = "loose"


@pytest.mark.parametrize(
    "axis, choice, sentence",
    [
        ("maskin", Checkerboard, "no axis 'maskin'; did you mean 'masking'"),
        ("masking", Mute, "Mute has no __call__; siamlab.masking.MaskingChoice says"),
        ("masking", Loose, "Loose must be a siamlab.masking.MaskingChoice"),
        ("masking", Misnamed, "Misnamed.kind is 'misnamed' by default.* only 'other'; write kind"),
        ("masking", Beyond, "defaults of Beyond must.*odd=perhaps must be 'yes' or 'no'"),
        ("loss", Checkerboard, "Checkerboard must be a siamlab.loss.LossChoice"),
        ("model", Sizeless, "Sizeless has no width, depth, heads, norm, stem;"),
        ("masking", NoKind, 'NoKind must be .*kind: Literal."nokind".'),
        ("masking", Mask, "Mask must be a siamlab.masking.MaskingChoice"),
        ("masking", RandomMasking, "masking=random is one of siamlab's own choices"),
    ],
)
def test_what_cannot_be_a_choice_is_said(axis, choice, sentence):
    with pytest.raises(UserError, match=sentence):
        add_choice(axis, choice)


def test_the_axes_are_those_of_the_catalogue():
    from siamlab.run.choices import AXES as SHOWN

    assert set(AXES) == set(SHOWN)

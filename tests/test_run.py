"""One object from Python, TOML or the command line; and the sentences about mistakes."""

import re

import pytest
from pydantic import ValidationError

from siamlab.component import UserError, variants
from siamlab.loss import Cosine, InfoNCE, Loss, UniGrad, VICReg
from siamlab.machine.fields import choices, literal
from siamlab.masking import BlockwiseMasking, RandomMasking
from siamlab.model.backbone import Timm, Vit
from siamlab.model.prediction import Both
from siamlab.recipes import RECIPES, demo_size, mae, siameseim
from siamlab.run import AdamW, Run
from siamlab.run.assignments import assign

AXES = {
    name: field.annotation
    for name, field in Run.model_fields.items()
    if len(choices(field.annotation)) > 1
}
CHOICES = [(axis, kind) for axis, union in AXES.items() for kind in choices(union)]
SAME = "views=same"  # what some choices ask of the other axes
NEEDS = {"multiblock": [SAME], "linear": [SAME], "same": [], "pixels": []}


def refused(*assignments, run=None):
    """Return the one sentence of the error."""
    with pytest.raises(UserError) as error:
        (run or Run()).change(*assignments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_axis_has_its_choices():
    assert list(AXES) == [
        *("data", "views", "colour", "masking", "positions"),
        *("target", "prediction", "loss", "model"),
    ]
    assert list(choices(AXES["loss"]).values()) == list(variants(Loss))


@pytest.mark.parametrize("axis, kind", CHOICES)
def test_every_choice_can_be_put_into_a_run_and_parsed_back(axis, kind):
    run = Run().change(f"{axis}={kind}", *NEEDS.get(kind, []))
    assert getattr(run, axis).kind == kind
    assert getattr(run, axis) == choices(AXES[axis])[kind]()
    assert Run.parse(run.toml()) == run


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("sized", [lambda run: run, demo_size], ids=["paper", "demo"])
def test_a_recipe_survives_toml(recipe, sized, tmp_path):
    run = sized(recipe())
    (tmp_path / "run.toml").write_text(run.toml())
    assert Run.read(tmp_path / "run.toml") == run == Run.parse(run.toml())


def test_python_toml_and_dotted_keys_are_one_object():
    run = Run(loss=UniGrad(weight=0.05), steps=20_000, model=Timm(), size=(48, 64))
    toml = """
        steps = 20000
        size = [48, 64]
        loss = {kind = "unigrad", weight = 0.05}
        model = {kind = "timm", name = "vit_small_patch16_224"}
    """
    typed = ("loss.weight=0.05", "model=vit_small_patch16_224", "steps=20000", "size=[48, 64]")
    assert Run.parse(toml) == run == Run().change(*typed)


def test_one_number_is_both_sides():
    assert Run(size=48) == Run(size=(48, 48)) == Run().change("size=48") == Run.parse("size = 48")
    assert Run(size=(48, 64)).grid == (3, 4)


def test_a_choice_is_a_name_or_a_table():
    named, table = Run().change("loss=cosine"), Run().change('loss={kind="cosine"}')
    assert named == table == Run().change("loss.kind=cosine") == Run(loss={"kind": "cosine"})
    assert named.loss == Cosine()


def test_a_choice_starts_at_its_own_defaults():
    masked = Run().change("masking.ratio=0.3")
    assert masked.masking == BlockwiseMasking(ratio=0.3)
    assert masked.change("masking=random").masking == RandomMasking()
    assert masked.change("masking=random", "masking.ratio=0.4").masking.ratio == 0.4


@pytest.mark.parametrize("chosen", ["loss=infonce", "loss.kind=infonce"])
def test_the_order_of_the_changes_does_not_matter(chosen):
    expected = InfoNCE(temperature=0.5)
    assert Run().change(chosen, "loss.temperature=0.5").loss == expected
    assert Run().change("loss.temperature=0.5", chosen).loss == expected


def test_keys_reach_into_parts_of_parts():
    run = Run().change("views.crop.area=[0.3, 0.9]", "compute.threads=2", "optimiser.clip=inf")
    assert run.views.crop.area == (0.3, 0.9) and run.views.crop.flip == 0.5
    assert run.compute.threads == 2 and run.optimiser.clip == float("inf")
    both = Run().change("prediction=both", "prediction.dense.depth=2", "prediction.image.pool=mean")
    assert both.prediction.dense.depth == 2 and both.prediction.image.pool == "mean"


def test_fields_and_keys_can_be_given_together():
    run = Run().change("loss.invariance=2", "optimiser.lr=0.1", loss=VICReg(variance=3.0), steps=7)
    assert run.loss == VICReg(invariance=2.0, variance=3.0)
    assert run.steps == 7 and run.optimiser == AdamW(lr=0.1)


def test_a_change_is_a_copy():
    run = mae()
    assert run.change("steps=3", "optimiser.betas=[0.1, 0.2]").steps == 3
    assert run == mae() and run.change() == run


@pytest.mark.parametrize(
    "text, value",
    [("0.05", 0.05), ("1e-3", 1e-3), ("true", True), ("[1, 2]", [1, 2]), ("cosine", "cosine")],
)
def test_values_are_read_as_toml_writes_them(text, value):
    assert literal(text) == value and type(literal(text)) is type(value)


@pytest.mark.parametrize(
    "wrong, said",
    [
        (["los=cosine"], r"a run has no key 'los'; did you mean 'loss'"),
        (["lr=1e-3"], r"a run has no key 'lr'; did you mean 'optimiser.lr'\?"),
        (["width=9"], r"no key 'width'; did you mean 'prediction.width' or 'model.width'"),
        (["loss.wieght=1"], r"loss=unigrad has no key 'wieght'; did you mean 'weight'"),
        (["views.crop.aera=1"], r"views.crop has no key 'aera'; did you mean 'area'"),
        (["loss=cosin"], r"loss has no choice 'cosin'; did you mean 'cosine'.*vicreg"),
        (["loss.kind=cosin"], r"loss has no choice 'cosin'; did you mean 'cosine'"),
        (["loss.kind=cosin", "loss.weight=1"], r"loss has no choice 'cosin'.*'cosine'"),
        (["masking={ratio=0.1}"], r"masking needs a `kind`"),
        (
            ["model=vit_smal_patch16_224"],
            r"no vision transformer 'vit_smal_patch16_224'.*'vit_small",
        ),
        (["steps.of=3"], r"steps.of goes too deep: steps is a value"),
        (["model.name=test_vit"], r"model=vit has no key 'name'"),
        (["steps"], r"'steps' is not key=value"),
        (["=3"], r"'=3' is not key=value"),
        (["compute=fast"], r"^compute"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(wrong, said):
    assert re.search(said, refused(*wrong)) and "Also" not in refused(*wrong)


@pytest.mark.parametrize(
    "key, value, allowed",
    [
        ("steps", "many", "a whole number"),
        ("steps", 0, "from 1 to"),
        ("batch", 1, "from 2 to"),
        ("size", "[48, 64, 80]", "one or two"),
        ("size", 0, "from 1 to 4,096"),
        ("loss.weight", -1, "0 or more"),
        ("masking.ratio", 1.0, "below 1"),
        ("views.crop.flip", 2, "from 0 to 1"),
        ("roles", "one", "'fixed' or 'both'"),
        ("compute.device", "tpu", "'auto', 'cpu', 'cuda' or 'mps'"),
        ("compute.compile", "perhaps", "true or false"),
        ("optimiser.lr", 0, "above 0"),
        ("optimiser.betas", "[0.9, 1.0]", "two, each a number from 0 to below 1"),
        ("views.crop.area", "[0.5, 0.2]", "least, largest"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_what_is_allowed(key, value, allowed):
    said = refused(f"{key}={value}")
    assert said.startswith(key) and allowed in said  # the key as the user writes it, without kinds


@pytest.mark.parametrize(
    "changes, keys",
    [
        (["size=[50, 48]"], ["size=[50, 48]", "model.patch=16", "48 or 64"]),
        (["size=3"], ["size", "model.patch", "16"]),
        (
            ["size=4096", "model.patch=4"],
            ["size=[4096, 4096]", "model.patch=4", "1,048,576", "at most 65,536"],
        ),
        (["model.width=100"], ["model.width=100", "model.heads=12"]),
        (["model.width=90", "model.heads=9"], ["model.width=90", "multiple of 4"]),
        (["prediction.width=100"], ["prediction.width=100", "prediction.heads=16"]),
        (
            ["prediction=both", "prediction.dense.width=100"],
            ["prediction.dense.width=100", "prediction.dense.heads=16"],
        ),
        (["size=32", "masking.ratio=0.99"], ["masking.ratio=0.99", "size", "0.75"]),
        (
            ["size=32", SAME, "masking=random", "masking.ratio=0.1", "masking.predict=hidden"],
            ["masking.ratio=0.1", "masking.predict"],
        ),
        (["masking.predict=hidden"], ["masking.predict=hidden", "views=independent", SAME]),
        (["masking=multiblock", "views=nested"], ["masking.predict=hidden", "views=nested"]),
        (["prediction=linear"], ["prediction=linear", "views=independent", SAME]),
        (["roles=both", SAME], ["roles=both", SAME]),
        (["target=pixels", "prediction=global"], ["target=pixels", "prediction=global"]),
        (["target=pixels", "prediction=both"], ["target=pixels", "prediction=both"]),
        (["model=test_vit2", "prediction=global"], ["pool=class", "model=test_vit2", "pool=mean"]),
        (["model=test_vit2", "prediction=both"], ["pool=class", "model=test_vit2"]),
        (["batch=10", "compute.accumulate=4"], ["batch=10", "compute.accumulate=4"]),
        (["batch=4", "compute.accumulate=4"], ["batch=4", "compute.accumulate=4", "8 on"]),
        (["optimiser.least_lr=1e-3"], ["optimiser.least_lr=0.001", "optimiser.lr=6.25e-05"]),
    ],
)
def test_a_meaningless_combination_is_refused_with_both_keys(changes, keys):
    said = refused(*changes)
    assert all(key in said for key in keys), said
    with pytest.raises(UserError):  # the same from Python
        Run(**_tables(changes))


@pytest.mark.parametrize(
    "changes",
    [
        [SAME, "masking.predict=hidden"],
        ["views=recoloured", "masking.predict=hidden", "roles=both"],
        [SAME, "prediction=linear", "masking=random"],
        ["model=test_vit2", "prediction=global", "prediction.pool=mean"],
        [SAME, "target=pixels", "masking=none"],
        ["size=32", "masking.ratio=0.75"],
        ["size=4096"],
        ["size=[16, 32]", "batch=12", "compute.accumulate=4"],
    ],
)
def test_what_has_a_meaning_is_allowed(changes):
    assert Run.parse(Run().change(*changes).toml()) == Run().change(*changes)


def test_a_run_file_that_is_not_one_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no run file .*none.toml; `siamlab show"):
        Run.read(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("steps: 3")
    with pytest.raises(UserError, match="bad.toml is not TOML"):
        Run.read(tmp_path / "bad.toml")
    with pytest.raises(UserError, match="a run has no key 'stepps'; did you mean 'steps'"):
        Run.parse("stepps = 3")


def test_runs_are_values():
    one, same = siameseim(), Run.parse(siameseim().toml())
    assert one == same and hash(one) == hash(same) and siameseim(seed=1) != one
    with pytest.raises(ValidationError, match="frozen"):
        Run().steps = 3


def test_components_and_their_tables_are_the_same():
    assert Run(prediction=Both(), model=Vit(patch=8)) == Run.make(
        {"prediction": {"kind": "both"}, "model": {"kind": "vit", "patch": 8}}
    )


def _tables(changes):
    return assign(Run().model_dump(), changes, Run)


def test_a_word_names_a_choice_in_toml_too():
    run = Run.parse('loss = "cosine"\nmodel = "vit_small_patch16_224"')
    assert run == Run().change("loss=cosine", "model=vit_small_patch16_224")


def test_a_file_that_is_not_utf8_or_not_a_run_is_named(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_bytes(Run().toml().encode("utf-16"))
    with pytest.raises(UserError, match="mine.toml is not UTF-8"):
        Run.read(file)
    file.write_text("stepz = 3")
    with pytest.raises(UserError, match="mine.toml: .*stepz"):
        Run.read(file)


@pytest.mark.parametrize("name", ["", "..", "../evil", "a/b", "a\\b"])
def test_a_name_is_a_folders_name(name):
    with pytest.raises(UserError, match="name="):
        Run().change(name=name)
    assert Run().change(name="mae-0.75").name == "mae-0.75"

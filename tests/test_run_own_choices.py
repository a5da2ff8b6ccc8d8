"""A user's choice of every axis is trained, judged, drawn and explored like siamlab's own."""

import json

import pytest
import torch
from own_choices import ALL, CHOICES, Negative, Tiny, added

from siamlab.cli.axes import print_axes
from siamlab.component import UserError, variants
from siamlab.data import describe
from siamlab.evaluate.images import open_images
from siamlab.evaluate.models import open_model
from siamlab.explore import EyeExplorer, ModelsExplorer, PairExplorer
from siamlab.masking import Mask, Masking, MaskingChoice
from siamlab.recipes import demo_size, photo_size
from siamlab.report.pictures import views_picture
from siamlab.run import Run
from siamlab.run.choices import AXES
from siamlab.train import train
from siamlab.train.device import build
from siamlab.train.step import compare
from siamlab.views import Views

CURTAIN = ("masking=curtain", "masking.asks=closed")  # predicts what it hides
SAMPLE = torch.randint(
    0, 256, (4, 3, 50, 40), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
)


@pytest.fixture(autouse=True, scope="module")
def own():
    with added():
        yield


@pytest.fixture(scope="module")
def folders(own, tmp_path_factory):
    """Two trained runs: all choices of the user's; and with two heads, of which one is asked."""
    path = tmp_path_factory.mktemp("own")
    runs = {"mine": make(), "duet": make("prediction=duet", "roles=both")}
    return {name: train(run.change(name=name), path / name) for name, run in runs.items()}


def make(*changes):
    return Run().change(*ALL).change(*changes)


def logged(folder):
    return [json.loads(line) for line in (folder.path / "metrics.jsonl").read_text().splitlines()]


def test_every_axis_has_a_users_choice():
    assert CHOICES.keys() == AXES.keys()


def test_a_run_of_a_users_choices_is_trained(folders):
    run = folders["mine"].run()
    assert run == make().change(name="mine") == Run.parse(run.toml())
    assert all(type(getattr(run, axis)) in CHOICES[axis] for axis in AXES)
    lines = logged(folders["mine"])
    assert [line["step"] for line in lines] == [1, 2]
    assert {"loss/absolute", "context/rankme", "target/rankme"} <= lines[-1].keys()
    assert open_model(folders["mine"].path).run == folders["mine"].run()


def test_every_head_of_a_users_prediction_is_trained(folders):
    line = logged(folders["duet"])[-1]
    assert {"loss/p/absolute", "loss/i/absolute"} <= line.keys()


def test_a_users_target_that_does_not_train_is_not_watched_for_collapse(tmp_path):
    line = logged(train(make("target=brightness"), tmp_path / "run"))[-1]
    assert "context/rankme" in line and "target/rankme" not in line


ALLOWED = [
    CURTAIN,  # as views=twins declares one crop
    ("views=halves",),
    ("views=halves", "masking.closed=0.8"),
    ("roles=both",),
    ("prediction=inside",),
    ("prediction=vector",),
    ("prediction=duet",),
    ("prediction=undeclared",),
    ("prediction=class_only",),
    ("target=brightness",),
    ("model=tiny",),
    ("prediction=blocks", "prediction.width=24", "prediction.heads=3"),
]
REFUSED = {
    ("masking.closed=1.0",): "masking=curtain hides all 9 patches.*at most 8 of them",
    ("masking.asks=nothing",): "masking=curtain predicts none of 9 patches",
    (*CURTAIN, "masking.closed=0"): "masking=curtain predicts none of 9 patches",
    (*CURTAIN, "views=halves"): "masking=curtain predicts only .*views=halves shows two crops.*"
    "or declare Halves.shares",
    ("prediction=inside", "views=halves"): "prediction=inside reads .*views=halves shows two crops",
    ("roles=both", "views=clones"): "roles=both trains twice.*views=clones are the same",
    ("target=brightness", "prediction=vector"): "target=brightness has goals per patch only, but "
    "prediction=vector predicts one vector per image.*or declare Brightness.per",
    ("target=brightness", "prediction=duet"): "target=brightness .*prediction=duet predicts one",
    ("target=pixels", "prediction=vector"): "target=pixels .*prediction=vector.*momentum$",
    ("prediction=undeclared", "model=tiny"): "prediction=undeclared reads the class token, which "
    "model=tiny does not have.*or declare Tiny.class_token",
    ("prediction=class_only", "model=tiny"): "prediction=class_only reads the class token",
    ("prediction=blocks", "prediction.width=10"): "prediction.width=10 must be a multiple of 4",
    ("model.width=18",): "model.width=18 must be a multiple of 4",
    ("model.patch=7",): "size=.24, 24. must be a multiple of model.patch=7",
}


@pytest.mark.parametrize("changes", ALLOWED, ids=" ".join)
def test_rules_allow_what_a_users_choices_can_do(changes):
    run = make(*changes)
    state, rng = build(run, torch.device("cpu")), torch.Generator()
    context, target = run.views(SAMPLE, run.size, run.colour, rng)
    mask, places = run.masking(4, run.grid, rng), run.positions(context, target, run.grid)
    pred = state.model(context.image, places, mask)
    goal = state.teacher(target, places.own, mask.predict)
    assert all(p.shape == g.shape for p, g in zip(pred, goal, strict=True))
    assert all(value.isfinite() for value in compare(run, pred, goal).values())


@pytest.mark.parametrize("changes, sentence", REFUSED.items(), ids=map(" ".join, REFUSED))
def test_rules_refuse_what_a_users_choices_cannot_do(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        make(*changes)


@pytest.mark.parametrize("changes, asked", {(): 9, CURTAIN: 4, ("prediction=vector",): 0}.items())
def test_views_of_a_users_run_are_drawn(changes, asked):
    """Nine patches, of which the first four are hidden; a head of whole images asks for none."""
    run = make(*changes)
    figure = views_picture(run, run.data("test").pixels[0])
    drawn = {trace.name: trace.x for trace in figure.data}
    count = lambda name: sum(x is None for x in drawn.get(name, ()))  # noqa: E731
    assert count("hidden from the encoder") == 4 and count("predicted") == asked


@pytest.mark.parametrize("name, head", [("mine", 0), ("duet", 0)])
def test_the_eye_looks_through_a_users_predictor(folders, name, head):
    eye = EyeExplorer(folders[name].path)
    assert eye.head == head and eye.expected().prediction.shape == (9, 16)
    assert "of 9 predictions are most similar" in eye.state["text"]


@pytest.mark.parametrize("change", ["target=brightness", "prediction=vector", "prediction=inside"])
def test_the_eye_refuses_a_users_run_that_it_cannot_ask(change, tmp_path):
    folder = train(make(change), tmp_path / "run")
    with pytest.raises(UserError, match="needs a dense prediction of features"):
        EyeExplorer(folder.path)


def test_explorers_show_a_users_encoder(folders):
    paths = [folder.path for folder in folders.values()]
    assert len(ModelsExplorer(paths).scene().panels) > 4
    assert PairExplorer(paths[0]).scene().panels


def test_a_users_images_are_opened_by_name(folders):
    train, test = open_images("noise", open_model(folders["mine"].path), train=20, test=10)
    assert len(train.labels) == 20 and test.classes == ("even", "odd")
    with pytest.raises(UserError, match="no source 'nois'; did you mean 'noise'"):
        open_images("nois")


def test_the_catalogue_names_a_users_choices(capsys):
    print_axes()
    shown = capsys.readouterr().out
    kinds = [cls.model_fields["kind"].default for classes in CHOICES.values() for cls in classes]
    assert all(kind in shown for kind in kinds)
    about = describe(make().data)
    assert (about["kind"], about["train"], about["licence"]) == ("noise", 32, "not stated")


@pytest.mark.parametrize("sized", [demo_size, photo_size])
def test_a_users_choices_stay_in_a_smaller_run(sized):
    run = make()
    small = sized(run)
    assert small.model.kind == "vit" and small.model.norm == Tiny().norm
    for axis in AXES.keys() - {"model"}:
        assert getattr(small, axis) == getattr(run, axis)


@pytest.mark.parametrize("cls", variants(Views))
def test_pairings_share_what_they_declare(cls):
    a, b = cls()(SAMPLE, (24, 24), Dimmed(), torch.Generator().manual_seed(1))
    crop = torch.equal(a.box, b.box) and torch.equal(a.flip, b.flip)
    shared = "pixels" if torch.equal(a.image, b.image) else "crop" if crop else "image"
    assert cls().shares == shared


class Dimmed(Negative):
    """A random brightness."""

    def __call__(self, image, role, rng):
        return image * torch.rand(1, generator=rng)


@pytest.mark.parametrize("cls", variants(Masking))
@pytest.mark.parametrize("grid", [(5, 5), (2, 7)])
def test_maskings_hide_and_predict_what_they_say(cls, grid):
    """The answers of siamlab's maskings by formula equal counts on drawn masks."""
    settings = [{}]
    if "predict" in cls.model_fields:
        ratios = (0.0, 0.3, 0.9)
        settings = [dict(ratio=r, predict=p) for r in ratios for p in ("all", "hidden")]
    for fields in settings:
        masking, counted = cls(**fields), Counted(masking=cls(**fields))
        assert masking.hidden(grid) == counted.hidden(grid), fields
        assert masking.predicts(grid) == counted.predicts(grid), fields


class Counted(MaskingChoice):
    """Another masking, about which nothing is declared."""

    masking: Masking

    def __call__(self, batch, grid, rng) -> Mask:
        return self.masking(batch, grid, rng)

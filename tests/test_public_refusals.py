"""A law over all other public calls: values of a wrong type are refused in one sentence."""

import inspect

import polars as pl
import pytest
import timm
import torch
from test_train import noise, tiny
from wrong import parameters, raw

import siamlab
from siamlab import data, figure, probe, train, zoo
from siamlab.component import UserError
from siamlab.data import Scenes
from siamlab.evaluate.images import open_images
from siamlab.evaluate.models import open_model, open_models
from siamlab.explore import PlaneExplorer
from siamlab.explore.eye import EyeExplorer
from siamlab.explore.models import ModelsExplorer
from siamlab.explore.pair import PairExplorer
from siamlab.explore.path import PathExplorer
from siamlab.explore.reconstruction import ReconstructionExplorer
from siamlab.geometry import View
from siamlab.probe import attribution
from siamlab.probe.corruption_error import ALEXNET
from siamlab.probe.score import point
from siamlab.run import Run
from siamlab.train.folder import RunFolder

MODEL = timm.create_model("test_vit", img_size=32, num_classes=0).eval()
IMAGES = noise(4)
PIXELS = dict(model=MODEL, images=IMAGES.pixels)
SCORE = point(0.5, 0.1, 1.0, "share")
BOX, FLIP = torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 4), torch.zeros(4) > 0
SCENES = Scenes(images=4, test_images=4)("test")
TARGET = dict(target=attribution.ToView(torch.rand(64)))

CALLS = {
    probe.attended: PIXELS | dict(measure=lambda layer, matrix: matrix[:, 0, 0]),
    probe.attention_profile: PIXELS,
    probe.by_layer: PIXELS | dict(part="pooled"),
    probe.cka_pairs: dict(models={"m": [torch.rand(5, 3)], "o": [torch.rand(5, 2)]}),
    probe.class_attention: PIXELS,
    probe.class_attentions: PIXELS,
    probe.combine: dict(scores=[SCORE, SCORE]),
    probe.even_distance: dict(grid=(2, 3)),
    probe.features: PIXELS,
    probe.inputs: dict(model=MODEL),
    probe.is_readable: dict(model=MODEL),
    probe.layer_features: PIXELS,
    probe.mean_corruption_error: dict(errors={name: [0.5] * 5 for name in ALEXNET}),
    probe.named: dict(measured=[probe.Measured(probe.PROBES["knn"], SCORE, {})]),
    probe.normalised: dict(score=SCORE),
    probe.one_patch: dict(grid=(2, 3), size=(8, 12)),
    probe.patch_attentions: PIXELS | dict(query=0),
    probe.probe_model: dict(model=MODEL, train=IMAGES, test=IMAGES, report=str),
    probe.residual_features: PIXELS,
    probe.rollout: PIXELS,
    probe.table: dict(results={"m": [probe.Measured(probe.PROBES["knn"], SCORE, {})]}),
    probe.view_features: dict(model=MODEL, view=View(torch.rand(4, 3, 32, 32), BOX, FLIP)),
    attribution.attention_gradient: PIXELS | TARGET,
    attribution.grad_cam: PIXELS | TARGET,
    attribution.integrated_gradients: PIXELS | TARGET | dict(steps=2),
    attribution.prototypes: dict(features=torch.rand(4, 3), labels=torch.arange(4)),
    data.across: dict(points=torch.rand(4, 2, 2), a=SCENES.objects, b=SCENES.objects),
    data.by_content: dict(images=IMAGES),
    data.describe: dict(data=Scenes(images=4, test_images=4)),
    data.is_paired: dict(images=SCENES),
    data.pairs: dict(images=SCENES),
    data.sample: dict(images=IMAGES, n=2),
    data.take: dict(images=IMAGES, index=torch.tensor([0])),
    data.windows: dict(pixels=IMAGES.pixels, per_side=2),
    zoo.file: dict(name="mae"),
    zoo.path_of: dict(name="zoo:mae"),
    zoo.branches: dict(name="siameseim"),
    zoo.scores: dict(models=["zoo:mae"]),
    zoo.has_scores: dict(models=["zoo:mae"]),
    siamlab.demo_size: dict(run=siamlab.mae()),
    train.untrained: dict(run=tiny()),
    open_images: dict(data="photographs", models=[open_model("zoo:mae")]),
    open_model: dict(model="zoo:mae"),
    open_models: dict(models=["zoo:mae"]),
    Run.parse: dict(text='name = "a"'),
    siamlab.mae().differences: dict(base=siamlab.mae()),
}
# of a path, which no value of a right type names
PATHS = {
    EyeExplorer: "folder",
    ModelsExplorer: "models",
    PairExplorer: "model",
    PathExplorer: "study",
    ReconstructionExplorer: "folder",
    RunFolder: "path",
    Run.read: "path",
    train.load_branches: "path",
    train.run_of: "path",
    train.runs: "path",
}
EACH = [(f, key) for f in CALLS for key in parameters(f)]
pytestmark = pytest.mark.usefixtures("untyped")


@pytest.mark.parametrize("function, key", EACH, ids=[f"{f.__qualname__}-{k}" for f, k in EACH])
def test_a_value_of_another_type_is_taken_or_refused_in_one_line(function, key):
    assert raw(function, CALLS[function], key) == []


@pytest.mark.parametrize("opener", PATHS, ids=lambda opener: opener.__qualname__)
@pytest.mark.parametrize("value", [None, 3, siamlab.mae(), b"runs"], ids=str)
def test_what_is_no_path_is_refused(opener, value):
    with pytest.raises(UserError, match=f"^{PATHS[opener]}[=\\[ ].*must be"):
        opener(value)


def test_every_public_function_is_here_or_among_the_probes():
    from test_probe_refusals import CALLS as ARRAYS

    public = {
        f
        for package in (probe, data, zoo, train)
        for name in getattr(package, "__all__", ["file", "path_of", "branches", "scores"])
        if inspect.isfunction(f := getattr(package, name)) and parameters(f)
    }
    ready = {getattr(probe, name) for name in ARRAYS} | set(CALLS) | set(PATHS)
    assert {f.__name__ for f in public - ready} == {"train", "steps"}


RUN = tiny()
OTHERS = [
    (siamlab.Run, ("mae",), "Run takes its fields by name"),
    (data.Folder, ("photos",), r"Folder takes its fields by name, as Folder\(path=...\)"),
    (train.runs, ([".."],), r"path=\['..'\] must be text or a path"),
    (train.train, (RUN, None), "path=None must be text or a path"),
    (train.train, (RUN, "no-folder", IMAGES.pixels), "images must be images such as open_images"),
    (train.train, (RUN, "no-folder", "photos"), "images='photos' must be"),
    (train.train, (RUN, "no-folder", IMAGES, "yes please"), "resume='yes please' must be true or"),
    (train.steps, ("mae", "no-folder"), "run='mae' must be a run such as siamlab.mae"),
    (PairExplorer, (["zoo:mae"], IMAGES), r"model=\['zoo:mae'\] must be a name such as"),
    (PairExplorer, ("zoo:mae", MODEL), r"images must be .*; got VisionTransformer"),
    (PlaneExplorer, (None, pl.DataFrame()), "models=None must be"),
    (open_images, (IMAGES,), "data must be a folder, .*; got Images$"),
    (open_model, ("zoo:mae", True, None, 3), "device=3 must be text, a device or None"),
    (open_model, (IMAGES,), "model must be a name such as 'zoo:mae'.*; got Images$"),
    (probe.features, (open_model("zoo:mae"), IMAGES.pixels), "got NamedModel: give its .model$"),
    (probe.features, (MODEL, IMAGES), "got Images: give its .pixels$"),
    (probe.concat_scores, ([],), "tables are given one by one, not as a list"),
    (probe.table, ({"m": [3]},), r"^results\['m'\]\[0\]=3 must be what probe_model returns$"),
    (data.take, (IMAGES, torch.tensor([99])), "index must be from 0 to 3, got 99 to 99"),
    (probe.over_patches, (torch.rand(1, 2, 3, 3), 99), "prefix=99 must be from 0 to 2"),
    (probe.probe_model, (MODEL, IMAGES, IMAGES, probe.Suite(None)), "a suite is made of probes"),
    (figure.importances_table, ({"a": {"b": 2}},), r"\['a'\]\['b'\]=2.0 must be 0 to 1"),
]


@pytest.mark.parametrize("function, arguments, sentence", OTHERS)
def test_the_sentence_names_the_argument_and_what_is_wanted(function, arguments, sentence):
    with pytest.raises(UserError, match=sentence) as found:
        function(*arguments)
    assert "\n" not in str(found.value)

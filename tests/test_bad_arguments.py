"""Bad arguments from Python: each is a UserError in one sentence, which names what is wrong."""

from pathlib import Path

import pytest
import torch
from torch import nn

from siamlab import TokenGrid, mae, open_images, open_model, open_models, probe, train, zoo
from siamlab.component import UserError
from siamlab.data import Folder, ImageNet, Scenes, sample
from siamlab.evaluate.embed import embed
from siamlab.evaluate.evaluate import evaluate
from siamlab.evaluate.export import export_model
from siamlab.explore import ModelsExplorer, PairExplorer, StudyExplorer
from siamlab.masking import MaskingChoice, MultiBlockMasking, RandomMasking
from siamlab.probe.finetune_recipe import FineTune
from siamlab.probe.suite import Suite, probe_model, suite_named
from siamlab.run import Run
from siamlab.run.choices import add_choice
from siamlab.study import Ablation, Axis, Choice, Recipes, Search
from siamlab.study.file import load
from siamlab.train.export import load_encoder


class Wrong(MaskingChoice):
    """A choice of a user that returns no mask."""

    def __call__(self, batch, grid, rng):
        return 3


SCENES = Scenes(images=24, test_images=12, side=16)
MAP = nn.Conv2d(3, 8, 4, 4)
NAN = float("nan")
# call: a part of the sentence. `m`: an opened model, `images`: images
BAD = [
    # runs, and what they are made of
    (lambda m, images: Run(steps=0), "Run.steps=0 must be a whole number from 1 to 1,000,000,000"),
    (lambda m, images: Run(steps=None), "Run.steps=None must be a whole number"),
    (lambda m, images: Run(size=NAN), "Run.size=nan must be one or two whole numbers"),
    (lambda m, images: Run(optimiser={"lr": NAN}), "Run.optimiser.lr=nan must be a number above 0"),
    (lambda m, images: Run(masking="random"), "Run.masking=random must be one of none, random"),
    (lambda m, images: Run(masking=RandomMasking), "Run.masking="),
    (lambda m, images: Run(los=3), "Run has no field 'los'; did you mean 'loss'"),
    (lambda m, images: Run(size=13), "size=[13, 13] must be a multiple of model.patch=16"),
    (lambda m, images: Run().replace(seed=-1), "Run.seed=-1 must be a whole number from 0"),
    (lambda m, images: Run().change(3), "'3' is not key=value"),
    (lambda m, images: Run().change(None), "'None' is not key=value"),
    (
        lambda m, images: open_model("zoo:mae", size=4 * 10**9),
        "at most 65,536 are allowed, --size 1024",
    ),
    (lambda m, images: load_encoder(None), "path=None must be text or a path"),
    (lambda m, images: export_model(m, None), "to=None must be text or a path"),
    (lambda m, images: PairExplorer(m, images).snapshot(3), "path=3 must be text, a path or None"),
    (lambda m, images: PairExplorer(m, images.pixels[..., :0]), "of one pixel or more; got [12, 3"),
    (lambda m, images: TokenGrid(MAP, size=10**7), "give a smaller size than [10000000, 10000000]"),
    (lambda m, images: TokenGrid(MAP, grid=4), "grid=4 must be two whole numbers from 1, (rows, "),
    (lambda m, images: TokenGrid(MAP, grid=(4.0, 2)), "grid=(4.0, 2) must be two whole numbers"),
    (lambda m, images: TokenGrid(MAP, grid="42"), "grid='42' must be two whole numbers from 1"),
    (lambda m, images: TokenGrid(MAP, output=lambda _: None), "Conv2d returns None; expected a"),
    (lambda m, images: Choice(), "Choice.label='' must be text, not empty"),
    (lambda m, images: Axis(), "Axis.name='' must be text, not empty"),
    (lambda m, images: Run().change(["steps=3"]), "one by one, not as a list; write *['steps=3']"),
    (lambda m, images: Run().change(b"steps=3"), "is not key=value, which is text"),
    (lambda m, images: Run.make([1]), "Run is made of a table of fields, not of [1]"),
    (lambda m, images: Run.make({3: 4}), "a run has no key '3'"),
    (lambda m, images: RandomMasking(ratio=2), "RandomMasking.ratio=2 must be a number from 0 to"),
    (lambda m, images: MultiBlockMasking(scale=(0.3, 0.1)), "must be [least, largest]"),
    (lambda m, images: Scenes(images=0), "Scenes.images=0 must be a whole number from 1"),
    (lambda m, images: ImageNet(severity=9), "ImageNet.severity=9 must be a whole number"),
    (lambda m, images: FineTune(epochs=0), "FineTune.epochs=0 must be a whole number"),
    # studies
    (lambda m, images: Ablation(question="?"), "Ablation.base must be given"),
    (lambda m, images: Ablation(question="?", base=Run(), axes=()), "a list of 1 or more, each of"),
    (lambda m, images: Axis("a", Choice("x")), "a list of 2 or more, each of class Choice"),
    (lambda m, images: Choice(""), "Choice.label='' must be text, not empty"),
    (lambda m, images: Search(question="?", suggest=3), "Search.suggest=3 must be a function"),
    (lambda m, images: Recipes(question="?", runs=(3,)), "a list of 2 or more, each of class Run"),
    (lambda m, images: load("none.py"), "there is no study file none.py"),
    # choices of one's own
    (lambda m, images: add_choice("mask", RandomMasking), "no axis 'mask'; did you mean 'masking'"),
    (lambda m, images: add_choice(None, RandomMasking), "no axis 'None'"),
    (lambda m, images: add_choice("masking", None), "add_choice takes a class that is a siamlab."),
    (lambda m, images: add_choice("masking", RandomMasking()), "MaskingChoice, not RandomMasking("),
    (lambda m, images: add_choice("masking", int), "int must be a siamlab.masking.MaskingChoice"),
    (lambda m, images: add_choice("loss", RandomMasking), "must be a siamlab.loss.LossChoice"),
    # explorers
    (
        lambda m, images: StudyExplorer([]),
        "studies are given one by one, not as a list; write *studies for those of a list, and got",
    ),
    (lambda m, images: StudyExplorer(3), "studies=3 must be text or a path"),
    # models
    (lambda m, images: open_model("zoo:mae", size=0), "size=0) must be a whole number of pixels"),
    (lambda m, images: open_model("zoo:mae", size=-8), "size=-8) must be a whole number of pixels"),
    (
        lambda m, images: open_model("zoo:mae", size="32"),
        "size='32' must be a whole number",
    ),
    (
        lambda m, images: open_model("zoo:mae", size=32.0),
        "size=32.0 must be a whole number",
    ),
    (
        lambda m, images: open_model("zoo:mae", size=(32, 32)),
        "size=(32, 32) must be a whole",
    ),
    (lambda m, images: open_model("zoo:mae", size=33), "must be a multiple of"),
    (lambda m, images: open_model(nn.Linear(2, 2)), "Linear is not a vision transformer"),
    (lambda m, images: open_model(" "), "model='' is empty; name a run's folder, a file"),
    (lambda m, images: PairExplorer(m, images).to_html("x.pdf"), "name its file x.html, not x.pdf"),
    (lambda m, images: PairExplorer(m, images).to_html("x.html.gz"), "name its file x.html, not x"),
    (lambda m, images: export_model(m, "x.pt2.gz"), "or be a new folder; try x.pt2"),
    (lambda m, images: Wrong().hidden((2, 3)), "Wrong must return a siamlab.masking.Mask(visible"),
    (lambda m, images: open_models([]), "models must name one or more"),
    (lambda m, images: open_model("a\0b"), "model='a\\x00b' holds a NUL character; take that out"),
    (lambda m, images: open_models([Path("a\0b")]), "b')] holds a NUL character; take that out"),
    (lambda m, images: load_encoder("a\0b"), "path='a\\x00b' holds a NUL character"),
    (lambda m, images: train.train(mae(), "a\0b"), "path='a\\x00b' holds a NUL character"),
    (lambda m, images: zoo.file(None), "name=None must be text"),
    (lambda m, images: TokenGrid(None), "TokenGrid takes a network, a torch module, not None"),
    (lambda m, images: TokenGrid(MAP, size="big"), "size='big' must be one or two whole numbers"),
    (lambda m, images: TokenGrid(MAP, size=-4), "must be one or two whole numbers of pixels"),
    (lambda m, images: TokenGrid(MAP, size=(4, 4, 4)), "must be one or two whole numbers"),
    (lambda m, images: TokenGrid(MAP, size=16, mean=(0, 0)), "mean=(0, 0) must be three numbers"),
    (lambda m, images: TokenGrid(MAP, size=16, std=(0, 1, 1)), "three numbers above 0"),
    (lambda m, images: TokenGrid(MAP, size=16, std=(NAN, 1, 1)), "three numbers above 0"),
    (lambda m, images: TokenGrid(MAP, size=16, output="last"), "output='last' must be a function"),
    (lambda m, images: TokenGrid(nn.Flatten(), size=16), "Flatten returns [2, 768]; expected a"),
    # images
    (lambda m, images: open_images("none"), "there is no folder 'none'"),
    (lambda m, images: open_images(3), "data=3 must be a folder, the name of a source"),
    (lambda m, images: open_images(Scenes), "data must be a folder, the name of a source"),
    (lambda m, images: open_images("scenes", "zoo:mae"), "models='zoo:mae' must be what open"),
    (
        lambda m, images: open_images(SCENES, train=0),
        "n=0 must be a whole number from 1",
    ),
    (lambda m, images: open_images(SCENES, train=1.5), "train=1.5 must be a whole number or None"),
    (lambda m, images: open_images(SCENES, test="all"), "test='all' must be a whole number or"),
    (lambda m, images: sample(images, NAN), "n=nan must be a whole number or None"),
    (lambda m, images: SCENES("val"), "split='val' must be 'train' or 'test'"),
    (lambda m, images: SCENES(None), "split=None must be 'train' or 'test'"),
    (lambda m, images: Folder()("train"), "data.path='' must be a folder"),
    (lambda m, images: Folder(path="a\0b"), "path='a\\x00b' holds a NUL character; take that out"),
    (lambda m, images: open_images("a\0b"), "data='a\\x00b' holds a NUL character"),
    # features, probes, files
    (
        lambda m, images: probe.features("zoo:mae", images.pixels),
        "model='zoo:mae' must be a net",
    ),
    (lambda m, images: probe.features(m, images.pixels), "got NamedModel"),
    (
        lambda m, images: probe.features(m.model, images.pixels.float()),
        "must be from 0 to 1, got 2",
    ),
    (
        lambda m, images: probe.features(m.model, images.pixels[0]),
        "must be a tensor of bytes [n, 3,",
    ),
    (lambda m, images: probe.features(m.model, images.pixels[:, :1]), "got uint8 [12, 1, 16, 16]"),
    (lambda m, images: probe.features(m.model, [1]), "images=[1] must be a tensor of bytes [n, 3"),
    (lambda m, images: probe.features(m.model, NAN * torch.ones(1, 3, 8, 8)), "got nan"),
    (lambda m, images: probe.features(m.model, images.pixels, batch=0), "batch=0 must be a whole"),
    (lambda m, images: probe_model(nn.ReLU(), images, images), "must be a vision transformer"),
    (lambda m, images: probe_model(m.model, images, images, batch=-1), "batch=-1 must be a whole"),
    (lambda m, images: probe_model(m.model, images, images, Suite(("knn",))), "not of 'knn'"),
    (lambda m, images: suite_named("best"), "there is no suite 'best'"),
    (lambda m, images: suite_named(None), "there is no suite 'None'"),
    (lambda m, images: evaluate("zoo:mae", SCENES), "the models that open_models returns"),
    (lambda m, images: evaluate([m], "scenes"), "evaluate expects a source of images"),
    (lambda m, images: evaluate([m], SCENES, device="tpu"), "device) does not know 'tpu'"),
    (lambda m, images: embed("zoo:mae", images), "embed takes what open_model returns, not str"),
    (lambda m, images: embed(m, images.pixels), "embed expects the images that open_images"),
    (lambda m, images: export_model("zoo:mae", "x.onnx"), "export_model takes what open_model"),
    (lambda m, images: train.train("mae", "new"), "run='mae' must be a run such as siamlab.mae()"),
    # explorers
    (lambda m, images: PairExplorer(m, images, image=99), "image=99"),
    (lambda m, images: PairExplorer(m, images, image=-1), "image=-1"),
    (lambda m, images: PairExplorer("zoo:none"), "there is no model 'none'"),
    (lambda m, images: PairExplorer(m, images).matches("c"), "view 'c'"),
    (lambda m, images: ModelsExplorer([]), "models must name one or more"),
]


@pytest.fixture(scope="module")
def model():
    return open_model("zoo:scenes_mae")


@pytest.fixture(scope="module")
def images():
    return SCENES("test")


@pytest.mark.parametrize("call, said", BAD, ids=[said for _, said in BAD])
def test_bad_arguments_are_one_sentence(call, said, model, images, untyped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        call(model, images)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_an_image_of_floats_may_be_a_little_brighter_than_white(model):
    probe.features(model.model, 1.2 * torch.ones(1, 3, 40, 40))

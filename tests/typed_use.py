"""The public interface as README and docs use it, for a type checker; nothing here is run.

`tests/test_types.py` has it checked: each call must be allowed and return the type that is named.
"""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal, assert_type

import plotly.graph_objects as go
import polars as pl
import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

import siamlab
from siamlab import figure, open_images, open_model, open_models, probe, train, zoo
from siamlab.data import Folder, Images, Objects, sample
from siamlab.evaluate.evaluate import probe_all
from siamlab.evaluate.images import Splits
from siamlab.evaluate.models import NamedModel
from siamlab.explore import (
    EyeExplorer,
    ModelsExplorer,
    PairExplorer,
    PathExplorer,
    PlaneExplorer,
    ReconstructionExplorer,
)
from siamlab.explore.explorer import Explorer
from siamlab.geometry import Grid
from siamlab.loss import Cosine, LossChoice, Terms, UniGrad
from siamlab.masking import BlockwiseMasking, Mask, MaskingChoice
from siamlab.model.backbone import Vit
from siamlab.model.encoder import Encoder
from siamlab.model.siamese import NetworkChoices, Siamese
from siamlab.probe.batches import Inputs
from siamlab.probe.catalogue import Doc, Measured, Probe
from siamlab.probe.features import Features
from siamlab.probe.score import Score, bootstrap, ratio
from siamlab.probe.suite import QUICK, Suite
from siamlab.probe.suite.bench import Extracted
from siamlab.recipes import demo_size, mae, siameseim
from siamlab.run import Run
from siamlab.run.choices import add_choice
from siamlab.study import Ablation, Axis, Choice, Path, Recipes, Search
from siamlab.study.definition import Point
from siamlab.target import TargetChoice, Teacher
from siamlab.train import Metrics, Notice, RunFolder
from siamlab.views import Pair, Shares, ViewsChoice


def runs() -> Run:
    run = Run(loss=UniGrad(weight=0.05), masking=BlockwiseMasking(), size=(64, 64), seed=1)
    assert_type(run.change("loss=cosine", "loss.weight=0.05", steps=100), Run)
    assert_type(run.replace(loss=Cosine()), Run)
    assert_type(Vit(width=64).replace(depth=2), Vit)
    assert_type(run.grid, Grid)
    assert_type(run.steps, int)
    assert_type(run.differences(mae()), list[str])
    assert_type(Run.read("run.toml"), Run)
    assert_type(siamlab.Run.parse(run.toml()), Run)
    assert_type(siamlab.siameseim(seed=2), Run)
    return demo_size(siameseim()).change("masking.ratio=0.6", data=Folder(path="photos"))


def training(run: Run, images: Images) -> RunFolder:
    for event in train.steps(run, "runs/mine", resume=True):
        if isinstance(event, Metrics):
            assert_type(event.loss, float)
        else:
            assert_type(event, Notice)
    assert_type(train.untrained(run), nn.Module)
    assert_type(train.run_of("runs/mine"), Run)
    assert_type(siamlab.runs("runs"), pl.DataFrame)
    assert_type(train.train(run, "runs/mine", sample(images, 100)).path.name, str)
    return train.train(run, "runs/mine")


def models_and_images(vit: nn.Module) -> tuple[list[NamedModel], Splits]:
    models = open_models(["runs/mine", "zoo:mae", vit], size=64)
    assert_type(models[0].run, Run | None)
    assert_type(open_models("zoo:mae"), list[NamedModel])
    assert_type(open_model(vit).model, nn.Module)
    assert_type(open_model("zoo:mae", weights=False, size=48), NamedModel)
    train_images, test_images = open_images("photos", models, train=3000, test=2000)
    assert_type(train_images, Images)
    assert_type(test_images.pixels, Tensor)
    assert_type(test_images.objects, Objects)
    assert_type(Folder(path="photos", side=40)("test"), Images)
    return models, open_images(models=models[0])


def probes(models: list[NamedModel], train: Images, test: Images) -> pl.DataFrame:
    for named in models:
        measured = probe.probe_model(named.model, train, test, "full")
        assert_type(probe.table({named.name: measured}), pl.DataFrame)
    assert_type(probe_all(models, train, test), pl.DataFrame)
    model = models[0].model
    a, b = probe.features(model, train.pixels), probe.features(model, test.pixels)
    assert_type(a, Features)
    assert_type(a.patches, Tensor)
    assert_type(Inputs.of(model), Inputs)
    knn = probe.knn(a.pooled, train.labels, b.pooled, test.labels)
    assert_type(knn, Score)
    assert_type(knn.value, float)
    assert_type(probe.linear(a.pooled, train.labels, b.pooled, test.labels), Score)
    assert_type(probe.local_contrast(b.patches, b.grid), Score)
    assert_type(probe.eigenvalues(b.pooled), Tensor)
    return probe.concat_scores(zoo.scores(["zoo:mae"]), probe_all(models, train, test))


def figures(scores: pl.DataFrame, features: Features) -> list[go.Figure]:
    table = figure.spectrum_table({"mae": probe.eigenvalues(features.pooled)})
    assert_type(table, pl.DataFrame)
    return [
        assert_type(figure.plane(scores), go.Figure),
        figure.plane_figure(figure.plane_table(scores)),
        figure.spectrum_figure(table, title="Spectrum"),
    ]


def studies(run: Run) -> list[Point]:
    axes = (Axis("loss", Choice("UniGrad"), Choice("cosine", "loss=cosine", "optimiser.lr=1e-4")),)
    study = Ablation(question="Does the loss matter?", base=run, axes=axes, seeds=3)
    assert_type(study.comparisons(), list[tuple[str, str]])
    path = Path(question="Which step?", base=run, choices=(Choice("a"), Choice("b", "loss=mse")))
    assert_type(path.points()[0].run, Run)

    def suggest(trial: Any) -> Run:
        return run.change(f"masking.ratio={trial.suggest_float('masking.ratio', 0.1, 0.9)}")

    search = Search(question="Which ratio?", suggest=suggest, trials=20, prune="never")
    assert_type(search.trials, int)
    recipes = Recipes(question="Which method?", runs=(run, mae()), suite="quick")
    return [*study.points(), *recipes.points()]


def explorers(models: list[NamedModel], scores: pl.DataFrame, images: Images) -> Iterator[Explorer]:
    pair = PairExplorer(models[0], images, image=3)
    assert_type(pair.named, NamedModel)
    assert_type(pair.select("a", 4).set(layer=1).state, dict[str, Any])
    pair.to_html("pair.html")
    yield from (pair, EyeExplorer("zoo:siameseim"), ModelsExplorer(["zoo:mae", models[0]], images))
    yield assert_type(PlaneExplorer.of_study("runs/studies/loss"), PlaneExplorer)
    yield PlaneExplorer(models, scores)
    yield PathExplorer("runs/studies/mim_to_siameseim", images)
    assert_type(ReconstructionExplorer("runs/mae").reconstructed().lost, Tensor)


class Checkerboard(MaskingChoice):
    """A choice of one's own, with fields."""

    kind: Literal["checkerboard"] = "checkerboard"
    shift: int = 0

    def __call__(self, batch: int, grid: Grid, rng: Generator) -> Mask:
        visible = torch.rand(batch, grid[0] * grid[1], generator=rng) < 0.5
        return Mask(visible=visible, predict=~visible)


class Squared(LossChoice):
    """A loss of one's own."""

    kind: Literal["squared"] = "squared"

    def __call__(self, pred: Tensor, goal: Tensor) -> Terms:
        return {"squared": (pred - goal).square().mean()}


class Twins(ViewsChoice):
    """Views that declare what they share."""

    kind: Literal["twins"] = "twins"
    shares: ClassVar[Shares] = "crop"

    def __call__(self, images: Tensor, size: Grid, colour: Any, rng: Generator) -> Pair:
        raise NotImplementedError


class Itself(Teacher):
    """A teacher of one's own."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder: Encoder = encoder

    def follow(self, model: Siamese, progress: float) -> None:
        assert_type(model.encoder, Encoder)


class Same(TargetChoice):
    """A target of one's own."""

    kind: Literal["same"] = "same"

    def build(self, model: Siamese, run: NetworkChoices) -> Teacher:
        assert_type(run.model.patch, int)
        return Itself(model.encoder)


def choices(run: Run) -> Run:
    add_choice("masking", Checkerboard)
    add_choice("loss", Squared)
    same = Same()
    model = Siamese(run, same.widths(run))
    assert_type(same.build(model, run), Teacher)
    return run.change("masking=checkerboard", "masking.shift=1")


def sparsity(pooled: Float[Tensor, "n D"]) -> Score:
    terms = torch.stack([pooled.abs().amax(dim=1), pooled.abs().sum(dim=1)], dim=1)
    return bootstrap(terms, ratio, 0.1, 1.0, "share", "neither")


def read(x: Extracted) -> Iterable[probe.Reading]:
    yield x.reading("sparsity", sparsity(x.test.pooled))


def own_probe(named: NamedModel, images: Splits) -> list[Measured]:
    doc = Doc("`sparsity`", "share of a feature in its largest number", "0.1–1")
    row = Probe("sparsity", "Sparsity", "representation", "share", "neither", read, doc, chance=0.1)
    suite = Suite((*QUICK.probes, row))
    return list(probe.probe_model(named.model, *images, suite))

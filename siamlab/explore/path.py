"""Path explorer: the steps of a study from one method to another, on one photograph.

PathExplorer("runs/studies/mim_to_siameseim")       # the folder of a study whose runs were measured
PathExplorer("mim_to_siameseim", models={"MAE": "runs/mae", "SiameseIM": "zoo:siameseim", …})
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import polars as pl
import torch
from jaxtyping import UInt8
from torch import Tensor

from siamlab.component import UserError, unknown
from siamlab.data import Images
from siamlab.evaluate.models import ModelLike, NamedModel, open_model
from siamlab.explore.answers import Change
from siamlab.explore.explorer import Explorer
from siamlab.explore.held import Held
from siamlab.explore.models import HEADS, ModelsExplorer
from siamlab.explore.plane.points import plane_chart
from siamlab.explore.plane.results import has_runs, results_place, study_results
from siamlab.explore.plane.runs import named_changes, study_points
from siamlab.explore.scene import Control, Panel, Scene, decimal
from siamlab.figure.template import configuration
from siamlab.machine.arguments import typed
from siamlab.study.statistics import means

SCORES = ("semantic", "spatial")
CHANGES = 6  # changes of a step that are named; the others are counted
PANELS = 3  # of each model: attention, similarity and match


class Loader(NamedTuple):
    """What opens the model of a configuration, and the seed of its run, if it is one."""

    load: Callable[[], NamedModel]
    seed: int | None = None


class Step(NamedTuple):
    """One configuration of the path."""

    name: str
    load: Callable[[], NamedModel]  # opens its model: that of its first seed, or the one named
    changes: str  # since the step before
    seeds: int
    scores: dict[str, tuple[float, float, float]]  # mean over seeds, and its interval
    seed: int | None = None  # of the run whose model is shown; None: a model that was named


class PathExplorer(Explorer):
    """Attention, similarity and match of one patch, and the scores, step by step along a path.

    A click on the plane, or the slider, chooses the step. `study` is a study's folder, or its name,
    file or exported trials, whose steps are then opened from `models`.
    """

    title = "along the path"

    @typed
    def __init__(
        self,
        study: str | Path,
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
        image: int | None = None,
        views: int = 1,
        device: str | torch.device = "auto",
        models: Mapping[str, ModelLike] | None = None,
    ):
        self.steps: list[Step] = path_steps(study, models or {})
        opened = [step.load()._replace(name=step.name) for step in self.steps]
        self.models: ModelsExplorer = ModelsExplorer(opened, images, image, views, device)
        own = {key: value for key, value in self.models.values.items() if key != HEADS}
        super().__init__({"step": 1} | own, *self.models.selected)

    def scene(self) -> Scene:
        """The model of the present step on the photograph, and all steps on the plane."""
        models, i = self._models_now(), self.values["step"] - 1
        whole = models.scene()
        rows = [{"model": step.name} | _ends(step) for step in self.steps]
        chart = plane_chart(pl.DataFrame(rows), [i], range(len(rows)), joined=True)
        plane = Panel("path", "The path on the plane", "", (1, len(rows)), chart=chart, span=2)
        return Scene(
            panels=[*whole.panels[PANELS * i : PANELS * (i + 1)], plane],
            columns=4,
            text=f"{self._step_text(i)}\n{models.text_of(self.steps[i].name)}",
            controls=self._controls(whole),
            scales=whole.scales,
            legend=whole.legend,
        )

    def controls(self) -> list[Control]:
        """The step, and those of the models explorer but the choice of a model."""
        return self._controls(self._models_now().scene())

    def _controls(self, models: Scene) -> list[Control]:
        others = [control for control in models.controls if control.name != HEADS]
        return [Control("step", "step", self.values["step"], 1, len(self.steps)), *others]

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The two views, which all steps share."""
        return self._models_now().images()

    def held(self) -> Held:
        """Those of the models explorer for all steps, and what is told of each step."""
        now = self._models_now()
        whole, models = now.scene(), now.held()
        data = {
            "models": models.data,
            "whole": whole.as_dict(),
            "names": [step.name for step in self.steps],
            "steps": [self._step_text(i) for i in range(len(self.steps))],
            "text": {step.name: self.models.pairs[step.name].held_text() for step in self.steps},
        }
        limits = {control.name: control for control in models.controls}
        controls = [limits.get(control.name, control) for control in self._controls(whole)]
        return Held("pathScene", data, models.images, controls)

    def on_select(self, panel: str, patch: int) -> Change:
        """A point of the plane chooses its step, a patch becomes the query."""
        return Change({"step": patch + 1}) if panel == "path" else Change({}, ("a", patch))

    def _models_now(self) -> ModelsExplorer:
        """The models explorer in the present state."""
        values = {key: value for key, value in self.values.items() if key != "step"}
        name = self.steps[self.values["step"] - 1].name
        return self.models.at(Change(values | {HEADS: name}, self.selected))

    def _step_text(self, i: int) -> str:
        step, last = self.steps[i], self.steps[i - 1] if i else None
        told = []
        for key in SCORES:
            mean, low, high = step.scores[key]
            gain = decimal(mean - last.scores[key][0], "+.3f") if last else ""
            since = f", {gain} since {last.name}" if last else ""
            around = f" [{decimal(low)}, {decimal(high)}]" if step.seeds > 1 else ""
            told.append(f"{key} {decimal(mean)}{around}{since}")
        changed = f" ({step.changes})" if step.changes else ""
        own = "one that was named" if step.seed is None else f"that of seed {step.seed}"
        many = f"mean of {step.seeds} seeds; the encoder shown is {own}"
        seeds = many if step.seeds > 1 else "one seed"
        return (
            f"Step {i + 1} of {len(self.steps)}, {step.name}{changed}: {'; '.join(told)}; {seeds}."
        )


def _ends(step: Step) -> dict[str, float]:
    """Both scores of a step and their intervals, by the names of a `plane_table`."""
    ends = ("", "_low", "_high")
    return {
        key + end: value
        for key in SCORES
        for end, value in zip(ends, step.scores[key], strict=True)
    }


def path_steps(study: str | Path, models: Mapping[str, ModelLike]) -> list[Step]:
    """Return the configurations of a study in its order, with their scores.

    Raises UserError for a study with fewer than two measured configurations, and for one of which
    there is no model.
    """
    found = study_results(study)
    names = found.scores["point"].unique(maintain_order=True).to_list()
    if len(names) < 2:
        raise UserError(
            f"{study} has one measured configuration, {names[0]!r}; a path has two or more: let "
            "`siamlab study run` go on"
        )
    loaders, scores = _loaders(study, names, models), _means(found.scores)
    steps, before = [], None
    for name in names:
        if not scores.get(name, {}).keys() >= set(SCORES):
            raise UserError(
                f"{study} lacks a {' or '.join(SCORES)} score of {name!r}; a path shows both: run "
                "its study on images with labels"
            )
        run = found.runs.get(name)
        changes = named_changes(run, before, CHANGES) if run and before else ""
        seeds = found.scores.filter(point=name)["seed"].n_unique()
        steps.append(
            Step(name, loaders[name].load, changes, seeds, scores[name], loaders[name].seed)
        )
        before = run
    return steps


def _loaders(
    study: str | Path, names: Sequence[str], models: Mapping[str, ModelLike]
) -> dict[str, Loader]:
    """Map each configuration to what opens its model: the one named, else its first run."""
    for name in models:
        if name not in names:
            raise UserError(unknown(f"models: {study} has no configuration", name, names))
    place, own = results_place(study), {}
    if has_runs(place):
        for point in reversed(study_points(place)[0]):
            loader = Loader(point.load, point.run.seed if point.run else None)
            own[configuration(point.name)] = loader
            if point.run:  # named as the study names it, where its folder has other letters
                own[point.run.name] = loader
    named = {name: Loader(partial(open_model, model)) for name, model in models.items()}
    missing = [name for name in names if name not in own | named]
    if missing:
        raise UserError(
            f"{study} has no run of {missing[0]!r} with its encoder; name a model of it, as in "
            f"models={{{missing[0]!r}: 'runs/NAME'}}"
        )
    return own | named


def _means(scores: pl.DataFrame) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Mean, low and high of both scores of each configuration."""
    rows = scores.filter(pl.col("probe").is_in(SCORES))
    found: dict[str, dict[str, tuple[float, float, float]]] = {}
    for row in means(rows).iter_rows(named=True) if len(rows) else ():
        found.setdefault(row["point"], {})[row["probe"]] = row["mean"], row["low"], row["high"]
    return found

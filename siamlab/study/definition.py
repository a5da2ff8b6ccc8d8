"""What a study asks: a base run, what is changed in it, and over how many seeds.

study = Ablation(question="...", base=run, axes=(Axis("loss", Choice("cosine", "loss=cosine")),))
study.points()          # the runs to compare, each with its label
study.comparisons()     # which of them are compared with which
"""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, model_validator

from siamlab.component import Component, UserError
from siamlab.probe.suite import PARTS
from siamlab.run import Run

SCORES = tuple(PARTS)  # semantic, spatial
# what words may set of a study itself
OWN = ("seeds", "images", "test_images", "held_out", "trials", "suite", "prune")
Suite = Literal["quick", "full"]
TrainImages = Annotated[int, Field(ge=10, description="training images of the probes")]
MostTested = Annotated[
    int, Field(ge=10, multiple_of=2, description="at most so many images are tested on, even")
]
HeldOut = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        description="share of the training images that is held out and tested on instead of the "
        "test images; 0: none",
    ),
]


class Point(NamedTuple):
    """One configuration of a study."""

    label: str
    run: Run  # its seed is set trial by trial
    params: dict[str, str]  # axis to the label of its choice, what Optuna sees


class Choice(Component):
    """A label and what it changes: Choice("cosine", "loss=cosine")."""

    label: str = Field(min_length=1)
    changes: tuple[str, ...] = ()

    def __init__(self, label: str, *changes: str, **fields: Any):
        super().__init__(label=label, changes=fields.pop("changes", changes), **fields)


class Axis(Component):
    """A name and its choices, the base's first: Axis("loss", Choice("UniGrad"), ...)."""

    name: str = Field(min_length=1)
    choices: tuple[Choice, ...] = Field(min_length=2)

    def __init__(self, name: str, *choices: Choice, **fields: Any):
        super().__init__(name=name, choices=fields.pop("choices", choices), **fields)

    @model_validator(mode="after")
    def _distinct(self) -> "Axis":
        _no_twins(f"axis {self.name!r}", [choice.label for choice in self.choices])
        return self


class Ablation(Component):
    """Choices of one axis or more around a base: one factor at a time, or every combination."""

    kind: Literal["ablation"] = "ablation"
    question: str
    base: Run
    axes: tuple[Axis, ...] = Field(min_length=1)
    design: Literal["one factor", "grid"] = "one factor"
    seeds: int = Field(3, ge=1)
    suite: Suite = "quick"
    images: TrainImages = 3000
    test_images: MostTested = 2000
    held_out: HeldOut = 0.0

    @model_validator(mode="after")
    def _distinct(self) -> "Ablation":
        _no_twins("axes", [axis.name for axis in self.axes])
        return self

    def points(self) -> list[Point]:
        """The base first."""
        chosen = self._grid() if self.design == "grid" else self._one_factor()
        return [self._point(choices) for choices in chosen]

    def comparisons(self) -> list[tuple[str, str]]:
        """(base, changed), by label."""
        base, *others = [point.label for point in self.points()]
        return [(base, other) for other in others]

    def _grid(self) -> Iterable[dict[str, Choice]]:
        for choices in product(*(axis.choices for axis in self.axes)):
            yield dict(zip([axis.name for axis in self.axes], choices, strict=True))

    def _one_factor(self) -> Iterable[dict[str, Choice]]:
        first = {axis.name: axis.choices[0] for axis in self.axes}
        yield first
        for axis in self.axes:
            for choice in axis.choices[1:]:
                yield first | {axis.name: choice}

    def _point(self, choices: dict[str, Choice]) -> Point:
        changes = [change for choice in choices.values() for change in choice.changes]
        params = {name: choice.label for name, choice in choices.items()}
        label = self._label(params)
        return Point(label, changed(self.base, changes, label), params)

    def _label(self, params: dict[str, str]) -> str:
        """The choice of a single axis; of several, all in a grid, else the one that is changed."""
        if len(params) == 1:
            return next(iter(params.values()))
        base = {axis.name: axis.choices[0].label for axis in self.axes}
        told = params if self.design == "grid" else dict(params.items() - base.items())
        return ", ".join(f"{name}: {label}" for name, label in told.items()) or "base"


class Path(Component):
    """One choice after another, each kept: from one method to another in small steps."""

    kind: Literal["path"] = "path"
    question: str
    base: Run
    choices: tuple[Choice, ...] = Field(min_length=2)
    seeds: int = Field(3, ge=1)
    suite: Suite = "quick"
    images: TrainImages = 3000
    test_images: MostTested = 2000
    held_out: HeldOut = 0.0

    @model_validator(mode="after")
    def _distinct(self) -> "Path":
        _no_twins("the path", [choice.label for choice in self.choices])
        return self

    def points(self) -> list[Point]:
        """Each with all changes up to its own."""
        points, run = [], self.base
        for choice in self.choices:
            run = changed(run, choice.changes, choice.label)
            points.append(Point(choice.label, run, {"path": choice.label}))
        return points

    def comparisons(self) -> list[tuple[str, str]]:
        """Each step with the one before."""
        labels = [choice.label for choice in self.choices]
        return list(zip(labels, labels[1:], strict=False))


class Recipes(Component):
    """Whole methods side by side, compared with the first."""

    kind: Literal["recipes"] = "recipes"
    question: str
    runs: tuple[Run, ...] = Field(min_length=2)
    seeds: int = Field(5, ge=1)
    suite: Suite = "full"
    images: TrainImages = 4000
    test_images: MostTested = 2000
    held_out: HeldOut = 0.0

    @model_validator(mode="after")
    def _distinct(self) -> "Recipes":
        _no_twins("the runs", [run.name for run in self.runs])
        return self

    def points(self) -> list[Point]:
        """The first is the one that the others are compared with."""
        return [Point(run.name, run, {"recipe": run.name}) for run in self.runs]

    def comparisons(self) -> list[tuple[str, str]]:
        """(first, other), by name."""
        first, *others = [run.name for run in self.runs]
        return [(first, other) for other in others]


Objective = Literal["semantic", "spatial", "cost"]
Suggest = Callable[[Any], Run]


class Search(Component):
    """Runs that Optuna suggests, for several objectives at once: suggest(trial) -> Run."""

    kind: Literal["search"] = "search"
    question: str
    suggest: Suggest
    trials: int = Field(50, ge=1)
    objectives: tuple[Objective, ...] = SCORES
    sampler_seed: int = Field(0, ge=0)
    prune: Literal["dominated", "never"] = Field(
        "dominated", description="stop at a quarter or half what most earlier trials dominate"
    )
    suite: Suite = "quick"
    images: TrainImages = 3000
    test_images: MostTested = 2000
    held_out: HeldOut = 0.0


Fixed = Ablation | Path | Recipes
Study = Fixed | Search


def parameters(points: Iterable[Point]) -> dict[str, list[str]]:
    """Every axis and the labels of its choices, in their order."""
    found: dict[str, dict[str, None]] = {}
    for point in points:
        for axis, label in point.params.items():
            found.setdefault(axis, {})[label] = None
    return {axis: list(labels) for axis, labels in found.items()}


def changed(run: Run, changes: Iterable[str], label: str) -> Run:
    """The run with the changes, named by the label; a mistake names the choice."""
    try:
        return run.change(*changes, name=label)
    except UserError as error:
        raise UserError(f"choice {label!r}: {error}") from None


def scaled(study: Study, words: list[str]) -> Study:
    """The study with `key=value` in every run, and `seeds=`, `suite=`, `held_out=` and others.

    A key of the study's own counts for the study; every other one for all its runs.
    """
    own = [word for word in words if word.partition("=")[0] in type(study).model_fields]
    rest = [word for word in words if word not in own]
    for word in own:
        study = _set(study, word.partition("=")[0], word)
    if not rest:
        return study
    if isinstance(study, Recipes):
        return study.replace(runs=tuple(run.change(*rest) for run in study.runs))
    if isinstance(study, Search):
        ask = study.suggest
        return study.replace(suggest=lambda trial: ask(trial).change(*rest))
    return study.replace(base=study.base.change(*rest))


def _set(study: Study, key: str, word: str) -> Study:
    from pydantic import ValidationError

    from siamlab.settings import explain, literal

    if key not in OWN:
        raise UserError(f"{word!r}: {key} is what the study is about; change it in its file")
    fields = dict(study) | {key: literal(word.partition("=")[2])}
    try:
        return type(study).model_validate(fields)
    except ValidationError as error:
        raise UserError(explain(error, fields)) from None


def _no_twins(where: str, labels: list[str]) -> None:
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"{where} has the label {label!r} twice; give each choice its own")

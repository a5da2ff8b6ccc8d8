"""The definition of a study: a base run, the changes to compare, and the number of seeds.

study = Ablation(question="...", base=run, axes=(Axis("loss", Choice("cosine", "loss=cosine")),))
study.points()          # the runs to compare, each with its label
study.comparisons()     # the pairs of labels that are compared
"""

import re
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field, model_validator

from siamlab.component import Component, UserError
from siamlab.machine.sums import text_sum
from siamlab.probe.suite import PARTS
from siamlab.probe.suite.passes import Precision
from siamlab.run import Run

SCORES = tuple(PARTS)  # semantic, spatial


class Point(NamedTuple):
    """One configuration of a study."""

    label: str
    run: Run  # each trial sets its seed
    params: dict[str, str]  # axis to the label of its choice, as Optuna records them


class Choice(Component):
    """A label and the assignments it stands for: Choice("cosine", "loss=cosine")."""

    label: str = Field(min_length=1)
    changes: tuple[str, ...] = ()

    def __init__(self, label: str = "", *changes: str, **fields: Any):
        super().__init__(label=label, changes=fields.pop("changes", changes), **fields)


class Axis(Component):
    """A name and its choices, beginning with the base's: Axis("loss", Choice("UniGrad"), ...)."""

    name: str = Field(min_length=1)
    choices: tuple[Choice, ...] = Field(min_length=2)

    def __init__(self, name: str = "", *choices: Choice, **fields: Any):
        super().__init__(name=name, choices=fields.pop("choices", choices), **fields)

    @model_validator(mode="after")
    def _distinct(self) -> "Axis":
        _check_distinct(f"axis {self.name!r}", [choice.label for choice in self.choices])
        return self


class Study(Component):
    """Fields of every study: its question, and how each trained network is measured."""

    question: str
    suite: Literal["quick", "full"] = Field(default="quick", description="the probes")
    images: int = Field(default=3000, ge=10, description="training images of the probes")
    test_images: int = Field(
        default=2000, ge=10, multiple_of=2, description="largest number of images to test on, even"
    )
    held_out: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the training images to hold out and test on instead of the test "
        "images; 0: none",
    )
    precision: Precision = Field(
        default="float32", description="of the networks' products when they are probed"
    )


class FixedStudy(Study):
    """A study whose runs are known beforehand."""

    objectives: ClassVar[tuple[str, ...]] = SCORES
    seeds: int = Field(default=3, ge=1, le=1000, description="runs of each point")

    def points(self) -> list[Point]:
        """Return the runs to compare, the base first."""
        raise NotImplementedError(f"{type(self).__name__} must define points()")

    def comparisons(self) -> list[tuple[str, str]]:
        """Return the pairs (base, changed) of labels: by default, the first with each other one."""
        base, *others = [point.label for point in self.points()]
        return [(base, other) for other in others]


class Ablation(FixedStudy):
    """Choices of one or more axes around a base: one factor at a time, or every combination."""

    kind: Literal["ablation"] = "ablation"
    base: Run
    axes: tuple[Axis, ...] = Field(min_length=1)
    design: Literal["one factor", "grid"] = "one factor"

    @model_validator(mode="after")
    def _distinct(self) -> "Ablation":
        _check_distinct("axes", [axis.name for axis in self.axes])
        return self

    def points(self) -> list[Point]:
        combinations = self._grid() if self.design == "grid" else self._one_factor()
        return [self._point(choices) for choices in combinations]

    def _grid(self) -> Iterable[dict[str, Choice]]:
        for choices in product(*(axis.choices for axis in self.axes)):
            yield dict(zip([axis.name for axis in self.axes], choices, strict=True))

    def _one_factor(self) -> Iterable[dict[str, Choice]]:
        base = {axis.name: axis.choices[0] for axis in self.axes}
        yield base
        for axis in self.axes:
            for choice in axis.choices[1:]:
                yield base | {axis.name: choice}

    def _point(self, choices: dict[str, Choice]) -> Point:
        changes = [change for choice in choices.values() for change in choice.changes]
        params = {name: choice.label for name, choice in choices.items()}
        label = self._label(params)
        return Point(label, changed(self.base, changes, label), params)

    def _label(self, params: dict[str, str]) -> str:
        """Name the choice of a single axis; of several, all in a grid, else the changed one."""
        if len(params) == 1:
            return next(iter(params.values()))
        base = {axis.name: axis.choices[0].label for axis in self.axes}
        named = params if self.design == "grid" else dict(params.items() - base.items())
        return ", ".join(f"{name}: {label}" for name, label in named.items()) or "base"


class Path(FixedStudy):
    """Cumulative changes that lead from one method to another in small steps."""

    kind: Literal["path"] = "path"
    base: Run
    choices: tuple[Choice, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _distinct(self) -> "Path":
        _check_distinct("the path", [choice.label for choice in self.choices])
        return self

    def points(self) -> list[Point]:
        """Return one run per step, each with all changes up to its own."""
        points, run = [], self.base
        for choice in self.choices:
            run = changed(run, choice.changes, choice.label)
            points.append(Point(choice.label, run, {"path": choice.label}))
        return points

    def comparisons(self) -> list[tuple[str, str]]:
        """Pair each step with the one before."""
        labels = [choice.label for choice in self.choices]
        return list(zip(labels, labels[1:], strict=False))


class Recipes(FixedStudy):
    """Whole methods side by side, each compared with the first."""

    kind: Literal["recipes"] = "recipes"
    runs: tuple[Run, ...] = Field(min_length=2)
    seeds: int = Field(default=5, ge=1, le=1000, description="runs of each method")
    suite: Literal["quick", "full"] = Field(default="full", description="the probes")
    images: int = Field(default=4000, ge=10, description="training images of the probes")

    @model_validator(mode="after")
    def _distinct(self) -> "Recipes":
        _check_distinct("the runs", [run.name for run in self.runs])
        return self

    def points(self) -> list[Point]:
        return [Point(run.name, run, {"recipe": run.name}) for run in self.runs]


class Search(Study):
    """Runs that Optuna suggests for several objectives at once: suggest(trial) -> Run."""

    seeds: ClassVar[int] = 1
    kind: Literal["search"] = "search"
    suggest: Callable[[Any], Run]
    trials: int = Field(default=50, ge=1, le=100_000, description="runs to try")
    objectives: tuple[Literal["semantic", "spatial", "cost"], ...] = Field(
        default=SCORES, min_length=1, description="what to optimise: semantic, spatial, cost"
    )
    sampler_seed: int = Field(default=0, ge=0)
    prune: Literal["dominated", "never"] = Field(
        default="dominated",
        description="stop a trial at a quarter or half of its steps where most earlier trials "
        "dominate it",
    )

    @model_validator(mode="after")
    def _distinct(self) -> "Search":
        for name in self.objectives:
            if self.objectives.count(name) > 1:
                raise ValueError(f"objectives names {name!r} twice; name each objective once")
        return self


def parameters(points: Iterable[Point]) -> dict[str, list[str]]:
    """Map every axis to the labels of its choices, in order of appearance."""
    labels: dict[str, dict[str, None]] = {}
    for point in points:
        for axis, label in point.params.items():
            labels.setdefault(axis, {})[label] = None
    return {axis: list(choices) for axis, choices in labels.items()}


def changed(run: Run, changes: Iterable[str], label: str) -> Run:
    """Return the run with the changes, named by the label; errors name the choice."""
    try:
        return run.change(*changes, name=label)
    except UserError as error:
        raise UserError(f"choice {label!r}: {error}") from None


def slug_of(label: str) -> str:
    """Return the label as a part of a folder's name; α and β have two."""
    slug = re.sub(r"[^A-Za-z0-9.+]+", "-", label).strip("-")
    return slug or f"run-{text_sum(label)}"


def _check_distinct(where: str, labels: list[str]) -> None:
    seen: dict[str, str] = {}
    for label in labels:
        other = seen.setdefault(slug := slug_of(label), label)
        if labels.count(label) > 1:
            raise ValueError(f"{where} has the label {label!r} twice; each choice needs its own")
        if other != label:
            raise ValueError(
                f"{where} has the labels {other!r} and {label!r}, whose runs would share the "
                f"folder {slug}; let them differ in a letter or digit"
            )

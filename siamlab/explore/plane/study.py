"""Study explorer: configurations and runs of studies on the plane, with intervals and differences.

StudyExplorer("studies/headline.py").brush("plane", [0, 1])     # no run is needed, only its scores
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
from jaxtyping import UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.explore.answers import Change
from siamlab.explore.explorer import Explorer
from siamlab.explore.kept import kept
from siamlab.explore.plane.points import plane_chart, values_chart
from siamlab.explore.plane.results import StudyResults, known_results, study_results
from siamlab.explore.plane.runs import named_changes
from siamlab.explore.scene import Control, Panel, Scene, decimal
from siamlab.machine.arguments import typed
from siamlab.study.statistics import effects, means

CONFIGURATIONS, RUNS = "configurations", "runs"
SUMMARY = ("semantic", "spatial")
DESCRIBED = 7  # chosen points that are described and compared
CHANGES = 4  # changes of a configuration that are named; the others are counted
FEW = 5  # points of which an exported page holds every selection
NAMED = 12  # up to this many points all have names; of more, only those that are described
WHISKERS = {
    CONFIGURATIONS: "means over seeds; whiskers and brackets: 95 % interval of that mean "
    "(Student's t)",
    RUNS: "each run by itself; whiskers and brackets: 95 % interval over test images",
}


class StudyExplorer(Explorer):
    """The plane of a study, from its scores alone, and one probe of the points that are chosen."""

    title = "the plane of a study"

    @typed
    def __init__(self, *studies: str | Path):
        places = studies or tuple(known_results())
        if not places:
            raise UserError(
                f"there are no results of studies below {Path.cwd()}; name a study by its file, "
                "its folder, or a .jsonl of `siamlab study export`"
            )
        self.places: dict[str, str | Path] = {str(place): place for place in places}
        self._results = kept(self._results, 8)  # per object
        self._table = kept(self._table, 16)
        first = next(iter(self.places))
        super().__init__({"study": first, "points": CONFIGURATIONS, "probe": ""}, "plane", 0)
        own = self._first_of(first, CONFIGURATIONS)
        self.values: dict[str, Any] = self.values | own

    def scene(self) -> Scene:
        """All points on the plane, and the chosen ones on the chosen probe, with intervals."""
        study, kind, probe = (self.values[key] for key in ("study", "points", "probe"))
        found, table = self._results(study), self._table(study, kind)
        names, chosen = table["name"].to_list(), self._chosen()
        places = [names.index(name) for name in chosen]
        named = range(len(names)) if len(names) <= NAMED else places[:DESCRIBED]
        joined = found.path and kind == CONFIGURATIONS
        plane = plane_chart(table.rename({"name": "model"}), places, named, joined)
        rows = self._values(probe).filter(pl.col("name").is_in(chosen[:DESCRIBED]))
        first = rows.row(0, named=True)
        unit = f"{first['title'].partition(':')[0]} ({first['unit']})"
        return Scene(
            panels=[
                Panel("plane", f"all {kind}", "", (1, len(names)), chart=plane, span=3,
                      several=True),
                Panel("values", f"chosen {kind}: {probe}", "", span=3,
                      chart=values_chart(rows, names, unit)),
            ],
            columns=6,
            text="\n".join([self._head(found), *self._lines(chosen)]),
            controls=self.controls(),
        )  # fmt: skip

    def controls(self) -> list[Control]:
        """Study, what a point is, and the probe on the right."""
        probes = self._results(self.values["study"]).scores["probe"].unique(maintain_order=True)
        choices = {
            "study": list(self.places),
            "points": [CONFIGURATIONS, RUNS],
            "probe": probes.to_list(),
        }
        return [
            Control(name, name, self.values[name], options=options)
            for name, options in choices.items()
        ]

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """None: there are only charts."""
        return {}

    def on_select(self, panel: str, patch: int) -> Change:
        """A point is chosen alone."""
        return self.on_brush(panel, [patch])

    def on_brush(self, panel: str, parts: Sequence[int]) -> Change:
        """Points are chosen together; the others are compared with the first of them."""
        names = self._table(self.values["study"], self.values["points"])["name"]
        return Change({"chosen": tuple(names[part] for part in parts)})

    def exported_brushes(self) -> list[tuple[str, list[int]]]:
        """Every selection of several points, if there are few."""
        count = len(self._table(self.values["study"], self.values["points"]))
        few = range(count if count <= FEW else 0)
        return [
            ("plane", list(parts)) for k in range(2, len(few) + 1) for parts in combinations(few, k)
        ]

    def on_set(self, values: dict[str, Any]) -> Change:
        """Another study, and other points of it, begin with all that fit."""
        study, kind = (values.get(key, self.values[key]) for key in ("study", "points"))
        if (study, kind) == (self.values["study"], self.values["points"]):
            return Change(values)
        return Change(self._first_of(study, kind) | values)

    def _first_of(self, study: str, kind: str) -> dict[str, Any]:
        """The points that are chosen first, and a probe that the study has."""
        probes = self._results(study).scores["probe"]
        probe = self.values["probe"] if self.values["probe"] in probes else SUMMARY[0]
        names = self._table(study, kind)["name"].to_list()
        return {"chosen": tuple(names[:DESCRIBED]), "probe": probe}

    def _chosen(self) -> Sequence[str]:
        return self.values["chosen"]

    def _results(self, study: str) -> StudyResults:
        return study_results(self.places[study])

    def _table(self, study: str, kind: str) -> pl.DataFrame:
        """name, both scores with _low and _high: one row for each point that has both."""
        sides = [
            _points(self._results(study).scores, probe, kind).select(
                "name", pl.col("value").alias(probe), pl.col("low").alias(f"{probe}_low"),
                pl.col("high").alias(f"{probe}_high"),
            )
            for probe in SUMMARY
        ]  # fmt: skip
        table = sides[0].join(sides[1], on="name", maintain_order="left")
        if table.is_empty():
            raise UserError(
                f"the study {study} has no run with both scores, {' and '.join(SUMMARY)}; measure "
                "it on images with labels"
            )
        return table

    def _values(self, probe: str) -> pl.DataFrame:
        scores = self._results(self.values["study"]).scores
        return _points(scores, probe, self.values["points"])

    def _head(self, found: StudyResults) -> str:
        trials = found.scores.select("point", "seed").n_unique()
        points = found.scores["point"].n_unique()
        return (
            f"{found.name}: {trials} runs of {points} configurations, "
            f"{WHISKERS[self.values['points']]}."
        )

    def _lines(self, chosen: Sequence[str]) -> list[str]:
        """One line for each chosen point: scores, changes, and how it differs from the first."""
        first, *others = chosen[:DESCRIBED]
        lines = [f"{name}: {self._scores(name)}." for name in (first, *others)]
        if self.values["points"] == CONFIGURATIONS:
            more = [self._about(first, first), *(self._about(name, first) for name in others)]
            lines = [line[:-1] + rest + "." for line, rest in zip(lines, more, strict=True)]
        if len(chosen) > DESCRIBED:
            lines.append(f"{len(chosen) - DESCRIBED} more are chosen.")
        return lines

    def _scores(self, name: str) -> str:
        table = self._table(self.values["study"], self.values["points"])
        (row,) = table.filter(name=name).iter_rows(named=True)
        ends = {key: _interval(row[f"{key}_low"], row[f"{key}_high"]) for key in SUMMARY}
        return ", ".join(f"{key} {decimal(row[key])}{ends[key]}" for key in SUMMARY)

    def _about(self, name: str, first: str) -> str:
        """Seeds of a configuration; what it changes and by how much its scores differ."""
        found = self._results(self.values["study"])
        seeds = found.scores.filter(point=name)["seed"].n_unique()
        words = [f"{seeds} seed{'s' * (seeds != 1)}"]
        if name != first:
            runs = found.runs.get(name), found.runs.get(first)
            if all(runs):
                words.append(f"changed from {first}: {named_changes(*runs, CHANGES) or 'nothing'}")
            words.append(f"less {first}, seed by seed: {_differences(found.scores, first, name)}")
        return "; " + "; ".join(words)


def _points(scores: pl.DataFrame, probe: str, kind: str) -> pl.DataFrame:
    """name, title, unit, value, low, high of one probe: of configurations, or of runs."""
    rows = scores.filter(pl.col("probe") == probe, pl.col("value").is_finite())
    keys = "name", "title", "unit", "value", "low", "high"
    if rows.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(keys[:3], pl.String) | dict.fromkeys(
            keys[3:], pl.Float64))  # fmt: skip
    if kind == RUNS:
        return rows.with_columns(name=pl.format("{}, seed {}", "point", "seed")).select(keys)
    return means(rows).rename({"point": "name", "mean": "value"}).select(keys)


def _differences(scores: pl.DataFrame, first: str, name: str) -> str:
    """Mean differences of both scores over the seeds that both have, with their intervals."""
    rows = effects(scores.filter(pl.col("probe").is_in(SUMMARY)), [(first, name)])
    words = []
    for row in rows.iter_rows(named=True):
        if row["pairs"]:
            ends = _interval(row["low"], row["high"], "+")
            words.append(f"{row['probe']} {decimal(row['difference'], '+.3f')}{ends}")
    return ", ".join(words) or "no seed in common"


def _interval(low: float | None, high: float | None, sign: str = "") -> str:
    """An interval in brackets; nothing where it is not known, as of one seed."""
    known = all(end is not None and end == end for end in (low, high))
    form = f"{sign}.3f"
    return f" [{decimal(low, form)}, {decimal(high, form)}]" if known else ""

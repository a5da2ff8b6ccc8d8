"""Study explorer: configurations and runs of studies on the plane, with intervals and differences.

StudyExplorer("studies/headline.py").brush("plane", [0, 1])     # no run is needed, only its scores
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from jaxtyping import UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.explore.answers import Change
from siamlab.explore.explorer import Explorer
from siamlab.explore.held import Held
from siamlab.explore.kept import kept
from siamlab.explore.plane.points import held_plane, plane_chart, values_chart
from siamlab.explore.plane.results import StudyResults, known_results, study_results
from siamlab.explore.plane.told import (
    CONFIGURATIONS,
    RUNS,
    SUMMARY,
    axis_title,
    differences,
    interval,
    points_of,
    seed_counts,
    since,
)
from siamlab.explore.scene import Control, Panel, Scene, decimal
from siamlab.machine.arguments import typed

DESCRIBED = 7  # chosen points that are described and compared
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
        self._begin(Change(self._first_of(first, CONFIGURATIONS)))

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
        unit = axis_title(rows.row(0, named=True))
        return Scene(
            panels=[
                Panel("plane", f"All {kind}", "", (1, len(names)), chart=plane, span=3,
                      several=True),
                Panel("values", f"Chosen {kind}: {probe}", "", span=3,
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

    @property
    def found(self) -> StudyResults:
        """The results of the study that is shown."""
        return self._results(self.values["study"])

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

    def held(self) -> Held:
        """The scores of all points of all studies, for every selection of them and every probe."""
        states = {}
        for study in self.places:
            for kind in (CONFIGURATIONS, RUNS):
                first = {"study": study, "points": kind} | self._first_of(study, kind)
                states[f"{study} {kind}"] = self.at(Change(first))._held_points()
        data = {"states": states, "described": DESCRIBED, "named": NAMED}
        return Held("studyScene", data, {}, self.controls())

    def _held_points(self) -> dict[str, Any]:
        """The present points; of many, a page places the names itself."""
        study, kind = self.values["study"], self.values["points"]
        found, table = self._results(study), self._table(study, kind)
        names = table["name"].to_list()
        joined = found.path and kind == CONFIGURATIONS
        return {
            "names": names,
            "chosen": list(self._chosen()),
            "head": self._head(found),
            "plane": held_plane(table.rename({"name": "model"}), NAMED, joined),
            "lines": self._between(names if kind == CONFIGURATIONS else names[:1], names),
            "probes": {probe: self._held_probe(probe) for probe in self.controls()[2].options},
        }

    def _held_probe(self, probe: str) -> dict[str, Any]:
        rows = self._values(probe)
        title = axis_title(rows.row(0, named=True)) if len(rows) else ""
        values = rows.select("name", "value", "low", "high").fill_nan(None).rows()
        return {"title": title, "rows": values}

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
            points_of(self._results(study).scores, probe, kind).select(
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
        return points_of(scores, probe, self.values["points"])

    def _head(self, found: StudyResults) -> str:
        trials = found.scores.select("point", "seed").n_unique()
        points = found.scores["point"].n_unique()
        return (
            f"{found.name}: {trials} runs of {points} configurations, "
            f"{WHISKERS[self.values['points']]}."
        )

    def _lines(self, chosen: Sequence[str]) -> list[str]:
        """One line for each chosen point: scores, changes, and how it differs from the first."""
        between = self._between(chosen[:1], chosen[:DESCRIBED])
        lines = [between[chosen[0]][name] for name in chosen[:DESCRIBED]]
        if len(chosen) > DESCRIBED:
            lines.append(f"{len(chosen) - DESCRIBED} more are chosen.")
        return lines

    def _scores(self, name: str) -> str:
        table = self._table(self.values["study"], self.values["points"])
        (row,) = table.filter(name=name).iter_rows(named=True)
        ends = {key: interval(row[f"{key}_low"], row[f"{key}_high"]) for key in SUMMARY}
        return ", ".join(f"{key} {decimal(row[key])}{ends[key]}" for key in SUMMARY)

    def _between(self, firsts: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
        """What is told of each point next to each first one, which is the base of differences."""
        scores = {name: self._scores(name) for name in {*firsts, *names}}
        if self.values["points"] != CONFIGURATIONS:
            return {first: {n: f"{n}: {scores[n]}." for n in names} for first in firsts}
        found = self._results(self.values["study"])
        pairs = [(first, name) for first in firsts for name in names if name != first]
        apart, seeds = differences(found.scores, pairs), seed_counts(found.scores)
        return {
            first: {
                name: f"{name}: {scores[name]}; {seeds[name]} seed{'s' * (seeds[name] != 1)}"
                + (since(found, first, name, apart[first, name]) if name != first else "")
                + "."
                for name in names
            }
            for first in firsts
        }

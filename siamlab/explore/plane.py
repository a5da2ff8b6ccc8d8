"""Plane explorer: models as points; brush some for what they were, how they went, what they see.

PlaneExplorer(subjects, scores, test)      # subjects and the long table of their scores
PlaneExplorer.of_study("runs/studies/loss_form").brush("plane", [0, 2]).brush("histogram", [3, 4])
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from siamlab.component import UserError
from siamlab.data import Images
from siamlab.explore.explorer import Explorer
from siamlab.explore.pair import PairExplorer
from siamlab.explore.plane_charts import course_panels, histogram, placed, plane_chart
from siamlab.explore.plane_examples import LEGENDS, PICTURED, Behind, example_images, example_panels
from siamlab.explore.plane_measures import MEASURES, Measure, Seen, possible
from siamlab.explore.plane_runs import Point, base_of, changes, given_points, study_points
from siamlab.explore.scene import Control, Panel, Scene
from siamlab.figure import plane_table
from siamlab.given import chosen_images, test_images
from siamlab.subject import Subject
from siamlab.train import Folder
from siamlab.train.folder import Line

LOOKED = 40  # test images behind the histogram
BARS = 12
READ = 7  # chosen models that are told of: one a colour
NAMED = 12  # points that all have their names beside them; of more, those that are told of
FEW = 4  # models of which a page holds every choice of several


class PlaneExplorer(Explorer):
    """The plane; of the chosen models configuration, course and a histogram; what is behind it."""

    title = "the plane, linked"

    def __init__(
        self,
        subjects: Sequence[Subject | Point],
        scores: pl.DataFrame,
        images: Images | UInt8[Tensor, "n 3 H W"] | None = None,
    ):
        self.table, here = plane_table(scores), given_points(subjects)
        if missing := [name for name in self.table["model"] if name not in here]:
            raise UserError(f"scores has the model {missing[0]!r}, which is not among the subjects")
        self.points = {name: here[name] for name in self.table["model"]}
        self.names = list(self.points)
        self.base = base_of(list(self.points.values()))
        images = test_images(self.base.run) if images is None else images
        self.pixels = chosen_images(images, self.base.run)[:LOOKED]
        unknown = torch.full((len(self.pixels),), -1)
        self.labels = getattr(images, "labels", unknown)[: len(self.pixels)]
        self._seen = lru_cache(maxsize=4)(self._seen)  # of this object alone; each holds a model
        self._possible = lru_cache(maxsize=512)(self._possible)
        self._found = lru_cache(maxsize=512)(self._found)
        self._logged = lru_cache(maxsize=512)(self._logged)
        values = {"chosen": (self.base.name,), "model": self.base.name}
        values |= {"measure": next(iter(MEASURES)), "bars": (BARS - 1,)}
        super().__init__(values, "histogram", BARS - 1)

    @classmethod
    def of_study(
        cls, folder: str | Path, images: Images | UInt8[Tensor, "n 3 H W"] | None = None
    ) -> "PlaneExplorer":
        """Every measured run of a study's folder a point, loaded when it is chosen.

        Raises UserError if there is none.
        """
        return cls(*study_points(folder), images)

    def scene(self) -> Scene:
        """The plane, the histogram, the courses, and examples of what is behind the bars."""
        model, measure = self.values["model"], self._measure()
        places, told = [self.names.index(name) for name in self.values["chosen"]], self._told()
        near = [i for i, name in enumerate(self.names) if name in told or len(self.names) <= NAMED]
        plane = plane_chart(self.table, places, near)
        values, title = self._found(model, self.values["measure"])[:, 2], self.values["measure"]
        bars = histogram(values, self._edges(), title, measure.part, self.values["bars"])
        wide = dict(image="", span=3, several=True)
        return Scene(
            panels=[
                Panel("plane", "all models", grid=(1, len(self.names)), chart=plane, **wide),
                Panel(
                    "histogram", f"{model}: all {measure.part}", grid=(1, BARS), chart=bars, **wide
                ),
                *course_panels(self._courses(), self.names),
                *example_panels(self._seen(model), measure.of, self._pictured()),
            ],
            columns=6,
            text=self._text(),
            controls=[
                Control("model", "model of the histogram", model, options=self.values["chosen"]),
                Control("measure", "histogram of", title, options=self._possible(model)),
            ],
            legend=LEGENDS[measure.of],
        )

    def images(self) -> dict[str, UInt8[Tensor, "3 H W"]]:
        """The images or views of the examples."""
        seen = self._seen(self.values["model"])
        return example_images(seen, self._measure().of, self._pictured())

    def click(self, panel: str, patch: int) -> tuple[dict[str, Any], tuple[str, int] | None]:
        """A point of the plane chooses its model, a bar what is behind it."""
        return self.brushed(panel, [patch])

    def brushed(
        self, panel: str, parts: Sequence[int]
    ) -> tuple[dict[str, Any], tuple[str, int] | None]:
        """Points choose their models, the first for the histogram; bars all from first to last."""
        if panel == "plane":
            chosen = tuple(self.names[part] for part in parts)
            return {"chosen": chosen} | self.turned({"model": chosen[0]}), None
        bars = tuple(range(min(parts), max(parts) + 1))
        return {"bars": bars}, (panel, bars[0])

    def brushes(self) -> list[tuple[str, list[int]]]:
        """Every range of bars, and of few models every choice of several."""
        ends = combinations(range(BARS), 2)
        held = [("histogram", list(range(low, high + 1))) for low, high in ends]
        few = len(self.names) if len(self.names) <= FEW else 0
        for count in range(2, few + 1):
            held += [("plane", list(some)) for some in combinations(range(few), count)]
        return held

    def turned(self, values: dict[str, Any]) -> dict[str, Any]:
        """A model that the measure is not possible of is shown by the first that is."""
        can = self._possible(values.get("model", self.values["model"]))
        return values if self.values["measure"] in can else {"measure": can[0]} | values

    def _told(self) -> list[str]:
        """The chosen models that can be told of, and the base."""
        told = self.values["chosen"][:READ]
        return list(dict.fromkeys([*told, self.values["model"], self.base.name]))

    def _measure(self) -> Measure:
        return MEASURES[self.values["measure"]]

    def _seen(self, name: str) -> Seen:
        return Seen(PairExplorer(self.points[name].load(), self.pixels, image=0), self.labels)

    def _possible(self, name: str) -> list[str]:
        return possible(self._seen(name))

    def _found(self, name: str, measure: str) -> Float[Tensor, "M 3"]:
        """Image, patch and value."""
        return MEASURES[measure].values(self._seen(name))

    def _edges(self) -> list[float]:
        """Of the bars: alike for the models that are told of."""
        measure = self.values["measure"]
        told = (name for name in self._told() if measure in self._possible(name))  # one at a time
        values = torch.cat([self._found(name, measure)[:, 2] for name in told])
        return torch.linspace(float(values.min()), float(values.max()), BARS + 1).tolist()

    def _behind(self) -> list[Behind]:
        """What is behind the chosen bars, the largest value first."""
        found = self._found(self.values["model"], self.values["measure"])
        bar = placed(found[:, 2], self._edges())
        here = found[torch.isin(bar, torch.tensor(self.values["bars"]))]
        here = here[here[:, 2].argsort(descending=True)]
        return [Behind(int(image), int(patch), value) for image, patch, value in here.tolist()]

    def _pictured(self) -> list[Behind]:
        return self._behind()[: PICTURED[self._measure().of]]

    def _courses(self) -> dict[str, list[Line]]:
        """What was logged of the chosen models that can be told of."""
        return {name: self._logged(name) for name in self.values["chosen"][:READ]}

    def _logged(self, name: str) -> list[Line]:
        folder = self.points[name].folder
        return Folder(folder).lines() if folder else []

    def _text(self) -> str:
        """What is behind the bars, then a line for each chosen model."""
        model, chosen, measure = self.values["model"], self.values["chosen"], self._measure()
        behind, edges, bars = self._behind(), self._edges(), self.values["bars"]
        total, shown = len(self._found(model, self.values["measure"])), PICTURED[measure.of]
        few = f"; the {shown} largest are pictured" if len(behind) > shown else ""
        said = [
            f"{model}: {len(behind)} {measure.part} of {total} with {self.values['measure']} "
            f"from {edges[bars[0]]:.3g} to {edges[bars[-1] + 1]:.3g}{few}."
        ]
        for row in self.table.filter(pl.col("model").is_in(chosen[:READ])).iter_rows(named=True):
            told = f"{row['model']}: semantic {row['semantic']:.3f}, spatial {row['spatial']:.3f}"
            other = changes(self.points[row["model"]], self.base)
            said.append(f"{told}; {other}." if other else f"{told}.")
        if len(chosen) > READ:
            said.append(f"{len(chosen) - READ} more are chosen.")
        return "\n".join(said)
